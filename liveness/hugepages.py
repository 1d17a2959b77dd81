"""Large memory pages for the weights, which glibc gives only to who asks before it starts.

For every frame the 68-point predictor walks through 4 MB of 100, in a hundred thousand small
pieces. On pages of 4 kB much of that time goes into finding the pages: with four sessions on one
core a frame cost 5.4 ms of CPU, with pages of 2 MB 4.2 (`bench/media_path.py`).
"""

import os
import sys

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLE = "glibc.malloc.hugetlb"
ENVIRONMENT = {_VARIABLE: f"{_TUNABLE}=1"}
"""What a process has to find when it starts; glibc before 2.35 and other libraries ignore it."""


def use() -> None:
    """Start this program anew with large pages, once; whoever has set tunables is left alone."""
    if sys.platform != "linux" or _VARIABLE in os.environ:
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | ENVIRONMENT)  # noqa: S606 - ourselves
