"""The way to a store that may fail: what goes wrong there gets one name, and is logged once."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from liveness.errors import StoreUnavailable

RETRY_AFTER = 5
"""Seconds after which a store that failed may be asked again."""

log = structlog.get_logger(__name__)


class Link:
    """Turns `errors` into `StoreUnavailable`; what went wrong is for the log, not for clients."""

    def __init__(self, *errors: type[Exception]) -> None:
        self._errors = errors
        self._broken = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Wrap one use of the store."""
        try:
            yield
        except self._errors as error:
            if not self._broken:
                log.warning("store unavailable", error=f"{type(error).__name__}: {error}")
            self._broken = True
            raise StoreUnavailable(retry_after=RETRY_AFTER) from error
        if self._broken:
            log.info("store available again")
        self._broken = False
