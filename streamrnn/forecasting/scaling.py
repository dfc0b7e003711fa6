"""Causal scaling of one target: its level, its spread, the size of its steps, and the range it was seen in.

While fewer than `warmup` values were seen, means are over all of them (the n-th moves them at rate 1/n); from then on
they forget slowly, at rate 1/memory. The unit in which every expert works is

    sigma = 1.5 sqrt(mean of squared steps x_t - x_{t-1})

because steps are what is forecast: a smooth series with a wide range would otherwise be forecast in units far too
coarse. A deviation counts with at most `CLIP` standard deviations, so that one spike of 1e100 does not move the scale,
while a lasting change moves it with every value. A leaky count of steps beyond that opens the clip: where most of the
last steps were that large the scale is another one, and follows at rate `OPEN_RATE`; after that the means are over
`OPEN_WEIGHT` values again, so that it comes back as fast. The range grows by at most its own width at a time, for the
same reason.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]

# A target's scale, SCALE_SIZE numbers.
SEEN: Final = 0  # values seen, missing ones not counted
WEIGHT: Final = 1  # values the means are over: SEEN at first, then at most `memory`, less after a drift alarm
MEAN: Final = 2
VARIANCE: Final = 3
STEP_VARIANCE: Final = 4
LOW: Final = 5
HIGH: Final = 6
SIGMA: Final = 7
EXPECTED: Final = 8  # the one-step forecast made last, original units
LARGE: Final = 9  # leaky count of steps beyond `CLIP` standard deviations
SCALE_SIZE: Final = 10

CLIP = 6.0
UNIT = 1.5
LEAK = 0.8  # of the count is kept at every event
OPEN = 2.4  # count above which large steps are no spikes but a new scale
OPEN_RATE = 0.1
OPEN_CLIP = 15.0  # standard deviations one step counts at most then
OPEN_WEIGHT = 30.0  # values that the means are over from then on: the scale comes back as fast


@kernel
def clip(x: float, limit: float) -> float:
    """`x` within +-limit."""
    return max(-limit, min(limit, x))


@kernel
def observe_scale(scale: Float64, x: float, step: float, warmup: float, memory: float) -> None:
    """Learn from a value `x` and its step over the value before it, both in original units."""
    out_of_line()
    scale[SEEN] += 1.0
    if scale[SEEN] == 1.0:
        scale[WEIGHT] = 1.0
        scale[MEAN] = scale[LOW] = scale[HIGH] = x
        return
    if scale[VARIANCE] <= 0.0:
        if x == scale[MEAN]:
            return  # constant so far: the first change shall set the scale, not be an outlier of it
        scale[WEIGHT] = 1.0
    n = scale[WEIGHT] + 1.0
    scale[WEIGHT] = n if n <= warmup else memory
    rate = 1.0 / n if n <= warmup else 1.0 / memory
    deviation, pace = x - scale[MEAN], rate
    if scale[VARIANCE] > 0.0:
        deviation = clip(deviation, CLIP * scale[VARIANCE] ** 0.5)
        if scale[STEP_VARIANCE] > 0.0:
            limit = CLIP * scale[STEP_VARIANCE] ** 0.5
            large = abs(step) > limit
            scale[LARGE] = LEAK * scale[LARGE] + (1.0 if large else 0.0)
            if large and scale[LARGE] > OPEN:
                pace = max(rate, OPEN_RATE)
                scale[WEIGHT] = min(scale[WEIGHT], OPEN_WEIGHT)
                step = clip(step, OPEN_CLIP / CLIP * limit)
            else:
                step = clip(step, limit)
    else:
        scale[STEP_VARIANCE] = step * step
    scale[MEAN] += rate * deviation
    scale[VARIANCE] += rate * ((1.0 - rate) * deviation * deviation - scale[VARIANCE])
    scale[STEP_VARIANCE] += pace * (step * step - scale[STEP_VARIANCE])
    scale[SIGMA] = UNIT * scale[STEP_VARIANCE] ** 0.5
    width = max(scale[HIGH] - scale[LOW], abs(deviation))
    scale[HIGH] = max(scale[HIGH], min(x, scale[HIGH] + width))
    scale[LOW] = min(scale[LOW], max(x, scale[LOW] - width))
