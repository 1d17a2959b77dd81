"""HTTP connections: aiohttp's, which bear with nobody for long and say in our words what is wrong.

Where there are no files for further ones, the log says so now and then.
"""

import asyncio
import errno
import time
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError

from liveness.api.middleware import problem
from liveness.errors import LivenessError, RequestError

HEADER_LIMIT = 10.0
"""Seconds that a client has for TLS, and then for the header of its first request."""

KEEP_ALIVE = 75.0
"""Seconds from one request to the header of the next: more than balancers keep a connection that is
idle (60), so that none sends into one that just ends."""

GOODBYE_LIMIT = 1.0
"""Seconds for the last words of TLS, which who says nothing does not answer."""

SILENCE = 10.0
"""Seconds between two words about too many connections."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = structlog.get_logger(__name__)


class Connection(web.RequestHandler):
    """One connection, of as many requests as the client likes."""

    __slots__ = ("_limit",)

    def __init__(self, manager: web.Server) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(manager, loop=loop, keepalive_timeout=KEEP_ALIVE, access_log=None)  # type: ignore[arg-type]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; aiohttp itself waits for the first header as long as for the others."""
        super().connection_made(transport)
        self._limit = asyncio.get_running_loop().call_later(HEADER_LIMIT, self._expect_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._limit.cancel()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        if not self._request_count:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, and so reaches no route, as everything else is answered."""
        super().handle_error(request, status, exc, message)  # logs it
        wrong = LivenessError()
        if status == HTTPStatus.BAD_REQUEST:
            wrong = RequestError("This is no HTTP request")
        response = problem(wrong.status, wrong.code, wrong.title, wrong.detail)
        response.headers[hdrs.SERVER] = "liveness"
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log what is wrong here, and not in requests: anybody can send as many as they like."""
        theirs = HttpProcessingError, web.RequestPayloadError
        if not isinstance(options.get("exc_info"), theirs):
            super().log_exception(*args, **options)


class Complaints:
    """An exception handler for event loops, which complain of each connection they cannot take."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log it, unless that was done a moment ago."""
        error, now = context.get("exception"), time.monotonic()
        if "socket" not in context or getattr(error, "errno", None) not in _EXHAUSTED:
            loop.default_exception_handler(context)
        elif now >= self._silent_until:
            self._silent_until = now + SILENCE
            log.warning("connections cannot be taken", detail=str(error))
