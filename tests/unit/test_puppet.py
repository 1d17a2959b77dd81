import random
from collections.abc import Callable
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import (
    BLINKING,
    CONFUSED,
    LOST,
    OVERSHOOTING,
    SLOW,
    SWINGING,
    TURNED_AWAY,
    Manner,
    Puppet,
)
from liveness.testing.raster import Picture
from liveness.testing.rehearsal import rehearse
from liveness.verdict import Reason
from liveness.vision.landmarks import Landmarker
from tests.conftest import PEOPLE

ORDERS = list(permutations((Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK)))


def asked(challenge: str, step: int = 1, hint: str | None = None) -> dict[str, Any]:
    return {"type": "state", "step": step, "challenge": challenge, "hint": hint}


def show(puppet: Puppet, start: float, seconds: float, fps: float = 30) -> list[Picture]:
    return [puppet.frame(start + index / fps) for index in range(round(seconds * fps))]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_person_passes_in_any_order(
    order: tuple[Challenge, ...], portrait: Portrait, landmarker: Landmarker
) -> None:
    done = rehearse(Puppet(portrait), Plan(order), landmarker)
    assert done.passed, done
    assert done.challenges == (Challenge.FRONT, *order)
    assert done.seconds < 9


@pytest.mark.parametrize(
    "manner",
    [OVERSHOOTING, SWINGING, BLINKING, SLOW, TURNED_AWAY, Manner(rest_yaw=-8)],
    ids=["overshoots", "swings", "blinks a lot", "slow", "turned left", "turned right"],
)
def test_people_differ_and_pass_at_the_first_try(
    manner: Manner, portrait: Portrait, landmarker: Landmarker
) -> None:
    for seed in range(2):
        plan = Plan(generator=random.Random(seed))
        done = rehearse(Puppet(portrait, manner, seed=seed), plan, landmarker)
        assert done.passed, done
        assert len(done.challenges) == 4


@pytest.mark.parametrize("name", list(PEOPLE))
def test_other_faces_pass(
    name: str, person: Callable[..., Portrait], landmarker: Landmarker
) -> None:
    plan = Plan(generator=random.Random(name))
    done = rehearse(Puppet(person(name), OVERSHOOTING), plan, landmarker)
    assert done.passed, done
    assert done.seconds < 9


def test_phones_held_upright_pass(landmarker: Landmarker) -> None:
    portrait = Portrait.astronaut(size=(480, 640))
    assert rehearse(Puppet(portrait), Plan(), landmarker).passed


def test_one_wrong_turn_is_set_back_and_may_still_pass(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    done = rehearse(Puppet(portrait, CONFUSED), Plan(generator=random.Random(3)), landmarker)
    assert done.challenges[1:].count(Challenge.FRONT) == 1
    assert done.passed, done


def test_two_wrong_turns_fail(portrait: Portrait, landmarker: Landmarker) -> None:
    done = rehearse(Puppet(portrait, LOST), Plan(generator=random.Random(3)), landmarker)
    assert done.verdict.reasons == (Reason.WRONG_MOVES,)


def test_no_two_frames_are_alike(portrait: Portrait) -> None:
    puppet = Puppet(portrait)
    frames = show(puppet, 0, 2)
    assert all(not np.array_equal(one, other) for one, other in pairwise(frames))
    assert len({frame.tobytes() for frame in frames}) == len(frames)


def test_the_same_seed_and_the_same_states_give_the_same_frames(portrait: Portrait) -> None:
    def act(seed: int) -> list[Picture]:
        puppet = Puppet(portrait, seed=seed)
        puppet.react(asked("right"))
        return show(puppet, 0, 1, fps=10)

    assert np.array_equal(act(1), act(1))
    assert not np.array_equal(act(1), act(2))


def test_a_person_reacts_after_a_while_and_not_before(portrait: Portrait) -> None:
    """The noise of a puppet does not depend on what it was told, so its frames can be compared."""
    idle, told = Puppet(portrait), Puppet(portrait)
    told.react(asked("left"))
    pairs = list(zip(show(idle, 0, 1), show(told, 0, 1), strict=True))
    alike = [np.array_equal(one, other) for one, other in pairs]
    first = alike.index(False)
    assert 0.5 <= first / 30 <= 0.7
    assert not any(alike[first:])


def test_what_a_person_shows_is_known(portrait: Portrait) -> None:
    puppet, shown = Puppet(portrait, Manner(blink_interval=60)), []
    for index, challenge in enumerate(["left"] * 45 + ["blink"] * 60):
        puppet.react(asked(challenge))
        puppet.frame(index / 30)
        shown.append(puppet.shown)
        assert shown[-1][0] == pytest.approx(puppet.yaw, abs=1)
    assert max(yaw for yaw, _ in shown) > 20
    assert {closure for _, closure in shown[:45]} == {0}
    assert {closure for _, closure in shown[45:]} >= {0, 1}


def test_a_person_turns_further_while_asked_for_more(portrait: Portrait) -> None:
    puppet = Puppet(portrait, Manner(turn=12))
    yaws = []
    for index in range(180):
        puppet.react(asked("left", hint="turn_more"))
        puppet.frame(index / 30)
        yaws.append(puppet.yaw)
    assert max(yaws[:60]) < 15
    assert yaws[-1] > 20
    assert all(one >= other - 0.5 for other, one in pairwise(yaws))


def test_a_turned_person_comes_back_first_when_told_to(portrait: Portrait) -> None:
    puppet = Puppet(portrait)
    puppet.react(asked("right"))
    show(puppet, 0, 2)
    assert puppet.yaw < -20
    puppet.react(asked("right", step=2, hint="look_straight"))
    show(puppet, 2, 2)
    assert abs(puppet.yaw) < 3


def test_frames_may_come_at_any_rate(portrait: Portrait) -> None:
    def arrive(fps: float) -> float:
        puppet = Puppet(portrait)
        puppet.react(asked("left"))
        show(puppet, 0, 0.9, fps)
        puppet.frame(0.9)
        return puppet.yaw

    # The slower one hears and acts up to a frame later.
    assert arrive(15) == pytest.approx(arrive(60), abs=6)


def test_poses_are_shared_by_puppets_of_one_portrait(portrait: Portrait) -> None:
    assert Puppet(portrait).poses is Puppet(portrait, seed=2).poses
    scene = portrait.poses.scene(3.0)
    assert portrait.poses.scene(3.1) is scene
    with pytest.raises(ValueError, match="read-only"):
        scene[0, 0] = 0
