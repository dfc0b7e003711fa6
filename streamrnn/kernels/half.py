"""Numbers of 16 and of 8 bits: fewer bytes to keep, and to read from memory. Arithmetic is done with singles.

    half     sign, 8 bits of exponent, 7 of mantissa    off by up to .4 %   the range of a single (bfloat16)
    fine     sign, 5 bits of exponent, 10 of mantissa   off by up to .05 %  2^lowest to 2^(lowest + 32), or zero
    quarter  sign, 4 bits of exponent, 3 of mantissa    off by up to 6 %    2^lowest to 2^(lowest + 16), or zero

They are for what is looked at once more. What is added to a little at a time must be rounded up as often as the part
after the point says, else it sticks: `share` says from which part on, and is another one at every event.
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
Quarters = NDArray[np.uint8]
Singles = NDArray[np.float32]


@intrinsic
def _bits_of(typing: Any, x: Any) -> Any:
    """The 32 bits of a single."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), write


@intrinsic
def single_of(typing: Any, bits: Any) -> Any:
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
    return single_of(np.uint32(stored) << np.uint32(16))  # type: ignore[no-any-return]


@kernel
def store_halves(x: Singles, first: int, count: int, stored: Halves, at: int) -> None:
    """stored[at:] = the `count` numbers from x[first]."""
    for j in range(count):
        stored[at + j] = half(x[first + j])


_SIZE = np.uint32(0x7FFFFFFF)  # of a single: all but its sign


@kernel
def fine(x: float, lowest: int, share: int) -> int:
    """The 16 bits of `x` as a fine half; `share` of 0 to 8191, in parts of 8192 of the last bit, is added first."""
    bits = _bits_of(np.float32(x))
    above = np.int32(np.int32(bits & _SIZE) - np.int32((127 + lowest) << 23))
    size = np.int32(max(np.int32(0), np.int32(min(np.int32(above + np.int32(share)), np.int32(0x7FFF << 13)))))
    sign = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(0x8000))
    return np.uint16(sign | np.uint32(np.uint32(size) >> np.uint32(13)))  # type: ignore[return-value]


@kernel
def from_fine(stored: int, lowest: int) -> float:
    """The number whose 16 bits are `stored`."""
    code = np.uint32(np.uint16(stored) & np.uint16(0x7FFF))
    size = np.uint32(np.uint32(code << np.uint32(13)) + np.uint32((127 + lowest) << 23)) if code > 0 else np.uint32(0)
    return single_of(np.uint32(size) | np.uint32(np.uint32(np.uint16(stored) & np.uint16(0x8000)) << np.uint32(16)))  # type: ignore[no-any-return]


@kernel
def quarter(x: float, lowest: int) -> int:
    """The 8 bits of `x` as a quarter, to the nearest; below 2^lowest it is zero."""
    bits = _bits_of(np.float32(x))
    size = np.int32(bits & _SIZE) - np.int32((127 + lowest) << 23) + np.int32(1 << 19)
    size = max(np.int32(0), min(size, np.int32(0x7F << 20)))
    return np.uint8((np.uint32(bits) >> np.uint32(24)) & np.uint32(0x80) | np.uint32(np.uint32(size) >> np.uint32(20)))  # type: ignore[return-value]


@kernel
def from_quarter(stored: int, lowest: int) -> float:
    """The number whose 8 bits are `stored`."""
    code = np.uint32(np.uint8(stored) & np.uint8(0x7F))
    size = np.uint32(np.uint32(code << np.uint32(20)) + np.uint32((127 + lowest) << 23)) if code > 0 else np.uint32(0)
    return single_of(np.uint32(size) | np.uint32(np.uint32(np.uint8(stored) & np.uint8(0x80)) << np.uint32(24)))  # type: ignore[no-any-return]


@kernel
def store_quarters(x: Singles, first: int, count: int, stored: Quarters, at: int, lowest: int) -> None:
    """stored[at:] = the `count` numbers from x[first]."""
    for j in range(count):
        stored[at + j] = quarter(x[first + j], lowest)


@kernel
def load_quarters(stored: Quarters, x: Singles, lowest: int) -> None:
    """The first numbers of x = all of `stored`."""
    for j in range(stored.size):
        x[j] = from_quarter(stored[j], lowest)
