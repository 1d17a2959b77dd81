import asyncio
import threading
import time

import pytest

from liveness.desk import MOST_HELD, MOST_WAITING, Desk
from liveness.errors import Busy, ServerStopping


async def test_no_more_threads_work_at_once() -> None:
    desk, at_once, most = Desk(2), 0, 0
    lock = threading.Lock()

    def job() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1

    await asyncio.gather(*(desk.work(job) for _ in range(MOST_WAITING)))
    assert most == 2


async def test_beyond_those_that_wait_it_is_busy() -> None:
    desk, go = Desk(1), threading.Event()
    waiting = [asyncio.create_task(desk.work(go.wait)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as caught:
        await desk.work(go.wait)
    assert caught.value.headers["Retry-After"]
    go.set()
    await asyncio.gather(*waiting)
    assert await desk.work(lambda: 5) == 5


async def test_a_place_is_free_again_however_it_ended() -> None:
    desk, go = Desk(1), threading.Event()

    def fail() -> None:
        raise ValueError("it failed")

    for _ in range(2 * MOST_WAITING):
        with pytest.raises(ValueError, match="it failed"):
            await desk.work(fail)
    gone = [asyncio.create_task(desk.work(go.wait)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in gone:
        task.cancel()
    go.set()
    await asyncio.gather(*gone, return_exceptions=True)
    assert await desk.work(lambda: "free") == "free"


async def test_when_the_server_stops_it_says_so() -> None:
    desk = Desk(1)
    await desk.close()
    with pytest.raises(ServerStopping):
        await desk.work(lambda: None)


async def test_bytes_are_counted_until_they_are_answered() -> None:
    desk = Desk(1)
    with desk.tray() as one, desk.tray() as two:
        one.hold(MOST_HELD // 2)
        two.hold(MOST_HELD // 2)
        with pytest.raises(Busy):
            two.hold(1)
    assert desk.held == 0
