import asyncio
import gc
import threading
from collections import Counter

import psutil
import pytest
from aiohttp import ClientSession
from aiortc import RTCPeerConnection

from liveness.rtc.peer import Peer
from liveness.rtc.track import VideoTransformTrack
from liveness.session import Session
from tests.integration.plain import bearer, create, publish, reach, serving

CYCLES = 500
AT_ONCE = 4
WARM_UP = 40
"""Cycles until pools, caches and the allocator have what they need."""

LEAST_LEAK = 50_000
"""Bytes that one closed peer connection holds at the least, if it is still referenced. What grows
by less is the record of each session, and the allocator."""

KINDS = (RTCPeerConnection, Peer, Session, VideoTransformTrack)


async def cycle(client: ClientSession, way: int) -> None:
    """Connect, and end in one of the ways in which sessions end."""
    session = await create(client)
    peer = await publish(client, session, channel=way != 1)
    if way != 2:
        await reach(client, session, "running")
    if way == 3:
        await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    await peer.close()
    if way == 2:
        await client.delete(f"/api/sessions/{session['id']}", headers=bearer(session))
    else:
        await reach(client, session, "finished")


async def cycles(client: ClientSession, number: int) -> None:
    """So many, one after the other in each of `AT_ONCE` rows."""
    left = iter(range(number))

    async def row() -> None:
        for each in left:
            await cycle(client, each % 4)

    await asyncio.gather(*(row() for _ in range(AT_ONCE)))


def alive() -> Counter[str]:
    gc.collect()
    # By type and not by `isinstance`, which asks modules that load their parts lazily.
    kinds = map(type, gc.get_objects())
    return Counter(kind.__name__ for kind in kinds if issubclass(kind, KINDS))


def threads() -> list[str]:
    """All but those of asyncio's own pool, which it makes as it needs them, and keeps."""
    names = (each.name for each in threading.enumerate())
    return sorted(name for name in names if not name.startswith("asyncio_"))


@pytest.mark.timeout(300)
async def test_nothing_is_left_of_500_sessions() -> None:
    async with serving(most_load=0, rate_per_address=0) as client:
        await cycles(client, WARM_UP)
        await asyncio.sleep(0.5)
        before = alive()
        tasks, running = len(asyncio.all_tasks()), threads()
        memory = psutil.Process().memory_info().rss
        await cycles(client, CYCLES)
        await asyncio.sleep(0.5)
        after = alive()
        grown = (psutil.Process().memory_info().rss - memory) / CYCLES
        print(
            f"memory grown by {grown * CYCLES / 1e6:.1f} MB over {CYCLES} sessions, "
            f"{AT_ONCE} at a time: {grown:.0f} bytes each"
        )
        # The last ones may still be held by the frames of tasks that have just ended.
        assert all(after[kind] <= before[kind] + AT_ONCE for kind in after), (before, after)
        assert len(asyncio.all_tasks()) <= tasks
        assert threads() == running
        assert grown < LEAST_LEAK
