"""Records in Redis, shared by processes on any number of machines.

Each record is a JSON text under its id; sorted sets of places beside it tell what is looked for.
A record and its entries change by one script, which is atomic and looks at the revision first.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import ValidationError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from liveness.errors import StoreUnavailable
from liveness.store import BATCH, FARTHEST, Page, Record, Status, Store, microseconds
from liveness.store.link import RETRY_AFTER, Link

TIMEOUT = 2.0
"""Seconds to connect, and for an answer: it takes a millisecond."""

RETRIES = 3
"""After these, within half a second if connections are refused, the store is unavailable."""

MAX_CONNECTIONS = 32
"""Of one process; whoever finds none free waits for one."""

GRACE = timedelta(hours=1)
"""After the end of its time Redis forgets a record by itself, should no server live to do it."""

_COMMIT = """
local kept = redis.call('GET', KEYS[1])
kept = kept and cjson.decode(kept).revision or ''
if kept ~= '' and kept == ARGV[2] then return 1 end
if kept ~= ARGV[1] then return 0 end
if kept == '' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
for _, command in ipairs(cjson.decode(ARGV[3])) do redis.call(unpack(command)) end
return 1
"""
"""KEYS: record, token; ARGV: old and new revision, commands. A commit whose answer was lost is
sent again, and found to be done."""

_FIND = """
local places, keys = redis.call('ZRANGE', KEYS[1], unpack(ARGV)), {}
if #places == 0 then return {{}, {}} end
for i, place in ipairs(places) do keys[i] = 'liveness:session:' .. place:match('%.(.*)') end
return {places, redis.call('MGET', unpack(keys))}
"""
"""KEYS: index; ARGV: of which places. At once: what is found is as the index says."""

_HIT = """
local time = redis.call('TIME')
local now, limit, window = time[1] + time[2] / 1e6, tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = tonumber(redis.call('LINDEX', KEYS[1], limit - 1) or '')
if oldest and oldest <= now and now < oldest + window then
    return tostring(oldest + window - now)
