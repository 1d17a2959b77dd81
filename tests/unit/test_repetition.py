"""Repeated video, in made-up pictures; real ones are in tests/integration/test_recordings.py."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from liveness.evidence.footage import MEMORY
from liveness.evidence.repetition import LEAST_LAG, Repetition
from liveness.vision.observation import Box, Face, Observation, Thumbnail
from tests.people import a_face

Scene = Callable[[float], Thumbnail]
Wander = Callable[[float], float]
Y, X = np.mgrid[0:48, 0:64].astype(np.float32) / 2
ROOM = 90 + 30 * np.sin(X / 5) * np.cos(Y / 7) + 0.8 * X
NOISE = 0.3  # grey values, of what a camera and a codec leave in a thumbnail
FACE = a_face()


def picture(
    noise: np.random.Generator,
    x: float,
    y: float,
    lean: float = 0.0,
    light: float = 0.0,
    *,
    size: float = 1.0,
) -> Thumbnail:
    """A head before a wall; places are cells of 24 rows and 32 columns."""
    size *= 1 + 0.04 * lean
    head = 70 * np.exp(-(((X - x) / (5 * size)) ** 2 + ((Y - y) / (7 * size)) ** 2))
    grey = (ROOM + head) * (1 + 0.01 * light) + noise.normal(0, NOISE, ROOM.shape)
    return np.asarray(np.clip(np.round(grey), 0, 255), np.uint8)


def wander(random: Random) -> Wander:
    """Move about zero by about one, fast and slow, never twice alike."""
    rates = [random.uniform(0.3, 0.6), random.uniform(0.9, 1.6), random.uniform(2.0, 3.2)]
    phases = [random.uniform(0, 6) for _ in rates]
    return lambda time: sum(
        math.sin(rate * time + phase) for rate, phase in zip(rates, phases, strict=True)
    )


def person(seed: int, sway: float = 0.8, turn: Wander = lambda _time: 0.0) -> Scene:
    """Somebody who sways, breathes and leans as people do, under a light that is never the same.

    `turn`: by how many cells the head is to the right besides.
    """
    x, y, lean, light = (wander(Random(10 * seed + k)) for k in range(4))
    noise = np.random.default_rng(seed)

    def at(time: float) -> Thumbnail:
        return picture(
            noise,
            16 + sway * x(time) + turn(time),
            12 + sway * y(time),
            sway * lean(time),
            light(time / 9),
        )

    return at


def looped(scene: Scene, seconds: float, seed: int = 9) -> Scene:
    """Play the first `seconds` again and again; the noise is another one each time."""
    kept: dict[float, Thumbnail] = {}
    noise = np.random.default_rng(seed)

    def at(time: float) -> Thumbnail:
        moment = round(time % seconds, 3)
        grey = kept.setdefault(moment, scene(moment)) + noise.normal(0, NOISE, ROOM.shape)
        return np.asarray(np.clip(np.round(grey), 0, 255), np.uint8)

    return at


def dimmed(scene: Scene, light: float) -> Scene:
    """See it in so much of its light."""
    return lambda time: np.asarray(np.round(scene(time) * light), np.uint8)


def times(seconds: float, fps: float, *, dropped: float = 0.0, seed: int = 3) -> list[float]:
    random = Random(seed)
    return [k / fps for k in range(int(seconds * fps)) if random.random() >= dropped]


def found(scene: Scene, at: Iterable[float], *, face: Face | None = FACE) -> float | None:
    """When a repetition is found first, seconds."""
    repetition = Repetition()
    for frame, time in enumerate(at):
        observation = Observation(frame, time, 0 if face is None else 1, face, scene(time))
        if repetition.update(observation):
            return time
    return None


@pytest.mark.parametrize("fps", [10.0, 15.0, 24.0, 30.0, 60.0])
@pytest.mark.parametrize("seconds", [2.5, 4.0, 8.2])
def test_a_loop_is_found_within_a_second(fps: float, seconds: float) -> None:
    seconds = round(seconds * fps) / fps  # a camera's frames, played by a camera
    when = found(looped(person(1), seconds), times(seconds + 3, fps))
    assert when is not None
    assert seconds <= when <= seconds + 1


def test_a_loop_is_found_although_frames_are_missing() -> None:
    when = found(looped(person(2), 4.0), times(8, 30, dropped=0.2))
    assert when is not None
    assert 4 <= when <= 5.3


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.6])
def test_a_shorter_loop_is_found_when_it_is_old_enough(seconds: float) -> None:
    when = found(looped(person(1), seconds), times(8, 30))
    assert when is not None
    assert LEAST_LAG <= when <= LEAST_LAG + seconds + 1


@pytest.mark.parametrize("seed", range(4))
def test_what_an_encoder_mixes_into_the_second_round_does_not_hide_it(seed: int) -> None:
    """It stands still, and the face moves as before."""
    loop = looped(person(seed), 4.0)
    rest = np.kron(np.random.default_rng(seed).normal(0, 0.35, (12, 16)), np.ones((4, 4)))

    def at(time: float) -> Thumbnail:
        grey = loop(time) + (rest if time >= 4 else 0)
        return np.asarray(np.round(grey), np.uint8)

    when = found(at, times(8, 30))
    assert when is not None
    assert 4 <= when <= 5


@pytest.mark.parametrize("fps", [4.0, 6.0, 8.0])
def test_a_loop_of_few_frames_is_found(fps: float) -> None:
    """A sender may choose to send so few; it takes a moment of six frames."""
    when = found(looped(person(4), 4.0), times(9, fps))
    assert when is not None
    assert 4 < when <= 4 + 8 / fps


@pytest.mark.parametrize("fps", [4.0, 6.0, 10.0, 30.0, 60.0])
def test_a_person_is_never_found(fps: float) -> None:
    for seed in range(4):
        assert found(person(seed), times(40, fps)) is None


def test_a_person_who_sits_very_still_is_not_found() -> None:
    for seed in range(4):
        assert found(person(seed, sway=0.15), times(60, 15)) is None


@pytest.mark.parametrize("light", [0.5, 0.3])
def test_in_dim_light_a_loop_is_found_and_a_person_who_sits_still_is_not(light: float) -> None:
    """Whoever moves changes a dim picture by fewer grey values."""
    face = replace(FACE, quality=replace(FACE.quality, contrast=24 * light))
    for seed in range(4):
        assert found(dimmed(person(seed, sway=0.2), light), times(40, 30), face=face) is None
        when = found(looped(dimmed(person(seed), light), 4.0), times(7, 30), face=face)
        assert when is not None
        assert 4 <= when <= 5


@pytest.mark.parametrize("seed", range(4))
def test_somebody_who_repeats_a_movement_is_not_found(seed: int) -> None:
    """The same turn every three seconds, as nearly as people can: not quite as fast, or as far."""
    random = Random(seed)
    turns = [
        (3 * k + random.uniform(-0.2, 0.2), random.uniform(1.3, 1.7), random.uniform(3.4, 4.6))
        for k in range(20)
    ]

    def turn(time: float) -> float:
        return sum(
            far * math.sin(math.pi * min(max((time - start) / length, 0), 1)) ** 2
            for start, length, far in turns
        )

    assert found(person(seed, 0.6, turn), times(60, 30)) is None


@pytest.mark.parametrize("fps", [15.0, 30.0])
def test_a_frozen_picture_is_found_within_a_second(fps: float) -> None:
    still = person(7)(0.0)
    noise = np.random.default_rng(8)

    def at(_time: float) -> Thumbnail:
        return np.round(still + noise.normal(0, NOISE, still.shape)).astype(np.uint8)

    when = found(at, times(8, fps))
    assert when is not None
    assert LEAST_LAG < when <= LEAST_LAG + 1


def test_a_person_far_away_in_a_still_room_is_not_found() -> None:
    """Hardly anything of the picture moves."""
    face = replace(FACE, box=Box(0.44, 0.42, 0.12, 0.16), quality=replace(FACE.quality, size=0.18))
    for seed in range(4):
        x, y = wander(Random(seed)), wander(Random(seed + 10))
        noise = np.random.default_rng(seed)

        def at(
            time: float, x: Wander = x, y: Wander = y, noise: np.random.Generator = noise
        ) -> Thumbnail:
            return picture(noise, 16 + 0.12 * x(time), 12 + 0.12 * y(time), size=0.4)

        assert found(at, times(60, 15), face=face) is None


@pytest.mark.parametrize(
    "box", [Box(-0.2, -0.1, 0.9, 1.4), Box(0.7, 0.6, 0.5, 0.6), Box(0.3, -0.3, 0.8, 0.9)]
)
def test_a_face_may_reach_beyond_the_picture(box: Box) -> None:
    """What is measured there is as it would be within."""
    face = replace(FACE, box=box)
    when = found(looped(person(1), 4.0), times(7, 30), face=face)
    assert when is not None
    assert 4 <= when <= 5
    assert found(person(2), times(20, 30), face=face) is None


@pytest.mark.parametrize("rate", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("sway", [0.2, 0.3])
def test_light_that_pulsates_does_not_accuse_somebody_who_sits_still(
    rate: float, sway: float
) -> None:
    """Bands, as a camera that is not in step with the lamps shows them: always the same again."""
    for seed in range(3):
        scene = person(seed, sway)

        def at(time: float, scene: Scene = scene) -> Thumbnail:
            bands = 8 * np.sin(2 * np.pi * (rate * time - Y / 12))
            return np.asarray(np.clip(np.round(scene(time) + bands), 0, 255), np.uint8)

        assert found(at, times(30, 30)) is None


@pytest.mark.parametrize(
    "at",
    [
        [0, 1, 1.1, 3.1, 5.3, 5.4],
        [0, 1.5, 3.5, 3.6, 5.1, 8.1],
        [0, 3, 4, 5, 8, 8.1, 10.3],
        [*np.arange(0, 4, 0.25), *np.arange(9, 13, 0.25)],
    ],
)
def test_a_camera_may_pause(at: list[float]) -> None:
    assert found(person(1), at) is None
    still, pattern = person(1, sway=0)(0), np.random.default_rng(1).normal(0, 3, ROOM.shape)
    found(lambda _time: still, at)
    found(lambda time: np.asarray(still + pattern * np.sin(7 * time), np.uint8), at)


def test_what_happens_far_from_the_face_does_not_matter() -> None:
    loop = looped(person(3), 4.0)
    random = np.random.default_rng(4)

    def at(time: float) -> Thumbnail:
        grey = loop(time).copy()
        grey[:6, :8] = random.integers(256)
        return grey

    when = found(at, times(7, 30))
    assert when is not None
    assert 4 <= when <= 5


def test_an_empty_room_and_a_camera_that_is_off_are_not_found() -> None:
    black = np.full((48, 64), 16, np.uint8)
    assert found(lambda _time: black, times(20, 5), face=None) is None


def test_memory_is_bounded_and_recent_loops_are_found_still() -> None:
    scene, begin = person(11), 2 * MEMORY
    loop = looped(person(12), 5.0)
    repetition = Repetition()
    hits = []
    for frame, time in enumerate(times(begin + 12, 30)):
        thumbnail = scene(time) if time < begin else loop(time - begin)
        if repetition.update(Observation(frame, time, 1, FACE, thumbnail)):
            hits.append(time)
    assert repetition.remembered <= MEMORY * 40
    assert begin + 5 <= hits[0] <= begin + 6.1
