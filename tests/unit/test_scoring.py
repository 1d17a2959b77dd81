import asyncio
import threading
from collections.abc import AsyncIterator
from typing import cast

import av
import pytest

from liveness.scores import WINDOW
from liveness.scoring import Scorer, Scoring
from liveness.vision.card import Card, Network
from liveness.vision.observation import Face, Landmarks, Observation
from liveness.vision.spoof import SpoofModel
from tests.people import BLANK, a_face

RATE = 4.0
THRESHOLD = 0.5
FRAME = av.VideoFrame(64, 48, "yuv420p")


class Model:
    """Scores as it is told, when it is told."""

    def __init__(self, score: float = 0.9) -> None:
        network = Network(file="a.onnx", width=80, height=80, crop=1, live=1)
        self.card = Card(name="told", threshold=THRESHOLD, networks=(network,))
        self.answer: float | Exception = score
        self.go = threading.Event()
        self.go.set()
        self.calls = 0
        self.threads: set[int] = set()

    def score(self, _frame: av.VideoFrame, _points: Landmarks) -> float:
        self.calls += 1
        self.threads.add(threading.get_ident())
        assert self.go.wait(5)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def scoring(model: Model) -> AsyncIterator[Scoring]:
    scoring = Scoring(cast(SpoofModel, model), rate=RATE)  # noqa: TC006 - it has what is used
    yield scoring
    model.go.set()
    scoring.close()


def seen(time: float, face: Face | None = None, faces: int = 1) -> Observation:
    return Observation(round(time * 30), time, faces, face or a_face(), BLANK)


async def offer(scorer: Scorer, *observations: Observation) -> None:
    """Offer frames, and wait for each that is scored."""
    for observation in observations:
        scorer.offer(FRAME, observation)
        await scorer.finish()


async def test_frames_are_scored_at_the_rate_of_the_video(scoring: Scoring, model: Model) -> None:
    await offer(scoring.scorer(), *(seen(index / 30) for index in range(60)))
    assert model.calls == pytest.approx(2 * RATE, abs=1)
    assert threading.get_ident() not in model.threads, "the event loop has other things to do"


async def test_one_frame_at_a_time(scoring: Scoring, model: Model) -> None:
    scorer = scoring.scorer()
    model.go.clear()
    for index in range(300):
        scorer.offer(FRAME, seen(index / 30))
    await asyncio.sleep(0)
    assert scorer.average is None, "nobody waits for a score"
    model.go.set()
    await scorer.finish()
    assert model.calls == 1
    assert scorer.average == pytest.approx(0.9)


async def test_what_cannot_be_scored_is_passed_over(scoring: Scoring, model: Model) -> None:
    scorer = scoring.scorer()
    turned, nobody = a_face(yaw=35), Observation(0, 2.0, 0, None, BLANK)
    await offer(scorer, seen(0, turned), seen(1, faces=2), nobody)
    assert model.calls == 0
    assert scorer.average is None
    await offer(scorer, seen(3))
    assert model.calls == 1


@pytest.mark.parametrize(
    "face",
    [
        a_face(brightness=20),
        a_face(brightness=33, contrast=5),
        a_face(brightness=230),
        a_face(size=0.14),
        a_face(size=1.1),
    ],
    ids=["pitch dark", "dark", "bright", "far", "close"],
)
async def test_whoever_is_asked_to_mend_something_is_not_accused(
    scoring: Scoring, model: Model, face: Face
) -> None:
    scorer = scoring.scorer()
    model.answer = 0.1
    await offer(scorer, *(seen(float(index), face) for index in range(2 * WINDOW)))
    assert model.calls == 0
    assert not scorer.attacked
    assert not scorer.decided, "nor does anybody pass"
    await offer(scorer, *(seen(20.0 + index) for index in range(WINDOW)))
    assert scorer.attacked


@pytest.mark.parametrize(("score", "attacked"), [(0.9, False), (0.51, False), (0.5, True)])
async def test_five_scores_decide(
    scoring: Scoring, model: Model, score: float, *, attacked: bool
) -> None:
    scorer = scoring.scorer()
    model.answer = score
    await offer(scorer, *(seen(float(index)) for index in range(WINDOW - 1)))
    assert not scorer.decided
    assert not scorer.attacked
    await offer(scorer, seen(10.0))
    assert scorer.decided
    assert scorer.attacked == attacked


async def test_a_threshold_of_ones_own_comes_before_the_cards(model: Model) -> None:
    scoring = Scoring(cast(SpoofModel, model), rate=RATE, threshold=0.95)  # noqa: TC006 - as above
    scorer = scoring.scorer()
    await offer(scorer, *(seen(float(index)) for index in range(WINDOW)))
    scoring.close()
    assert scorer.average == pytest.approx(0.9)
    assert scorer.attacked


async def test_frames_may_come_while_the_last_score_is_awaited(
    scoring: Scoring, model: Model
) -> None:
    scorer = scoring.scorer()
    model.go.clear()
    scorer.offer(FRAME, seen(0.0))
    finished = asyncio.create_task(scorer.finish())
    await asyncio.sleep(0)
    model.go.set()
    while scorer.average is None:
        scorer.offer(FRAME, seen(1.0))
        await asyncio.sleep(0)
    await finished
    assert scorer.average == pytest.approx(0.9)


async def test_sessions_do_not_share_scores(scoring: Scoring) -> None:
    one, other = scoring.scorer(), scoring.scorer()
    await offer(one, seen(0.0))
    assert one.average is not None
    assert other.average is None


async def test_what_goes_wrong_is_told(scoring: Scoring, model: Model) -> None:
    scorer = scoring.scorer()
    model.answer = RuntimeError("no more memory")
    scorer.offer(FRAME, seen(0.0))
    with pytest.raises(RuntimeError, match="memory"):
        await scorer.finish()
    model.answer = 0.9
    await offer(scorer, seen(1.0))
    assert scorer.average == pytest.approx(0.9)


async def test_without_a_model_there_is_no_score_and_none_is_awaited() -> None:
    scoring = Scoring(None, rate=RATE)
    scorer = scoring.scorer()
    await offer(scorer, *(seen(float(index)) for index in range(10)))
    assert scorer.average is None
    assert scorer.decided
    assert not scorer.attacked
    scoring.close()
