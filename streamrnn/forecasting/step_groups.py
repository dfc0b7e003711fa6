"""Mixing the experts of the steps 2..H in groups of steps, for two losses.

Groups are spaced by logarithms (2, 3-4, 5-8 ...). Every group has a mixture for the mean (squared error) and one for
the median (absolute error), by ML-Poly (Gaillard, Stoltz and van Erven 2014): with the mixture o, the value y, the
experts p_k and the running median u of |y - o|, or a share of its root mean square (`UNIT_FLOOR`) where that is more,

    mean    r_k = 2 (o - y) (o - p_k) / u^2         median    r_k = sign(o - y) (o - p_k) / u
    R_k = d R_k + r_k,   V_k = d V_k + r_k^2,   weight_k ~ max(R_k, 0) / (1 + V_k)

Few independent errors of a far step are seen while a series is young: simple experts (`far_state.SIMPLE`) have a regret
of 1 from the beginning, so that one lucky forecast is not all of the mixture. An expert that says NaN sleeps, and a
share of the median's mixture is published, as in `blending.py`.

Differences are clipped at `CLIP` u. Where o - p_k is, r_k is the true difference of the two losses: in its linear form
an expert that is thousands of units off would get no blame for it while the mixture's own errors are symmetric.

A group learns from its members in turn: every origin picks one at random (a fixed scramble of the event number; one
fixed member, or one that keeps step with a season, was measured to break long seasons), as long as one of the group's
`SLOTS` places for forecasts that wait for their value is free.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.half import Halves, Quarters, from_quarter, half, quarter, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

MOST_GROUPS: Final = 6
SLOTS: Final = 8
CLIP = 8.0
# A smaller unit clips most of the blame where errors are mostly small and sometimes huge. By loss: mean, median.
UNIT_FLOOR = (0.2, 0.1)
DISCOUNT = 0.9998  # of R and V per forecast settled: a poor beginning is not held against an expert for ever
MOST = 1e15  # sigmas: squares must fit a float32

# A mixture's numbers: R of every expert, then
MEDIAN: Final = 0
SQUARE: Final = 1
SETTLED: Final = 2
OWN: Final = 3
# After the two mixtures of a group: absolute errors of the shares 0, 1/4 ... 1 of the median's, in its units.
SHARES: Final = 5
NAP = 0.3  # of the others' mean r^2 that an expert which says nothing takes
SHARE_CLIP = 100.0
TOLERANCE = 0.01
LEAP = 3.0  # units
# A slot is the mixture of the first loss (a single) and, in 16 bits: events left (0: free), step, and the mixture of
# the second loss less that of the first. How far the experts are from the first mixture takes 8 bits each: of that, 3 %
# is no error that matters. A byte before them has the power of two that they begin with.
LEFT: Final = 0
STEP: Final = 1
MEDIANS: Final = 2
WAITING: Final = 3
ASLEEP: Final = 0x80  # the byte of an expert that says nothing
OCTAVES: Final = 16  # of a quarter
LOWEST: Final = 128  # the byte of 2^0


def group_bounds(horizon: int) -> NDArray[np.int64]:
    """First step of every group, and one past the last step."""
    count = min(MOST_GROUPS, horizon - 1)
    edges = np.exp(np.linspace(math.log(2), math.log(horizon + 1), count + 1))
    return np.unique(np.round(edges).astype(np.int64))


def slots_of(bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """First slot of every group, and one past the last."""
    counts = np.minimum(SLOTS, bounds[1:] - 1)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@kernel
def group_size(experts: int) -> int:
    """Numbers of one group: two mixtures, and shares of the second."""
    return 2 * (experts + OWN) + SHARES


@kernel
def said_size(experts: int) -> int:
    """Bytes that a slot keeps of what the experts said."""
    return 1 + experts


@kernel
def scrambled(number: int, salt: int, count: int) -> int:
    """One of `count` by a fixed scramble (the finalizer of MurmurHash3) of two numbers."""
    h = np.uint64(number) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt) * np.uint64(0xC2B2AE3D27D4EB4F)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return int((h >> np.uint64(40)) % np.uint64(count))


@kernel
def wait(
    slots: Float32, waiting: Halves, said: Quarters, place: int, step: int, mean: float, median: float,
    forecasts: Float64,
) -> None:  # fmt: skip
    """Let the two mixtures and what the experts forecast (experts,) wait in a place until the value comes."""
    own, first = waiting[place * WAITING :], place * said_size(forecasts.size)
    slots[place] = mean
    own[LEFT] = own[STEP] = step
    own[MEDIANS] = half(median - float(slots[place]))
    most = 0.0
    for j in range(forecasts.size):
        if math.isfinite(forecasts[j]):
            most = max(most, abs(clip(forecasts[j] - float(slots[place]), MOST)))
    lowest = max(-100, math.frexp(most)[1] - OCTAVES)
    said[first] = lowest + LOWEST
    for j in range(forecasts.size):
        away = clip(forecasts[j] - float(slots[place]), MOST)
        code = quarter(away, lowest)
        said[first + 1 + j] = ASLEEP if not math.isfinite(forecasts[j]) else (0 if code == ASLEEP else code)


@kernel
def _away(said: Quarters, j: int) -> float:
    """What expert j said in a slot, less the first mixture; NaN: nothing."""
    return math.nan if said[1 + j] == ASLEEP else from_quarter(said[1 + j], int(said[0]) - LOWEST)


@kernel
def settle(
    state: Float32, variances: Halves, experts: int, o: float, apart: float, said: Quarters, loss: int, y: float,
    share: float,
) -> None:  # fmt: skip
    """One mixture, which had forecast `o`, learns that the value was `y`; loss 0: squared, 1: absolute.

    said (1 + experts,) is what the experts forecast less the first mixture, and `apart` the first mixture less `o`.
    V, in variances (experts,), is rounded up from `share` of the last bit on.
    """
    own = state[experts:]
    own[SETTLED] += np.float32(1.0)
    n = min(float(own[SETTLED]), 1e6)
    away = abs(y - o)
    square = float(own[SQUARE])
    seen = min(away * away, 100.0 * square) if square > 0.0 else away * away
    own[SQUARE] = square + max(0.003, 1.0 / n) * (seen - square)
    median, pace = float(own[MEDIAN]), 1.0 + max(0.03, 0.5 / n)
    median = away if median <= 0.0 else (median * pace if away > median else median / pace)
    own[MEDIAN] = median
    unit = max(median, UNIT_FLOOR[loss] * math.sqrt(float(own[SQUARE])))
    if not unit > 1e-30:
        return
    limit = CLIP * unit
    error = clip(o - y, limit) / unit
    squares, awake = 0.0, 0.0
    for j in range(experts):
        away = _away(said, j) + apart
        a = clip(away, limit) / unit
        if math.isnan(away):
            r = 0.0
        elif loss == 0:
            r = -2.0 * error * a - (a * a if abs(away) > limit else 0.0)
        elif abs(away) > limit:
            r = abs(error) - abs(error + a)
        else:
            r = -a if error > 0.0 else (a if error < 0.0 else 0.0)
        if not math.isnan(away):
            squares += r * r
            awake += 1.0
        state[j] = DISCOUNT * float(state[j]) + r
        variances[j] = half(DISCOUNT * whole(variances[j]) + r * r, share)
    for j in range(experts):
        if said[1 + j] == ASLEEP and awake > 0.0:
            variances[j] = half(whole(variances[j]) + NAP * squares / awake, share)
    if loss == 1:
        shares = state[size_of(experts) :]
        for k in range(SHARES):
            lost = min(abs(y - 0.25 * k * o) / unit, SHARE_CLIP)
            shares[k] = DISCOUNT * float(shares[k]) + lost


@kernel
def share(shares: Float32) -> float:
    """The largest share of the median's mixture that has lost no more than may be lost to the last value."""
    allowed = (1.0 + TOLERANCE) * float(shares[0]) + LEAP
    for k in range(SHARES - 1, 0, -1):
        if shares[k] <= allowed:
            return 0.25 * k
    return 0.0


