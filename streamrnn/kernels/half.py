"""Numbers of 16 bits: the upper half of a single (bfloat16), eight bits of mantissa and the range of a single.

For what is kept in order to be looked at once more, not to be added to: a relative error of up to .4 % is far below
what such a number is worth, and half the bytes are half the memory to read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import intrinsic

Halves = NDArray[np.uint16]
Singles = NDArray[np.float32]


@intrinsic
def _bits_of(typing: Any, x: Any) -> Any:
    """The 32 bits of a single."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), write


@intrinsic
def _single_of(typing: Any, bits: Any) -> Any:
    """The single of 32 bits."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), write


@kernel
def half(x: float, share: float = 0.5) -> int:
    """The 16 bits of `x` as a number to be stored: rounded up from `share` of the last bit on (.5: to the nearest)."""
    bits = _bits_of(np.float32(x))
    rounded = bits + np.uint32(65535.0 * (1.0 - share))
    return np.uint16(np.uint32(rounded) >> np.uint32(16))  # type: ignore[return-value]


@kernel
def whole(stored: int) -> float:
    """The number whose 16 bits are `stored`."""
    return _single_of(np.uint32(stored) << np.uint32(16))  # type: ignore[no-any-return]


@kernel
def store_halves(x: Singles, first: int, count: int, stored: Halves, at: int) -> None:
    """stored[at:] = the `count` numbers from x[first]."""
    for j in range(count):
        stored[at + j] = half(x[first + j])


@kernel
def load_halves(stored: Halves, x: Singles) -> None:
    """x = all of `stored`."""
    for j in range(stored.size):
        x[j] = whole(stored[j])
