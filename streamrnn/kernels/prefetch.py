"""Ask the processor for a series' row before it is needed.

A row lies in some sixty arrays. With ten series all of it is in the processor's cache; with a hundred thousand nothing
is, and an event would wait for one piece after another. Rows of the next event are known, so they are asked for while
this one is worked on. It is a hint: no value changes, and an address that is not there does no harm.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types

from streamrnn.kernels.vector import intrinsic

_tools: Any = cgutils  # without types
_LINE = 64  # bytes that memory hands over at once
_READ, _KEEP, _DATA = 0, 3, 1
_INT = ir.IntType(32)


@intrinsic
def prefetch(_: Any, tree: Any, row: Any) -> Any:
    """Ask for a row of all arrays of a tuple, and of the tuples in it: their first axis is that of rows."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _walk(context, builder, sig.args[0], args[0], args[1])
        return context.get_dummy_value()

    return types.void(tree, types.intp), generate


def _walk(context: Any, builder: Any, kind: Any, value: Any, row: Any) -> None:
    if isinstance(kind, types.BaseTuple):
        parts: Any = kind
        for i, inner in enumerate(parts):
            _walk(context, builder, inner, builder.extract_value(value, i), row)
    elif isinstance(kind, types.Array) and kind.ndim:
        _ask(context, builder, context.make_array(kind)(context, builder, value), row)


def _ask(context: Any, builder: Any, array: Any, row: Any) -> None:
    """Every line of the row; an array without elements has none."""
    size = builder.select(
        builder.icmp_signed(">", array.nitems, array.nitems.type(0)),
        _tools.unpack_tuple(builder, array.strides)[0],
        array.nitems.type(0),
    )
    byte = ir.IntType(8).as_pointer()
    first = builder.gep(builder.bitcast(array.data, byte), [builder.mul(row, size)])
    lines = builder.sdiv(builder.add(size, size.type(_LINE - 1)), size.type(_LINE))
    hint = _tools.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT]), "llvm.prefetch.p0"
    )
    with _tools.for_range(builder, lines) as loop:
        place = builder.gep(first, [builder.mul(loop.index, size.type(_LINE))])
        builder.call(hint, [place, _INT(_READ), _INT(_KEEP), _INT(_DATA)])
