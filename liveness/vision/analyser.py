"""One `Observation` for each frame of a session."""

from liveness.vision.eyes import eyes
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Box, Face, Observation
from liveness.vision.quality import quality
from liveness.vision.thumbnail import thumbnail
from liveness.vision.tracker import Tracked, Tracker


class Analyser:
    """Measures the frames of one session, in order. Not for two threads at a time."""

    def __init__(self, landmarker: Landmarker) -> None:
        self._tracker = Tracker(landmarker)
        self._frames = 0

    def analyse(self, luma: Luma, time: float) -> Observation:
        """Measure one frame. `time`: seconds since the first frame, by RTP timestamps."""
        tracked, faces = self._tracker.update(luma, time)
        observation = Observation(
            frame=self._frames,
            time=time,
            faces=faces,
            face=None if tracked is None else _face(luma, tracked),
            thumbnail=thumbnail(luma),
        )
        self._frames += 1
        return observation


def _face(luma: Luma, tracked: Tracked) -> Face:
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
        quality=quality(luma, region),
        aspect=tracked.alignment.aspect,
    )
