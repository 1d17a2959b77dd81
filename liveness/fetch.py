"""Fetches weights from where the operator says: streamed, resumed, checked, and put in place."""

import asyncio
import fcntl
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp import hdrs
from yarl import URL

from liveness.bunzip import Bunzip, NotBzip2, TooMuch
from liveness.destinations import guarded
from liveness.errors import DownloadBusy, DownloadUnfit, SourceSilent, SourceUnreachable
from liveness.vision.trees import read_trees

MEBIBYTE = 2**20

_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_CHUNK = 256 * 1024
"""Bytes that are handed to a thread at once."""

_BUSY_AGAIN = 10
"""Seconds after which it may be asked again whether another process is still at it."""

Progress = Callable[[int, int | None], None]
"""Told how many bytes have come, and of how many, where the source says so."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much; seconds and bytes.

    The packed file has about 40 MB, the larger of dlib's two predictors 100 MB unpacked.
    """

    connect: float = 10.0
    silence: float = 20.0
    total: float = 1800.0
    packed: int = 160 * MEBIBYTE
    unpacked: int = 320 * MEBIBYTE
    attempts: int = 4
    pause: float = 1.0


class _Broken(Exception):  # noqa: N818 - a connection that is, and may be made again
    """The connection ended before the file did."""


@dataclass(slots=True)
class _Partial:
    """What has come so far: `NAME.part`, and beside it which file it is a part of."""

    path: Path
    url: str

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def validator(self) -> str | None:
        """The tag or date by which the source knows the file that this is the beginning of."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        matches = isinstance(note, dict) and note.get("url") == self.url and self.path.exists()
        validator = note.get("validator") if matches else None
        return validator if isinstance(validator, str) else None

    def begin(self, validator: str | None) -> None:
        """Forget what has come, and note what comes now."""
        self.path.write_bytes(b"")
        note = {"url": self.url, "validator": validator}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


async def fetch(
    url: str, target: Path, *, progress: Progress | None = None, limits: Limits | None = None
) -> None:
    """Fetch a bzip2 file, unpack it, see that it is a predictor, and make it `target`.

    Nothing is at `target`, or what was there stays, until all of that has gone well. What came of a
    file when the connection broke stays beside it, and is gone on with. Raises
    `SourceUnreachable`, `SourceSilent`, `DownloadUnfit`, `DownloadBusy`, `OSError`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.with_name(f".{target.name}.lock")):
        await _fetch(url, target, progress or (lambda _done, _total: None), limits or Limits())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other processes from doing the same, such as the command while the server does."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadBusy(retry_after=_BUSY_AGAIN) from None
        yield


async def _fetch(url: str, target: Path, progress: Progress, limits: Limits) -> None:
    part = _Partial(target.with_name(f".{target.name}.bz2.part"), url)
    unpacked = target.with_name(f".{target.name}.fresh")
    try:
        async with asyncio.timeout(limits.total):
            await _fetch_all(url, part, unpacked, progress, limits)
        await asyncio.to_thread(read_trees, unpacked)
        await asyncio.to_thread(_install, unpacked, target)
        part.remove()
    except (DownloadUnfit, NotBzip2, TooMuch, ValueError) as error:
        part.remove()
        raise DownloadUnfit(f"What {host_of(url)} gave is not what it should be: {error}") from None
    except TimeoutError:
        raise SourceSilent(f"{host_of(url)} took over {limits.total:.0f} s") from None
    finally:
        unpacked.unlink(missing_ok=True)


async def _fetch_all(
    url: str, part: _Partial, unpacked: Path, progress: Progress, limits: Limits
) -> None:
    """Try, and go on where the connection broke."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=limits.connect, sock_read=limits.silence
    )
    trouble: SourceUnreachable | SourceSilent = SourceUnreachable(
        f"{host_of(url)} cannot be reached"
    )
    # Packed once is enough: what is counted and resumed are the bytes of the file itself.
    headers = {hdrs.ACCEPT_ENCODING: "identity"}
    # The operator's mirror may be in a private network; where a source redirects to, it may not be
    # what a cloud tells its machines.
    connector = aiohttp.TCPConnector(socket_factory=guarded(private=True))
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        trust_env=True,
        auto_decompress=False,
    ) as client:
        for attempt in range(limits.attempts):
            if attempt:
                await asyncio.sleep(limits.pause * attempt)
            try:
                await _attempt(client, part, unpacked, progress, limits)
            except TimeoutError:
                trouble = SourceSilent(f"{host_of(url)} does not answer")
            except (_Broken, aiohttp.ClientError) as error:
                trouble = SourceUnreachable(f"{host_of(url)} cannot be reached: {_reason(error)}")
            else:
                return
    raise trouble


def host_of(url: str) -> str:
    """Name the source to whoever asks; the rest of its address may hold the operator's secrets."""
    return URL(url).host or "The source"


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or "no connection"
    return str(error) if isinstance(error, _Broken) else type(error).__name__


