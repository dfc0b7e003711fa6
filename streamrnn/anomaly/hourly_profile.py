"""How far a value is from what this series does at this time of day, and for how long it has been.

For each of 24 hours mean m and variance v of the values seen in it, with a memory of 8 days (up to 48 where a day has
few values); with the variance V of the whole series,

    z = (y - m[hour]) / (sqrt(v[hour]) + 0.1 sqrt(V)),   clipped at +-30

and four running means of z: E0 (gain .08) of z, E1 (.08) of z^2, E2 (.16) and E3 (.04) of z. Their statistics

    level   |E0|                    level shifts, drifts, odd hours
    spread  sqrt(E1 - E0^2)         changed variance
    jump    |E2 - E3|               steps

are scored by lists of the largest episodes (`peaks.py`). A memory is one in days, not in values: so it is the same at
every sampling interval. An hour is learned when it is over. One not seen yet borrows mean and variance of the whole
series. Where a day has few values (daily data, say) all fall into one hour and the profile is a running mean.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import moments, peaks
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

HOURS = 24
MEAN, VARIANCE = moments.MEAN, moments.VARIANCE
MEMORY, LONGEST_MEMORY = 8.0, 48.0  # days; where a day has few values
CLIP = 30.0
GAIN = 0.08
WARM_UP = 60.0  # values before lists are used
GROWTH, LEAST = 2.0, 0.01  # of a peak over the largest so far; mean excess in deviations
LEVEL, SPREAD, JUMP = range(3)


@kernel
def usual(hours: Singles, visits: Bytes, whole: Singles, hour: int) -> tuple[float, float]:
    """Mean and deviation of `y` at this hour, in units."""
    known = hours[hour] if visits[hour] > 0 else whole
    return float(known[MEAN]), sqrt(known[VARIANCE]) + 0.1 * sqrt(whole[VARIANCE])


@kernel
def observe(
    averages: Singles,
    lists: Singles,
    mean: float,
    deviation: float,
    y: float,
    seen: float,
    found: Doubles,
) -> None:
    """Score level, spread and jump at `y`, then learn from it.

    Args:
        averages: `(4,)`, E0 to E3.
        lists: `(3, peaks.COLUMNS)`.
        mean: from `usual`, or what is nearer to `y` at this hour of the week (`weekly_profile.nearest`).
        deviation: from `usual`.
        y: the value.
        seen: values before it.
        found: `(3,)`, written: decades.
    """
    z = min(max((y - mean) / deviation, -CLIP), CLIP) if deviation > 0.0 else 0.0
    averages[0] += GAIN * (z - averages[0])
    averages[1] += GAIN * (z * z - averages[1])
    averages[2] += 2.0 * GAIN * (z - averages[2])
    averages[3] += 0.5 * GAIN * (z - averages[3])
    if seen < WARM_UP:
        return
    level, jump = abs(float(averages[0])), abs(float(averages[2]) - float(averages[3]))
    spread = sqrt(max(float(averages[1]) - level * level, 0.0))
    found[LEVEL] = peaks.rarity(lists[LEVEL], level, GROWTH, LEAST)
    found[SPREAD] = peaks.rarity(lists[SPREAD], spread, GROWTH, LEAST)
    found[JUMP] = peaks.rarity(lists[JUMP], jump, GROWTH, LEAST)


@kernel
def memory(interval: float) -> float:
    """Days that an hour remembers where events are `interval` hours apart: eight values say too little."""
    return float(min(MEMORY * max(interval, 1.0), LONGEST_MEMORY))


@kernel
def learn(hours: Singles, visits: Bytes, hour: int, mean: float, variance: float, memory: float) -> None:
    """An hour is over whose values had this mean and variance; `memory` in days."""
    visits[hour] = min(visits[hour] + 1, 255)
    gain = max(1.0 / visits[hour], 1.0 / memory)
    step = mean - hours[hour, MEAN]
    hours[hour, MEAN] += gain * step
    spread = (1.0 - gain) * (hours[hour, VARIANCE] + gain * step * step)
    hours[hour, VARIANCE] = spread + gain * variance
