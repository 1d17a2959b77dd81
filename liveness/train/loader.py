"""Pictures in batches, the same ones in each run with the same seed.

They are read by threads: OpenCV and numpy let go of the interpreter where the work is, and forked
processes, PyTorch's own way, hang once OpenCV has threads.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liveness.train import picture
from liveness.train.dataset import Sample, labels_of
from liveness.train.errors import DatasetInvalid

Batch = tuple[Tensor, Tensor]
"""(n, 3, 128, 128) float32 and (n,) int64 classes."""

AHEAD = 2  # batches that are read while one is computed with


class Batches:
    """Samples in batches. `order`: (n,) indices; `changes`: seed of augmentation, None for none."""

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        batch: int,
        workers: int,
        order: NDArray[np.int64] | None = None,
        changes: Sequence[int] | None = None,
    ) -> None:
        self._samples = samples
        self._order = np.arange(len(samples)) if order is None else order
        self._batch = batch
        self._workers = workers
        self._changes = changes

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch)

    def __iter__(self) -> Iterator[Batch]:
        """Read them; raises `DatasetInvalid` if a picture has gone since it was tried."""
        parts = iter(np.array_split(self._order, range(self._batch, len(self._order), self._batch)))
        labels = labels_of(self._samples)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="read")

        def begin(part: NDArray[np.int64]) -> tuple[list[Future[Tensor]], Tensor]:
            reading = [pool.submit(self._read, int(index)) for index in part]
            return reading, torch.from_numpy(labels[part])

        try:
            begun = deque(map(begin, islice(parts, AHEAD)))
            while begun:
                reading, classes = begun.popleft()
                pictures = torch.stack([future.result() for future in reading])
                begun.extend(map(begin, islice(parts, 1)))
                yield pictures, classes
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, index: int) -> Tensor:
        path = self._samples[index].path
        seen = picture.read(path)
        if seen is None:
            raise DatasetInvalid(f"{path} cannot be read any more")
        if self._changes is None:
            seen = picture.fit(seen)
        else:
            seen = picture.augment(seen, np.random.default_rng((*self._changes, index)))
        return torch.from_numpy(picture.to_input(seen))


def training_batches(
    samples: Sequence[Sample], *, batch: int, seed: int, epoch: int, workers: int
) -> Batches:
    """Shuffle and change pictures by seed and epoch alone, so that a resumed run sees the same."""
    order = np.random.default_rng((seed, epoch)).permutation(len(samples))
    return Batches(samples, batch=batch, workers=workers, order=order, changes=(seed, epoch))


def plain_batches(samples: Sequence[Sample], *, batch: int, workers: int) -> Batches:
    """Give pictures in their order, unchanged."""
    return Batches(samples, batch=batch, workers=workers)
