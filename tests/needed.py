"""What tests need that pip does not bring, and may not be installed."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip a test for want of something; on CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def installed(program: str, package: str) -> str:
    """Where a program of a Debian package is; without it the test is skipped."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found or missing(f"needs Debian's {package}: apt-get install {package}")
