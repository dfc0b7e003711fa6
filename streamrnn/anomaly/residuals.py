"""What the forecast's errors and the values' changes say.

    z = .8 (x - expected) / s,   s the running mean |x - expected|, clipped at +-20          sigmas, about

    error      |z| under a Gaussian, as far as no more than its share lies beyond three sigmas          spikes
    residual   mean |z| of the last three, by its own tail (`tails.py`)                                 spikes, bursts
    change     .8 |x - last x| over its running mean, the same          spikes before there is a forecast to speak of

A Gaussian's far tail is known where its body is: an error of six sigmas needs no past. Where errors are heavier only
what the series has shown counts.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import tails
from streamrnn.anomaly.tails import Tail
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MEMORY = 500.0  # errors that s remembers
WARM_UP = 30.0
LARGEST = 20.0  # sigmas
CAPPED_AFTER, CAP = 20.0, 4.0  # errors; running sizes: what one error teaches s at most
OUTGROWN, OUTGROWN_GAIN = 4.0, 0.02  # mean |z| of three from which s learns faster: errors have another size
MEAN_TO_SIGMAS = 0.8
THREE = 3.0
PREVAILS = 0.5
FIRST_SHARE, FIRST_WEIGHT, SHARE_MEMORY = 0.02, 100.0, 2000.0  # beyond three sigmas, of a new series; errors
FINE, COARSE = 0.25, 0.5  # shares of repeats: of values that are as good as continuous, and of counts
IMPOSSIBLE, FEW_FAR, MOST_FAR, FAR_MEMORY = 6.0, 12.0, 20.0, 5000.0  # sigmas; episodes; errors
LIGHT_SHARE, HEAVY_SHARE = 0.009, 0.015  # a Gaussian's is .0027
RESIDUAL = Tail(1.4, 1.95, 10.0, 0.008)
CHANGE = Tail(1.645, 2.576, 10.0, 0.008)
LOG10_E = 0.4342944819032518
# Entries of the state; all zero is new.
ERRORS, SCALE, LAST, BEFORE, SHARE, COUNTED = range(6)  # LAST, BEFORE: z of the last two errors
CHANGES, VALUE, STEP = range(6, 9)  # of changes, of which zero is none
FAR = 9  # sudden errors that a Gaussian never has, of the last FAR_MEMORY
COLUMNS = 10


@kernel
def sigmas(size: float, scale: float) -> float:
    """`size` >= 0 in sigmas, clipped; after nothing but exact forecasts, any error is as large as can be."""
    if size == 0.0:
        return 0.0
    if not size * MEAN_TO_SIGMAS < LARGEST * scale:
        return LARGEST
    return float(size / scale * MEAN_TO_SIGMAS)


@kernel
def _learned(scale: float, size: float, seen: float, gain: float) -> float:
    """The running mean of sizes after one more, number `seen`."""
    if seen > CAPPED_AFTER and scale > 0.0:
        size = min(size, CAP * scale)
    return scale + max(1.0 / seen, gain) * (size - scale)


@kernel
def _gaussian(state: Singles, z: float, repeats: float) -> float:
    """Decades of |z| where errors are a Gaussian's.

    0 where more of them than a Gaussian's lie beyond three sigmas, where half of the values repeat the last, or where
    what a Gaussian never has came again and again: the twentieth sudden error beyond six sigmas is the series' way.
    """
    state[FAR] *= 1.0 - 1.0 / FAR_MEMORY
    usual = min(max((MOST_FAR - state[FAR]) / (MOST_FAR - FEW_FAR), 0.0), 1.0)
    if z > IMPOSSIBLE and abs(state[LAST]) <= IMPOSSIBLE and abs(state[BEFORE]) <= IMPOSSIBLE:
        state[FAR] += 1.0
    share = (FIRST_SHARE * FIRST_WEIGHT + state[SHARE] * state[COUNTED]) / (FIRST_WEIGHT + state[COUNTED])
    state[COUNTED] = min(state[COUNTED] + 1.0, SHARE_MEMORY)
    state[SHARE] += ((1.0 if z > THREE else 0.0) - state[SHARE]) / state[COUNTED]
    light = min(max((HEAVY_SHARE - share) / (HEAVY_SHARE - LIGHT_SHARE), 0.0), 1.0)
    if z < 1.0:
        return 0.0
    smooth = min(max((COARSE - repeats) / (COARSE - FINE), 0.0), 1.0)
    return float(smooth * usual * light * (0.5 * z * z * LOG10_E + log10(1.2533 * z)))


@kernel
def observe(state: Singles, states: Singles, error: float, repeats: float, found: Doubles) -> float:
    """Score one error, in units, then learn from it; 1.0 if the last three lie above, -1.0 below, 0.0 neither.

    A value that comes back after a spike is as far off its forecast as the spike was: neither side prevails.

    Args:
        state: `(COLUMNS,)`.
        states: `(2, tails.COLUMNS)`.
        error: x - expected.
        repeats: share of values that are the same as the last.
        found: `(2,)`, written: decades of error and residual.
    """
    size, gain, side = abs(error), 1.0 / MEMORY, 0.0
    if state[ERRORS] >= WARM_UP:
        z = sigmas(size, max(float(state[SCALE]), grain(state, repeats)))
        mean = (z + abs(state[LAST]) + abs(state[BEFORE])) / 3.0
        together = (z if error >= 0.0 else -z) + state[LAST] + state[BEFORE]
        if abs(together) >= PREVAILS * z:
            side = 1.0 if together > 0.0 else -1.0
        found[0] = _gaussian(state, z, repeats)
        state[BEFORE] = state[LAST]
        state[LAST] = z if error >= 0.0 else -z
        found[1] = tails.rarity(RESIDUAL, states[0], mean)
        if mean > OUTGROWN:
            gain = OUTGROWN_GAIN
    state[ERRORS] = min(state[ERRORS] + 1.0, tails.MOST_SEEN)
    state[SCALE] = _learned(float(state[SCALE]), size, float(state[ERRORS]), gain)
    return side


@kernel
def change(state: Singles, tail: Singles, y: float, seen: float) -> float:
    """Decades of the change since the last value, among changes; then learn from it. `seen` values came before."""
    decades, size = 0.0, abs(y - state[VALUE])
    state[VALUE] = y
    if seen == 0.0 or size == 0.0:
        return 0.0
    state[CHANGES] = min(state[CHANGES] + 1.0, tails.MOST_SEEN)
    if state[CHANGES] >= WARM_UP:
        decades = tails.rarity(CHANGE, tail, sigmas(size, float(state[STEP])))
    state[STEP] = _learned(float(state[STEP]), size, float(state[CHANGES]), 1.0 / MEMORY)
    return decades


@kernel
def grain(state: Singles, repeats: float) -> float:
    """What a value is off at least where it is: the usual change, as far as a share of `repeats` beyond half says so.

    In a series that mostly repeats itself, a count of rare things say, deviations from what is usual are next to none,
    and any value would be ten of them.
    """
    return float(max(2.0 * repeats - 1.0, 0.0) * state[STEP])
