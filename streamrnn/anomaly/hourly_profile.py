"""How far a value is from what this series does at this time of day.

For each of 24 hours (UTC) a running mean m and variance v of the values seen in it, with two memories (20 and 100
values an hour), beside the variance V of the whole series:

    residual = (x - m[hour]) / (sqrt(v[hour]) + 0.1 sqrt(V)),   clipped at +-30

An hour not seen yet borrows the mean and variance of the whole series. Where a day is shorter than a few events
(daily data, say) all events fall into one hour and the profile is a running mean.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Array = npt.NDArray[np.float64]

HOURS = 24
MEMORIES = 2
MEMORY = (20.0, 100.0)  # values per hour of the day
WHOLE_MEMORY = 1e9
MEAN, VARIANCE, COUNT = 0, 1, 2
COLUMNS = 3
CLIP = 30.0
HOUR_US = 3_600_000_000


@kernel
def residual(hours: Array, whole: Array, memory: int, hour: int, x: float) -> float:
    """Distance of `x` from the profile, in its deviations; nothing is learned.

    Args:
        hours: `(MEMORIES, HOURS, COLUMNS)`.
        whole: `(COLUMNS,)` of the whole series.
        memory: which of the two.
        hour: of the day, 0..23.
        x: the value.
    """
    known = hours[memory, hour]
    if known[COUNT] == 0.0:
        known = whole
    deviation = sqrt(known[VARIANCE]) + 0.1 * sqrt(whole[VARIANCE])
    if not deviation > 0.0:
        return 0.0
    return float(min(max((x - known[MEAN]) / deviation, -CLIP), CLIP))


@kernel
def _learn(moments: Array, x: float, memory: float) -> None:
    moments[COUNT] += 1.0
    gain = max(1.0 / moments[COUNT], 1.0 / memory)
    step = x - moments[MEAN]
    moments[MEAN] += gain * step
    moments[VARIANCE] = (1.0 - gain) * (moments[VARIANCE] + gain * step * step)


@kernel
def learn(hours: Array, whole: Array, hour: int, x: float) -> None:
    """Update both memories of `hour` and the whole series' moments with `x`."""
    for memory in range(MEMORIES):
        _learn(hours[memory, hour], x, MEMORY[memory])
    _learn(whole, x, WHOLE_MEMORY)
