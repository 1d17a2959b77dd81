"""How soon a turn or a blink is known, in frames: after VP8, without network and clock."""

from collections import deque
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame

from bench.reactions import AIM, MANNERS, RATE, Reaction, Shown, Witness, reactions
from bench.reactions import true_time as true
from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Manner, Puppet
from liveness.testing.raster import Picture
from liveness.testing.rehearsal import rehearse
from liveness.testing.source import Source
from liveness.testing.track import CLOCK_RATE, to_frame
from liveness.vision.landmarks import Landmarker

FRONT, RIGHT, LEFT, BLINK = Challenge
ASKED = (FRONT, RIGHT, BLINK, LEFT, FRONT)


class Coded:
    """What is left of a source after an encoder and a decoder."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._encoder, self._decoder = Vp8Encoder(), Vp8Decoder()

    def frame(self, time: float) -> Picture | None:
        picture = self._source.frame(time)
        assert picture is not None
        frame = to_frame(picture)
        frame.pts, frame.time_base = round(time * CLOCK_RATE), Fraction(1, CLOCK_RATE)
        payloads, timestamp = self._encoder.encode(frame)
        data = b"".join(map(vp8_depayload, payloads))
        (decoded,) = self._decoder.decode(JitterFrame(data, timestamp))
        assert isinstance(decoded, av.VideoFrame)
        return np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)

    def react(self, state: dict[str, Any]) -> None:
        self._source.react(state)


class Late:
    """A source with a few frames of delay."""

    def __init__(self, source: Source, frames: int) -> None:
        self._source = source
        self._held: deque[Picture | None] = deque(maxlen=frames + 1)

    def frame(self, time: float) -> Picture | None:
        self._held.append(self._source.frame(time))
        return self._held[0]

    def react(self, state: dict[str, Any]) -> None:
        self._source.react(state)


def watched(person: Puppet, source: Source, landmarker: Landmarker) -> list[Reaction]:
    witness = Witness(person, source)
    assert rehearse(witness, Plan(ASKED), landmarker, fps=RATE).passed
    return list(reactions(witness))


@pytest.mark.parametrize("manner", MANNERS, ids=["as most do", "slowly"])
def test_turns_and_blinks_are_known_within_three_frames(
    manner: Manner, portrait: Portrait, landmarker: Landmarker
) -> None:
    person = Puppet(portrait, manner, seed=5)
    found = watched(person, Coded(person), landmarker)
    print([f"{each.challenge}: {each.known}" for each in found])
    assert [each.challenge for each in found] == [RIGHT, BLINK, LEFT]
    assert max(each.known for each in found) <= AIM
    # Landmarks are off by a degree or two, which a turning head needs a frame or two for.
    assert min(each.known for each in found) >= -AIM


def test_a_delay_is_seen(portrait: Portrait, landmarker: Landmarker) -> None:
    person, delay = Puppet(portrait, MANNERS[0]), 6
    found = watched(person, Late(person, delay), landmarker)
    assert all(delay - 1 <= each.known <= delay + AIM for each in found), found


def test_the_true_frame_is_the_second_one_of_a_turn_and_of_open_eyes() -> None:
    turning = [Shown(number / RATE, -2.5 * number, 0.0) for number in range(12)]
    assert true(RIGHT, turning, prompt=-1) == pytest.approx(6 / RATE), "the fifth has 12.5 degrees"
    assert true(LEFT, turning, prompt=-1) is None
    assert true(RIGHT, turning, prompt=1) is None, "before it was asked"
    lids = [0, 0, 0, 0.5, 1, 1, 0.5, 0.25, 0, 0, 0]
    blinking = [Shown(number / RATE, 0.0, closure) for number, closure in enumerate(lids)]
    assert true(BLINK, blinking, prompt=-1) == pytest.approx(9 / RATE)


def test_what_was_never_shown_cannot_have_been_seen(portrait: Portrait) -> None:
    witness = Witness(Puppet(portrait))
    witness.frame(0.0)
    state = {"step": 1, "challenge": "left", "hint": "turn_more", "time": 0.0}
    witness.react(state)
    assert list(reactions(witness)) == []
    witness.react(state | {"hint": "passed"})
    with pytest.raises(ValueError, match="never shown"):
        list(reactions(witness))
