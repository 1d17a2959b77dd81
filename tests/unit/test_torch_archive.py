"""Archives are written here as PyTorch's `_legacy_save` writes them, without PyTorch."""

import io
import os
import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveness.torch_archive import ArchiveInvalid, read_tensors

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


class FloatStorage:
    pass


class LongStorage:
    pass


class Storage:
    def __init__(self, key: str, numbers: np.ndarray[Any, Any]) -> None:
        self.key, self.numbers = key, numbers
        self.kind = LongStorage if numbers.dtype == np.int64 else FloatStorage


def _rebuild_tensor_v2() -> None:
    """Stands for PyTorch's, by name only."""


class Tensor:
    def __init__(
        self, storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
    ) -> None:
        hooks: OrderedDict[str, str] = OrderedDict()
        self.arguments = (storage, offset, shape, strides, False, hooks)

    def __reduce__(self) -> tuple[Callable[[], None], tuple[Any, ...]]:
        return _rebuild_tensor_v2, self.arguments


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names above be pickled as PyTorch's."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for each, module in ((FloatStorage, torch), (LongStorage, torch), (_rebuild_tensor_v2, utils)):
        monkeypatch.setattr(each, "__module__", module.__name__)
        monkeypatch.setattr(module, each.__name__, each, raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


class Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> Any:
        if isinstance(obj, Storage):
            return "storage", obj.kind, obj.key, "cuda:0", obj.numbers.size, None
        return None


def pickled(content: object) -> bytes:
    file = io.BytesIO()
    Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def archive(content: object, *storages: Storage, magic: int = MAGIC) -> bytes:
    head = [magic, 1001, MACHINE, content, [each.key for each in storages]]
    tail = [struct.pack("<q", each.numbers.size) + each.numbers.tobytes() for each in storages]
    return b"".join([*map(pickled, head), *tail])


WEIGHT = Storage("11", np.arange(6, dtype=np.float32))
COUNT = Storage("22", np.array([7], np.int64))


def state() -> OrderedDict[str, Tensor]:
    tensors = OrderedDict(weight=Tensor(WEIGHT, (2, 3), (3, 1)), count=Tensor(COUNT, (), ()))
    tensors._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]  # noqa: SLF001 - as PyTorch
    return tensors


@pytest.fixture
def good(torch: None) -> bytes:  # noqa: ARG001
    return archive(state(), WEIGHT, COUNT)


def test_tensors_come_out_by_name(good: bytes) -> None:
    tensors = read_tensors(good)
    assert list(tensors) == ["weight", "count"]
    assert np.array_equal(tensors["weight"], [[0, 1, 2], [3, 4, 5]])
    assert tensors["weight"].dtype == np.float32
    assert tensors["count"].shape == ()
    assert tensors["count"] == 7


def test_a_part_of_a_storage_can_be_a_tensor() -> None:
    part = {"part": Tensor(WEIGHT, (2,), (1,), offset=3)}
    assert np.array_equal(read_tensors(archive(part, WEIGHT))["part"], [3, 4])


class Harm:
    """What an attacker would have unpickled."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize(
    "harm",
    [Harm(os.system, "exit 1"), Harm(eval, "1"), Harm(bytearray, 9), Harm(getattr, "a", "b")],
    ids=["os.system", "eval", "bytearray", "getattr"],
)
@pytest.mark.parametrize("place", ["a tensor's", "the dictionary's", "the machine's"])
def test_nothing_else_is_unpickled(harm: Harm, place: str) -> None:
    content: object = {"weight": harm} if place == "a tensor's" else harm
    raw = archive(content)
    if place == "the machine's":
        raw = pickled(MAGIC) + pickled(1001) + pickled(harm)
    with pytest.raises(ArchiveInvalid):
        read_tensors(raw)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"a": Tensor(WEIGHT, (3, 2), (1, 3))}, "in a row"),
        ({"a": Tensor(WEIGHT, (7,), (1,))}, "larger than its storage"),
        ({"a": Tensor(WEIGHT, (2**40, 2**40), (2**40, 1))}, "larger than its storage"),
        ({"a": Tensor(WEIGHT, (3,), (1,), offset=4)}, "larger than its storage"),
        ({"a": Tensor(WEIGHT, (3,), (1,), offset=-1)}, "without its storage"),
        ({"a": Tensor(WEIGHT, (-1,), (1,))}, "strange shape"),
        ({"a": Tensor(WEIGHT, (1,) * 9, (1,) * 9)}, "without a shape"),
        ({"a": WEIGHT}, "more than tensors"),
        ({"a": 1}, "more than tensors"),
        ({1: Tensor(WEIGHT, (6,), (1,))}, "more than tensors"),
        ([1], "no dictionary"),
    ],
)
def test_what_is_no_plain_tensor_is_refused(content: object, why: str) -> None:
    with pytest.raises(ArchiveInvalid, match=why):
        read_tensors(archive(content, WEIGHT))


def test_storages_belong_to_tensors(good: bytes) -> None:
    with pytest.raises(ArchiveInvalid, match="belong"):
        read_tensors(archive(state(), WEIGHT))
    with pytest.raises(ArchiveInvalid, match="at its end"):
        read_tensors(good + b"\0")
    with pytest.raises(ArchiveInvalid, match="no legacy"):
        read_tensors(archive(state(), WEIGHT, COUNT, magic=1))


def test_a_far_reference_does_not_fill_the_memory() -> None:
    raw = b"\x80\x02}r\xff\xff\xff\x7f."  # LONG_BINPUT with the largest index
    with pytest.raises(ArchiveInvalid, match="references"):
        read_tensors(pickled(MAGIC) + pickled(1001) + raw)


fixture_is_read_only = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@fixture_is_read_only
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_off_file_is_refused(good: bytes, share: float) -> None:
    with pytest.raises(ArchiveInvalid):
        read_tensors(good[: int(share * len(good))])


@fixture_is_read_only
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read(good: bytes, at: int, byte: int) -> None:
    damaged = bytearray(good)
    damaged[at % len(good)] = byte
    try:
        tensors = read_tensors(bytes(damaged))
    except ArchiveInvalid:
        return
    assert all(isinstance(each, np.ndarray) for each in tensors.values())


@given(raw=st.binary(max_size=200))
def test_noise_is_refused(raw: bytes) -> None:
    with pytest.raises(ArchiveInvalid):
        read_tensors(raw)
    with pytest.raises(ArchiveInvalid):
        read_tensors(pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + raw)
