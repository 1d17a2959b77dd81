import asyncio
import threading
import time

import pytest

from liveness.desk import MOST_HELD, MOST_SHARE, MOST_WAITING, Desk
from liveness.errors import Busy, RateLimited, ServerStopping


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

    await asyncio.gather(*(desk.work(str(each), job) for each in range(MOST_WAITING)))
    assert most == 2


async def test_beyond_those_that_wait_it_is_busy() -> None:
    desk, go = Desk(1), threading.Event()
    waiting = [asyncio.create_task(desk.work(str(each), go.wait)) for each in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as caught:
        await desk.work("one more", go.wait)
    assert caught.value.headers["Retry-After"]
    go.set()
    await asyncio.gather(*waiting)
    assert await desk.work("one more", lambda: 5) == 5


async def test_one_leaves_room_for_others() -> None:
    desk, go, share = Desk(1), threading.Event(), int(MOST_WAITING * MOST_SHARE)
    waiting = [asyncio.create_task(desk.work("one", go.wait)) for _ in range(share)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited) as caught:
        await desk.work("one", go.wait)
    assert caught.value.headers["Retry-After"]
    waiting.append(asyncio.create_task(desk.work("another", go.wait)))
    go.set()
    await asyncio.gather(*waiting)
    with desk.tray("one") as tray, desk.tray("another") as other:
        tray.hold(MOST_HELD // 2)
        with pytest.raises(RateLimited):
            tray.hold(MOST_HELD // 2)
        other.hold(MOST_HELD // 2)


async def test_a_place_is_free_again_however_it_ended() -> None:
    desk, go = Desk(1), threading.Event()

    def fail() -> None:
        raise ValueError("it failed")

    for _ in range(2 * MOST_WAITING):
        with pytest.raises(ValueError, match="it failed"):
            await desk.work("one", fail)
    gone = [asyncio.create_task(desk.work("one", go.wait)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in gone:
        task.cancel()
    go.set()
    await asyncio.gather(*gone, return_exceptions=True)
    assert await desk.work("one", lambda: "free") == "free"


async def test_when_the_server_stops_it_says_so() -> None:
    desk = Desk(1)
    await desk.close()
    with pytest.raises(ServerStopping):
        await desk.work("one", lambda: None)


async def test_bytes_are_counted_until_they_are_answered() -> None:
    desk = Desk(1)
    with desk.tray("one") as one, desk.tray("two") as two:
        one.hold(MOST_HELD // 2)
        two.hold(MOST_HELD // 2)
        with pytest.raises(Busy):
            two.hold(1)
    assert desk.bytes.taken == 0