@kernel
def weigh(state: Float32, variances: Halves, experts: int, prior: Float64, weights: Float64) -> bool:
    """Write the mixture's weights; False where it has settled nothing yet. prior (experts,) is added to the regrets."""
    if state[experts + SETTLED] == 0.0:
        return False
    total = 0.0
    for j in range(experts):
        weights[j] = max(float(state[j]) + prior[j], 0.0) / (1.0 + whole(variances[j]))
        total += weights[j]
    for j in range(experts):
        weights[j] = weights[j] / total if total > 0.0 else 1.0 / experts
    return True


@kernel
def come(
    mixtures: Float32, variances: Halves, slots: Float32, waiting: Halves, said: Quarters, first: Int64, experts: int,
    previous: Float64, inverse: float, known: bool, share: float,
) -> None:  # fmt: skip
    """A value came (`known`: it was not missing): settle the forecasts that waited for it.

    previous (values,) newest first, the value itself at 0; inverse = 1 / sigma. Slots hold forecasts less the value at
    their origin, in sigmas.
    """
    out_of_line()
    size, group = size_of(experts), group_size(experts)
    for g in range(first.size - 1):
        for j in range(first[g], first[g + 1]):
            slot = waiting[j * WAITING : (j + 1) * WAITING]
            if slot[LEFT] > 0:
                slot[LEFT] -= np.uint16(1)
                if slot[LEFT] == 0 and known:
                    y = clip((previous[0] - previous[int(slot[STEP])]) * inverse, MOST)
                    own = said[j * said_size(experts) : (j + 1) * said_size(experts)]
                    for loss in range(2):
                        at, spread = g * group + loss * size, (2 * g + loss) * experts
                        apart = -whole(slot[MEDIANS]) if loss == 1 else 0.0
                        settle(
                            mixtures[at : (g + 1) * group], variances[spread : spread + experts], experts,
                            float(slots[j]) - apart, apart, own, loss, y, share,
                        )  # fmt: skip


@kernel
def size_of(experts: int) -> int:
    """Numbers of one mixture."""
    return experts + OWN