end
redis.call('LPUSH', KEYS[1], string.format('%.6f', now))
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000))
return '0'
"""
"""`wait_for_room` by the clock of Redis."""

_PICTURE = """
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if left >= 0 then redis.call('PEXPIRE', KEYS[2], left) end
"""
"""Keep a picture as long as its session."""

_SCRIPTS = (_COMMIT, _FIND, _HIT, _PICTURE)


class RedisStore(Store):
    """A pool of connections, which are made anew when they break."""

    def __init__(self, redis: Redis) -> None:
        """Use `open`."""
        self._redis = redis
        self._scripts = {text: redis.register_script(text) for text in _SCRIPTS}
        self._link = Link(RedisError, OSError, ValidationError)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect; raises `StoreUnavailable`. A password in `url` is never repeated."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(ExponentialWithJitterBackoff(cap=0.2, base=0.05), RETRIES),
            client_name="liveness",
        )
        redis = Redis.from_pool(pool)
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            await redis.aclose()
            detail = f"Redis at {urlsplit(url).hostname} cannot be used: {error}"
            raise StoreUnavailable(detail, retry_after=RETRY_AFTER) from error
        return cls(redis)

    async def _ask(self, *command: str | bytes | float) -> Any:
        with self._link.used():
            return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def _run(self, script: str, keys: Sequence[str], *values: str | bytes | float) -> Any:
        with self._link.used():
            return await self._scripts[script](keys=keys, args=values)

    async def _commit(self, session_id: str, old: Record | None, new: Record | None) -> bool:
        either = new or old
        token = _key("token", either.token_digest) if either else ""
        revisions = old.revision if old else "", new.revision if new else ""
        commands = json.dumps(_commands(old, new))
        keys = _key("session", session_id), token
        return bool(await self._run(_COMMIT, keys, *revisions, commands))

    async def get(self, session_id: str) -> Record | None:
        """Find a record."""
        body = await self._ask("GET", _key("session", session_id))
        with self._link.used():
            return None if body is None else Record.model_validate_json(body)

    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""
        session_id = await self._ask("GET", _key("token", token_digest))
        return None if session_id is None else await self.get(session_id.decode())

    async def page(
        self, status: Status | None, *, key_name: str | None = None, after: str | None, limit: int
    ) -> Page:
        """List records, newest first."""
        index = _places(key_name) if status is None else _places(key_name, status)
        start = "+" if after is None else f"({after}"
        places, found = await self._find(index, start, "-", "BYLEX", "REV", "LIMIT", 0, limit + 1)
        last = places[limit - 1].decode() if len(places) > limit else None
        return Page([each for each in found if last is None or each.place >= last], last)

    async def expired(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose time is over and which no process is at work on."""
        return await self._between(_key("expires"), "-inf", microseconds(now), limit)

    async def due(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose verdict is to be delivered, the longest due first."""
        index, far = _key("due"), f"({microseconds(now + FARTHEST)}"
        found = await self._between(index, "-inf", microseconds(now), limit)
        return found + await self._between(index, far, "+inf", limit - len(found))

    async def owned_by(self, owner: str) -> list[Record]:
        """Find the records that a process is at work on."""
        _, found = await self._find(_key("owner", owner), 0, -1)
        return found

    async def _between(self, index: str, low: str, high: str | int, limit: int) -> list[Record]:
        _, found = await self._find(index, low, high, "BYSCORE", "LIMIT", 0, limit)
        return found

    async def _find(self, index: str, *which: str | int) -> tuple[list[bytes], list[Record]]:
        """Read places in an index, and their records; those that Redis has forgotten leave it."""
        places, bodies = await self._run(_FIND, (index,), *which)
        gone = [place for place, body in zip(places, bodies, strict=True) if body is None]
        if gone:
            await self._ask("ZREM", index, *gone)
        with self._link.used():
            known = [Record.model_validate_json(body) for body in bodies if body is not None]
        return places, known

    async def beat(self, owner: str) -> None:
        """Tell that a process lives."""
        await self._ask("HINCRBY", _key("beats"), owner, 1)

    async def beats(self) -> dict[str, int]:
        """How often each process has told so."""
        counted = await self._ask("HGETALL", _key("beats"))
        return {owner.decode(): int(count) for owner, count in counted.items()}

    async def retire(self, owner: str) -> None:
        """Forget a process."""
        await self._ask("HDEL", _key("beats"), owner)

    async def hit(self, key: str, *, limit: int, window: float) -> float:
        """Count one more hit, if there is room for it."""
        return float(await self._run(_HIT, (_key("hits", key),), limit, window))

    async def lock(self, key: str, seconds: float) -> None:
        """Lock something for a while."""
        await self._ask("SET", _key("lock", key), "", "PX", max(1, round(seconds * 1000)))

    async def locked(self, key: str) -> float:
        """For how many more seconds it is locked."""
        left: int = await self._ask("PTTL", _key("lock", key))
        return max(0.0, left / 1000)

    async def publish_key(self, kid: str, jwk: Mapping[str, Any], expires_at: datetime) -> None:
        """Let every process know a public key."""
        await self._ask("HSET", _key("keys"), kid, json.dumps([jwk, microseconds(expires_at)]))

    async def keys(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The public keys by their names."""
        entries = await self._ask("HGETALL", _key("keys"))
        known = {kid.decode(): json.loads(entry) for kid, entry in entries.items()}
        return {kid: jwk for kid, (jwk, until) in known.items() if until > microseconds(now)}

    async def put_picture(self, session_id: str, name: str, data: bytes) -> None:
        """Keep a picture of a session, unless that was deleted."""
        keys = _key("session", session_id), _key("pictures", session_id)
        await self._run(_PICTURE, keys, name, data)

    async def pictures(self, session_id: str) -> list[str]:
        """The names of a session's pictures, sorted."""
        names = await self._ask("HKEYS", _key("pictures", session_id))
        return sorted(name.decode() for name in names)

    async def picture(self, session_id: str, name: str) -> bytes | None:
        """Find a picture."""
        data: bytes | None = await self._ask("HGET", _key("pictures", session_id), name)
        return data

    async def ping(self) -> None:
        """Write something: a replica, or a Redis that is full, can be read as ever."""
        await self.lock("ping", 0)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _key(kind: str, *name: str) -> str:
    return ":".join(("liveness", kind, *name))


def _places(key_name: str | None, *status: Status) -> str:
    """The index of one relying party's records, of a status or all."""
    return _key("places", key_name or "", *status)


def _entries(record: Record | None) -> dict[str, int]:
    """The indexes in which the record has its place, and its score there."""
    if record is None:
        return {}
    entries = {_places(record.key_name): 0, _places(record.key_name, record.status): 0}
    if record.owner is None:
        entries[_key("expires")] = microseconds(record.expires_at)
    else:
        entries[_key("owner", record.owner)] = 0
    if record.due_at is not None:
        entries[_key("due")] = microseconds(record.due_at)
    return entries


def _commands(old: Record | None, new: Record | None) -> list[list[str]]:
    """What takes a record out of where it no longer belongs, and puts it where it does."""
    entries = _entries(new)
    commands = []
    if old is not None:
        commands = [["ZREM", index, old.place] for index in _entries(old).keys() - entries.keys()]
    if old is not None and new is None:
        commands.append(["DEL", *_kept(old)])
    if new is not None:
        session, token, pictures = _kept(new)
        until = str(microseconds(new.expires_at + GRACE) // 1000)
        commands += [["ZADD", index, str(score), new.place] for index, score in entries.items()]
        commands += [["SET", session, new.model_dump_json()], ["SET", token, new.id]]
        # While a process is at work on a session, it is that which sees to its end.
        lasting = ["PERSIST"] if new.owner else ["PEXPIREAT", until]
        commands += [[lasting[0], key, *lasting[1:]] for key in (session, token, pictures)]
    return commands


def _kept(record: Record) -> tuple[str, str, str]:
    """The keys of a record, its token, its pictures."""
    return (
        _key("session", record.id),
        _key("token", record.token_digest),
        _key("pictures", record.id),
    )
