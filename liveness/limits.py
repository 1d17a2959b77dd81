"""How often sessions may be made, tried, and keys guessed: by one key, one address, one person.

The counts are in the store, and so shared by all processes. What is counted there by address or
by person is known by its digest only.
"""

import hashlib
import math
import time
from ipaddress import IPv6Address, ip_address, ip_network

import structlog

from liveness.errors import RateLimited, StoreUnavailable, SubjectLocked
from liveness.settings import Settings
from liveness.store import Record, Store
from liveness.verdict import Reason, Verdict

RATE_WINDOW = 60.0
"""Seconds: rates are told in sessions a minute."""

MOST_GUESSES = 60
"""Wrong API keys in a window from one address: too few to find even a short one, and more than a
back end whose key has just been changed sends before somebody notices."""

IPV6_PREFIX = 64
"""Bits: whoever has one IPv6 address has the whole network of that size."""

NOT_THEIRS = frozenset(
    {Reason.NEVER_CONNECTED, Reason.DELETED, Reason.SERVER_STOPPING, Reason.SERVER_LOST}
)
"""Reasons why a session came to nothing that are not the person's doing."""

log = structlog.get_logger(__name__)


class Limits:
    """Counts sessions, failures and guesses; what is asked raises `StoreUnavailable` as well."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._guessing: dict[str, float] = {}  # until when, `time.monotonic`

    async def admit(self, address: str, key_name: str | None, subject_digest: str | None) -> None:
        """Count a session that is to be made; raises `RateLimited`, `SubjectLocked`."""
        await self.check_subject(subject_digest)
        await self._count("address", _digest(network_of(address)), self._settings.rate_per_address)
        if key_name is not None:
            await self._count("key", key_name, self._settings.rate_per_key)

    async def check_subject(self, subject_digest: str | None) -> None:
        """Raise `SubjectLocked` if this person has failed too often."""
        wait = await self._store.locked(_lock(subject_digest)) if subject_digest else 0.0
        if wait:
            raise SubjectLocked(retry_after=math.ceil(wait))

    def check_guesses(self, address: str) -> None:
        """Raise `RateLimited` if too many wrong keys came from there; asks nobody."""
        wait = self._guessing.get(network_of(address), 0.0) - time.monotonic()
        if wait > 0:
            detail = f"Over {MOST_GUESSES} wrong keys came from this address within a minute"
            raise RateLimited(detail, retry_after=math.ceil(wait))

    async def note_guess(self, address: str) -> None:
        """Count a wrong key; never fails itself."""
        network, now = network_of(address), time.monotonic()
        try:
            key = f"guesses:{_digest(network)}"
            wait = await self._store.hit(key, limit=MOST_GUESSES, window=RATE_WINDOW)
        except StoreUnavailable as error:
            log.warning("wrong key not counted", detail=error.detail)
            return
        if wait:
            known = {each: until for each, until in self._guessing.items() if until > now}
            self._guessing = known | {network: now + wait}
            log.warning("API keys are guessed")

    async def note(self, record: Record, verdict: Verdict) -> None:
        """Count a failure, and lock the person after so many; never fails itself."""
        seconds = self._settings.subject_lock
        if record.subject_digest is None or not seconds or not is_failure(verdict):
            return
        try:
            if await self._is_last(record.subject_digest):
                await self._store.lock(_lock(record.subject_digest), seconds)
                log.info("subject locked", session=record.id)
        except StoreUnavailable as error:
            log.warning("failure not counted", session=record.id, detail=error.detail)

    async def _is_last(self, subject_digest: str) -> bool:
        """Count one more failure; whether there have now been as many as lock a person."""
        before = self._settings.subject_failures - 1
        if before == 0:
            return True
        window = self._settings.subject_window
        # The one that there is no room for any more.
        return await self._store.hit(f"failures:{subject_digest}", limit=before, window=window) > 0

    async def _count(self, kind: str, name: str, rate: int) -> None:
        if not rate:
            return
        wait = await self._store.hit(f"created:{kind}:{name}", limit=rate, window=RATE_WINDOW)
        if wait:
            detail = f"At most {rate} sessions a minute are made for one {kind}"
            raise RateLimited(detail, retry_after=math.ceil(wait))


def is_failure(verdict: Verdict) -> bool:
    """Whether a session failed by the person's doing, which every attack is."""
    if verdict.verdict == "incomplete":
        return not NOT_THEIRS.intersection(verdict.reasons)
    return verdict.verdict == "spoof"


def subject_digest(key_name: str | None, subject: str) -> str:
    """Name a person of one relying party without saying who it is."""
    return _digest(f"{key_name or ''}\0{subject}")


def _lock(subject_digest: str) -> str:
    return f"subject:{subject_digest}"


def network_of(address: str) -> str:
    """Name what one client has for itself: an IPv4 address, a network of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), IPV6_PREFIX), strict=False))
    return address


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