async def _attempt(
    client: aiohttp.ClientSession,
    part: _Partial,
    unpacked: Path,
    progress: Progress,
    limits: Limits,
) -> None:
    """Ask for what is missing, and unpack it as it comes."""
    validator = part.validator()
    have = part.path.stat().st_size if validator else 0
    asked = {hdrs.RANGE: f"bytes={have}-", hdrs.IF_RANGE: validator} if validator and have else {}
    async with client.get(part.url, headers=asked) as response:
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.remove()
            raise _Broken("it changed meanwhile")
        if response.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise SourceUnreachable(
                f"{host_of(part.url)} answers {response.status} {response.reason}"
            )
        if response.status == HTTPStatus.OK or not _goes_on(response, have):
            have = 0
            part.begin(_validator(response))
            if response.status != HTTPStatus.OK:
                raise _Broken("it sent another part than was asked for")
        total = None if response.content_length is None else have + response.content_length
        if total is not None and total > limits.packed:
            raise DownloadUnfit(f"it has {total} bytes, {limits.packed} are taken")
        async with _unpacking(part.path, unpacked, limits) as take:
            progress(have, total)
            async for chunk in _chunks(response):
                await asyncio.to_thread(take, chunk)
                have += len(chunk)
                progress(have, total)


def _goes_on(response: aiohttp.ClientResponse, have: int) -> bool:
    match = _RANGE.fullmatch(response.headers.get(hdrs.CONTENT_RANGE, ""))
    return match is not None and int(match[1]) == have


def _validator(response: aiohttp.ClientResponse) -> str | None:
    """Take what If-Range can name (RFC 9110 section 13.1.5): a strong tag, or else a date."""
    tag = response.headers.get(hdrs.ETAG, "")
    if tag.startswith('"'):
        return tag
    return response.headers.get(hdrs.LAST_MODIFIED)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Give what comes in pieces worth a thread's while."""
    waiting = bytearray()
    trouble: Exception | None = None
    try:
        async for chunk in response.content.iter_any():
            waiting += chunk
            if len(waiting) >= _CHUNK:
                yield bytes(waiting)
                waiting.clear()
    except (aiohttp.ClientError, TimeoutError) as error:
        trouble = error  # what came before it counts
    if waiting:
        yield bytes(waiting)
    if trouble is not None:
        raise trouble


@asynccontextmanager
async def _unpacking(
    packed: Path, unpacked: Path, limits: Limits
) -> AsyncIterator[Callable[[bytes], None]]:
    """Keep what comes at the end of `packed`, and unpack all of it, from its beginning."""
    with packed.open("ab") as kept, unpacked.open("wb") as fresh:
        bunzip = Bunzip(fresh.write, limits.unpacked)
        await asyncio.to_thread(_replay, packed, bunzip)
        have = kept.tell()

        def take(chunk: bytes) -> None:
            nonlocal have
            have += len(chunk)
            if have > limits.packed:
                raise TooMuch(f"it has over {limits.packed} bytes")
            bunzip.feed(chunk)
            kept.write(chunk)

        yield take
        if not bunzip.complete:
            raise _Broken("it ended too early")


def _replay(packed: Path, bunzip: Bunzip) -> None:
    with packed.open("rb") as before:
        while chunk := before.read(_CHUNK):
            bunzip.feed(chunk)


def _install(fresh: Path, target: Path) -> None:
    """Make it `target` at once, and for good: a crash leaves the old file or the new one."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.chmod(0o644)
    fresh.replace(target)
