"""A linear readout learned by recursive least squares, one step ahead: step = weights . phi, in sigmas.

Its covariance is kept in blocks along the diagonal, for features that belong together (hidden state, lags, inputs, one
factor's products with the phase): with enough features what lies between them is worth next to nothing, and its size
is what an event costs. All blocks share one error and one denominator,

    g_b = P_b phi_b,   q_b = phi_b . g_b,   w += e g / (lam + sum of q_b)
    P_b <- (P_b - g_b g_b' / (lam + q_b)) / lam

Its numbers lie in a target's row, from `at`: running mean square of its error, weights (m,), phi (m,) of the pending
forecast, the blocks, packed.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.least_squares import packed_size
from streamrnn.kernels.vector import out_of_line

Floats = NDArray[np.floating]

VARIANCE_RATE = 0.01
ERROR_CLIP = 4.0  # running standard deviations one error counts at most
MOST_BLOCKS: Final = 10


class Blocks(NamedTuple):
    """Blocks of a covariance, in the order of the features; both padded with zeros, so that all have one type."""

    sizes: tuple[int, ...]  # (MOST_BLOCKS,)
    initials: tuple[float, ...]  # (MOST_BLOCKS,) of the diagonal


def make_blocks(*blocks: tuple[int, float]) -> Blocks:
    """Sizes and first covariances; blocks of no features are left out."""
    there = [block for block in blocks if block[0] > 0]
    padded = there + [(0, 0.0)] * (MOST_BLOCKS - len(there))
    return Blocks(tuple(int(size) for size, _ in padded), tuple(float(initial) for _, initial in padded))


def readout_size(blocks: Blocks) -> int:
    """Numbers that a readout keeps."""
    m = sum(blocks.sizes)
    return 1 + 2 * m + sum(packed_size(size) for size in blocks.sizes) if m else 0


@kernel
def forecast_step(f: Floats, at: int, m: int) -> float:
    """The step that the readout of m features expects from its phi."""
    return least_squares.dot(f[at + 1 : at + 1 + m], f[at + 1 + m : at + 1 + 2 * m])


@kernel
def learn_readout(f: Floats, at: int, m: int, blocks: Blocks, step: float, forgetting: float, gain: Floats) -> None:
    """Learn from the step that came (sigmas); `gain` has room for m numbers."""
    out_of_line()
    weights, phi = f[at + 1 : at + 1 + m], f[at + 1 + m : at + 1 + 2 * m]
    error = step - least_squares.dot(weights, phi)
    if f[at] == 0.0:  # the first time
        p = at + 1 + 2 * m
        for b in range(MOST_BLOCKS):
            size = blocks.sizes[b]
            least_squares.start_covariance(f[p : p + packed(size)], size, blocks.initials[b])
            p += packed(size)
        f[at] = 1.0
    if not math.isfinite(error):  # the expert starts again
        for k in range(m):
            weights[k] = 0.0
        f[at] = 0.0
        return
    error = clip(error, ERROR_CLIP * math.sqrt(f[at]) + 1e-6)
    joint, o, p = 0.0, 0, at + 1 + 2 * m
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            q = least_squares.find_gain(f[p : p + packed(size)], phi[o : o + size], gain[o : o + size])
            if q > 0.0:
                joint += q
            o += size
            p += packed(size)
    least_squares.learn_weights(weights, gain[:m], joint, forgetting, error)
    o, p = 0, at + 1 + 2 * m
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            own = gain[o : o + size]
            q = least_squares.dot(phi[o : o + size], own)
            least_squares.learn_covariance(f[p : p + packed(size)], own, q, forgetting, blocks.initials[b])
            o += size
            p += packed(size)
    f[at] += VARIANCE_RATE * (error * error - f[at])


@kernel
def packed(size: int) -> int:
    """Numbers of a packed block."""
    return size * (size + 1) // 2


@kernel
def boost_covariance(f: Floats, at: int, m: int, blocks: Blocks, share: float) -> None:
    """Learn fast again, because what was learned may no longer hold: P <- P + `share` of the first one."""
    p: Any = at + 1 + 2 * m
    for b in range(MOST_BLOCKS):
        size = blocks.sizes[b]
        if size > 0:
            least_squares.boost_covariance(f[p : p + packed(size)], size, share * blocks.initials[b])
            p += packed(size)
