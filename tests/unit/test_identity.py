import numpy as np

from liveness.challenge.names import Challenge, Hint
from liveness.challenge.sequence import Progress
from liveness.evidence.identity import (
    MOST_DISTANCE,
    PATIENCE,
    Descriptor,
    Identity,
    Purpose,
    distance,
)
from liveness.vision.observation import Observation
from tests.people import BLANK, a_face

GENERATOR = np.random.default_rng(1)


def someone(seed: int) -> Descriptor:
    direction = np.random.default_rng(seed).normal(size=128)
    return direction / np.linalg.norm(direction) * 0.6


def seen(person: Descriptor, noise: float = 0.02) -> Descriptor:
    """Another frame of them."""
    return person + GENERATOR.normal(0, noise, 128)


HER, HIM = someone(1), someone(2)


class Session:
    """Shows people to an `Identity`; descriptors come `delay` frames after they were asked for."""

    def __init__(self, delay: int = 2) -> None:
        self.identity = Identity()
        self.frame = 0
        self.delay = delay
        self.asked: list[Purpose] = []
        self.told: list[float | None] = []

    def show(
        self,
        person: Descriptor,
        step: int,
        frames: int = 20,
        *,
        passed: bool = False,
        passed_all: bool = False,
        yaw: float = 0.0,
        answered: bool = True,
    ) -> None:
        waiting = None
        for k in range(frames):
            hint = Hint.PASSED if passed and k == frames - 1 else Hint.HOLD
            share = 1.0 if hint is Hint.PASSED else min(k / 15, 1.0)
            progress = Progress(step, 4, Challenge.FRONT, share, hint, passed_all)
            observation = Observation(self.frame, self.frame / 30, 1, a_face(yaw), BLANK)
            if waiting is not None and k >= waiting[0]:
                self.told.append(self.identity.take(waiting[1], seen(person)))
                waiting = None
            request = self.identity.follow(observation, progress)
            self.frame += 1
            if request is not None and waiting is None and answered:
                self.asked.append(request.purpose)
                waiting = (k + self.delay, request)


def test_the_same_person_all_the_way_is_not_changed() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    for step in (1, 2, 3):
        session.show(HER, step, passed=True, yaw=15)
    session.show(HER, 3, passed_all=True)
    assert session.identity.decided
    assert session.identity.compared
    assert not session.identity.changed
    distances = [each for each in session.told if each is not None]
    assert len(distances) >= 3
    assert 0 < max(distances) < MOST_DISTANCE
    assert 3 <= session.asked.count(Purpose.CHECK) <= 6, "one a step, or another for a lost one"
    assert 2 <= session.asked.count(Purpose.ENROL) <= 3


def test_another_person_is_noticed_at_each_step() -> None:
    for step in (1, 2, 3):
        session = Session()
        session.show(HER, 0, passed=True)
        for earlier in range(1, step):
            session.show(HER, earlier, passed=True)
        assert not session.identity.changed
        session.show(HIM, step, passed=True)
        session.show(HIM, step, passed_all=True)
        assert session.identity.changed, step


def test_somebody_who_passes_nothing_is_compared_as_well() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    session.show(HIM, 1, frames=700)
    assert session.identity.changed


def test_an_answer_about_the_face_before_does_not_stand_for_the_one_after() -> None:
    session = Session(delay=25)
    session.show(HER, 0, frames=60, passed=True)
    session.show(HER, 1, frames=60, passed=True)
    late = session.identity.follow(
        Observation(session.frame, session.frame / 30, 1, a_face(), BLANK),
        Progress(2, 4, Challenge.BLINK, 0.1, Hint.BLINK),
    )
    assert late is not None, "the step just passed is to be compared"
    session.show(HIM, 3, frames=10, passed=True, answered=False)
    session.identity.take(late, seen(HER))
    assert not session.identity.decided
    session.show(HIM, 3, frames=90, passed_all=True)
    assert session.identity.changed


