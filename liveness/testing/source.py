"""What a headless peer publishes: anything that has a picture for each moment."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import av

from liveness.testing.raster import Picture


class Source(Protocol):
    """A scene before a camera. `frame` is called in a thread of its own, `react` in another."""

    def frame(self, time: float) -> Picture | None:
        """Return the picture at `time`, seconds since the start, which only grows.

        (height, width, 3) uint8 BGR; None when the scene is over. The size may change, as it does
        when a telephone is turned.
        """

    def react(self, state: dict[str, Any]) -> None:
        """Take note of a state message of the server, as decoded from JSON."""


class Frames:
    """Pictures in a row, shown at `fps`; those that nobody asks for in time are passed over."""

    def __init__(self, pictures: Iterable[Picture], fps: float = 30.0) -> None:
        self._timed = ((index / fps, picture) for index, picture in enumerate(pictures))
        self._end = 1 / fps
        self._now: tuple[float, Picture] | None = None
        self._next = next(self._timed, None)

    def frame(self, time: float) -> Picture | None:
        """Show the picture whose turn it is; None after the last."""
        while self._next is not None and self._next[0] <= time:
            self._now, self._next = self._next, next(self._timed, None)
        if self._now is None or (self._next is None and time >= self._now[0] + self._end):
            return None
        return self._now[1]

    def react(self, state: dict[str, Any]) -> None:
        """Pictures do not react."""


class VideoFile(Frames):
    """A video file, shown at its own pace; `loop` begins again at its end.

    Raises `av.error.FFmpegError` where the file cannot be read, `ValueError` without video.
    """

    def __init__(self, path: Path | str, *, loop: bool = False) -> None:
        with av.open(path) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no video")
            rate = container.streams.video[0].average_rate
        pictures = chain.from_iterable(iter(lambda: decode(path), None)) if loop else decode(path)
        super().__init__(pictures, float(rate or 30))


def decode(path: Path | str) -> Iterator[Picture]:
    """Read a video file: (height, width, 3) uint8 BGR for each frame, upright."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")  # type: ignore[misc] # av types it loosely


def as_source(scene: "Source | Path | str | Iterable[Picture]") -> Source:
    """Make a source of a video file's path or of pictures; a source stays as it is."""
    if isinstance(scene, Path | str):
        return VideoFile(scene)
    if isinstance(scene, Iterable):
        return Frames(scene)
    return scene
