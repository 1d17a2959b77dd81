"""What every step of a sequence is."""

from typing import Protocol

from liveness.challenge.names import Hint
from liveness.vision.observation import Face


class Step(Protocol):
    """A small state machine for one challenge; it sees only frames that count."""

    progress: float
    """0..1, moving with the person so that it can be drawn."""

    hint: Hint
    """What the person should do now."""

    def update(self, face: Face, time: float) -> bool:
        """Take in one frame; tells whether the challenge has been met."""

    def interrupt(self) -> None:
        """Begin again: frames were missing (no face, or one that cannot be measured)."""
