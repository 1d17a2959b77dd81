"""A whole session without network and clock: a source, the vision, and the challenges."""

from collections.abc import Callable
from dataclasses import dataclass

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.challenge.sequence import Failure, Sequence
from liveness.protocol import State
from liveness.testing.source import Source
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Observation

TIME_LIMIT = 30.0  # seconds of video


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: `seconds` of video, the challenges as they were asked, why it failed."""

    passed: bool
    failure: Failure | None
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
    analyser, sequence = Analyser(landmarker), Sequence(plan)
    asked: list[tuple[int, Challenge]] = []
    time = 0.0
    for index in range(int(time_limit * fps)):
        time = index / fps
        picture = source.frame(time)
        if picture is None:
            break
        observation = analyser.analyse(Luma.of(to_frame(picture)), time)
        progress = sequence.update(observation)
        if not asked or asked[-1] != (progress.step, progress.challenge):
            asked.append((progress.step, progress.challenge))
        state = State(
            frame=index,
            time=time,
            step=progress.step,
            steps=progress.steps,
            challenge=progress.challenge,
            progress=progress.progress,
            hint=progress.hint,
            face=None,
            faces=observation.faces,
        )
        if watch is not None:
            watch(observation, state)
        if progress.passed_all or progress.failure is not None:
            break
        sequence.prompted(time)
        source.react(state.model_dump(mode="json"))
    return Rehearsal(
        passed=progress.passed_all,
        failure=progress.failure,
        seconds=time,
        challenges=tuple(challenge for _, challenge in asked),
    )
