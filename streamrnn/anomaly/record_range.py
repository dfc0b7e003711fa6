"""A value outside all so far.

With [low, high] the range of the values so far, n of them, R episodes of records among them, and r the excess over
it in its widths,

    d = -log10((R + 1) / (min(n, 5000) + 2)) + log10(1 + r / max(.02, half the mean excess so far))

An episode that goes on for longer than `APART` values is a ramp: there the next record is none, and only r counts.

A record extends the range by at most half its width, so that one spike does not hide the next.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]

# Entries of the state; all zero is new.
LOW, HIGH, RECORDS, EXCESS, SINCE, LENGTH = range(6)  # values since the last record, and since its episode began
COLUMNS = 6
WARM_UP = 60.0
MEMORY = 5000.0
APART = 48.0  # values between two episodes
UNIT, SHARE = 0.02, 0.5
TEACHES = 0.5  # widths
FIRST_EXCESS = 0.5  # of a value that differs where all others were the same
LARGEST_EXCESS = 1e12


@kernel
def observe(state: Singles, y: float, seen: float) -> float:
    """Decades of `y` (0: within the range); then learn from it."""
    if seen == 0.0:
        state[LOW], state[HIGH] = y, y
        return 0.0
    excess = max(y - state[HIGH], state[LOW] - y, 0.0)
    decades = 0.0
    if excess > 0.0 and seen >= WARM_UP:
        width = float(state[HIGH] - state[LOW])
        relative = min(excess / width, LARGEST_EXCESS) if width > 0.0 else FIRST_EXCESS
        unit = max(UNIT, SHARE * state[EXCESS] / (state[RECORDS] + 2.0))
        decades = log10(1.0 + relative / unit)
        if state[SINCE] > APART or state[RECORDS] == 0.0:
            state[LENGTH] = 0.0
        if state[LENGTH] <= APART:
            decades += log10((min(seen, MEMORY) + 2.0) / (state[RECORDS] + 1.0))
        if state[LENGTH] == 0.0:
            state[RECORDS] += 1.0
            state[EXCESS] += min(relative, TEACHES)
        state[SINCE] = 0.0
        if width > 0.0:
            y = min(max(y, state[LOW] - TEACHES * width), state[HIGH] + TEACHES * width)
    state[SINCE] += 1.0
    state[LENGTH] += 1.0
    state[LOW], state[HIGH] = min(state[LOW], y), max(state[HIGH], y)
    return max(decades, 0.0)
