"""Finds out whether dlib can use a file that came from elsewhere, before anything depends on it."""

import asyncio
import sys
from pathlib import Path

from liveness.errors import DownloadUnfit

_CHECK = """
import sys, dlib, numpy
try:
    predictor = dlib.shape_predictor(sys.argv[1])
    grey = numpy.zeros((200, 200), numpy.uint8)
    parts = predictor(grey, dlib.rectangle(20, 20, 180, 180)).num_parts
except (RuntimeError, ValueError, MemoryError) as error:
    sys.exit("dlib cannot read it: " + " ".join(str(error).split()))
if parts != 68:
    sys.exit(f"it places {parts} landmarks, not 68")
"""


async def verify_predictor(path: Path, limit: float) -> None:
    """Have dlib load a file, in a process of its own: a damaged one may end it.

    `limit`: seconds. Raises `DownloadUnfit`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _CHECK,
        str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(limit):
            _, said = await process.communicate()
    except TimeoutError:
        raise DownloadUnfit(f"dlib did not load it within {limit:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise DownloadUnfit(lines[-1] if lines else f"dlib ended with {process.returncode}")
