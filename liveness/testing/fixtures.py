"""A pytest plugin: real servers on 127.0.0.1, and people to check. For pytest-asyncio.

Use it with `pytest_plugins = ["liveness.testing.fixtures"]` in the top `conftest.py`:

    async def test_a_person_passes(liveness_server, puppet):
        check = await liveness_server.check(puppet)
        assert check.verdict.verdict == "live"
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol, Self, Unpack

import pytest
import pytest_asyncio
from aiohttp import web

from liveness.rtc.ice import LOOPBACK
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.testing.peer import TIMEOUT, Check, Options, Scene, run_check
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.worker import listening

STOP_TIMEOUT = 2.0  # seconds that requests under way have when a server is stopped


class LivenessServer:
    """The real application, listening on a free port of 127.0.0.1; an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()

    @classmethod
    def of(cls, **settings: Any) -> "LivenessServer":
        """Make a server on 127.0.0.1, with plain HTTP, what it keeps in memory, and room for all.

        `settings` as of `Settings`.
        """
        loopback: dict[str, Any] = {
            "http": True,
            "host": LOOPBACK,
            "port": 0,
            "ice_address": (LOOPBACK,),
            "store": "memory",
            # The scenes are rendered in this process: its load says nothing about the server's.
            "most_load": 0,
        }
        return cls(Settings(**(loopback | settings)))

    async def __aenter__(self) -> Self:
        serving = listening(self.settings, Seat(), patience=STOP_TIMEOUT)
        self._serving = await self._stack.enter_async_context(serving)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def app(self) -> web.Application:
        """The application."""
        return self._serving.app

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123`."""
        return f"{'http' if self.settings.http else 'https'}://{LOOPBACK}:{self._serving.port}"

    async def check(
        self,
        scene: Scene,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - of a whole check
        **options: Unpack[Options],
    ) -> Check:
        """Publish `scene` to this server and wait for the verdict; see `run_check`.

        Its certificate, if any, is self-signed, and taken as it is.
        """
        options.setdefault("ssl", False)
        return await run_check(self.url, scene, timeout=timeout, **options)


class ServerFactory(Protocol):
    """Starts servers that are stopped when the test ends."""

    def __call__(self, **settings: Any) -> Awaitable[LivenessServer]:
        """Start a server with these `Settings`; the rest is plain HTTP on 127.0.0.1."""


@pytest_asyncio.fixture
async def liveness_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerFactory]:
    """Start servers with settings of one's own, such as `time_limit=5`.

    What they keep is in a folder of the test's, unless `data_dir` is another.
    """
    data_dir = tmp_path_factory.mktemp("data")
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> LivenessServer:
            settings.setdefault("data_dir", data_dir)
            return await stack.enter_async_context(LivenessServer.of(**settings))

        yield start


@pytest_asyncio.fixture
async def liveness_server(liveness_servers: ServerFactory) -> LivenessServer:
    """A server with default settings."""
    return await liveness_servers()


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    """The astronaut's portrait, with the poses of a session rendered ahead."""
    portrait = Portrait.astronaut()
    portrait.poses.warm_up()
    return portrait


@pytest.fixture
def puppet(portrait: Portrait) -> Puppet:
    """A genuine person who does what is asked."""
    return Puppet(portrait)


@pytest.fixture
def make_puppet(portrait: Portrait) -> Callable[..., Puppet]:
    """Make further people with the same face: `make_puppet(OVERSHOOTING, seed=3)`."""

    def make(*arguments: Any, **options: Any) -> Puppet:
        return Puppet(portrait, *arguments, **options)

    return make
