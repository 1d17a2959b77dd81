"""`python -m liveness.train`."""

import sys
from importlib.util import find_spec

from liveness.console import INTERRUPTED
from liveness.train.options import Options

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime", "matplotlib", "tqdm")


def main(argv: list[str] | None = None) -> int:
    """Train as told; returns the exit status."""
    options = Options.from_args(argv)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(  # noqa: T201 - a word to whoever started it
            f"error: training needs {', '.join(missing)}: "
            'pip install "liveness[train]" (or pip install -r requirements-train.txt)',
            file=sys.stderr,
        )
        return 2
    try:
        from liveness.train.run import main as train  # noqa: PLC0415 - it needs what was looked for
    except KeyboardInterrupt:  # PyTorch takes seconds to begin
        print("interrupted before it began", file=sys.stderr)  # noqa: T201 - as above
        return INTERRUPTED
    return train(options)


if __name__ == "__main__":
    sys.exit(main())
