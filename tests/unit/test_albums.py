import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
import pytest_asyncio

from liveness.albums import LONGEST_SIDE, Album, Albums, jpeg
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.sequence import Progress
from liveness.errors import NotFound, PictureSealed, StoreUnavailable
from liveness.sealing import Sealing
from liveness.store.memory import MemoryStore
from liveness.vision.observation import Landmarks, Observation
from tests.people import BLANK, a_face
from tests.store_worker import record

KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
STEPS = (Challenge.FRONT, Challenge.LEFT, Challenge.BLINK)


def points(x: float, y: float, side: float) -> Landmarks:
    """A face so large, in the middle of x and y."""
    return np.linspace((x - side / 2, y - side / 2), (x + side / 2, y + side / 2), 68).astype(
        np.float32
    )


def painted(grey: int, width: int = 640, height: int = 480) -> av.VideoFrame:
    plane = np.full((height * 3 // 2, width), 128, np.uint8)
    plane[:height] = grey
    return av.VideoFrame.from_ndarray(plane, format="yuv420p")


def unpacked(picture: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def brightness(picture: bytes) -> int:
    """Of the luma that it was painted with: 16 to 235 become 0 to 255."""
    return round(float(unpacked(picture).mean()) / 255 * 219 + 16)


class Session:
    """Shows frames to an album: each has a grey value of its own."""

    def __init__(self, albums: Albums) -> None:
        album = albums.begin("a")
        assert album is not None
        self.album: Album = album
        self.frame = 0

    def show(
        self, grey: int, step: int, share: float, *, sharp: float = 0.5, faces: int = 1
    ) -> None:
        hint = Hint.PASSED if share == 1 else Hint.HOLD
        last = step == len(STEPS) - 1
        progress = Progress(
            step, len(STEPS), STEPS[step], share, hint, passed_all=last and share == 1
        )
        face = replace(a_face(sharpness=sharp), landmarks=points(320, 240, 100))
        observation = Observation(self.frame, self.frame / 30, faces, face, BLANK)
        self.album.offer(painted(grey), observation, progress)
        self.frame += 1


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest_asyncio.fixture
async def albums(store: MemoryStore) -> AsyncIterator[Albums]:
    await store.create(record("a"))
    albums = Albums(store, Sealing.of_text(KEY), keeping=True)
    yield albums
    albums.close()


async def kept(albums: Albums) -> dict[str, int]:
    """What is kept, by the grey values that were shown."""
    names = await albums.names("a")
    return {name: brightness(await albums.picture("a", name)) for name in names}


async def test_the_sharpest_face_at_rest_and_each_step_as_it_passes(albums: Albums) -> None:
    session = Session(albums)
    session.show(30, 0, 0.0, sharp=0.9)  # not at rest yet
    session.show(40, 0, 0.5, sharp=0.5)
    session.show(50, 0, 0.8, sharp=0.7)
    session.show(60, 0, 1.0, sharp=0.6)
    session.show(70, 1, 0.5, sharp=0.9)
    session.show(80, 1, 1.0)
    session.show(90, 2, 1.0)
    assert await albums.names("a") == []  # until it is over
    await session.album.keep()
    wanted = {"1-front": 60, "2-left": 80, "3-blink": 90, "reference": 50}
    assert await kept(albums) == pytest.approx(wanted, abs=2)


async def test_a_run_that_was_void_is_not_kept(albums: Albums) -> None:
    session = Session(albums)
    for grey, step in ((40, 0), (50, 1)):
        session.show(grey, step, 1.0)
    session.show(60, 0, 0.0)  # another one begins
    session.show(70, 0, 0.4, faces=2)
    session.show(80, 0, 1.0)
    await session.album.keep()
    assert await kept(albums) == pytest.approx({"1-front": 80, "reference": 80}, abs=2)


async def test_nobody_is_kept_who_passed_nothing(albums: Albums) -> None:
    session = Session(albums)
    session.show(60, 0, 0.9)
    await session.album.keep()
    assert await albums.names("a") == []


async def test_pictures_of_a_session_that_is_gone_are_not_kept(
    albums: Albums, store: MemoryStore
) -> None:
    session = Session(albums)
    session.show(60, 0, 1.0)
    await store.delete("a")
    await session.album.keep()
    assert await albums.names("a") == []


async def test_they_are_encrypted_and_go_with_the_session(
    albums: Albums, store: MemoryStore
) -> None:
    session = Session(albums)
    session.show(60, 0, 1.0)
    await session.album.keep()
    sealed = await store.picture("a", "reference")
    assert sealed is not None
    assert b"\xff\xd8\xff" not in sealed
    assert (await albums.picture("a", "reference")).startswith(b"\xff\xd8\xff")
    await store.put_picture("a", "moved", sealed)
    other = Sealing.of_text("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=")
    for reader, name in (
        (albums, "moved"),
        (Albums(store, other, keeping=False), "reference"),
        (Albums(store, None, keeping=False), "reference"),
    ):
        with pytest.raises(PictureSealed):
            await reader.picture("a", name)
    await store.delete("a")
    with pytest.raises(NotFound):
        await albums.picture("a", "reference")


async def test_unless_asked_for_there_is_no_album(store: MemoryStore) -> None:
    albums = Albums(store, Sealing.of_text(KEY), keeping=False)
    assert albums.begin("a") is None
    albums.close()


class Broken(MemoryStore):
    async def put_picture(self, *_: object) -> None:
        raise StoreUnavailable(retry_after=1)


class Slow(MemoryStore):
    async def put_picture(self, *_: object) -> None:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("store", [Broken(), Slow()])
async def test_a_store_that_fails_holds_up_no_verdict(
    albums: Albums, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.albums.KEEP_LIMIT", 0.1)
    session = Session(albums)
    session.show(60, 0, 1.0)
    await session.album.keep()
    assert await albums.names("a") == []


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(640, 480, 100), (480, 640, 300), (2560, 1440, 900), (320, 240, 2000), (640, 480, 1)],
)
def test_a_picture_is_of_moderate_size(width: int, height: int, side: float) -> None:
    picture = unpacked(jpeg(painted(100, width, height), points(width / 2, height / 2, side)))
    assert 1 <= max(picture.shape[:2]) <= LONGEST_SIDE
    assert abs(float(picture.mean()) - (100 - 16) / 219 * 255) < 2


@pytest.mark.parametrize(("x", "y"), [(0, 0), (639, 479), (-50, 600)])
def test_a_face_at_the_edge_has_a_picture_too(x: float, y: float) -> None:
    assert unpacked(jpeg(painted(100), points(x, y, 120))).size > 0
