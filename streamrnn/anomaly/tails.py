"""How far out in the tail of its own past a number y > 0 is, without a list of the past: two points and a line.

Two points of the distribution of y are tracked, in logarithms,

    a: exceeded by a tenth of the events           a += step_a (1[y > a] - .1)
    b: exceeded by a share `rate` of the episodes  b += step_b (1[y > b, the first for `apart` events] - rate)

and a Weibull tail through them says how rare y is, in decades (-log10 of a probability): 1 at a, about 2 at b,

    d = exp(k (ln y - a)),   k = ln 2 / (b - a) in [.4, 1.6];       below a: d = max(0, 1 + ln y - a)

An episode teaches b once however long it lasts, and both are bounded: a fault does not raise its own threshold.
"""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]

# Columns of a tail's state; all zero is new.
FIRST, SECOND, SINCE, SEEN = range(4)
COLUMNS = 4
LOG_2 = 0.6931471805599453
LEAST_DISTANCE = 0.25  # of the two points, in logarithms
LEAST_SHAPE, LARGEST_SHAPE = 0.4, 1.6
LARGEST_EXPONENT = 4.0
MOST_SEEN = 1e6
HEAVY = 0.15  # a new series' tail is taken to be this much longer, in logarithms


class Tail(NamedTuple):
    """What is known of a statistic before a series has shown its own."""

    first: float  # the point that a tenth exceeds, of Gaussian noise
    second: float
    apart: float  # events between two episodes
    rate: float  # episodes per event beyond the second point


@kernel
def rarity(tail: Tail, state: Singles, y: float) -> float:
    """Decades of `y` by the past in `state` `(COLUMNS,)`, then learn from it."""
    if not y > 0.0:
        return 0.0
    logarithm = log(y)
    first, second = log(tail.first) + state[FIRST], log(tail.second) + HEAVY + state[SECOND]
    beyond = logarithm - first
    shape = min(max(LOG_2 / max(second - first, LEAST_DISTANCE), LEAST_SHAPE), LARGEST_SHAPE)
    decades = exp(min(shape * beyond, LARGEST_EXPONENT)) if beyond > 0.0 else max(0.0, 1.0 + beyond)
    state[SEEN] = min(state[SEEN] + 1.0, MOST_SEEN)
    young = state[SEEN] * 0.1 + 20.0
    outside = logarithm > second
    hit = 1.0 if outside and state[SINCE] > tail.apart else 0.0
    step = max(0.03, 1.0 / young) * ((1.0 if beyond > 0.0 else 0.0) - 0.1)
    state[FIRST] = min(max(state[FIRST] + step, -1.0), 1.5)
    step = min(max(0.1, 3.0 / young), 0.3) * (hit - tail.rate)
    state[SECOND] = min(max(state[SECOND] + step, -0.6), 1.9)
    state[SINCE] = 0.0 if outside else state[SINCE] + 1.0
    return decades
