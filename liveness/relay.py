"""Sends requests on to the process that has to answer them, and hands back what it says.

Over the socket of a worker a request is at its end; one that came from another node stays in the
node. So none takes more than two steps. Nodes trust each other with nothing: a request that is
sent on carries its client's own token, and is answered as if it had come straight from there.
"""

import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_urlsafe

from aiohttp import (
    BaseConnector,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
    UnixConnector,
    hdrs,
    web,
)
from multidict import CIMultiDict
from yarl import URL

from liveness.board import Board
from liveness.errors import OwnerSilent
from liveness.seat import Owner, door

HOP = "Liveness-Hop"
"""On what came from another node."""

REMOTE, SCHEME = "Liveness-Remote", "Liveness-Scheme"
"""Who asked, and how, on what came from another worker."""

CONNECT_LIMIT = 2.0
"""Seconds: in a node it takes a millisecond, between nodes a hundred."""

ANSWER_LIMIT = 30.0
"""Seconds until an answer has come: longer than any but a download takes."""

RETRY_AFTER = 2
"""Seconds by when a process that died has been replaced, or its sessions ended."""

_WORKER = URL("http://worker")

# Of one connection (RFC 9110 section 7.6.1), or of a body that is sent anew.
_NOT_SENT_ON: frozenset[str] = frozenset(
    {
        *(hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION),
        *(hdrs.TE, hdrs.TRAILER, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.EXPECT),
        *(hdrs.CONTENT_LENGTH, hdrs.CONTENT_ENCODING),
    }
)
# Each process writes these itself.
_NOT_HANDED_BACK = _NOT_SENT_ON | {
    *(hdrs.DATE, hdrs.SERVER, hdrs.VARY),
    *(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN, hdrs.ACCESS_CONTROL_EXPOSE_HEADERS),
}


class Unreachable(OwnerSilent):
    """There is nobody: the request was not sent."""


class Relay:
    """Knows who answers what. `places`: for the sessions of all workers together."""

    def __init__(self, board: Board, places: int) -> None:
        self.seat = board.seat
        self._board = board
        self._places = places
        self._underway: Counter[int] = Counter()

    @contextmanager
    def freest(self) -> Iterator[int]:
        """Give the worker with most room for a session, this one among equals.

        As long as the context lasts the session is counted as one that the worker has: others that
        come meanwhile go elsewhere.
        """
        slot = self._freest()
        self._underway[slot] += 1
        try:
            yield slot
        finally:
            self._underway[slot] -= 1

    def _freest(self) -> int:
        room = {
            slot: self.seat.share(self._places, slot) - load - self._underway[slot]
            for slot, load in enumerate(self._board.loads())
            if load is not None
        }
        own = self.seat.slot
        return max(room, key=lambda slot: (room[slot], slot == own), default=own)

    @property
    def stand_in(self) -> int:
        """The worker that takes sessions: another one than this while only others do."""
        own = self.seat.slot
        return self._freest() if self._board.loads()[own] is None else own

    def keeper(self, key: str) -> int:
        """Give the worker that remembers whatever goes by this key."""
        return zlib.crc32(key.encode(errors="backslashreplace")) % self.seat.workers

    def mint(self, kind: str) -> str:
        """Make a random name for something that this worker remembers: `kind:name` is the key."""
        while True:
            name = token_urlsafe(16)
            if self.keeper(f"{kind}:{name}") == self.seat.slot:
                return name

    @property
    def others(self) -> list[int]:
        """The other workers of this node."""
        return [slot for slot in range(self.seat.workers) if slot != self.seat.slot]

    async def to_owner(self, owner: str, request: web.Request) -> web.Response:
        """Have a request answered by the process of that name; raises `OwnerSilent`."""
        found = Owner.parse(owner)
        if found is not None and found.node == self.seat.node and found.slot in self.others:
            return await self.to_worker(found.slot, request)
        if found is None or found.node == self.seat.node or not found.url or HOP in request.headers:
            raise Unreachable(retry_after=RETRY_AFTER)
        return await _send(request, TCPConnector(), URL(found.url), {HOP: "1"})

    async def to_worker(
        self,
        slot: int,
        request: web.Request,
        body: bytes | None = None,
        *,
        within: float | None = ANSWER_LIMIT,
    ) -> web.Response:
        """Have a request answered by another worker; raises `OwnerSilent`.

        `body`: of a request that was read. `within`: seconds, None: however long it takes.
        """
        if self.seat.folder is None:
            raise Unreachable(retry_after=RETRY_AFTER)
        connector = UnixConnector(str(door(self.seat.folder, slot)))
        told = {REMOTE: request.remote or "", SCHEME: request.scheme}
        return await _send(request, connector, _WORKER, told, body, within)


def came_from_worker(request: web.Request) -> bool:
    """Tell whether a request came over this worker's own socket, which only workers reach."""
    return isinstance(request.get_extra_info("sockname"), str)


def as_it_came(request: web.Request) -> web.Request:
    """Show a request of another worker as that one got it."""
    return request.clone(remote=request.headers[REMOTE], scheme=request.headers[SCHEME])


async def _send(
    request: web.Request,
    connector: BaseConnector,
    base: URL,
    told: dict[str, str],
    body: bytes | None = None,
    within: float | None = ANSWER_LIMIT,
) -> web.Response:
    headers = _without(request.headers, _NOT_SENT_ON)
    headers.update(told)
    unread = request.content if request.can_read_body else None
    client = ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=within, sock_connect=CONNECT_LIMIT),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=(hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE),
    )
    try:
        async with (
            client,
            client.request(
                request.method,
                base.join(request.rel_url),
                headers=headers,
                data=unread if body is None else io.BytesIO(body),
                allow_redirects=False,
            ) as answer,
        ):
            content = await answer.read()
    except (ClientConnectorError, ConnectionTimeoutError) as error:
        raise Unreachable(retry_after=RETRY_AFTER) from error
    except (ClientError, TimeoutError) as error:
        raise OwnerSilent(retry_after=RETRY_AFTER) from error
    kept = _without(answer.headers, _NOT_HANDED_BACK)
    return web.Response(status=answer.status, headers=kept, body=content or None)


def _without(headers: Mapping[str, str], names: frozenset[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in names:
        kept.popall(name, None)
    return kept