def test_one_strange_descriptor_is_not_another_person() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    session.show(HER, 1, passed=True)
    progress = Progress(2, 4, Challenge.LEFT, 0.1, Hint.TURN_MORE)
    request = session.identity.follow(Observation(99, 1.4, 1, a_face(), BLANK), progress)
    assert request is not None
    session.identity.take(request, HIM)
    assert not session.identity.changed
    assert not session.identity.decided
    session.show(HER, 2)
    assert not session.identity.changed


def test_who_comes_after_the_first_step_is_not_taken_for_who_was_there() -> None:
    session = Session(delay=15)  # one face of hers is known by the end of the step
    session.show(HER, 0, frames=26, passed=True)
    enrolled = session.asked.count(Purpose.ENROL)
    session.show(HIM, 1, frames=60, passed=True)
    session.show(HIM, 2, frames=60, passed=True)
    session.show(HIM, 3, frames=60, passed_all=True)
    assert session.asked.count(Purpose.ENROL) == enrolled
    assert session.identity.changed


def test_whoever_passes_front_is_taken_and_nobody_who_was_there_before() -> None:
    for later, changed in ((HIM, False), (HER, True)):
        session = Session()
        session.show(HER, 0, frames=14)
        session.show(HIM, 0, passed=True)
        session.show(later, 1, frames=30, passed=True)
        session.show(later, 2, frames=30, passed=True)
        assert session.identity.compared
        assert session.identity.changed == changed


def test_starting_over_takes_whoever_is_there_then() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    session.show(HER, 1, passed=True)
    session.show(HIM, 0, passed=True)
    session.show(HIM, 1, passed=True)
    session.show(HIM, 2)
    assert not session.identity.changed


def test_an_answer_from_before_the_session_started_over_is_forgotten() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    old = session.identity.follow(
        Observation(50, 2.0, 1, a_face(), BLANK), Progress(1, 4, Challenge.LEFT, 0.1, Hint.PASSED)
    )
    assert old is not None
    session.show(HIM, 0, frames=5)
    session.identity.take(old, HER)
    session.show(HIM, 0, passed=True)
    session.show(HIM, 1, passed=True)
    session.show(HIM, 2)
    assert not session.identity.changed


def test_nobody_is_done_before_the_last_comparison() -> None:
    session = Session()
    session.show(HER, 0, passed=True)
    session.show(HER, 3, frames=5, passed_all=True, answered=False)
    assert not session.identity.decided
    session.show(HER, 3, frames=int(30 * PATIENCE), passed_all=True, answered=False)
    assert not session.identity.decided
    assert session.identity.overdue
    assert not session.identity.changed


def test_who_hides_from_the_last_comparison_is_told_from_one_that_nobody_made() -> None:
    for faces, hidden, described in ((0, True, True), (1, False, True), (1, False, False)):
        session = Session()
        session.show(HER, 0, passed=True, answered=described)
        done = Progress(3, 4, Challenge.LEFT, 1.0, Hint.PASSED, passed_all=True)
        for k in range(int(30 * PATIENCE) + 2):
            face = a_face() if faces else None
            session.identity.follow(Observation(k, 5 + k / 30, faces, face, BLANK), done)
        assert session.identity.overdue
        assert session.identity.hidden == hidden


def test_no_face_and_two_faces_are_not_described() -> None:
    identity = Identity()
    progress = Progress(0, 4, Challenge.FRONT, 0.9, Hint.HOLD)
    assert identity.follow(Observation(0, 0.0, 0, None, BLANK), progress) is None
    assert identity.follow(Observation(1, 0.1, 2, a_face(), BLANK), progress) is None
    assert identity.follow(Observation(2, 0.2, 1, a_face(), BLANK), progress) is not None


def test_distances_are_of_means() -> None:
    assert distance([HER, HER], [HER]) == 0
    assert distance([HER, -HER], [HER]) == np.linalg.norm(HER)
