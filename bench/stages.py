"""Where a frame's time goes: CPU time of the server's own functions, by what they are for.

    python -m bench.stages SERVER-OPTIONS    writes it to BENCH_PROFILE when the server ends

Functions are wrapped while the benchmark runs, and each is charged what it takes itself, without
the wrapped ones that it calls. What no stage claims (the event loop, threads that wake each other)
is the difference to what the kernel counted.
"""

import functools
import importlib
import inspect
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from threading import local
from types import coroutine
from typing import Any

# Innermost last where one calls the other; what a stage is for, and the functions it is made of.
STAGES = {
    "receive, decrypt, reassemble": ["aiortc.rtcdtlstransport:RTCDtlsTransport._recv_next"],
    "answer with RTCP": [
        "aiortc.rtcrtpreceiver:RTCRtpReceiver._send_rtcp",
        "aiortc.rtcrtpreceiver:RTCRtpReceiver._run_rtcp",
    ],
    "ICE checks": ["aioice.ice:Connection.query_consent", "aioice.ice:Connection.request_received"],
    "decode": [
        "aiortc.codecs.vpx:Vp8Decoder.decode",
        "aiortc.codecs.h264:H264Decoder.decode",
    ],
    "queue, pace": [
        "liveness.rtc.decoding:Lane.put",
        "liveness.rtc.decoding:Lane.step",
        "liveness.rtc.track:VideoTransformTrack.take",
        "liveness.rtc.track:VideoTransformTrack._taken",
    ],
    "find faces (HOG)": ["liveness.vision.detector:_run", "liveness.vision.detector:_reduce"],
    "68 landmarks": ["liveness.vision.landmarks:Landmarker.find"],
    "pose": ["liveness.vision.tracker:align"],
    "track": ["liveness.vision.tracker:Tracker.update"],
    "eyes, box, quality": ["liveness.vision.analyser:Analyser._face"],
    "thumbnail": ["liveness.vision.analyser:thumbnail"],
    "analyse": ["liveness.rtc.track:VideoTransformTrack._measure"],
    "challenges": ["liveness.challenge.sequence:Sequence.update"],
    "repetition": ["liveness.evidence.repetition:Repetition.update"],
    "depth": ["liveness.evidence.depth:Depth.update"],
    "anti-spoof": ["liveness.vision.spoof:SpoofModel.score"],
    "faces compared": ["liveness.describing:Describer.describe"],
    "state messages": ["liveness.session:Session._tell"],
    "send over the data channel": ["liveness.rtc.peer:Peer.say"],
    "SCTP": [
        "aiortc.rtcsctptransport:RTCSctpTransport._handle_data",
        "aiortc.rtcsctptransport:RTCSctpTransport._transmit",
        "aiortc.rtcsctptransport:RTCSctpTransport._data_channel_flush",
    ],
    "follow": ["liveness.session:Session._follow"],
}


def find(name: str) -> tuple[Any, str]:
    """Find what a function belongs to, and what it is called there."""
    module, _, path = name.partition(":")
    *parents, attribute = path.split(".")
    return functools.reduce(getattr, parents, importlib.import_module(module)), attribute


class Profile:
    """Seconds of CPU by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.running = False
        self._stacks = local()

    def clear(self) -> None:
        self.seconds.clear()

    def watch(self) -> None:
        """Wrap every function of every stage."""
        for stage, names in STAGES.items():
            for name in names:
                self._wrap(stage, name)

    def _wrap(self, stage: str, name: str) -> None:
        owner, attribute = find(name)
        function = getattr(owner, attribute)
        wrap = self._async if inspect.iscoroutinefunction(function) else self._sync
        setattr(owner, attribute, wrap(stage, function))

    def _sync(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = self._begin()
            try:
                return function(*args, **kwargs)
            finally:
                self._end(stage, begun)

        return timed

    def _async(
        self, stage: str, function: Callable[..., Coroutine[Any, Any, Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @coroutine
        def steps(inner: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
            """Time every step from one suspension to the next."""
            send, value = inner.send, None
            while True:
                begun = self._begin()
                try:
                    waited = send(value)
                except StopIteration as end:
                    return end.value
                finally:
                    self._end(stage, begun)
                try:
                    value = yield waited
                    send = inner.send
                except BaseException as error:  # noqa: BLE001 - handed on to whom it is for
                    send, value = inner.throw, error

        @functools.wraps(function)
        async def timed(*args: Any, **kwargs: Any) -> Any:
            return await steps(function(*args, **kwargs))

        return timed

    def _begin(self) -> float:
        stack = self._stack
        stack.append(0.0)
        return time.thread_time()

    def _end(self, stage: str, begun: float) -> None:
        passed = time.thread_time() - begun
        stack = self._stack
        self.seconds[stage] += passed - stack.pop()
        if stack:
            stack[-1] += passed

    @property
    def _stack(self) -> list[float]:
        """For each function under way in this thread, what the ones inside it have taken."""
        if not hasattr(self._stacks, "stack"):
            self._stacks.stack = []
        stack: list[float] = self._stacks.stack
        return stack


def main() -> int:
    """Serve, and count between two SIGUSR1."""
    profile = Profile()
    profile.watch()
    target = Path(os.environ["BENCH_PROFILE"])
    signal.signal(signal.SIGUSR1, lambda *_: _switch(profile, target))
    from liveness.serve import serve  # noqa: PLC0415 - after its functions were wrapped
    from liveness.settings import Settings  # noqa: PLC0415

    return serve(Settings.from_args(sys.argv[1:]))


def _switch(profile: Profile, target: Path) -> None:
    """Begin to count or, the second time, write what was counted."""
    if profile.running:
        target.write_text(json.dumps(profile.seconds))
    profile.clear()
    profile.running = not profile.running


if __name__ == "__main__":
    sys.exit(main())
