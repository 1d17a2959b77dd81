"""What a face that looks flat comes to, once it has been compared or cannot be."""

import numpy as np

from liveness.challenge.names import Challenge
from liveness.evidence.findings import Evidence, Finding
from liveness.evidence.identity import PATIENCE, Descriptor, Identity
from liveness.vision.observation import Observation
from tests.people import BLANK
from tests.unit.test_depth import FLAT, HEAD, face, progress, view

HER, HIM = np.eye(2, 128) * 0.6
REST = 30  # frames
FPS = 30
LONG = round(FPS * (PATIENCE + 3))


def watched(
    depth: float, described: Descriptor | None, *, identity: Identity | None
) -> tuple[Finding | None, int, Evidence]:
    """Show a face at rest and then turned; tells what was found, and how many frames it took.

    `described`: whose face it is once it turns; None when nobody describes it.
    """
    evidence = Evidence(identity)
    noise = np.random.default_rng(1)
    for frame in range(LONG):
        turned = frame >= REST
        yaw = 25.0 * min(max(frame - REST, 0) / 10, 1)
        seen = face(view(yaw, depth=depth if turned else HEAD, seed=frame), yaw=yaw)
        shown = noise.integers(256, size=BLANK.shape, dtype=np.uint8)  # never the same again
        observation = Observation(frame, frame / FPS, 1, seen, shown)
        asked = progress(1, Challenge.LEFT) if turned else progress(0, Challenge.FRONT)
        if identity is not None:
            request = identity.follow(observation, asked)
            descriptor = described if turned else HER
            if request is not None and descriptor is not None:
                identity.take(request, descriptor)
        finding = evidence.update(observation, asked)
        if finding is not None:
            return finding, frame - REST, evidence
    return None, LONG, evidence


def test_a_picture_is_flat() -> None:
    finding, frames, evidence = watched(FLAT, None, identity=None)
    assert finding is Finding.FLAT_FACE
    assert frames < FPS
    assert not evidence.decided


def test_a_picture_of_the_same_person_is_flat_as_soon_as_it_was_compared() -> None:
    finding, frames, _ = watched(FLAT, HER, identity=Identity())
    assert finding is Finding.FLAT_FACE
    assert frames < FPS


def test_somebody_else_who_looks_flat_is_somebody_else() -> None:
    finding, frames, _ = watched(FLAT, HIM, identity=Identity())
    assert finding is Finding.FACE_CHANGED
    assert frames < FPS


def test_what_cannot_be_compared_is_flat_in_the_end() -> None:
    identity = Identity()
    finding, frames, evidence = watched(FLAT, None, identity=identity)
    assert finding is Finding.FLAT_FACE
    assert FPS * PATIENCE < frames < FPS * (PATIENCE + 2)
    assert evidence.found is Finding.FLAT_FACE


def test_a_head_is_neither() -> None:
    assert watched(HEAD, HER, identity=Identity())[0] is None
