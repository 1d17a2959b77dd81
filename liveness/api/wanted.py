"""What a relying party may ask for when it makes a session, and what a list of them is asked by."""

import json
import math
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from liveness.challenge.names import Challenge
from liveness.challenge.plan import MOST_CHALLENGES
from liveness.errors import InvalidBody, Unservable
from liveness.limits import subject_digest
from liveness.links import checked_link
from liveness.store import Status

MOST_ENTRIES = 16
"""Of metadata: enough to find one's own case again, and no place to keep things."""

MOST_NAME = 64
"""Characters of an entry's name."""

MOST_METADATA = 1024
"""Bytes, as JSON: it is in every verdict's token."""

MOST_INTEGER = 2**53 - 1
"""What every JSON reader takes as it is (RFC 8259 section 6)."""

SUBJECT = "subject"
"""The entry that names a person: who fails too often is locked."""

MOST_PAGE = 100
"""Sessions of one page: some hundred kilobytes."""

Metadata = dict[str, str | int | float | bool]
Model = TypeVar("Model", bound=BaseModel)


def checked_metadata(given: object) -> Metadata:
    """Take small, flat metadata; raises `ValueError`."""
    if not isinstance(given, dict) or len(given) > MOST_ENTRIES:
        raise ValueError(f"an object of at most {MOST_ENTRIES} entries is needed")
    for name, value in given.items():
        if not 1 <= len(name) <= MOST_NAME:
            raise ValueError(f"a name has 1 to {MOST_NAME} characters")
        if not _is_plain(value):
            raise ValueError(f"{name} is no string, truth value, or number that JSON can carry")
    if SUBJECT in given and (given[SUBJECT] == "" or isinstance(given[SUBJECT], bool | float)):
        raise ValueError(f"{SUBJECT} is a string or a whole number")
    if len(json.dumps(given, ensure_ascii=False).encode()) > MOST_METADATA:
        raise ValueError(f"at most {MOST_METADATA} bytes are taken")
    return given


def _is_plain(value: object) -> bool:
    if isinstance(value, int):  # a truth value too
        return abs(value) <= MOST_INTEGER
    return isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


Link = Annotated[str, AfterValidator(checked_link)]


class Wanted(BaseModel):
    """What a relying party may ask for.

    `success_url`, `failure_url`: where the page sends the person afterwards. `time_limit`: seconds
    of video, at most the server's.
    """

    model_config = ConfigDict(extra="forbid")

    challenges: tuple[Challenge, ...] | None = Field(
        default=None, min_length=1, max_length=MOST_CHALLENGES
    )
    metadata: Annotated[Metadata, BeforeValidator(checked_metadata)] = {}
    success_url: Link | None = None
    failure_url: Link | None = None
    time_limit: float | None = Field(default=None, ge=1, allow_inf_nan=False, strict=True)

    def subject_digest(self, key_name: str | None) -> str | None:
        """Name the person whom the metadata name, for this relying party."""
        subject = self.metadata.get(SUBJECT)
        return None if subject is None else subject_digest(key_name, str(subject))


class ListWanted(BaseModel):
    """What a list is asked by: `after` is that of the page before."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    limit: int = Field(default=50, ge=1, le=MOST_PAGE)
    after: str | None = Field(default=None, pattern=r"^\d{16}\.[0-9a-f-]{36}$")


def read_json(model: type[Model], text: str) -> Model:
    """Read a body; raises `InvalidBody`, `Unservable`."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _explained(error) from None


def read_query(model: type[Model], query: dict[str, Any]) -> Model:
    """Read the query of an address; raises `Unservable`."""
    try:
        return model.model_validate(query)
    except ValidationError as error:
        raise _explained(error) from None


def _explained(error: ValidationError) -> InvalidBody | Unservable:
    """Tell the first thing that is wrong."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return InvalidBody("The body is not JSON")
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return Unservable(f"{where}: {what}" if where else what)
