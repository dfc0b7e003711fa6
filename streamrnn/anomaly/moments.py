"""Mean and variance of the values so far, and of the last fifty.

    step = y - mean,   mean += gain step,   variance = (1 - gain) (variance + gain step^2)

What one value teaches is clipped at 30 deviations: one that is absurd must not blind for long.

    distance   |y - mean| / deviation of the last fifty, by its tail (`tails.py`)        leaving where they were
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import tails
from streamrnn.anomaly.tails import Tail
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]

MEAN, VARIANCE = range(2)
COLUMNS = 2
CLIP = 30.0  # deviations
WARM_UP = 60.0  # values
WHOLE_GAIN, NEAR_GAIN = 5e-5, 0.02
DISTANCE = Tail(1.645, 2.576, 20.0, 0.005)


@kernel
def clipped(y: float, mean: float, deviation: float, seen: float) -> float:
    """`y` within `CLIP` deviations of the mean, once `WARM_UP` values have been seen."""
    if seen < WARM_UP or not deviation > 0.0:
        return y
    return float(min(max(y, mean - CLIP * deviation), mean + CLIP * deviation))


@kernel
def learn(state: Singles, y: float, seen: float, gain: float) -> None:
    """Update `state` `(COLUMNS,)` with `y`, after `seen` others."""
    gain = max(1.0 / (seen + 1.0), gain)
    step = clipped(y, float(state[MEAN]), sqrt(state[VARIANCE]), seen) - state[MEAN]
    state[MEAN] += gain * step
    state[VARIANCE] = (1.0 - gain) * (state[VARIANCE] + gain * step * step)


@kernel
def distance(near: Singles, tail: Singles, y: float, seen: float, least: float) -> float:
    """Decades of how far `y` lies from the last fifty values, in deviations of at least `least`; then learn from it."""
    decades = 0.0
    if seen == 0.0:
        near[MEAN] = y
        return 0.0
    if seen > WARM_UP and near[VARIANCE] > 0.0:
        decades = tails.rarity(DISTANCE, tail, abs(y - near[MEAN]) / max(sqrt(near[VARIANCE]), least))
    step = clipped(y, float(near[MEAN]), sqrt(near[VARIANCE]), seen) - near[MEAN]
    near[MEAN] += NEAR_GAIN * step
    near[VARIANCE] = (1.0 - NEAR_GAIN) * (near[VARIANCE] + NEAR_GAIN * step * step)
    return decades
