"""Networks of a series' own (`weights: series`), kept in a seventh of the bytes that learning takes.

A network that all series of a partition share is kept as it learns: parameters, two moments and the last good
parameters, 16 bytes a parameter. Of a series' own each takes 2.25:

    parameters      16 bits a number, off by up to .05 %
    second moment   one for 16 parameters that lie side by side: the mean of theirs (as Adam-mini, Zhang et al. 2024)
    first moment    none: beta1 is 0
    good            none: after too many gradients that were not finite a network begins again as it was drawn

A step is often less than the last bit of a parameter. So these are rounded up as often as the part after the point
says: what decides it moves on by the golden ratio from update to update.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.half import Halves, fine, from_fine
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import lanes, load, out_of_line, splat, store, total
from streamrnn.learning import optimizers, tbptt
from streamrnn.learning.optimizers import STARTED, UPDATES, Weights

Floats = NDArray[np.floating]

TOGETHER: Final = 16
"""Parameters that share a second moment."""
LEAST: Final = -20
"""Power of two: a parameter that is smaller is kept as zero, and one above 2^12 as that."""
_ROTATION, _APART = np.uint32(0x9E3779B9), np.uint32(0x85EBCA6B)
_NEVER = 1 << 62


class OwnNetworks(NamedTuple):
    """The networks of a series, as they are kept; an all-zero row has new ones."""

    parameters: Halves  # (rows, N, parameters)
    second_moment: Floats  # (rows, N, parameters / TOGETHER)
    counters: NDArray[np.int64]  # (rows, N, optimizers.COUNTERS)


def optimizer_of(optimizer: optimizers.Optimizer) -> optimizers.Optimizer:
    """The optimizer of such networks: without a first moment, and without good weights that change."""
    return optimizer._replace(beta1=0.0, keep_every=_NEVER)


def allocate_own(rows: int, networks: int, size: int) -> OwnNetworks:
    """New networks of `size` parameters each, a multiple of `TOGETHER`."""
    return OwnNetworks(
        np.zeros((rows, networks, size), np.uint16),
        np.zeros((rows, networks, size // TOGETHER), np.float32),
        np.zeros((rows, networks, optimizers.COUNTERS), np.int64),
    )


def working_weights(networks: int, size: int) -> Weights:
    """Zeros, `(1, networks, size)`, for the networks of a partition or of one series at a time."""
    w, first, second, good = (tbptt.aligned_zeros((1, networks, size)) for _ in range(4))
    return Weights(w, first, second, good, np.zeros((1, networks, optimizers.COUNTERS), np.int64))


@kernel
def take_out(kept: OwnNetworks | None, row: int, weights: Weights) -> None:
    """Write the networks of a series to `weights` (1, N, parameters); None: the partition's are used."""
    if kept is None:
        return
    for net in range(kept.parameters.shape[1]):
        _take_out(
            kept.parameters[row, net], kept.second_moment[row, net], weights.parameters[0, net],
            weights.second_moment[0, net],
        )  # fmt: skip
        for k in range(optimizers.COUNTERS):
            weights.counters[0, net, k] = kept.counters[row, net, k]


@kernel
def _take_out(stored: Halves, moments: Floats, w: Floats, v: Floats) -> None:
    out_of_line()
    for j in range(stored.size):
        w[j] = from_fine(stored[j], LEAST)
    n = lanes(v)
    for block in range(moments.size):
        shared = splat(v, moments[block])
        for j in range(block * TOGETHER, (block + 1) * TOGETHER, n):
            store(v, j, TOGETHER, shared)


@kernel
def put_back(kept: OwnNetworks | None, row: int, weights: Weights, taught: bool) -> None:
    """Keep the networks in `weights` that are new or were `taught` by this event."""
    if kept is None:
        return
    for net in range(kept.parameters.shape[1]):
        counters = weights.counters[0, net]
        if taught or counters[STARTED] != kept.counters[row, net, STARTED]:
            _put_back(
                kept.parameters[row, net], kept.second_moment[row, net], weights.parameters[0, net],
                weights.second_moment[0, net], int(counters[UPDATES]),
            )  # fmt: skip
            for k in range(optimizers.COUNTERS):
                kept.counters[row, net, k] = counters[k]


@kernel
def _put_back(stored: Halves, moments: Floats, w: Floats, v: Floats, update: int) -> None:
    out_of_line()
    turn = np.uint32(np.uint32(update) * _ROTATION)
    for j in range(stored.size):
        turn = np.uint32(turn + _APART)
        stored[j] = fine(w[j], LEAST, int(turn >> np.uint32(19)))
    n = lanes(v)
    for block in range(moments.size):
        summed = splat(v, 0.0)
        for j in range(block * TOGETHER, (block + 1) * TOGETHER, n):
            summed = summed + load(v, j, TOGETHER)
        moments[block] = total(summed) / TOGETHER


@kernel
def take_out_regression(kept: Floats | None, row: int, regression: Floats) -> None:
    """The same of the pooled regression, which is kept in single precision."""
    if kept is None:
        return
    for j in range(regression.size):
        regression[j] = kept[row, j]


@kernel
def put_back_regression(kept: Floats | None, row: int, regression: Floats) -> None:
    """Keep it."""
    if kept is None:
        return
    for j in range(regression.size):
        kept[row, j] = regression[j]
