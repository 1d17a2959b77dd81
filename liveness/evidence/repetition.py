"""A video that repeats itself: the same half second again, as no living person can show it.

Frames come through a codec, so a loop's second round is nearly its first, never quite. Only the
face and what is around it is compared, in small grey signatures: a room is the same at all times.
A camera's noise is another one in each round; how much there is of it is known from neighbouring
frames, and what two moments differ by for its sake is taken off. What is left of a loop is the
codec's; of people, however still they sit, it is their movement.

An encoder that takes noise away mixes each picture with those before, and so the end of a round
into the next one's beginning. What is mixed in stands still: it hides where a face is, not how it
moves. So a moment that is near to an earlier one is a repetition too if the face moves as it did
then, and has not just before: light that pulsates does.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.evidence.footage import (
    KEEP_EVERY,
    Footage,
    Region,
    Signature,
    in_signature,
    in_thumbnail,
    signature_of,
)
from liveness.vision.observation import Box, Face, Observation, Thumbnail

# By how much a moment may differ from the one that it repeats: grey values, root mean square over
# the signatures of a face of this size (share of the picture's shorter side) and this contrast
# (grey values, standard deviation) or more. A smaller or a dimmer face changes a signature less as
# it moves. `tests/integration/test_recordings.py` prints how near people and recordings come to
# the limits.
MOST_DIFFERENCE = 0.25
_LARGE_FACE = 0.35
# People in good light have 20 to 50. The stillest of them, who would be told at 1.6 of the limits,
# is at 1.3 or more in all dimmer light that challenges accept; with 20 here it would be 1.06. What
# codecs leave of a loop does not shrink with the light: with 25 here more dim loops would be lost.
_FULL_CONTRAST = 24.0
# The same, where the face moves as it did then.
MOST_DIFFERENCE_MOVING = 0.5
# By how much movements may differ that are one and the same: a share of the movement. Most loops
# behind such an encoder come to .02-.1, people that near to an earlier moment to .25 and more.
MOST_DEVIATION = 0.12
# Grey values, root mean square over the cells of thumbnails, that are a movement: less is noise.
_LEAST_MOVEMENT = 0.5

# Seconds between a moment and its repetition at least: nearer ones are alike in everybody.
LEAST_LAG = 2.0
# By how much a movement must differ from those that ended so many seconds before and earlier: light
# that pulsates and a steady drift are as they were just before, and tell nothing. No loop of people
# was lost by it, and nearly all people beside lamps and fans were spared.
_LEAST_NOVELTY = 0.35
_RECENT = 0.4
# A moment is what is compared: looks of so many seconds at least, and so many where few frames
# come. The second round of a recording is told within a second.
_MOMENT = 0.69
_LEAST_LOOKS = 6
# Seconds between two looks at least, of two or three frames of 30 a second, and at most as a rule.
_LOOK_EVERY = 0.079
_PACE = 0.1
# Seconds without a frame that end a moment.
_LONGEST_PAUSE = 1.0
# By how much a remembered frame may miss its time: of that between two looks, which is a tenth of a
# second or a frame.
_MOST_OFF = 0.55
# A signature is the mean of the frames of so many seconds: two of 20 to 30 a second, one of 10.
_EXPOSURE = 0.058
# Grey values, root mean square, that two signatures may differ by for noise: what noise of
# deviation 5 makes of a picture of 400x300. More than that is movement from frame to frame.
_MOST_NOISE = 0.28
# How far round the face is compared, in shares of its box to each side: hair, neck and shoulders.
_AROUND = 0.2
# By how many frames a moment may have ended before or after the frame that is nearest to its end:
# means of two frames lie half-way.
_OFF = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])

Pictures = NDArray[np.float32]
"""(looks, rows, columns) float32: a part of the thumbnails of a moment."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame, and its signature's mean squared distance to the one before."""

    time: float
    thumbnail: Thumbnail
    signature: Signature
    change: float


