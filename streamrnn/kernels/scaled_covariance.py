"""The covariance of recursive least squares in 16 bits a number: what is kept of it, and one step on it.

    P_ij = d_i C_ij d_j        d_i powers of two, one byte each, such that every C_ii lies about (1/4, 1)

so that |C_ij| < 1 for all: C is kept as whole numbers of 2^-15, packed as `least_squares.py` packs P, and a step is
made on C in single precision, with phi and gain scaled by d. Floating point of as many bits is off by ten times as much
where elements are large, and what least squares know best is what is left when large elements cancel. C is rounded up
as often as the part after the point says.

Scales and guards are looked after at every eighth event once a series has had some: meanwhile forgetting lets C grow by
no more than what `FULL` leaves.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels import least_squares
from streamrnn.kernels.half import single_of
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.least_squares import WINDUP
from streamrnn.kernels.vector import out_of_line

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]

ONE: Final = 64  # the byte of the scale 1
LOWEST, HIGHEST = 32, 96  # bytes of scales: 2^-32 to 2^32
MOST = 32_766.0  # of 2^-15; rounded up it must fit
FULL, LOW = 0.9, 0.2  # C_ii beyond which the scale is another one
YOUNG, EVERY = 64.0, 8.0  # events of a series up to which each is looked after, then every so many
SLOW = 0.99  # a forgetting factor; below it C grows too fast to wait


@kernel
def load_covariance(stored: Int16, covariance: Float32) -> None:
    """The first numbers of `covariance` = C, all of `stored`."""
    for k in range(stored.size):
        covariance[k] = np.float32(stored[k]) * np.float32(1.0 / 32768.0)


@kernel
def store_covariance(covariance: Float32, stored: Int16, share: float) -> None:
    """All of `stored` = the first numbers of C, rounded up from `share` of the last bit on (.5: to the nearest)."""
    up = np.float32(32769.0 - share)
    for k in range(stored.size):
        x = min(max(covariance[k] * np.float32(32768.0), np.float32(-MOST)), np.float32(MOST))
        stored[k] = np.int16(np.int32(x + up) - np.int32(32768))


@kernel
def load_scales(units: UInt8, scales: Float32) -> None:
    """scales (m,) = d from the bytes that it is kept in (m,)."""
    for j in range(units.size):
        scales[j] = single_of(np.uint32(np.uint32(units[j]) + np.uint32(127 - ONE)) << np.uint32(23))


@kernel
def start(covariance: Float32, units: UInt8, initial: float) -> None:
    """P = initial I, of a block of units.size features."""
    unit, rest = ONE, initial
    while rest >= FULL and unit < HIGHEST:
        unit, rest = unit + 1, 0.25 * rest
    while rest < LOW and unit > LOWEST:
        unit, rest = unit - 1, 4.0 * rest
    for j in range(units.size):
        units[j] = unit
    least_squares.start_covariance(covariance, units.size, rest)


@kernel
def is_due(age: float, forgetting: float) -> bool:
    """Whether scales and guards are looked after at the event that is the `age`th of its series."""
    return age < YOUNG or age % EVERY == 0.0 or forgetting < SLOW


@kernel
def learn_covariance(
    covariance: Float32, units: UInt8, scales: Float32, gain: Float32, q: float, forgetting: float, initial: float,
    due: bool,
) -> None:  # fmt: skip
    """`least_squares.learn_covariance` of one block on C, with the gain of the scaled features (m,)."""
    out_of_line()
    m = gain.size
    trace, squares, limit, k = 1.0, 0.0, math.inf, 0
    if due:
        trace, limit = 0.0, WINDUP * m * initial
        for i in range(m):
            d = float(scales[i]) * float(scales[i])
            trace += d * covariance[k]
            squares += d * gain[i] * gain[i]
            k += m - i
    moved = least_squares.move_covariance(covariance, gain, q, forgetting, trace, squares, limit)
    if not (moved and (not due or fit(covariance, units))):
        start(covariance, units, initial)


@kernel
def fit(covariance: Float32, units: UInt8) -> bool:
    """Change the scales of a block's features where C_ii is too large or small; False: one is not positive."""
    m, k = units.size, 0
    for i in range(m):
        if not covariance[k] > 0.0:
            return False
        while covariance[k] >= FULL and units[i] < HIGHEST:
            units[i] += 1
            _rescale(covariance, m, i, 0.5)
        while covariance[k] < LOW and units[i] > LOWEST:
            units[i] -= 1
            _rescale(covariance, m, i, 2.0)
        k += m - i
    return True


@kernel
def _rescale(covariance: Float32, m: int, i: int, factor: float) -> None:
    """Row and column i of the packed triangle, times `factor`; the diagonal twice."""
    k: Any = i
    for j in range(i):
        covariance[k] *= factor
        k += m - 1 - j
    covariance[k] *= factor * factor
    for j in range(1, m - i):
        covariance[k + j] *= factor


@kernel
def boost_covariance(covariance: Float32, units: UInt8, scales: Float32, amount: float) -> None:
    """P <- P + amount I, of one block."""
    m, k = units.size, 0
    for i in range(m):
        covariance[k] += amount / (float(scales[i]) * float(scales[i]))
        k += m - i
    fit(covariance, units)
