#!/usr/bin/env python3
"""Start the liveness server: `python server.py --help` tells what it can be told."""

import sys

from liveness.serve import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="server.py"))
