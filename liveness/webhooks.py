"""Takes verdicts to webhooks: signed, tried again for a day, delivered at least once.

What is to be delivered stands in the session's record, which the same write gave its verdict. Of
all processes that share the store one takes a delivery, by moving its time ahead; if that process
dies, it is due again when that time has come.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    hdrs,
)
from yarl import URL

from liveness import __version__
from liveness.apikeys import DEFAULT_NAME
from liveness.destinations import DestinationRefused, guarded
from liveness.errors import StoreUnavailable
from liveness.hooks import Hook
from liveness.report import report
from liveness.store import Delivery, Outcome, Record, Store

TIMEOUT = 10.0
"""Seconds for one try, from the name to the answer."""

LEASE = timedelta(seconds=30)
"""For which a delivery belongs to the process that took it: a try, and a store that is slow."""

LOOK_INTERVAL = 2.0
"""Seconds between two looks at what is due, should nothing else bring one about."""

MOST_AT_ONCE = 16
"""Tries under way in one process."""

MOST_EACH = 4
"""Of those to one webhook: one that does not answer leaves room for the others."""

MOST_LOOKED_AT = 100
"""Deliveries that are due and looked at at once: two milliseconds' reading."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 4 * 3600.0
"""Seconds until the second try, and between two tries at the most: each pause is three times the
one before, give or take a quarter, so that those that failed together do not come back together.
In all less than `store.FARTHEST`."""

GIVE_UP = timedelta(days=1)
"""After the verdict; or when the session is forgotten, if that is sooner."""

REDIRECTS = 300
"""From this status on it has not arrived: nobody is followed to another address."""

LAST_WORDS = 3.0
"""Seconds that tries under way have when the server stops; whoever starts next tries them again."""

log = structlog.get_logger(__name__)

Told = Callable[[str], None]


