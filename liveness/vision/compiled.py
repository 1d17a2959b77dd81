"""Functions of arrays that numba compiles: what numpy cannot do in a few calls on whole arrays."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

_READ, _KEEP, _DATA = 0, 3, 1
"""What a prefetch is for, in LLVM's terms: reading, keep it near, it is no code."""


def compiled(function: F) -> F:
    """Compile a function at its first call, without Python's lock.

    Kept on disk for the next start where there is a folder that can be written. Sums may be taken
    in any order, which makes eight of them at a time.
    """
    try:
        return cast("F", njit(cache=True, nogil=True, fastmath=True)(function))
    except RuntimeError:  # numba's word for: no such folder
        return cast("F", njit(nogil=True, fastmath=True)(function))


def _prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask for the memory at `array[index]`, an element of some dimensions, before it is needed."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind, indices = signature.args
        place = cgutils.get_item_pointer(
            context,
            builder,
            kind,
            context.make_array(kind)(context, builder, values[0]),
            cgutils.unpack_tuple(builder, values[1], len(indices)),
        )
        address = builder.bitcast(place, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        hint = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")
        builder.call(function, [address, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, index), generate


prefetch: Any = intrinsic(_prefetch)
