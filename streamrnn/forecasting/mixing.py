"""Mixing experts by their regret, per target and per horizon step.

Half of an expert's weight is ML-Poly (Gaillard, Stoltz and van Erven 2014), half exponentially weighted averaging with
discounted losses. With the mixture o, the value y that came, and the experts p_k:

    r_k = 2 (o - y) (o - p_k) / unit^2,   R_k += r_k,   V_k += r_k^2,   weight ~ max(R_k, 0) / (1 + V_k)
    L_k = discount L_k + (y - p_k)^2 / unit^2,                          weight ~ exp(-(rate + EARLY / n) L_k)

The unit is the running median of the last value's absolute error, or a tenth of its root mean square where the series
mostly stands still. Errors are clipped at `CLIP` units, so that one spike cannot settle the regrets for good.

Expert 0 is the last value, and all forecasts are increments over it. Squared errors decide the weights; a series of
rare bursts can gain by them and still lose in absolute error, which is what a user sees on most days. So the mixture is
shrunk towards the last value: of the shares 1, 3/4, 1/2, 1/4, 0 the largest is published whose absolute error over
the past was no worse than the last value's, and it stakes no more than what is left of a budget: `TOLERANCE` of the
last value's errors so far and `LEAP` typical ones, plus what publishing has gained; less with many forecasts under way.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

# A mixture's numbers: R, V, L and weight of every expert, then
MEDIAN: Final = 0  # running median of |error of the last value|
SQUARE: Final = 1  # running mean square of it
SETTLED: Final = 2  # forecasts that met their value
SHARES: Final = 3  # discounted sums of absolute errors of the shares 0, 1/4, ... 1 of the mixture
PUBLISHED: Final = 8  # the same of what was published
PEAK: Final = 9  # largest |mixture| of late
OWN: Final = 10

CLIP = 8.0
SHARE_CLIP = 100.0
SHARE_DISCOUNT = 0.9998
PEAK_DISCOUNT = 0.995
TOLERANCE = 0.01
LEAP = 3.0  # typical errors that may be lost
HANDICAP = 0.5  # typical errors a quarter of the mixture must have gained before it is published
EARLY = 10.0  # added to the rate over the number of forecasts settled: short series cannot wait
TAIL = 3.0  # medians that a typical error has at most: stakes are not to be set by rare bursts
LEAST_UNIT = 1e-9


def mixing_size(experts: int) -> int:
    """Numbers one mixture keeps."""
    return 4 * experts + OWN


@kernel
def settle(state: Float64, experts: int, forecast: Float32, y: float, discount: float, rate: float) -> None:
    """Learn from the value `y`; `forecast` (experts + 2,): what the experts, the mixture and the publication said."""
    out_of_line()
    R, V, L, weight = state[:experts], state[experts:], state[2 * experts :], state[3 * experts :]
    own = state[4 * experts :]
    o = float(forecast[experts])
    own[SETTLED] += 1.0
    n = own[SETTLED]
    last = abs(y - float(forecast[0]))
    square = own[SQUARE]
    own[SQUARE] += max(0.003, 1.0 / n) * ((min(last * last, 100.0 * square) if square > 0.0 else last * last) - square)
    pace = 1.0 + max(0.03, 0.5 / n)
    if own[MEDIAN] <= 0.0:
        own[MEDIAN] = last
    elif last > own[MEDIAN]:
        own[MEDIAN] *= pace
    else:
        own[MEDIAN] /= pace
    unit = max(own[MEDIAN], 0.1 * math.sqrt(own[SQUARE]), LEAST_UNIT)
    for k in range(5):
        own[SHARES + k] = SHARE_DISCOUNT * own[SHARES + k] + min(abs(y - 0.25 * k * o), SHARE_CLIP * unit)
    own[PUBLISHED] = SHARE_DISCOUNT * own[PUBLISHED] + min(abs(y - float(forecast[experts + 1])), SHARE_CLIP * unit)
    own[PEAK] = max(min(abs(o), 2.0 * own[PEAK] + unit), PEAK_DISCOUNT * own[PEAK])
    limit = CLIP * unit
    error = clip(o - y, limit)
    lowest = math.inf
    total = 0.0
    for k in range(experts):
        p = clip(float(forecast[k]) - o, limit)
        r = -2.0 * error * p / (unit * unit)
        R[k] += r
        V[k] += r * r
        away = (error + p) / unit
        L[k] = discount * L[k] + away * away
        lowest = min(lowest, L[k])
        total += max(R[k], 0.0) / (1.0 + V[k])
    hasty = rate + EARLY / n
    exponential = 0.0
    for k in range(experts):
        weight[k] = math.exp(-hasty * (L[k] - lowest))
        exponential += weight[k]
    for k in range(experts):
        poly = max(R[k], 0.0) / ((1.0 + V[k]) * total) if total > 0.0 else 1.0 / experts
        weight[k] = 0.5 * (weight[k] / exponential + poly)


@kernel
def mix(z: Float64, state: int, experts: int, forecast: Float64) -> float:
    """The mixture, whose numbers lie at z[state], of what the experts say (experts,)."""
    if z[state + 4 * experts + SETTLED] == 0.0:
        return 0.0
    total = 0.0
    for k in range(experts):
        total += z[state + 3 * experts + k] * forecast[k]
    return total


@kernel
def publish(z: Float64, state: int, experts: int, mixed: float, steps: int) -> float:
    """What to say of the mixture, whose numbers lie at z[state], for a value that comes `steps` events later."""
    own = state + 4 * experts
    sums, spread = own + SHARES, math.sqrt(z[own + SQUARE])
    typical = min(spread, TAIL * max(z[own + MEDIAN], 0.1 * spread))
    # What may be lost is left of a budget, to which gains add; `steps` forecasts are under way at once.
    allowed = (LEAP * typical + TOLERANCE * z[sums] + z[sums] - z[own + PUBLISHED]) / math.sqrt(steps)
    if allowed <= 0.0:
        return 0.0
    for k in range(4, 0, -1):
        if z[sums + k] + HANDICAP * typical * k <= z[sums]:
            # All forecasts shrink alike: if only large ones were cut, the noise of small ones would eat the budget.
            peak: float = 0.25 * k * max(abs(mixed), z[own + PEAK])
            return 0.25 * k * mixed * (allowed / peak if peak > allowed else 1.0)
    return 0.0
