"""What this process takes of the machine, counted for operators.

prometheus_client's own collector knows only the process that is asked, and workers count together.
"""

import os
import time
from pathlib import Path

from liveness.metrics import Metrics

_MEMORY, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Vitals:
    """Looks now and then."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._cpu = 0.0

    def look(self) -> None:
        """Count what was used since the last look, and what is used now."""
        self._metrics.settle()
        used = time.process_time()
        self._metrics.cpu.inc(used - self._cpu)
        self._cpu = used
        resident = int(_MEMORY.read_text().split()[1])  # proc_pid_statm(5)
        self._metrics.resident.set(resident * _PAGE)
        self._metrics.files.set(sum(1 for _ in _FILES.iterdir()))
