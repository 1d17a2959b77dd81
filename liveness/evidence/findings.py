"""All that is watched for in the Observations of a session, beside its challenges."""

from enum import StrEnum

from liveness.challenge.sequence import Progress
from liveness.evidence.depth import Depth
from liveness.evidence.repetition import Repetition
from liveness.vision.observation import Observation


class Finding(StrEnum):
    """Evidence of an attack; the values are those of `verdict.Reason`."""

    REPEATED_VIDEO = "repeated_video"
    FLAT_FACE = "flat_face"


class Evidence:
    """Watches one session; the same Observations and progress give the same finding."""

    def __init__(self) -> None:
        self._repetition = Repetition()
        self._depth = Depth()

    def update(self, observation: Observation, progress: Progress) -> Finding | None:
        """Take in the next frame, and what the challenges made of it."""
        if self._repetition.update(observation):
            return Finding.REPEATED_VIDEO
        if self._depth.update(observation, progress):
            return Finding.FLAT_FACE
        return None

    @property
    def decided(self) -> bool:
        """Whether nothing is being looked into; a session that passes waits for that."""
        return self._depth.decided
