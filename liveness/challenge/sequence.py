"""The steps of a session, one after the other."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.challenge.baseline import Baseline
from liveness.challenge.blink import Blink
from liveness.challenge.front import Front
from liveness.challenge.hints import obstacle
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.plan import Plan
from liveness.challenge.step import Step
from liveness.challenge.stray import Stray
from liveness.challenge.turn import Turn
from liveness.vision.observation import Face, Observation

REACTION = 0.15
"""Seconds after a prompt in which nobody can have reacted to it: the fastest simple reactions to
something seen take about as long."""

# A face lost for longer, seconds, may have been swapped for another one.
_MOST_LOST = 1.0
# A second face seen for longer, seconds, is really there: one false find lasts a check or two.
_MOST_SHARED = 0.3
# Wrong moves, and losses of the face once a move has been asked, that end a session: each lets a
# recording try another order.
_WRONG_MOVES = 2
_LOSSES = 4


class Failure(StrEnum):
    """Why a sequence ended without having been passed."""

    WRONG_MOVES = "wrong_moves"
    FACE_LOST = "face_lost"
    MANY_FACES = "many_faces"


# From this share of `front` on a face rests.
_RESTING = 0.3

_HINTS = {Failure.FACE_LOST: Hint.NO_FACE, Failure.MANY_FACES: Hint.MANY_FACES}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the person stands after one frame."""

    step: int
    steps: int
    challenge: Challenge
    progress: float
    hint: Hint
    passed_all: bool = False
    failure: Failure | None = None

    @property
    def rests(self) -> bool:
        """Whether it is the first step, and the face has looked straight for a moment."""
        return self.step == 0 and self.progress >= _RESTING


@dataclass(frozen=True, slots=True)
class ChallengeResult:
    """How one step went; `seconds` from its prompt until it passed, or until now."""

    challenge: Challenge
    passed: bool
    seconds: float


class Sequence:
    """Runs the steps of a plan over the Observations of one session, in order.

    A step counts only frames later than its prompt: `prompted` tells when that was.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wrong_moves = 0
        self._losses = 0
        self._lost_since: float | None = None
        self._shared_since: float | None = None
        self._baseline = Baseline()
        self._prompt: float | None = None
        self._counted: float | None = None
        self._begin()

    @property
    def challenges(self) -> tuple[Challenge, ...]:
        """The steps of the present run, for the server's eyes only."""
        return self._challenges

    def prompted(self, time: float) -> None:
        """The client has been told the present step; `time`: of the newest frame measured by then.

        Only the first call for a step counts, so it may be called after every message.
        """
        if self._prompt is None:
            self._prompt = time

    def update(self, observation: Observation) -> Progress:
        """Take in the next frame; to be called no more after `passed_all` or a `failure`."""
        if len(self._seconds) > self._step:
            self._enter(self._step + 1)
        time = observation.time
        absence = self._absence(observation)
        if absence is not None and self._step > 0:
            return self._lose(absence)
        hint = obstacle(observation, first=self._step == 0)
        if hint is not None or observation.face is None:
            self._interrupt()
            return self._progress(hint or Hint.NO_FACE)
        if self._prompt is None or time <= self._prompt + REACTION:
            self._stray.settle(observation.face, time)
            return self._progress(self._machine.hint)
        return self._count(observation.face, time)

    def results(self, time: float) -> tuple[ChallengeResult, ...]:
        """How each step of the present run went, up to `time`."""
        running = len(self._seconds)
        waited = 0.0 if self._prompt is None else max(time - self._prompt, 0.0)
        return tuple(
            ChallengeResult(challenge, passed=True, seconds=self._seconds[index])
            if index < running
            else ChallengeResult(
                challenge, passed=False, seconds=waited if index == running else 0.0
            )
            for index, challenge in enumerate(self._challenges)
        )

    def _begin(self) -> None:
        self._challenges = self._plan.draw()
        self._seconds: list[float] = []
        self._enter(0)

    def _enter(self, step: int) -> None:
        self._step = step
        self._prompt = None
        self._counted = None
        self._machine = _machine(self._challenges[step], self._baseline)
        self._stray = Stray(self._challenges[step], self._baseline)

    def _count(self, face: Face, time: float) -> Progress:
        """Take in a frame that counts for the present step."""
        if self._step > 0 and self._stray.update(face, time):
            return self._wrong_move()
        if self._machine.update(face, time):
            self._seconds.append(round(time - (self._prompt or 0.0), 2))
            return self._progress(Hint.PASSED)
        if self._counted is not None and self._step > 0:
            self._baseline.follow(face, time - self._counted)
        self._counted = time
        return self._progress(self._machine.hint)

    def _absence(self, observation: Observation) -> Failure | None:
        """What has been wrong with the number of faces for so long that the run is void."""
        time = observation.time
        self._lost_since = _since(self._lost_since, time, observation.face is None)
        self._shared_since = _since(self._shared_since, time, observation.faces > 1)
        if self._lost_since is not None and time - self._lost_since > _MOST_LOST:
            return Failure.FACE_LOST
        if self._shared_since is not None and time - self._shared_since > _MOST_SHARED:
            return Failure.MANY_FACES
        return None

    def _lose(self, why: Failure) -> Progress:
        """Start over because the face was lost or no longer alone."""
        self._losses += 1
        if self._losses == _LOSSES:
            return self._progress(_HINTS[why], failure=why)
        self._begin()
        return self._progress(_HINTS[why])

    def _wrong_move(self) -> Progress:
        """Void what has passed: start over in a new order, once."""
        self._wrong_moves += 1
        if self._wrong_moves == _WRONG_MOVES:
            return self._progress(Hint.WRONG_WAY, failure=Failure.WRONG_MOVES)
        self._begin()
        return self._progress(Hint.LOOK_STRAIGHT)

    def _interrupt(self) -> None:
        self._counted = None
        self._machine.interrupt()
        self._stray.interrupt()

    def _progress(self, hint: Hint, failure: Failure | None = None) -> Progress:
        passed = len(self._seconds) > self._step
        return Progress(
            step=self._step,
            steps=len(self._challenges),
            challenge=self._challenges[self._step],
            progress=1.0 if passed else self._machine.progress,
            hint=hint,
            passed_all=len(self._seconds) == len(self._challenges),
            failure=failure,
        )


def _machine(challenge: Challenge, baseline: Baseline) -> Step:
    match challenge:
        case Challenge.FRONT:
            return Front(baseline)
        case Challenge.BLINK:
            return Blink(baseline)
        case Challenge.RIGHT | Challenge.LEFT:
            return Turn(challenge, baseline)


def _since(before: float | None, time: float, holds: bool) -> float | None:  # noqa: FBT001
    """Since when something has held, given since when it had."""
    if not holds:
        return None
    return time if before is None else before
