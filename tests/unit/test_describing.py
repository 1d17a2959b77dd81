"""The process that describes faces, with real processes; what it says is in test_evidence.py."""

import os
import signal
import subprocess
import sys

PARENT = """
import sys, time
import numpy as np
from liveness.describing import Describer
from liveness.models import find_descriptor_weights

describer = Describer(find_descriptor_weights().path)
describer.begin()
if sys.argv[1] == "loaded":
    describer.describe(np.zeros((150, 150, 3), np.uint8))
print(describer.pid, flush=True)
time.sleep(60)
"""
END_LIMIT = 15.0  # seconds: it may still be loading its weights


def test_it_ends_when_its_parent_is_killed() -> None:
    for state in ("loaded", "beginning"):
        parent = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            os.kill(pid, 0)  # it is there
            parent.send_signal(signal.SIGKILL)
            # It holds the same standard error: that ends when both have.
            _, said = parent.communicate(timeout=END_LIMIT)
        assert said == b"", state
