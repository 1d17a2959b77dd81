import time

import pytest

from liveness.stopwatch import Stopwatch, timed
from liveness.testing.portrait import Portrait
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from tests.people import FRAME


def test_each_stage_lasts_until_the_next_or_the_end() -> None:
    told: list[tuple[str, float]] = []
    stopwatch = Stopwatch(lambda *each: told.append(each))
    stopwatch("detect")
    time.sleep(0.02)
    stopwatch("pose")
    stopwatch(None)
    time.sleep(0.02)
    stopwatch("detect")
    stopwatch(None)
    assert [stage for stage, _ in told] == ["detect", "pose", "detect"]
    assert told[0][1] >= 0.02
    assert sum(seconds for _, seconds in told) < time.perf_counter()
    assert all(seconds >= 0 for _, seconds in told)


def test_what_fails_took_its_time_too() -> None:
    told: list[str] = []

    @timed(lambda stage, _: told.append(stage), "score")
    def fail() -> None:
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fail()
    assert told == ["score", "score"]


def test_a_frame_that_is_measured_tells_its_stages(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    told: list[tuple[str, ...]] = []
    stages: list[str] = []
    analyser = Analyser(landmarker, Stopwatch(lambda stage, _: stages.append(stage)))
    luma = Luma.of(to_frame(portrait.render()))
    for index in range(20):
        stages.clear()
        analyser.analyse(luma, index * FRAME)
        told.append(tuple(stages))
    followed = ("landmarks", "pose", "quality")
    assert told[0][:3] == ("detect", "landmarks", "pose")
    assert told.count(followed) >= 15
    assert ("landmarks", "pose", "detect", "quality") in told, "HOG looks again twice a second"
