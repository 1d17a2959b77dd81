"""Following one face from frame to frame by its own landmarks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from liveness.vision.detector import LEAST_FACE, Detection, detect, detect_around
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region
from liveness.vision.observation import Landmarks
from liveness.vision.pose import Alignment, align

# A followed face is looked for by the detector this often, seconds.
_CONFIRM_EVERY = 0.5
# The whole picture is searched for other faces this often, seconds.
_COUNT_EVERY = 2.0
_RECOUNT_AFTER = 0.1
# Without a face the picture is searched this often, seconds.
_SEARCH_EVERY = 0.06
# The reduced picture of a search finds faces from a quarter of its width; every fourth search
# looks for smaller ones, so that a person too far away is told so.
_SEARCH_SIDE = 320
_FAR_SEARCH_SIDE = 640
_FAR_SEARCH_EACH = 4
# Counting finds faces from a fifth of the picture's width, and from four fifths of the followed
# one's where that is smaller: the others are bystanders.
_COUNT_SIDE = 400
_COUNT_SHARE = 0.8
# A second face must be this sure, and at least this large beside the followed one: HOG sees faces
# in curtains at scores up to .2, and a person on a poster behind is no second sitter.
_OTHER_SCORE = 0.3
_OTHER_SIZE = 0.5
# While following, the detector may doubt more than when it decides that there is a face at all.
_CONFIRM_SCORE = -0.3
# How long a face may stay unconfirmed, seconds: HOG knows frontal faces, to about 35 degrees.
_UNCONFIRMED_FRONTAL = 0.5
_UNCONFIRMED_TURNED = 1.2
_TURNED = 22.0
# Points further than this from any face's shape (inter-ocular distances; 0.03 to 0.10 on the faces
# measured) are on something else.
_MOST_RESIDUAL = 0.14
# A face does not grow, shrink or move more than this from one frame to the next.
_MOST_GROWTH = 1.35
_MOST_SHIFT = 0.6
# How far apart, in face sides, and how unequal the followed and the detected box of one face are.
_SAME_SHIFT = 0.3
_SAME_SIZE = 1.6
# Shares by which width over height may change when a picture is only scaled: senders round to even
# pixels, of 90 lines at the least.
_SAME_ASPECT = 0.03
# Where dlib's detector puts its box on the average face (see `pose.AVERAGE_FACE`), in inter-ocular
# distances: measured on 3600 boxes of nine clips. The predictor was trained on such boxes.
_BOX_SIDE = 2.31
_BOX_ABOVE = 0.14


Enter = Callable[[str | None], None]
"""Told each stage of the work as it begins, None when it is done: a clock, should there be one."""


def untimed(_stage: str | None) -> None:
    """Take no time."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """The followed face in one frame."""

    points: Landmarks
    alignment: Alignment
    region: Region


class Tracker:
    """Finds a face and keeps it. One for each session; frames must come in order."""

    def __init__(self, landmarker: Landmarker, enter: Enter = untimed) -> None:
        self._landmarker = landmarker
        self._enter = enter
        self._region: Region | None = None
        self._yaw = 0.0
        self._confirmed = -math.inf
        self._checked = -math.inf
        self._next_count = -math.inf
        self._suspected = False
        self._searched = -math.inf
        self._searches = 0
        self._others = 0
        self._size: tuple[int, ...] = (0, 0)

    def update(self, luma: Luma, time: float) -> tuple[Tracked | None, int]:
        """Follow the face into the next frame: what is there, and how many faces there are."""
        self._resize(luma.picture.shape)
        tracked = None if self._region is None else self._follow(luma, self._region, time)
        if tracked is None:
            tracked = self._search(luma, time)
        if tracked is None:
            self._region = None
            return None, 0
        self._region = tracked.region
        self._yaw = tracked.alignment.pose.yaw
        self._count(luma, tracked.region, time)
        return tracked, 1 + self._others

    def _resize(self, size: tuple[int, ...]) -> None:
        """Take the face along into a picture of another size, in which it is confirmed at once.

        Senders scale their pictures down and up as the network allows. Of one with other
        proportions, as of a telephone that is turned, nothing is known.
        """
        (height, width), self._size = self._size, size
        if (height, width) == size or self._region is None:
            return
        self._checked = -math.inf
        scale = size[0] / height
        scaled = abs(size[1] / (scale * width) - 1) < _SAME_ASPECT
        self._region = self._region.scaled(scale) if scaled else None

    def _follow(self, luma: Luma, before: Region, time: float) -> Tracked | None:
        tracked = self._place(luma, before)
        plausible = _plausible(before, tracked)
        if plausible and time - self._checked < _CONFIRM_EVERY:
            return tracked
        self._checked = time
        self._enter("detect")
        found = detect_around(luma, tracked.region if plausible else before, _CONFIRM_SCORE)
        if found is None:
            turned = abs(self._yaw) > _TURNED
            patience = _UNCONFIRMED_TURNED if turned else _UNCONFIRMED_FRONTAL
            return tracked if plausible and time - self._confirmed < patience else None
        self._confirmed = time
        if plausible and _same_place(found.region, tracked.region):
            return tracked
        return self._place(luma, found.region)

    def _search(self, luma: Luma, time: float) -> Tracked | None:
        if time - self._searched < _SEARCH_EVERY:
            return None
        self._searched = time
        far = self._searches % _FAR_SEARCH_EACH == _FAR_SEARCH_EACH - 1
        self._searches += 1
        self._enter("detect")
        found = detect(luma, _FAR_SEARCH_SIDE if far else _SEARCH_SIDE)
        if not found:
            return None
        self._confirmed = self._checked = self._next_count = time
        tracked = self._place(luma, found[0].region)
        # The first placement starts from a coarse box: a second one starts from the face itself.
        tracked = self._place(luma, tracked.region)
        return tracked if tracked.alignment.residual < _MOST_RESIDUAL else None

    def _count(self, luma: Luma, followed: Region, time: float) -> None:
        """Count the other faces; a new one is only believed when it is found twice running."""
        if time < self._next_count:
            return
        self._enter("detect")
        least = _COUNT_SHARE * followed.side / max(luma.picture.shape)
        side = min(max(_COUNT_SIDE, math.ceil(LEAST_FACE / least)), _FAR_SEARCH_SIDE)
        found = detect(luma, side, _OTHER_SCORE)
        others = sum(_is_other(each, followed) for each in found)
        doubtful = others > self._others and not self._suspected
        self._suspected = others > 0
        if not doubtful:
            self._others = others
        self._next_count = time + (_RECOUNT_AFTER if doubtful else _COUNT_EVERY)

    def _place(self, luma: Luma, region: Region) -> Tracked:
        self._enter("landmarks")
        points = self._landmarker.find(luma, region)
        self._enter("pose")
        alignment = align(points)
        return Tracked(points, alignment, _region_of(alignment))


def _region_of(alignment: Alignment) -> Region:
    """The box that the detector would draw around an aligned face."""
    roll = math.radians(alignment.pose.roll)
    above = _BOX_ABOVE * alignment.scale
    return Region(
        x=alignment.x + above * math.sin(roll),
        y=alignment.y - above * math.cos(roll),
        side=_BOX_SIDE * alignment.scale,
        roll=alignment.pose.roll,
    )


def _plausible(before: Region, after: Tracked) -> bool:
    """Whether the points still look like the face of the frame before."""
    growth = after.region.side / before.side
    return (
        after.alignment.residual < _MOST_RESIDUAL
        and 1 / _MOST_GROWTH < growth < _MOST_GROWTH
        and _apart(before, after.region) < _MOST_SHIFT * before.side
    )


def _same_place(one: Region, other: Region) -> bool:
    near = _apart(one, other) < _SAME_SHIFT * other.side
    return near and 1 / _SAME_SIZE < one.side / other.side < _SAME_SIZE


def _is_other(found: Detection, followed: Region) -> bool:
    side = found.region.side
    far = _apart(found.region, followed) > 0.5 * max(followed.side, side)
    return far and side > _OTHER_SIZE * followed.side


def _apart(one: Region, other: Region) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)
