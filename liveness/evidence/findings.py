"""All that is watched for in the Observations of a session, beside its challenges."""

from enum import StrEnum

from liveness.challenge.sequence import Progress
from liveness.evidence.depth import Depth
from liveness.evidence.identity import Identity
from liveness.evidence.repetition import Repetition
from liveness.vision.observation import Observation


class Finding(StrEnum):
    """Evidence of an attack; the values are those of `verdict.Reason`."""

    REPEATED_VIDEO = "repeated_video"
    FLAT_FACE = "flat_face"
    FACE_CHANGED = "face_changed"


class Evidence:
    """Watches one session; the same Observations and progress give the same finding.

    `identity`: None where faces cannot be compared. Who has faces described tells it.
    """

    def __init__(self, identity: Identity | None) -> None:
        self._repetition = Repetition()
        self._depth = Depth()
        self._identity = identity
        self.found: Finding | None = None
        """What stands when the session ends, however it ends."""

    def update(self, observation: Observation, progress: Progress) -> Finding | None:
        """Take in the next frame, and what the challenges made of it.

        Tells what was found once nothing else can come of it.
        """
        flat = self._depth.update(observation, progress)
        if self._repetition.update(observation):
            self.found = Finding.REPEATED_VIDEO
        elif self._identity is not None and self._identity.changed:
            self.found = Finding.FACE_CHANGED
        elif flat and self.found is None:
            self.found = Finding.FLAT_FACE
            # Beside a resting face that is somebody else's, a head may look flat as well.
            if self._identity is not None:
                self._identity.doubt()
        waits = self.found is Finding.FLAT_FACE and not self._settled
        return None if waits else self.found

    @property
    def decided(self) -> bool:
        """Whether nothing is being looked into; a session that passes waits for that."""
        nothing_due = self._identity is None or self._identity.decided
        return nothing_due and self._depth.decided and self.found is None

    @property
    def compared(self) -> bool:
        """Whether faces were compared: neither where they cannot be, nor before the first time."""
        return self._identity is not None and self._identity.compared

    @property
    def _settled(self) -> bool:
        return self._identity is None or self._identity.settled
