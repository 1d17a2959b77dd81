"""Data sets on disk: `{train,val,test}/{live,spoof}`, and species of attack in folders below."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from liveness.train import picture
from liveness.train.card import CLASSES, LIVE
from liveness.train.errors import DatasetInvalid

SPLITS = ("train", "val", "test")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture.

    `label`: index into `CLASSES`; `species`: of attack, empty for live faces; `digest`: of the
    file, empty until it has been read.
    """

    path: Path
    label: int
    species: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The pictures that can be read, by split.

    `unreadable`: those that cannot. `leaked`: how many of `val` are also in `train`, and of `test`
    in either: the net is chosen by `val`.
    """

    root: Path
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    unreadable: tuple[Path, ...]
    leaked: int

    @classmethod
    def open(cls, root: Path) -> Self:
        """Find and try every picture; raises `DatasetInvalid`."""
        found = {split: _find(root, split) for split in SPLITS}
        digests = _try_all([sample.path for samples in found.values() for sample in samples])
        readable = {
            split: tuple(
                replace(sample, digest=digest)
                for sample in samples
                if (digest := digests[sample.path])
            )
            for split, samples in found.items()
        }
        for split, samples in readable.items():
            _require_both(root, split, samples, "none of its pictures can be read")
        train, val, test = (Counter(each.digest for each in readable[split]) for split in SPLITS)
        return cls(
            root,
            **readable,
            unreadable=tuple(path for path, digest in digests.items() if not digest),
            leaked=_shared(val, train) + _shared(test, train | val),
        )

    @property
    def fingerprint(self) -> str:
        """Names what is trained and validated with, by the pictures and their names."""
        names = (
            os.fsencode(each.path.relative_to(self.root)) + each.digest.encode()
            for each in (*self.train, *self.val)
        )
        return hashlib.sha256(b"\n".join(names)).hexdigest()

    def summary(self) -> list[str]:
        """Lines that say what there is, and what was wrong."""
        lines = [
            f"{split}: "
            + ", ".join(f"{count} {CLASSES[label]}" for label, count in sorted(counts.items()))
            for split in SPLITS
            if (counts := Counter(sample.label for sample in getattr(self, split)))
        ]
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} pictures cannot be read and are left out:")
            # A name may be of any bytes.
            lines += [f"  {os.fsencode(path).decode(errors='replace')}" for path in self.unreadable]
        if self.leaked:
            lines.append(
                f"warning: {self.leaked} pictures of val and test are in an earlier split too: "
                "the figures will flatter"
            )
        return lines


def labels_of(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """(n,) class of each sample."""
    return np.array([sample.label for sample in samples], np.int64)


def _shared(pictures: Counter[str], earlier: Counter[str]) -> int:
    return sum(count for digest, count in pictures.items() if digest in earlier)


def _find(root: Path, split: str) -> list[Sample]:
    samples = [
        Sample(path, label, "" if label == LIVE else _species(path, root / split / name))
        for label, name in enumerate(CLASSES)
        for path in _pictures(root / split / name)
    ]
    _require_both(root, split, samples, f"it holds no {', '.join(sorted(SUFFIXES))} file")
    return samples


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DatasetInvalid(
            f"There is no folder {folder}: a data set is DATASET/{{{','.join(SPLITS)}}}/"
            f"{{{','.join(CLASSES)}}}/"
        )
    found = folder.rglob("*")
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())


def _species(path: Path, folder: Path) -> str:
    below = path.relative_to(folder).parts
    return below[0] if len(below) > 1 else folder.name


def _require_both(root: Path, split: str, samples: Iterable[Sample], why: str) -> None:
    present = {sample.label for sample in samples}
    for label, name in enumerate(CLASSES):
        if label not in present:
            raise DatasetInvalid(f"{root / split / name} is empty: {why}")


def _try_all(paths: Sequence[Path]) -> dict[Path, str]:
    """Decode every picture once: its digest, empty if it cannot be read."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tried = tqdm(pool.map(_try, paths), "checking pictures", len(paths), leave=False)
        return dict(zip(paths, tried, strict=True))


def _try(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    if picture.decode(data) is None:
        return ""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