class Webhooks:
    """The deliveries of this process. `hooks`: by the names of API keys.

    `private`: see `destinations.is_allowed`. `told`: of each try, what came of it in a word.
    """

    def __init__(
        self, store: Store, hooks: Mapping[str, Hook], *, private: bool, told: Told
    ) -> None:
        self._store = store
        self._hooks = hooks
        self._private = private
        self._told = told
        self._underway: dict[asyncio.Task[None], str] = {}
        self._failing: set[str] = set()  # whose last try came to nothing
        self._wake = asyncio.Event()
        self._stopping = False
        # Without webhooks there is nothing to look for.
        self._task = asyncio.create_task(self._run(), name="webhooks") if hooks else None

    def delivery(self, key_name: str | None) -> Delivery | None:
        """Give a new session its delivery, None where its relying party has no webhook."""
        return Delivery() if _name(key_name) in self._hooks else None

    def wake(self) -> None:
        """There is something new to deliver: look at once."""
        self._wake.set()

    async def close(self) -> None:
        """Look a last time, and let what is under way come to its end, if that is soon."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        async with self._client() as client:
            while True:
                self._wake.clear()
                last = self._stopping
                await self._look(client)
                if last:
                    break
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_INTERVAL)
            if self._underway:
                _, late = await asyncio.wait(self._underway, timeout=LAST_WORDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    def _client(self) -> ClientSession:
        """Make what tells webhooks: it follows nobody's word but the configuration's."""
        connector = TCPConnector(
            limit=MOST_AT_ONCE,
            use_dns_cache=False,
            socket_factory=guarded(private=self._private),
        )
        return ClientSession(
            connector=connector,
            timeout=ClientTimeout(total=TIMEOUT),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            headers={hdrs.USER_AGENT: f"liveness/{__version__}"},
        )

    async def _look(self, client: ClientSession) -> None:
        """Take what is due, as far as there is room."""
        try:
            due = await self._store.due(datetime.now(UTC), MOST_LOOKED_AT)
            for record in due:
                name, delivery = _name(record.key_name), record.delivery
                if len(self._underway) >= MOST_AT_ONCE:
                    return
                if delivery is None:
                    continue
                if Counter(self._underway.values())[name] < MOST_EACH:
                    await self._take(client, record, delivery)
                elif name in self._failing and len(due) == MOST_LOOKED_AT:
                    await self._postpone(record, delivery)
        except StoreUnavailable as error:
            log.warning("webhooks have to wait", detail=error.detail)
        except Exception:  # one bad record must not end it
            log.exception("webhooks failed")

    async def _take(self, client: ClientSession, record: Record, delivery: Delivery) -> None:
        """Deliver, unless another process has been faster."""
        fields = {"due_at": datetime.now(UTC) + LEASE, "tries": delivery.tries + 1}
        taken = await self._change(record, delivery.model_copy(update=fields))
        if taken is None:
            return
        task = asyncio.create_task(self._deliver(client, taken), name="webhook")
        self._underway[task] = _name(record.key_name)
        task.add_done_callback(self._done)

    async def _postpone(self, record: Record, delivery: Delivery) -> None:
        """Let those of others be seen that are behind it: its webhook does not answer anyway."""
        later = datetime.now(UTC) + LEASE * random.uniform(1, 2)  # noqa: S311 - no secret
        await self._change(record, delivery.model_copy(update={"due_at": later}))

    def _done(self, task: "asyncio.Task[None]") -> None:
        del self._underway[task]
        self._wake.set()  # somebody may wait for the room

    async def _deliver(self, client: ClientSession, record: Record) -> None:
        """Try once, and keep what came of it."""
        try:
            error = await self._post(client, record)
            delivery = after(record, error, datetime.now(UTC), random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            await self._change(record, delivery)
        except StoreUnavailable as unavailable:  # then it is due again at the end of the lease
            log.warning("delivery not kept", session=record.id, detail=unavailable.detail)
        except Exception:
            log.exception("delivery failed", session=record.id)
        else:
            self._tell(record, delivery)

    async def _post(self, client: ClientSession, record: Record) -> str | None:
        """Send the verdict; gives what went wrong, in words for the relying party."""
        hook = self._hooks.get(_name(record.key_name))
        if hook is None:
            return "No webhook is configured any more"
        body = json.dumps(report(record)).encode()
        headers = hook.headers(event(record), int(datetime.now(UTC).timestamp()), body)
        headers[hdrs.CONTENT_TYPE] = "application/json"
        try:
            # What is answered is not read, only whether it was taken.
            async with client.post(
                URL(hook.url, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as answer:
                return None if answer.status < REDIRECTS else f"HTTP {answer.status}"
        except TimeoutError:
            return f"No answer within {TIMEOUT:g} seconds"
        except ClientConnectorCertificateError:
            return "Its certificate cannot be trusted"
        except ClientError as error:
            return _words(error)

    async def _change(self, record: Record, delivery: Delivery) -> Record | None:
        """Keep how far it has come, unless another process has gone on with it."""

        def unchanged(kept: Record) -> bool:
            return kept.delivery == record.delivery

        return await self._store.change(record.id, {"delivery": delivery}, when=unchanged)

    def _tell(self, record: Record, delivery: Delivery) -> None:
        name = _name(record.key_name)
        if delivery.error is None:
            self._failing.discard(name)
        else:
            self._failing.add(name)
        outcome = "failed" if delivery.status is Outcome.WAITING else str(delivery.status)
        self._told(outcome)
        say = log.info if delivery.status is Outcome.DELIVERED else log.warning
        told = {"session": record.id, "webhook": name, "tries": delivery.tries}
        say(f"verdict {outcome.replace('_', ' ')}", **told, error=delivery.error)


def event(record: Record) -> str:
    """Name the event, the same at each try: a session has one verdict."""
    return f"verdict-{record.id}"


def after(record: Record, error: str | None, now: datetime, jitter: float) -> Delivery:
    """Tell what becomes of a delivery that was tried; `error` None: it has arrived."""
    if record.delivery is None or record.verdict is None:
        raise ValueError("there is nothing to deliver")
    tried = record.delivery
    if error is None:
        done = {"status": Outcome.DELIVERED, "due_at": None, "error": None}
        return tried.model_copy(update=done)
    pause = min(FIRST_PAUSE * 3.0 ** min(tried.tries - 1, 16), LONGEST_PAUSE) * jitter
    due = now + timedelta(seconds=pause)
    if due > min(record.verdict.finished_at + GIVE_UP, record.expires_at):
        return tried.model_copy(update={"status": Outcome.GIVEN_UP, "due_at": None, "error": error})
    return tried.model_copy(update={"due_at": due, "error": error})


def _name(key_name: str | None) -> str:
    """The name by which a relying party's webhook is configured."""
    return key_name or DEFAULT_NAME


def _words(error: ClientError) -> str:
    """Tell why there was no answer, without addresses."""
    if isinstance(error, ClientConnectorError):
        if isinstance(error.os_error, DestinationRefused):
            return "Its address is private: see --webhook-allow-private"
        return "No connection"
    return "The connection broke"
