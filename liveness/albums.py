"""Pictures of sessions, where the operator wants them kept: sealed, and in the store only."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import av
import cv2
import numpy as np
import structlog

from liveness.challenge.names import Hint
from liveness.challenge.sequence import Progress
from liveness.errors import NotFound, PictureSealed, StoreUnavailable
from liveness.sealing import Sealing
from liveness.store import Store
from liveness.vision.crop import FaceBox, colours, cut_out
from liveness.vision.observation import Landmarks, Observation

REFERENCE = "reference"
"""The sharpest picture of the face at rest, at the end of `front`."""

SURROUNDINGS = 2.0
"""A picture is so many times the face: room enough to tell a hand, a frame or a screen's edge."""

LONGEST_SIDE = 640
"""Pixels; a face then has 320 of height at most, plenty to recognise a person by."""

QUALITY = 85
"""Of JPEG, 0..100: some 30 KB a picture."""

KEEP_LIMIT = 3.0
"""Seconds that keeping may hold up the verdict: with SQLite it takes some hundredths."""

log = structlog.get_logger(__name__)


class Albums:
    """What all sessions share. `sealing`: None where no picture was ever kept."""

    def __init__(self, store: Store, sealing: Sealing | None, *, keeping: bool) -> None:
        self._store = store
        self._sealing = sealing
        self._keeping = keeping
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="album")

    def begin(self, session_id: str) -> "Album | None":
        """Begin the album of a session; None where nothing is to be kept."""
        if not self._keeping or self._sealing is None:
            return None
        return Album(session_id, self._store, self._sealing, self._executor)

    async def names(self, session_id: str) -> list[str]:
        """The names of the pictures that a session has."""
        return await self._store.pictures(session_id)

    async def picture(self, session_id: str, name: str) -> bytes:
        """Give a picture, JPEG; raises `NotFound`, `PictureSealed`."""
        sealed = await self._store.picture(session_id, name)
        if sealed is None:
            raise NotFound("There is no such picture")
        if self._sealing is None:
            raise PictureSealed
        return self._sealing.open(sealed, session_id, name)

    def close(self) -> None:
        """Let the thread end; every session must have ended before."""
        self._executor.shutdown(wait=True)


class Album:
    """The pictures of one session: of the run of steps that it ends with, and of no other."""

    def __init__(
        self, session_id: str, store: Store, sealing: Sealing, executor: ThreadPoolExecutor
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._sealing = sealing
        self._executor = executor
        self._passed = 0
        self._best: tuple[float, av.VideoFrame, Landmarks] | None = None
        self._pictures: dict[str, Future[bytes]] = {}

    def offer(self, frame: av.VideoFrame, observation: Observation, progress: Progress) -> None:
        """Take the frame's picture if it is one to keep; what that costs is done elsewhere."""
        passes = progress.hint is Hint.PASSED
        passed = progress.steps if progress.passed_all else progress.step + passes
        if passed < self._passed:  # it started over
            self._pictures.clear()
        self._passed = passed
        face = observation.face
        if face is None:
            return
        if progress.step == 0 and not progress.passed_all:
            self._consider(frame, observation, progress)
        if passes:
            self._take(f"{progress.step + 1}-{progress.challenge}", frame, face.landmarks)
            if self._best is not None:
                _, sharpest, points = self._best
                self._take(REFERENCE, sharpest, points)
                self._best = None

    def _consider(self, frame: av.VideoFrame, observation: Observation, progress: Progress) -> None:
        """Remember the sharpest frame of a face that rests."""
        face = observation.face
        if not progress.rests or face is None or observation.faces != 1:
            self._best = None
        elif self._best is None or face.quality.sharpness > self._best[0]:
            self._best = face.quality.sharpness, frame, face.landmarks

    def _take(self, name: str, frame: av.VideoFrame, points: Landmarks) -> None:
        def take() -> bytes:
            return self._sealing.seal(jpeg(frame, points), self._session_id, name)

        self._pictures[name] = self._executor.submit(take)

    async def keep(self) -> None:
        """Put the pictures into the store; no verdict is lost for want of them."""
        try:
            async with asyncio.timeout(KEEP_LIMIT):
                for name, taken in self._pictures.items():
                    sealed = await asyncio.wrap_future(taken)
                    await self._store.put_picture(self._session_id, name, sealed)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("pictures not kept", error=type(error).__name__)
        except Exception:
            log.exception("pictures not kept")


def jpeg(frame: av.VideoFrame, points: Landmarks) -> bytes:
    """Cut the face with these (68, 2) landmarks out of a decoded frame, with what surrounds it."""
    part = cut_out(FaceBox.around(points), SURROUNDINGS, frame.width, frame.height)
    picture = colours(frame, part)
    share = LONGEST_SIDE / max(picture.shape[:2])
    if share < 1:
        size = round(picture.shape[1] * share), round(picture.shape[0] * share)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return packed.tobytes()
