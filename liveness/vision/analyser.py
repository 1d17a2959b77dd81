"""One `Observation` for each frame of a session."""

import math
from dataclasses import replace

from liveness.vision.eyes import eyes
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region
from liveness.vision.observation import Box, Face, Observation, Quality
from liveness.vision.quality import quality, size
from liveness.vision.thumbnail import thumbnail
from liveness.vision.tracker import Enter, Tracked, Tracker, untimed

# Seconds between two looks at a face's light and focus: every third frame of 30 a second. They are
# for hints, which nobody reads faster, and cost as much as a fifth of the landmarks.
_LIGHT_EVERY = 0.09


class Analyser:
    """Measures the frames of one session, in order. Not for two threads at a time.

    `enter`: told `detect`, `landmarks`, `pose` and `quality`.
    """

    def __init__(self, landmarker: Landmarker, enter: Enter = untimed) -> None:
        self._tracker = Tracker(landmarker, enter)
        self._enter = enter
        self._frames = 0
        self._quality: Quality | None = None
        self._light_due = -math.inf

    def analyse(self, luma: Luma, time: float) -> Observation:
        """Measure one frame. `time`: seconds since the first frame, by RTP timestamps."""
        tracked, faces = self._tracker.update(luma, time)
        self._enter("quality")
        observation = Observation(
            frame=self._frames,
            time=time,
            faces=faces,
            face=None if tracked is None else self._face(luma, tracked, time),
            thumbnail=thumbnail(luma),
        )
        self._enter(None)
        self._frames += 1
        return observation

    def _face(self, luma: Luma, tracked: Tracked, time: float) -> Face:
        region = tracked.region
        half = region.side / 2
        height, width = luma.picture.shape
        left, right = max(0.0, region.x - half), min(float(width), region.x + half)
        top, bottom = max(0.0, region.y - half), min(float(height), region.y + half)
        return Face(
            box=Box(left / width, top / height, (right - left) / width, (bottom - top) / height),
            landmarks=tracked.points,
            pose=tracked.alignment.pose,
            eyes=eyes(tracked.points),
            quality=self._look(luma, region, time),
            aspect=tracked.alignment.aspect,
        )

    def _look(self, luma: Luma, region: Region, time: float) -> Quality:
        """Measure the face's size, and its light and focus when it is time to."""
        last = self._quality
        if last is not None and time < self._light_due:
            return replace(last, size=size(luma, region))
        self._light_due = time + _LIGHT_EVERY
        self._quality = quality(luma, region)
        return self._quality
