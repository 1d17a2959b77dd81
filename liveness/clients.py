"""What is remembered of clients that send single pictures: little, briefly, and of each apart."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from liveness.challenge.single import Run
from liveness.scores import Scores

ADDRESS_LIFETIME = 30.0
"""Seconds after its last picture for which a client is known by its address alone. The seeds'
clients send one picture a second, and others may come from the same address soon after."""

NAMED_LIFETIME = 300.0
"""The same for one that names a session or keeps a cookie."""

MOST_CLIENTS = 4096
"""The least recent go first. Each takes a picture to become one, and at most 20 KB."""

MOST_NAME = 128
"""Characters of a session's name."""

_SWEEP_INTERVAL = 10.0
"""Seconds between two looks for clients whose time is over."""


class Client:
    """One client: its run of pictures for `blink`, its scores of `/upload`."""

    def __init__(self) -> None:
        self.run = Run()
        self.scores = Scores()


@dataclass(frozen=True, slots=True)
class Visit:
    """Who sent a picture: `clients[0]` answers, and all of them remember it.

    `cookie`: to be given to the client, again if it had one; None for one that names a session.
    """

    clients: tuple[Client, ...]
    cookie: str | None = None


_Key = tuple[str, str]


@dataclass(slots=True)
class _Entry:
    """`beside`: the address that a cookie's first picture was remembered for as well."""

    lifetime: float
    touched: float
    client: Client = field(default_factory=Client)
    visits: int = 0
    beside: _Key | None = None

    def is_over(self, now: float) -> bool:
        return now - self.touched > self.lifetime


class Clients:
    """Finds the client of a request. Times are seconds of any clock that does not go back.

    `mint`: makes cookies that nobody guesses.
    """

    def __init__(
        self, mint: Callable[[], str] = secrets.token_urlsafe, most: int = MOST_CLIENTS
    ) -> None:
        self._mint = mint
        self._most = most
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def visit(
        self, session: str | None, cookie: str | None, address: str | None, now: float
    ) -> Visit:
        """Find the client of a request, or make it.

        A session's name that the client chose comes first, then its cookie, then its address, for
        clients that keep no cookies; None for one that is known to keep them. A client that brings
        none yet gets one, which remembers what this request showed and nothing that others at the
        same address did. A cookie that this server does not know, or no longer, stands for nobody:
        nobody can choose another's.
        """
        self._sweep(now)
        if session is not None:
            return Visit((self._touch(("session", session), NAMED_LIFETIME, now),))
        known = None if cookie is None else self._entries.get(("cookie", cookie))
        if cookie is not None and known is not None and not known.is_over(now):
            self._keeps_cookies(known)
            return Visit((self._touch(("cookie", cookie), NAMED_LIFETIME, now),), cookie)
        fresh = self._mint()
        if cookie is not None or address is None:
            return Visit((self._touch(("cookie", fresh), NAMED_LIFETIME, now),), fresh)
        clients = (
            self._touch(("address", address), ADDRESS_LIFETIME, now),
            # Not named yet: it may be a client that keeps no cookies.
            self._touch(("cookie", fresh), ADDRESS_LIFETIME, now),
        )
        self._entries["cookie", fresh].beside = ("address", address)
        return Visit(clients, fresh)

    def _keeps_cookies(self, entry: _Entry) -> None:
        """Forget its first picture at its address, unless others have come from there as well."""
        beside, entry.beside = entry.beside, None
        if beside is not None and beside in self._entries and self._entries[beside].visits == 1:
            del self._entries[beside]

    def _touch(self, key: _Key, lifetime: float, now: float) -> Client:
        entry = self._entries.get(key)
        if entry is None or entry.is_over(now):
            entry = self._entries[key] = _Entry(lifetime, now)
        entry.lifetime, entry.touched = lifetime, now
        entry.visits += 1
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return entry.client

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_INTERVAL:
            return
        self._swept = now
        for key in [key for key, entry in self._entries.items() if entry.is_over(now)]:
            del self._entries[key]
