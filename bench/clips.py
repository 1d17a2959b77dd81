"""Video that is rendered and encoded once, so that sending it costs next to nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from tqdm import tqdm

from liveness.challenge.names import Challenge
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture

CACHE = Path(".cache/bench")
_VERSION = 2  # of what is rendered: files of another are made anew

Clip = list[bytes]
"""Encoded frames; the first is a key frame."""


@dataclass(frozen=True)
class Encoding:
    """What is sent; `bits` a second."""

    name: str
    codec: str = "libvpx"
    width: int = 640
    height: int = 480
    rate: int = 30
    bits: int = 1_000_000

    @property
    def mime_type(self) -> str:
        return "video/VP8" if self.codec == "libvpx" else "video/H264"


VGA = Encoding("VP8 640x480")
ENCODINGS = (
    VGA,
    Encoding("VP8 1280x720", width=1280, height=720, bits=2_000_000),
    Encoding("VP8 480x640", width=480, height=640),
    Encoding("H.264 640x480", codec="libx264"),
    Encoding("VP8 640x480, 10 fps", rate=10, bits=400_000),
    Encoding("VP8 640x480, 60 fps", rate=60, bits=1_500_000),
)

_OPTIONS = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
}


def encode(pictures: Iterable[Picture], encoding: Encoding) -> Clip:
    """Encode as a browser would."""
    codec = cast("av.VideoCodecContext", av.CodecContext.create(encoding.codec, "w"))
    codec.width, codec.height, codec.pix_fmt = encoding.width, encoding.height, "yuv420p"
    codec.framerate = Fraction(encoding.rate)
    codec.bit_rate = encoding.bits
    codec.gop_size = 10_000  # a key frame at the start only
    codec.options = _OPTIONS[encoding.codec]
    packets = []
    for picture in pictures:
        packets += codec.encode(av.VideoFrame.from_ndarray(picture, format="bgr24"))
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


def idle(encoding: Encoding, seconds: float) -> Clip:
    """Show somebody who was asked nothing: sways, blinks, and never repeats a frame."""
    frames = round(seconds * encoding.rate)
    path = CACHE / f"{encoding.name.replace(' ', '-')}-{frames}-{_VERSION}.npz"
    if path.exists():
        return _read(path)
    face = Puppet(Portrait.astronaut(size=(encoding.width, encoding.height)), seed=1)
    numbers = tqdm(range(frames), desc=f"rendering {encoding.name}", unit="frame", disable=None)
    clip = encode((face.frame(number / encoding.rate) for number in numbers), encoding)
    _write(path, clip)
    return clip


class Moves:
    """What a person does when asked, and while waiting: clips that can follow each other."""

    def __init__(self, clips: dict[Challenge, list[Clip]]) -> None:
        self.clips = clips

    @classmethod
    def rendered(cls, takes: int = 3) -> "Moves":
        """Film each move so often, and the waiting for `front` between them twice as often."""
        portrait = Portrait.astronaut()
        clips: dict[Challenge, list[Clip]] = {challenge: [] for challenge in Challenge}
        wanted = [each for _ in range(takes) for each in _TAKES]
        for challenge in tqdm(wanted, desc="filming a person's moves", unit="move", disable=None):
            path = CACHE / f"{challenge}-{len(clips[challenge])}-{_VERSION}.npz"
            if not path.exists():
                seed = 100 * (1 + list(Challenge).index(challenge)) + len(clips[challenge])
                _write(path, encode(_film(portrait, challenge, seed), VGA))
            clips[challenge].append(_read(path))
        return cls(clips)


_TAKES = (Challenge.FRONT, Challenge.RIGHT, Challenge.FRONT, Challenge.LEFT, Challenge.BLINK)
_MOVE_SECONDS = 2.2
"""From rest to rest: .2 s until the move begins, 1 s there and held, 1 s back."""


def _film(portrait: Portrait, challenge: Challenge, seed: int) -> Iterator[Picture]:
    """Show one move, begun and ended at rest."""
    puppet = Puppet(portrait, seed=seed)
    prompts = {0: challenge, round(1.1 * VGA.rate): Challenge.FRONT}
    puppet.manner = puppet.manner.__class__(reaction=0.2, blink_interval=60.0)
    for number in range(round(_MOVE_SECONDS * VGA.rate)):
        if number in prompts:
            puppet.react({"step": number, "challenge": prompts[number]})
        yield puppet.frame(number / VGA.rate)


def _write(path: Path, clip: Clip) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = np.array([len(packet) for packet in clip])
    np.savez(path, sizes=sizes, data=np.frombuffer(b"".join(clip), np.uint8))


def _read(path: Path) -> Clip:
    with np.load(path) as file:
        data, ends = file["data"].tobytes(), file["sizes"].cumsum().tolist()
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
