"""What a client is told of each frame, and when it is worth telling."""

from liveness import protocol
from liveness.challenge.names import Hint
from liveness.challenge.sequence import Progress
from liveness.vision.observation import Box, Observation

STATE_INTERVAL = 0.4
"""Seconds of video between two states at most: twice a second, and a slow frame to spare."""

VISIBLE = 0.02
"""A change of progress, or of the face's box, that can be seen."""


def state_of(
    observation: Observation, progress: Progress, spoof_score: float | None
) -> protocol.State:
    """Tell a client what one frame came to; `spoof_score` is None where nothing is scored."""
    face = observation.face
    return protocol.State(
        frame=observation.frame,
        time=round(observation.time, 3),
        step=progress.step,
        steps=progress.steps,
        challenge=progress.challenge,
        progress=round(progress.progress, 3),
        hint=progress.hint,
        face=None if face is None else _box(face.box),
        faces=observation.faces,
        spoof_score=rounded(spoof_score),
    )


def rounded(score: float | None) -> float | None:
    """Write a score as clients and verdicts do."""
    return None if score is None else round(score, 4)


def _box(box: Box) -> protocol.FaceBox:
    return protocol.FaceBox(
        x=round(box.x, 4), y=round(box.y, 4), width=round(box.width, 4), height=round(box.height, 4)
    )


def worth_sending(sent: protocol.State | None, state: protocol.State) -> bool:
    """Tell whether a client that was sent `sent` would see a difference, or has waited enough.

    Once all steps have passed, nothing more is sent: only the verdict follows.
    """
    if sent is None:
        return True
    if _over(sent) and _over(state):
        return False
    if state.time - sent.time >= STATE_INTERVAL:
        return True
    if _words(sent) != _words(state) or abs(state.progress - sent.progress) >= VISIBLE:
        return True
    if sent.face is None or state.face is None:
        return sent.face is not state.face
    before, after = sent.face, state.face
    moved = (
        before.x - after.x,
        before.y - after.y,
        before.width - after.width,
        before.height - after.height,
    )
    return max(map(abs, moved)) >= VISIBLE


def _over(state: protocol.State) -> bool:
    return state.hint is Hint.PASSED and state.step == state.steps - 1


def _words(state: protocol.State) -> tuple[object, ...]:
    return state.step, state.challenge, state.hint, state.faces
