"""A whole session without network and clock: a source, the vision, challenges and evidence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import av

from liveness.challenge.names import Challenge, Hint
from liveness.challenge.plan import Plan
from liveness.challenge.sequence import Progress, Sequence
from liveness.describing import Describer
from liveness.evidence.findings import Evidence
from liveness.evidence.identity import Identity
from liveness.protocol import State
from liveness.scores import Scores
from liveness.scoring import scorable
from liveness.settings import SPOOF_RATE
from liveness.states import state_of
from liveness.testing.source import Source
from liveness.testing.track import to_frame
from liveness.verdict import Decision, Reason, decide
from liveness.vision.analyser import Analyser
from liveness.vision.chip import face_chip
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Observation
from liveness.vision.spoof import SpoofModel

TIME_LIMIT = 30.0  # seconds of video


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: the verdict, `seconds` of video, and the challenges as they were asked."""

    verdict: Decision
    seconds: float
    challenges: tuple[Challenge, ...]

    @property
    def passed(self) -> bool:
        """Whether the verdict is `live`."""
        return self.verdict.verdict == "live"


def rehearse(  # noqa: PLR0913 - each is one part of a session
    source: Source,
    plan: Plan,
    landmarker: Landmarker,
    *,
    spoof_model: SpoofModel | None = None,
    describer: Describer | None = None,
    fps: float = 30.0,
    time_limit: float = TIME_LIMIT,
    watch: Callable[[Observation, State], None] | None = None,
) -> Rehearsal:
    """Run a session in virtual time, several times faster than a real one.

    Every frame is measured, slow looks are waited for, and every state reaches the source at once.
    Without `spoof_model` there are no scores and without `describer` faces are not compared, as on
    a server that lacks them. `watch` is told of each frame's observation and state.
    """
    trial = _Trial(plan, landmarker, spoof_model, describer)
    for index in range(int(time_limit * fps)):
        picture = source.frame(index / fps)
        if picture is None:
            return trial.end((Reason.PEER_LEFT,))
        reasons = trial.take(to_frame(picture), index / fps)
        if watch is not None:
            watch(trial.observation, trial.state)
        if reasons is not None:
            return trial.end(reasons)
        source.react(trial.state.model_dump(mode="json"))
    return trial.end((Reason.TIME_LIMIT,))


class _Trial:
    """One session, as `liveness.session` runs it."""

    observation: Observation
    state: State

    def __init__(
        self,
        plan: Plan,
        landmarker: Landmarker,
        spoof_model: SpoofModel | None,
        describer: Describer | None,
    ) -> None:
        self._spoof_model = spoof_model
        self._describer = describer
        self._analyser = Analyser(landmarker)
        self._sequence = Sequence(plan)
        self._progress: Progress | None = None
        self._identity = None if describer is None else Identity()
        self._evidence = Evidence(self._identity)
        self._scores = Scores()
        self._score_due = 0.0
        self._time = 0.0
        self._frames = 0
        self._asked: list[tuple[int, Challenge]] = []

    def take(self, frame: av.VideoFrame, time: float) -> tuple[Reason, ...] | None:
        """Take in the next frame; tells why the session ends with it, nothing where it was passed.

        None: it goes on.
        """
        self._time = time
        self._frames += 1
        self.observation = observation = self._analyser.analyse(Luma.of(frame), time)
        progress = self._progress
        if progress is None or not progress.passed_all:
            progress = self._sequence.update(observation)
        attack = self._look(frame, observation, progress)
        if progress.passed_all:
            progress = replace(progress, hint=Hint.LOOK_STRAIGHT)
        self._tell(observation, progress)
        if attack is not None:
            return (attack,)
        if progress.failure is not None:
            return (Reason(progress.failure.value),)
        return () if progress.passed_all and self._decided else None

    def end(self, reasons: tuple[Reason, ...]) -> Rehearsal:
        """Draw the verdict."""
        if self._evidence.found is not None:
            reasons = (Reason(self._evidence.found.value),)
        model = self._spoof_model
        verdict = decide(
            self._sequence.results(self._time),
            reasons,
            frames=self._frames,
            seconds=self._time,
            finished_at=datetime.now(UTC),
            spoof_score=self._scores.average,
            faces_compared=self._evidence.compared,
            attacked=model is not None and self._scores.attacked(model.card.threshold),
        )
        return Rehearsal(verdict, self._time, tuple(challenge for _, challenge in self._asked))

    def _tell(self, observation: Observation, progress: Progress) -> None:
        self._progress = progress
        self.state = state_of(observation, progress, self._scores.average)
        self._sequence.prompted(observation.time)
        asked = (progress.step, progress.challenge)
        if self._asked[-1:] != [asked]:
            self._asked.append(asked)

    def _look(
        self, frame: av.VideoFrame, observation: Observation, progress: Progress
    ) -> Reason | None:
        """Look for evidence of an attack."""
        self._score(frame, observation)
        self._compare(frame, observation, progress)
        finding = self._evidence.update(observation, progress)
        return None if finding is None else Reason(finding.value)

    def _score(self, frame: av.VideoFrame, observation: Observation) -> None:
        model, face = self._spoof_model, scorable(observation)
        if model is not None and face is not None and observation.time >= self._score_due:
            self._score_due = observation.time + 1 / SPOOF_RATE
            self._scores.add(model.score(frame, face.landmarks))

    def _compare(self, frame: av.VideoFrame, observation: Observation, progress: Progress) -> None:
        """Have the face described if it is wanted."""
        if self._describer is None or self._identity is None:
            return
        request = self._identity.follow(observation, progress)
        if request is not None:
            chip = face_chip(frame, request.face.landmarks)
            self._identity.take(request, self._describer.describe(chip))

    @property
    def _decided(self) -> bool:
        """Whether everything that was looked into has been told."""
        scored = self._spoof_model is None or self._scores.decisive
        return scored and self._evidence.decided
