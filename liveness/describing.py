"""The process that computes descriptors of faces: dlib holds the interpreter meanwhile, 60 ms.

This file is also what that process runs: pictures come in on its standard input, descriptors go out
on its standard output, and it ends when its input does, as it does when the server is gone. (The
processes of `multiprocessing` import the program that started them, whatever that program is.)
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Chip = NDArray[np.uint8]
Descriptor = NDArray[np.float64]

_SHAPE = (150, 150, 3)
_NUMBERS = 128
_REQUEST = 150 * 150 * 3  # bytes
_ANSWER = _NUMBERS * np.dtype(np.float64).itemsize  # bytes
# A third of the share of a process that is at 0: frames go first, and nobody waits for ever.
_NICENESS = 5
_END_LIMIT = 5.0  # seconds that the process has to end
# Seconds until a process that does not answer is ended: it begins in one, and answers in .1, where
# the machine is not full.
_ANSWER_LIMIT = 15.0


class DescriberDied(Exception):  # noqa: N818 - reads better where it is raised
    """The process ended before it answered, or had to be ended as it did not."""


class Describer:
    """One process, begun when it is first needed and begun again after it died or hung.

    For one thread at a time, which waits for each answer.
    """

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if it was begun."""
        return None if self._process is None else self._process.pid

    def begin(self) -> None:
        """Begin the process: it takes a second until it answers."""
        if self._process is None:
            command = [sys.executable, "-P", __file__, str(self._weights)]
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            # Frames cannot wait, descriptors can: on a full core the frames go first.
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    def describe(self, chip: Chip) -> Descriptor:
        """Describe a (150, 150, 3) uint8 RGB picture: (128,) float64; raises `DescriberDied`."""
        try:
            self.begin()
        except OSError as error:
            raise DescriberDied(f"it cannot be begun: {error.strerror}") from error
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise DescriberDied("it has no pipes")
        watchdog = threading.Timer(_ANSWER_LIMIT, process.kill)
        watchdog.start()
        try:
            process.stdin.write(np.ascontiguousarray(chip).tobytes())
            process.stdin.flush()
            answer = process.stdout.read(_ANSWER)
        except BrokenPipeError:
            answer = b""
        finally:
            watchdog.cancel()
        if len(answer) < _ANSWER:
            self.close()
            raise DescriberDied(f"it ended with {process.returncode}")
        return np.frombuffer(answer, np.float64)

    def close(self) -> None:
        """Let the process end, and wait until it has."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_END_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _serve(weights: str) -> None:
    """Answer until nothing comes any more."""
    import dlib  # noqa: PLC0415 - a quarter of a second that only this process needs

    # Whoever stops the server from a terminal lets it come to its end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    network = dlib.face_recognition_model_v1(weights)
    while len(request := sys.stdin.buffer.read(_REQUEST)) == _REQUEST:
        chip = np.frombuffer(request, np.uint8).reshape(_SHAPE)
        descriptor = np.array(network.compute_face_descriptor(chip), np.float64)
        sys.stdout.buffer.write(descriptor.tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
