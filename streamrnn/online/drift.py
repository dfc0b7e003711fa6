"""Page-Hinkley test for a rise of a stream's mean, kept in arrays (Page 1954), like river's `PageHinkley(mode="up")`.

With n values e since the last alarm, their running mean m_n, tolerated change delta and forgetting alpha:

    T_n = alpha T_{n-1} + e_n - m_n - delta,   M_n = min M_{n-1}, T_n,   alarm when n >= grace and T_n - M_n > threshold

The forecaster feeds it the absolute one-step error in units of its running mean, so that `threshold` means the same
for every series.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.compiled import kernel

Float64 = NDArray[np.float64]

# A target's detector, DRIFT_SIZE numbers.
COUNT: Final = 0
MEAN: Final = 1
SUM: Final = 2
LOWEST: Final = 3
ALARMS: Final = 4  # since the series began
SINCE: Final = 5  # values since the last alarm (0: this one raised it), or since the series began
ERROR: Final = 6  # slow running mean of the absolute error, sigmas: the unit
DRIFT_SIZE: Final = 7


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
    state[SINCE] += 1.0
    if n >= test.grace and state[SUM] - state[LOWEST] > test.threshold:
        state[COUNT] = state[MEAN] = state[SUM] = state[LOWEST] = 0.0
        state[ALARMS] += 1.0
        state[SINCE] = 0.0
        return True
    return False
