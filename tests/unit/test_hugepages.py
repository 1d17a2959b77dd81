import os
import re
import subprocess
import sys
from pathlib import Path

from liveness import hugepages

PROGRAM = "import os; from liveness import hugepages; hugepages.use(); print(dict(os.environ))"


def environment_of(program: str, **variables: str) -> str:
    command = [sys.executable, "-c", program]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **variables}
    return subprocess.run(  # noqa: S603 - ourselves
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_a_program_starts_anew_with_large_pages_once() -> None:
    (value,) = hugepages.ENVIRONMENT.values()
    printed = environment_of(PROGRAM)
    assert len(re.findall("GLIBC_TUNABLES", printed)) == 1
    assert value in printed


def test_tunables_that_are_set_are_left_alone() -> None:
    assert "glibc.malloc.check=0" in environment_of(PROGRAM, GLIBC_TUNABLES="glibc.malloc.check=0")
