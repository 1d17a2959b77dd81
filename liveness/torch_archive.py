"""A strict reader of PyTorch's legacy archives: tensors of numbers by name, and nothing else.

Before its zip format (1.6), `torch.save` wrote five pickles - a magic number, a version, the
machine's sizes, the object, the keys of its storages - and then each storage: its length, its
numbers. Unpickling runs whatever a file says, so here a file may say only what a plain state
dictionary needs: the opcodes and the four names below, which stand for classes of our own.
"""

import io
import pickle
import pickletools
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_SIZE = struct.Struct("<q")

# What a pickled state dictionary is made of: numbers, strings, tuples, dictionaries, references to
# what was said before, calls of the names below.
_OPCODES = frozenset(
    [
        "PROTO",
        "STOP",
        "MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINUNICODE",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "GLOBAL",
        "REDUCE",
        "BUILD",
        "BINPERSID",
    ]
)
# References are kept in a list: a far one would make it fill the memory.
_MOST_REFERENCES = 1 << 16
_MOST_DIMENSIONS = 8

_UNREADABLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    struct.error,
    TypeError,
    ValueError,
)


class ArchiveInvalid(ValueError):  # noqa: N818 - reads as what happened
    """Not a legacy archive of tensors, or one that says more than such a file needs."""


@dataclass(frozen=True, slots=True)
class _Kind:
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: _Kind
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]

    def of(self, numbers: NDArray[Any]) -> NDArray[Any]:
        count = int(np.prod(self.shape, dtype=np.int64))
        return numbers[self.offset : self.offset + count].reshape(self.shape).copy()


class _Dictionary(OrderedDict[Any, Any]):
    """An ordered dictionary that leaves aside the attributes it was saved with."""

    def __setstate__(self, _state: object) -> None:
        """PyTorch's `_metadata`: versions of modules."""


def _tensor(
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    _requires_grad: object = False,  # noqa: FBT002
    _hooks: object = None,
) -> _Tensor:
    """Take the place of `torch._utils._rebuild_tensor_v2`."""
    if not isinstance(storage, _Storage) or not isinstance(offset, int) or offset < 0:
        raise ArchiveInvalid("a tensor without its storage")
    sizes = _whole_numbers(shape)
    if _whole_numbers(strides) != _contiguous(sizes):
        raise ArchiveInvalid("a tensor whose numbers do not lie in a row")
    if offset + int(np.prod(sizes, dtype=object)) > storage.count:
        raise ArchiveInvalid("a tensor that is larger than its storage")
    return _Tensor(storage, offset, sizes)


def _whole_numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > _MOST_DIMENSIONS:
        raise ArchiveInvalid("a tensor without a shape")
    if not all(type(each) is int and each >= 0 for each in value):
        raise ArchiveInvalid("a tensor with a strange shape")
    return value


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for size in shape[:0:-1]:
        strides.insert(0, strides[0] * size)
    return tuple(strides[: len(shape)])


_NAMES = {
    ("collections", "OrderedDict"): _Dictionary,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): _Kind(np.dtype("<f4")),
    ("torch", "LongStorage"): _Kind(np.dtype("<i8")),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise ArchiveInvalid(f"the file asks for {module}.{name}") from None

    def persistent_load(self, reference: object) -> _Storage:
        match reference:
            case ("storage", _Kind() as kind, str(key), str(), int(count), None) if count >= 0:
                return _Storage(kind, key, count)
        raise ArchiveInvalid("a strange storage")


def read_tensors(content: bytes) -> Tensors:
    """Read the tensors of a legacy archive by name; raises `ArchiveInvalid` for anything else."""
    file = io.BytesIO(content)
    try:
        return _read(file)
    except ArchiveInvalid:
        raise
    except _UNREADABLE as error:
        raise ArchiveInvalid(f"no legacy PyTorch archive: {error}") from error


def _read(file: io.BytesIO) -> Tensors:
    if _load(file) != _MAGIC or _load(file) != _VERSION:
        _refuse("no legacy PyTorch archive")
    machine = _load(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        _refuse("an archive of another machine")
    saved, keys = _load(file), _load(file)
    if not isinstance(saved, dict) or not isinstance(keys, list):
        _refuse("no dictionary of tensors")
    if not all(type(name) is str and type(each) is _Tensor for name, each in saved.items()):
        _refuse("a dictionary of more than tensors")
    storages = {each.storage.key: each.storage for each in saved.values()}
    if sorted(storages) != sorted(keys):
        _refuse("storages that do not belong to the tensors")
    numbers = dict(_storages(file, [storages[key] for key in keys]))
    if file.read(1):
        _refuse("more than its storages at its end")
    return {name: each.of(numbers[each.storage.key]) for name, each in saved.items()}


def _load(file: io.BytesIO) -> Any:
    """Unpickle the next object, after a look at every opcode of it."""
    begin = file.tell()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in _OPCODES:
            _refuse(f"the file uses {opcode.name}")
        if opcode.name == "LONG_BINPUT" and argument > _MOST_REFERENCES:  # type: ignore[operator] # an int
            _refuse("too many references")
    end = file.tell()
    file.seek(begin)
    return _Unpickler(io.BytesIO(file.read(end - begin))).load()


def _storages(file: io.BytesIO, storages: list[_Storage]) -> Iterator[tuple[str, NDArray[Any]]]:
    for storage in storages:
        (count,) = _SIZE.unpack(file.read(_SIZE.size))
        if count != storage.count:
            _refuse(f"storage {storage.key} has {count} numbers, not {storage.count}")
        raw = file.read(count * storage.kind.dtype.itemsize)
        if len(raw) != count * storage.kind.dtype.itemsize:
            _refuse(f"storage {storage.key} is cut off")
        yield storage.key, np.frombuffer(raw, storage.kind.dtype)


def _refuse(why: str) -> NoReturn:
    raise ArchiveInvalid(why)
