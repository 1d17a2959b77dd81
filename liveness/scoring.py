"""Scores of live sessions: a few a second, on a thread of their own, never in the way of frames."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import av

from liveness.challenge.hints import obstacle
from liveness.scores import Scores
from liveness.stopwatch import Took, timed, unheard
from liveness.vision.observation import Face, Landmarks, Observation
from liveness.vision.spoof import SpoofModel, usable

Told = Callable[[float], None]
Score = Callable[[av.VideoFrame, Landmarks], float]


def scorable(observation: Observation) -> Face | None:
    """Give the face if it may be scored in a session.

    Not where the person is asked to mend something first: nobody is accused of sitting in the dark.
    """
    return usable(observation) if obstacle(observation, first=False) is None else None


class Scoring:
    """What all sessions share: the model and its thread.

    One thread scores for everybody: landmarks have theirs, and are never queued behind a score.
    `model`: None where there is none, which means no scores. `rate`: a second, of each session.
    `threshold`: an average at or below it is an attack; None takes the card's. `took`: told how
    long each `score` takes.
    """

    def __init__(
        self,
        model: SpoofModel | None,
        *,
        rate: float,
        threshold: float | None = None,
        took: Took = unheard,
    ) -> None:
        self.model = model
        self._took = took
        self._rate = rate
        self._threshold = threshold
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="score")

    def scorer(self, told: Told = lambda _score: None) -> "Scorer":
        """Make the scorer of one session; `told`: of each score."""
        if self.model is None:
            return Scorer(None, self._executor, told, interval=0.0, threshold=0.0)
        threshold = self.model.card.threshold if self._threshold is None else self._threshold
        interval = 1 / self._rate
        score = timed(self._took, "score")(self.model.score)
        return Scorer(score, self._executor, told, interval=interval, threshold=threshold)

    def close(self) -> None:
        """Let the thread end; every session must have ended before."""
        self._executor.shutdown(wait=True)


class Scorer:
    """Scores one session: at most one frame at a time, others are passed over.

    `score`: None where there is no model. `interval`: seconds of video between two scores.
    """

    def __init__(
        self,
        score: Score | None,
        executor: ThreadPoolExecutor,
        told: Told,
        *,
        interval: float,
        threshold: float,
    ) -> None:
        self._score = score
        self._executor = executor
        self._told = told
        self._interval = interval
        self._threshold = threshold
        self._scores = Scores()
        self._due = 0.0
        self._running: asyncio.Future[float] | None = None

    def offer(self, frame: av.VideoFrame, observation: Observation) -> None:
        """Have the frame scored, if it is time, its face may be, and none is under way.

        Raises whatever went wrong with the frame before.
        """
        if self._running is not None and not self._running.done():
            return
        self._take()
        if self._score is None or observation.time < self._due:
            return
        face = scorable(observation)
        if face is None:
            return
        self._due = observation.time + self._interval
        self._running = asyncio.get_running_loop().run_in_executor(
            self._executor, self._score, frame, face.landmarks
        )

    def _take(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            score = running.result()
            self._scores.add(score)
            self._told(score)

    async def finish(self) -> None:
        """Wait for the score that is under way, and count it."""
        running = self._running
        if running is None:
            return
        await asyncio.wait([running])
        if self._running is running:  # nobody has offered a frame meanwhile
            self._take()

    @property
    def average(self) -> float | None:
        """The log average of the last scores; 1 is live, None: no score."""
        return self._scores.average

    @property
    def decided(self) -> bool:
        """Whether there are scores enough to decide by, or none will ever come."""
        return self._score is None or self._scores.decisive

    @property
    def attacked(self) -> bool:
        """Whether the scores say that this is no live face."""
        return self._scores.attacked(self._threshold)
