from datetime import UTC, datetime

import pytest

from liveness.challenge.names import Challenge
from liveness.challenge.sequence import ChallengeResult
from liveness.verdict import ATTACKS, Reason, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PASSED = tuple(ChallengeResult(each, passed=True, seconds=1.0) for each in Challenge)
FAILED = (*PASSED[:-1], ChallengeResult(Challenge.BLINK, passed=False, seconds=9.0))


def test_live_needs_everything_passed_and_nothing_against_it() -> None:
    verdict = decide(PASSED, (), frames=301, seconds=10, finished_at=NOW)
    assert (verdict.verdict, verdict.reasons, verdict.frame_rate) == ("live", (), 30)
    assert decide(FAILED, (), frames=2, seconds=1, finished_at=NOW).verdict == "incomplete"
    assert decide((), (), frames=0, seconds=0, finished_at=NOW).verdict == "incomplete"


@pytest.mark.parametrize("reason", Reason)
def test_one_reason_is_enough(reason: Reason) -> None:
    verdict = decide(PASSED, (reason,), frames=301, seconds=10, finished_at=NOW)
    assert verdict.verdict == ("spoof" if reason in ATTACKS else "incomplete")
    assert verdict.reasons == (reason,)


@pytest.mark.parametrize(("frames", "seconds"), [(0, 0.0), (1, 0.0)])
def test_no_video_has_no_rate(frames: int, seconds: float) -> None:
    verdict = decide(FAILED, (), frames=frames, seconds=seconds, finished_at=NOW)
    assert (verdict.frames, verdict.frame_rate) == (frames, 0)


@pytest.mark.parametrize("reasons", [(), (Reason.TIME_LIMIT,), (Reason.FLAT_FACE,)])
def test_scores_make_it_an_attack_whatever_ended_it(reasons: tuple[Reason, ...]) -> None:
    for challenges in (PASSED, FAILED):
        verdict = decide(
            challenges,
            reasons,
            frames=301,
            seconds=10,
            finished_at=NOW,
            spoof_score=0.2,
            attacked=True,
        )
        assert verdict.verdict == "spoof"
        assert verdict.reasons == (Reason.PRESENTATION_ATTACK, *reasons)
        assert verdict.spoof_score == 0.2


def test_a_score_alone_is_no_attack() -> None:
    verdict = decide(PASSED, (), frames=301, seconds=10, finished_at=NOW, spoof_score=0.2)
    assert (verdict.verdict, verdict.spoof_score) == ("live", 0.2)
