"""What is told of a session, over HTTP and to webhooks."""

from typing import Any

from liveness.store import Record

SHOWN = {"id", "status", "created_at", "expires_at", "verdict"}
"""What can be read of every session."""

GIVEN = {"metadata", "success_url", "failure_url", "time_limit"}
"""What is told as it was given, if it was."""


def report(record: Record, *, webhook: bool = False) -> dict[str, Any]:
    """Tell what becomes of a session, as JSON has it; `webhook`: and of its delivery."""
    told = SHOWN | {name for name in GIVEN if getattr(record, name)}
    shown = record.model_dump(mode="json", include=told)
    if webhook and record.delivery is not None:
        shown["webhook"] = record.delivery.model_dump(mode="json")
    return shown
