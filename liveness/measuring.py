"""The threads that measure frames, shared by all sessions."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region

_BLANK = Luma(np.zeros((480, 640), np.uint8), 640)


def measuring_pool(landmarker: Landmarker, threads: int = 0) -> ThreadPoolExecutor:
    """Start one thread for each core (or `threads`), each with its face detector loaded.

    Loading takes a quarter of a second: a person's first frames must not wait for it.
    """
    threads = threads or cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="measure")
    together = threading.Barrier(threads)

    def warm() -> None:
        Analyser(landmarker).analyse(_BLANK, 0.0)
        landmarker.find(_BLANK, Region(320, 240, 200))
        together.wait()  # so that each task gets a thread of its own

    warmed = [pool.submit(warm) for _ in range(threads)]
    for future in wait(warmed).done:
        future.result()
    return pool


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
