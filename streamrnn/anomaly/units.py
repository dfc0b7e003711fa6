"""Values in units of their own: what is kept in 32 bits must not depend on where a series lies or how large it is.

    y = (x - anchor) / unit,   clipped at +-LARGEST

`anchor` is an early value and `unit`, a power of two, the size of the first change; both are float64. Every `BLOCK`
values the range of the last ones is held against what is known: a series whose deviation is `ABSURD` times as large,
or whose unit is as small, was measured by something absurd (a first value of 1e9, say), and has to begin again.
"""

from __future__ import annotations

from math import frexp, ldexp

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Doubles = npt.NDArray[np.float64]

ANCHOR, UNIT, LAST, LOW, HIGH = range(5)  # LAST, LOW, HIGH: as they came; of the last value and of the block
DOUBLES = 5
LARGEST = 1e9
SMALLEST_UNIT, LARGEST_UNIT = 1e-290, 1e290
BLOCK = 64.0  # values
ABSURD, TINY = 1e5, 1e-6


@kernel
def begin(doubles: Doubles, anchor: float, size: float) -> None:
    """Measure from `anchor` in units of about `size`; 0: not known yet."""
    doubles[ANCHOR], doubles[UNIT] = anchor, 0.0
    if size > 0.0:
        _, exponent = frexp(min(max(size, SMALLEST_UNIT), LARGEST_UNIT))
        doubles[UNIT] = ldexp(1.0, exponent - 1)


@kernel
def to_units(doubles: Doubles, x: float) -> float:
    """`x` in units; 0 while every value was the same."""
    if doubles[UNIT] == 0.0:
        return 0.0
    return float(min(max((x - doubles[ANCHOR]) / doubles[UNIT], -LARGEST), LARGEST))


@kernel
def outgrown(doubles: Doubles, seen: float, deviation: float, x: float) -> bool:
    """Whether the series has to begin again, with `x`, its value number `seen`; `deviation` is its own, in units."""
    over = False
    if seen % BLOCK == 0.0:
        width = doubles[HIGH] - doubles[LOW]
        over = width > 0.0 and (deviation * doubles[UNIT] > ABSURD * width or doubles[UNIT] < TINY * width)
        doubles[LOW], doubles[HIGH] = x, x
    doubles[LOW], doubles[HIGH] = min(doubles[LOW], x), max(doubles[HIGH], x)
    return over
