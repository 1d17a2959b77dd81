"""Sessions without a network end as those with one do (see tests/integration)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.describing import Describer
from liveness.models import find_descriptor_weights, find_spoof_model
from liveness.testing.attackers import FaceSwap, ScreenReplay
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture
from liveness.testing.rehearsal import rehearse
from liveness.testing.source import Frames, VideoFile
from liveness.verdict import Reason
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel

FPS = 20.0
ORDER = (Challenge.FRONT, Challenge.RIGHT, Challenge.BLINK, Challenge.LEFT)


@pytest.fixture(scope="module")
def describer() -> Iterator[Describer]:
    describer = Describer(find_descriptor_weights().path)
    yield describer
    describer.close()


@pytest.fixture(scope="module")
def spoof_model(spoof_models: Path) -> SpoofModel:
    return find_spoof_model(spoof_models)


def test_a_person_is_live_under_every_look(
    portrait: Portrait, landmarker: Landmarker, describer: Describer, spoof_model: SpoofModel
) -> None:
    done = rehearse(
        Puppet(portrait),
        Plan(ORDER),
        landmarker,
        fps=FPS,
        spoof_model=spoof_model,
        describer=describer,
    )
    assert done.passed, done
    assert done.challenges == ORDER
    assert done.verdict.spoof_score is not None
    assert done.verdict.spoof_score > 0.9


def test_a_face_that_changes_is_noticed(
    portrait: Portrait,
    person: Callable[..., Portrait],
    landmarker: Landmarker,
    describer: Describer,
) -> None:
    def swap() -> FaceSwap:
        return FaceSwap(Puppet(portrait), Puppet(person("langer")), 2)

    done = rehearse(swap(), Plan(ORDER), landmarker, fps=FPS, describer=describer)
    assert done.verdict.verdict == "spoof", done
    assert done.verdict.reasons == (Reason.FACE_CHANGED,)
    blind = rehearse(swap(), Plan(ORDER), landmarker, fps=FPS)
    assert blind.passed, "the face alone gives it away"


class Moved:
    """Somebody who turns the light down, and leans back, from step `at` on."""

    def __init__(self, person: Puppet, at: int) -> None:
        self._person = person
        self._at = at
        self._moved = False

    def frame(self, time: float) -> Picture:
        picture = self._person.frame(time)
        if not self._moved:
            return picture
        height, width = picture.shape[:2]
        smaller = np.array([[0.75, 0, 0.125 * width], [0, 0.75, 0.125 * height]])
        far = cv2.warpAffine(picture, smaller, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(far * 0.5, np.uint8)

    def react(self, state: dict[str, Any]) -> None:
        self._moved = state["step"] >= self._at
        self._person.react(state)


@pytest.mark.parametrize("name", ["cap12", "langer"])
def test_the_same_person_in_other_light_and_further_away_is_the_same(
    name: str, person: Callable[..., Portrait], landmarker: Landmarker, describer: Describer
) -> None:
    moved = Moved(Puppet(person(name)), 2)
    done = rehearse(moved, Plan(ORDER), landmarker, fps=FPS, describer=describer)
    assert done.passed, done


def test_a_screen_is_noticed(
    portrait: Portrait, landmarker: Landmarker, spoof_model: SpoofModel
) -> None:
    replay = ScreenReplay(Puppet(portrait), portrait.size)
    done = rehearse(replay, Plan(ORDER), landmarker, fps=FPS, spoof_model=spoof_model)
    assert done.verdict.verdict == "spoof", done
    assert done.verdict.reasons == (Reason.PRESENTATION_ATTACK,)
    assert all(result.passed for result in done.verdict.challenges)


def test_a_video_file_of_somebody_who_was_not_asked_is_incomplete(
    real_clip: Callable[[str], Path], landmarker: Landmarker, describer: Describer
) -> None:
    clip = VideoFile(real_clip("single_face.mp4"))
    done = rehearse(clip, Plan(ORDER), landmarker, fps=FPS, describer=describer)
    assert done.verdict.verdict == "incomplete"
    assert done.verdict.reasons == (Reason.PEER_LEFT,)
    assert done.verdict.frames == pytest.approx(FPS * done.seconds, abs=2)


def test_a_time_limit_ends_it(portrait: Portrait, landmarker: Landmarker) -> None:
    still = Frames([portrait.render()] * 20, FPS)
    done = rehearse(still, Plan(ORDER), landmarker, fps=FPS, time_limit=0.5)
    assert done.verdict.reasons == (Reason.TIME_LIMIT,)