class _Look:
    """The mean of a few frames; its noise, and its mean squared distances to all before."""

    def __init__(self, frames: deque[_Frame], footage: Footage, region: Region) -> None:
        self._frames = tuple(frames)
        signatures = [frame.signature for frame in frames]
        mean = np.asarray(sum(signatures[1:], signatures[0]) / len(frames), np.float32)
        self.distances = footage.distances(mean, region)
        self.noise = self._noise()

    @property
    def time(self) -> float:
        """Of the last frame, seconds."""
        return self._frames[-1].time

    @property
    def middle(self) -> float:
        """Of all frames, seconds."""
        return sum(frame.time for frame in self._frames) / len(self._frames)

    def _noise(self) -> float:
        """What noise adds to the mean squared distance of two looks; 0 where it is unknown.

        Two frames differ by twice a frame's noise, two means of n frames by an nth of that.
        """
        changes = [frame.change for frame in self._frames][1:]
        return sum(changes) / len(changes) / len(self._frames) if changes else 0.0

    def picture(self, region: Region) -> NDArray[np.float32]:
        """The mean of the thumbnails in `region`."""
        thumbnails = [frame.thumbnail[region] for frame in self._frames]
        return np.asarray(np.mean(thumbnails, axis=0, dtype=np.float32))


class Repetition:
    """Watches one session."""

    def __init__(self) -> None:
        self._footage = Footage()
        self._frames: deque[_Frame] = deque()
        self._looks: deque[_Look] = deque()

    def update(self, observation: Observation) -> bool:
        """Take in the next frame; tells whether the last moment was a repetition.

        Only pictures of a face count: an empty room is the same at all times, and so is what a
        browser sends for a camera that was switched off.
        """
        time, face = observation.time, observation.face
        if face is None:
            self._forget_moment()
            return False
        if self._frames:
            pause = time - self._frames[-1].time
            if pause < KEEP_EVERY:
                return False
            if pause > _LONGEST_PAUSE:
                self._forget_moment()
        frame = self._expose(time, observation.thumbnail)
        repeated = False
        if not self._looks or time - self._looks[-1].time >= _LOOK_EVERY:
            around = _around(face.box)
            self._looks.append(_Look(self._frames, self._footage, in_signature(around)))
            repeated = self._lasts() and self._repeated(in_thumbnail(around), _scale(face))
        self._remember(frame)
        return repeated

    @property
    def remembered(self) -> int:
        """Frames."""
        return len(self._footage)

    def _expose(self, time: float, thumbnail: Thumbnail) -> _Frame:
        """Add a frame to the newest, of which a look is the mean."""
        signature = signature_of(thumbnail)
        before = self._frames[-1].signature if self._frames else signature
        change = float(np.square(signature - before).mean())
        frame = _Frame(time, thumbnail, signature, change)
        self._frames.append(frame)
        while time - self._frames[0].time > _EXPOSURE:
            self._frames.popleft()
        return frame

    def _lasts(self) -> bool:
        """Keep the looks of a moment; tells whether they are enough of one."""
        looks, time = self._looks, self._looks[-1].time
        while len(looks) > _LEAST_LOOKS and time - looks[1].time >= _MOMENT:
            looks.popleft()
        return len(looks) >= _LEAST_LOOKS and time - looks[0].time >= _MOMENT

    def _repeated(self, region: Region, scale: float) -> bool:
        """Whether the moment was there before. `region`: of thumbnails, where movement counts."""
        # Movement looks like noise: the stillest look knows best.
        noise = min(_MOST_NOISE**2, *(look.noise for look in self._looks))
        places, distances = self._matches((MOST_DIFFERENCE_MOVING * scale) ** 2 + noise)
        if not places.size:
            return False
        nearest = int(distances.argmin())
        if distances[nearest] <= (MOST_DIFFERENCE * scale) ** 2 + noise:
            return True
        return self._moves_as_at(int(places[nearest]), region)

    def _matches(self, most: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Which frames end a moment whose mean squared distance is at most `most`, and theirs."""
        newest = self._looks[-1]
        limit = most * len(self._looks)
        times = self._footage.times
        end = int(np.searchsorted(times, newest.time - LEAST_LAG, "right"))
        places = np.flatnonzero(newest.distances[:end] <= limit)
        sums = newest.distances[places].astype(np.float64)
        for look in list(self._looks)[:-1]:  # the oldest is the most unlike the newest
            if not places.size:
                break
            sums = sums + self._nearby(look, times[places] - (newest.time - look.time))
            kept = sums <= limit
            places, sums = places[kept], sums[kept]
        return places, sums / len(self._looks)

    def _nearby(self, look: _Look, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances of a look to what was seen about `times`; infinite for nothing."""
        # Seconds between the last two looks; of those that come in time, a tenth.
        pace = max(_PACE, self._looks[-1].time - self._looks[-2].time)
        known = self._footage.times[: look.distances.size]
        if not known.size:
            return np.full(times.size, np.inf)
        nearest = np.searchsorted(known, times - KEEP_EVERY / 2)
        around = (nearest + np.array([[-1], [0], [1]])).clip(0, known.size - 1)
        off = np.abs(known[around] - times)
        near = np.where(off <= _MOST_OFF * pace, look.distances[around], np.inf)
        return np.asarray(near.min(axis=0), np.float64)

    def _moves_as_at(self, place: int, region: Region) -> bool:
        """Whether the face moves as it did until about that frame, and has not just before."""
        now = _movement(np.stack([look.picture(region) for look in self._looks]))
        if np.square(now).mean() < _LEAST_MOVEMENT**2:
            return False
        if self._least_deviation(now, region, self._ends(place)) > MOST_DEVIATION:
            return False
        return self._least_deviation(now, region, self._recent()) >= _LEAST_NOVELTY

    def _least_deviation(self, now: Pictures, region: Region, ends: NDArray[np.float64]) -> float:
        """By how much a movement differs at least from those that ended then."""
        middles = np.array([look.middle for look in self._looks])
        pictures = (self._footage.pictures(middles - middles[-1] + end, region) for end in ends)
        then = (_movement(each) for each in pictures if each is not None)
        return min((_deviation(now, each) for each in then), default=math.inf)

    def _ends(self, place: int) -> NDArray[np.float64]:
        """When moments ended of which this is about the last frame, seconds."""
        time, after = self._footage.times[place : place + 2]
        return np.asarray(time + _OFF * min(after - time, _PACE))

    def _recent(self) -> NDArray[np.float64]:
        """When moments ended that are not as old as a repetition, seconds."""
        times, time = self._footage.times, self._looks[-1].time
        first, end = np.searchsorted(times, [time - LEAST_LAG, time - _RECENT])
        return times[first:end]

    def _remember(self, frame: _Frame) -> None:
        if self._footage.full:
            # The looks know places in the footage.
            self._footage.forget_oldest()
            self._forget_moment()
        self._footage.add(frame.time, frame.signature, frame.thumbnail)

    def _forget_moment(self) -> None:
        self._frames.clear()
        self._looks.clear()


def _movement(pictures: Pictures) -> Pictures:
    """What moves in pictures: their differences to their mean."""
    return np.asarray(pictures - pictures.mean(axis=0), np.float32)


def _deviation(now: Pictures, then: Pictures) -> float:
    """By how much two movements differ, as a share of them.

    What moves most counts most: the rest is noise.
    """
    moved = (np.square(now) + np.square(then)).mean(axis=0) / 2
    apart = np.square(now - then).mean(axis=0)
    return math.sqrt(float((moved * apart).sum() / np.square(moved).sum()))


def _scale(face: Face) -> float:
    """By how much the limits are narrower for this face: a share."""
    seen = face.quality
    return min(1.0, seen.size / _LARGE_FACE) * min(1.0, seen.contrast / _FULL_CONTRAST)


def _around(box: Box) -> Box:
    x, y = _AROUND * box.width, _AROUND * box.height
    return Box(box.x - x, box.y - y, box.width + 2 * x, box.height + 2 * y)
