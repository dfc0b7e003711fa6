"""Page-Hinkley test for a rise of a stream's mean (Page 1954), kept in arrays; as river's `PageHinkley(mode="up")`.

With n values e since the last alarm, their running mean m_n, tolerated change delta and forgetting alpha:

    T_n = alpha T_{n-1} + e_n - m_n - delta,   M_n = min M_{n-1}, T_n,   alarm when n >= grace and T_n - M_n > threshold

The forecaster feeds it the absolute one-step error, which it takes in units of its slow running mean, so that
`threshold` means the same for every series.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]

# A target's detector, DRIFT_SIZE numbers.
COUNT: Final = 0
MEAN: Final = 1
SUM: Final = 2
LOWEST: Final = 3
ALARMS: Final = 4  # since the series began
SINCE: Final = 5  # values since the last alarm (0: this one raised it), or since the series began
ERROR: Final = 6  # slow running mean of the absolute error: the unit
SEEN: Final = 7  # errors the unit is over
DRIFT_SIZE: Final = 8

ERROR_RATE = 0.002
MOST = 4.0  # units one error counts at most
WARMUP = 100.0


class PageHinkley(NamedTuple):
    """Settings; `threshold` 0 switches the detector off."""

    grace: int
    delta: float
    threshold: float
    alpha: float


@kernel
def detect(test: PageHinkley, state: Float64, e: float) -> bool:
    """Take in `e`; True when it raises the alarm, which starts the test again."""
    state[COUNT] += 1.0
    n = state[COUNT]
    state[MEAN] += (e - state[MEAN]) / n
    state[SUM] = test.alpha * state[SUM] + e - state[MEAN] - test.delta
    state[LOWEST] = min(state[LOWEST], state[SUM])
    if n >= test.grace and state[SUM] - state[LOWEST] > test.threshold:
        state[COUNT] = state[MEAN] = state[SUM] = state[LOWEST] = 0.0
        state[ALARMS] += 1.0
        state[SINCE] = 0.0
        return True
    return False


@kernel
def watch(test: PageHinkley, z: Float64, at: int, error: float) -> bool:
    """Take in an absolute error; True when it has risen. The detector's numbers lie at z[at]."""
    out_of_line()
    state = z[at : at + DRIFT_SIZE]
    state[SEEN] += 1.0
    state[SINCE] += 1.0
    n = state[SEEN]
    if state[ERROR] <= 0.0:
        state[ERROR] = error
        return False
    e = min(error / state[ERROR], MOST)
    state[ERROR] += max(1.0 / n, ERROR_RATE) * (e - 1.0) * state[ERROR]
    if n <= WARMUP or test.threshold <= 0.0:
        return False
    if detect(test, state, e):
        state[SEEN] = 0.5 * WARMUP  # the unit follows quickly for a while
        return True
    return False
