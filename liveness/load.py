"""Whether one more session can be carried without those that run having to suffer."""

from collections import deque
from dataclasses import dataclass

MOST_LOAD = 0.85
"""Share of its cores that a process may be expected to use: from about .9 on frames wait for each
other until they are too late."""

MOST_LATE = 0.01
"""Share of frames that came too late to be measured, from which on nobody is let in: sessions are
to have 99 % of theirs measured, whoever takes the time away."""

USUAL_COST = 0.09
"""Share of a core that a session takes, until it is known: 30 frames a second, 640 x 480."""

_WINDOW = 3.0
"""Seconds that are looked back upon: two decisions of a detector, a few hundred frames."""

_LEAST_WINDOW = 0.5
_SETTLING = 2.5
"""Seconds until a session that was let in shows in what is measured."""

_LEAST_FRAMES = 60
"""Frames below which a share of late ones means nothing."""

_KNOWN = 2
"""Sessions from which on the cost of one is known."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted up to a moment; seconds, and frames of all sessions since the start."""

    time: float
    cpu: float
    received: int
    late: int
    sessions: int


class Load:
    """Of one process, which may use so many `cores`, and no more than `most` of them."""

    def __init__(self, cores: float, most: float = MOST_LOAD) -> None:
        self._cores = cores
        self._most = most
        self._samples: deque[Sample] = deque()
        self._entered: deque[float] = deque()

    def update(self, sample: Sample) -> None:
        """Take in what was counted, about twice a second."""
        self._samples.append(sample)
        while sample.time - self._samples[0].time > _WINDOW:
            self._samples.popleft()

    def enter(self, time: float) -> None:
        """Expect a session that was let in at `time`."""
        self._entered.append(time)

    def has_room(self, time: float) -> bool:
        """Whether another session may come."""
        while self._entered and time - self._entered[0] > _SETTLING:
            self._entered.popleft()
        expected = (len(self._entered) + 1) * self.session_cost / self._cores
        return self.late <= MOST_LATE and self.busy + expected <= self._most

    @property
    def busy(self) -> float:
        """Share of its cores that the process uses."""
        first, last = self._ends()
        seconds = last.time - first.time
        return (last.cpu - first.cpu) / (seconds * self._cores) if seconds else 0.0

    @property
    def late(self) -> float:
        """Share of frames that came too late to be measured."""
        first, last = self._ends()
        frames = last.received - first.received
        return (last.late - first.late) / frames if frames >= _LEAST_FRAMES else 0.0

    @property
    def session_cost(self) -> float:
        """Share of a core that a session takes; what else the process does is counted in."""
        first, last = self._ends()
        sessions = min(first.sessions, last.sessions)
        return self.busy * self._cores / sessions if sessions >= _KNOWN else USUAL_COST

    def _ends(self) -> tuple[Sample, Sample]:
        if not self._samples or self._samples[-1].time - self._samples[0].time < _LEAST_WINDOW:
            nothing = Sample(0.0, 0.0, 0, 0, 0)
            return nothing, nothing
        return self._samples[0], self._samples[-1]
