"""A whole session without network and clock: a source, the vision, challenges and evidence."""

from collections.abc import Callable
from dataclasses import dataclass

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.challenge.sequence import Failure, Progress, Sequence
from liveness.evidence.findings import Evidence, Finding
from liveness.protocol import State
from liveness.session import state_of
from liveness.testing.source import Source
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Observation

TIME_LIMIT = 30.0  # seconds of video


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: `seconds` of video, the challenges as they were asked, why it failed.

    `finding`: the evidence of an attack that ended it. It passed if nothing did.
    """

    passed: bool
    failure: Failure | None
    finding: Finding | None
    seconds: float
    challenges: tuple[Challenge, ...]


def rehearse(
    source: Source,
    plan: Plan,
    landmarker: Landmarker,
    *,
    fps: float = 30.0,
    time_limit: float = TIME_LIMIT,
    watch: Callable[[Observation, State], None] | None = None,
) -> Rehearsal:
    """Run a session in virtual time, several times faster than a real one.

    Every frame is measured and every state reaches the source at once. `watch` is told of each
    frame's observation and state.
    """
    analyser, sequence, evidence = Analyser(landmarker), Sequence(plan), Evidence()
    progress: Progress | None = None
    finding: Finding | None = None
    asked: list[tuple[int, Challenge]] = []
    time = 0.0
    passed = False
    for index in range(int(time_limit * fps)):
        time = index / fps
        picture = source.frame(time)
        if picture is None:
            break
        observation = analyser.analyse(Luma.of(to_frame(picture)), time)
        if progress is None or not progress.passed_all:
            progress = sequence.update(observation)
        finding = evidence.update(observation, progress)
        if not asked or asked[-1] != (progress.step, progress.challenge):
            asked.append((progress.step, progress.challenge))
        state = state_of(observation, progress, None)
        if watch is not None:
            watch(observation, state)
        passed = progress.passed_all and evidence.decided
        if passed or finding is not None or progress.failure is not None:
            break
        sequence.prompted(time)
        source.react(state.model_dump(mode="json"))
    return Rehearsal(
        passed=passed and finding is None,
        failure=None if progress is None else progress.failure,
        finding=finding,
        seconds=time,
        challenges=tuple(challenge for _, challenge in asked),
    )
