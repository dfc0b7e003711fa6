"""Mixing the experts of the next step, per target: a mixture for the mean and one for the median.

Each of the two is the average of a slow and a hasty mixture; half of a weight is ML-Poly (Gaillard, Stoltz and van
Erven 2014), half exponentially weighted averaging with discounted losses. With the mixture o, the value y that came,
and the experts p_k, all in units u of the running median of the last value's error:

    mean     r_k = 2 (o - y) (o - p_k),        l_k = (y - p_k)^2
    median   r_k = sign(o - y) (o - p_k),      l_k = |y - p_k|
    R_k = a R_k + r_k,   V_k = a V_k + r_k^2   weight ~ max(R_k, 0) / (1 + V_k)
    L_k = b L_k + l_k - the mixture's own      weight ~ exp(-(rate + early / n) L_k)

Squared error is smallest at the conditional mean, absolute error at the conditional median: a series of rare bursts has
its mean above and its median at what it is on most days. Errors are clipped at `CLIP` units, so that one spike cannot
settle the regrets for good. A hasty mixture pays for its haste where nothing changes, a slow one where something does;
their average loses little in both.

Where a series mostly stands still its last value is its median, and the least weight of any other expert is lost. Of
the shares 1, 3/4, 1/2, 1/4, 0 of the way from the last value to the median's mixture the largest is published that has
lost no more than `TOLERANCE` of the last value's errors and `LEAP` typical ones.

An expert that says NaN knows nothing yet (a week that has not been seen): it sleeps. It has no weight, no regret, the
mixture's own loss and a little more, and a share of the others' V, so that one lucky forecast after it has woken does
not make it the best of all. (Were it to say what the last value says, it would inherit the last value's good name.)

What an expert has earned by many small steps says nothing of a large one. The part of the mean's step y beyond `LARGE`
root mean squares of the last value's error counts only with the share of such steps that came true before:

    b = (1/2 c + sum y m) / (c + sum m^2)        c = LARGE^2, sums over earlier steps m of that size, root mean squares

Young series (`weights: partition`) start from what the partition knows about series of their age: mean r, r^2 and l in
bins of age, counted as `PRIOR` events more.

V and L take 16 bits a number, rounded up as often as the part after the point says, and so does what an expert
forecast, less what the first mixture did: of a difference, .4 % is no error that matters.

Expert 0 is the last value, and all forecasts are increments over it in sigmas. The last expert forecasts zero; it is
for the median alone, because intermittent demand has its median there.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.half import half, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]

# A target's numbers.
UNIT: Final = 0  # running median of the last value's absolute error, original units
SPREAD: Final = 1  # running root mean square of it
SETTLED: Final = 2  # forecasts that met their value
SHARES: Final = 3  # discounted absolute errors of the shares 0, 1/4 ... 1 of the median's mixture
CAME: Final = 8  # discounted sums of y m and of m^2 over the mean's large steps m
OWN: Final = 10  # then the pending forecasts of the mixtures, and R of every expert for each mixture

MEAN, MEDIAN = 0, 2  # the slow mixture of each loss; the hasty one follows
MIXTURES: Final = 4
REGRET_DISCOUNT = (1.0, 0.998, 1.0, 0.998)
LOSS_DISCOUNT = (0.99, 0.95, 0.98, 0.95)
RATE = (0.1, 0.5, 0.3, 0.5)
EARLY = (10.0, 3.0, 3.0, 3.0)
ASLEEP = 0.5  # loss of an expert that sleeps, beyond the mixture's
NAP = 0.3  # of the others' mean r^2 that it takes
LARGE = 4.0  # root mean squares of the last value's error
MOST_LARGE = 1e9

CLIP = 8.0
LEAST_UNIT = 1e-9  # sigmas
MOST = 1e37  # what a float32 holds
SHARE_DISCOUNT = 0.9998
SHARE_CLIP = 100.0  # units
TOLERANCE = 0.01
LEAP = 0.5  # typical errors that may be lost
TAIL = 3.0  # units that a typical error has at most
AGES: Final = 6  # bins of age
PRIOR = 20.0  # events that the partition's experience counts as
PRIOR_RATE = 0.002
SHOWN: Final = 255.0  # the byte of a weight of 1
PRIOR_FROM = 20.0  # events of that age before the partition's experience counts


class Experience(NamedTuple):
    """What the partition knows of series of an age."""

    seen: Float64  # (slots, AGES) values
    means: Float64  # (slots, AGES, MIXTURES, 3, experts) mean r, r^2 and l


class Mixtures(NamedTuple):
    """What one target keeps."""

    numbers: Float32  # (mixture_numbers(experts),)
    halves: Int16  # (mixture_halves(experts),) V and L of every expert for each mixture, the experts' pending forecasts
    shown: UInt8  # (experts,) weights of the mean, for those who watch


def mixture_numbers(experts: int) -> int:
    """Singles that one target keeps."""
    return OWN + MIXTURES + MIXTURES * experts


def mixture_halves(experts: int) -> int:
    """Halves that one target keeps."""
    return (2 * MIXTURES + 1) * experts


def new_experience(slots: int, experts: int) -> Experience:
    """None yet."""
    return Experience(np.zeros((slots, AGES)), np.zeros((slots, AGES, MIXTURES, 3, experts)))


@kernel
def age_bin(age: float) -> int:
    """The bin of a series that has seen `age` values."""
    if age < 6.0:
        return 0 if age < 3.0 else 1
    if age < 25.0:
        return 2 if age < 12.0 else 3
    return 4 if age < 60.0 else 5


@kernel
def stored(halves: Int16, k: int) -> float:
    """The number at halves[k]."""
    return whole(int(np.uint16(halves[k])))


@kernel
def learn_blend(
    kept: Mixtures, experts: int, pooled: bool, shared: Experience, age: float, y: float, sigma: float, share: float,
    room: Float64,
) -> None:  # fmt: skip
    """Tell the mixtures the step `y` (sigmas) that came when the series had seen `age` values.

    `share` says from which part of the last bit on is rounded up; `room` (experts,) is to work in.
    """
    out_of_line()
    state, halves = kept.numbers, kept.halves
    pending, said = state[OWN : OWN + MIXTURES], halves[2 * MIXTURES * experts :]
    error = min(abs(y) * sigma, MOST)
    if not error >= 0.0:
        return
    state[SETTLED] += 1.0
    n, spread = float(state[SETTLED]), float(state[SPREAD])
    square, bounded = spread * spread, min(error, 10.0 * spread) if spread > 0.0 else error
    state[SPREAD] = math.sqrt(square + max(0.003, 1.0 / n) * (bounded * bounded - square))
    pace = 1.0 + max(0.03, 0.5 / n)
    if state[UNIT] <= 0.0:
        state[UNIT] = error
    elif error > state[UNIT]:
        state[UNIT] = min(float(state[UNIT]) * pace, MOST)
    else:
        state[UNIT] /= pace
    unit = max(float(state[UNIT]), 0.1 * float(state[SPREAD])) / sigma
    if not unit > LEAST_UNIT:
        return
    b = age_bin(age)
    known = shared.means[b]
    if pooled:
        shared.seen[b] += 1.0
    pace = max(PRIOR_RATE, 1.0 / max(shared.seen[b], 1.0))
    inverse = 1.0 / unit
    middle = 0.5 * (float(pending[MEDIAN]) + float(pending[MEDIAN + 1]))
    for k in range(5):
        lost = min(abs(y - 0.25 * k * middle), SHARE_CLIP * unit) * sigma
        state[SHARES + k] = min(SHARE_DISCOUNT * float(state[SHARES + k]) + lost, MOST)
    mean = 0.5 * (float(pending[MEAN]) + float(pending[MEAN + 1]))
    spread = float(state[SPREAD]) / sigma
    if abs(mean) > LARGE * spread:
        mean /= spread
        state[CAME] = SHARE_DISCOUNT * float(state[CAME]) + clip(y / spread * mean, MOST_LARGE)
        state[CAME + 1] = SHARE_DISCOUNT * float(state[CAME + 1]) + min(mean * mean, MOST_LARGE)
    for m in range(MIXTURES):
        output = float(pending[m])
        away, apart = clip((output - y) * inverse, CLIP), float(pending[MEAN]) - output
        sign = 1.0 if away > 0.0 else (-1.0 if away < 0.0 else 0.0)
        own = away * away if m < MEDIAN else abs(away)
        regrets, block, squares, awake = OWN + MIXTURES + m * experts, 2 * m * experts, 0.0, 0.0
        for k in range(experts):
            ahead = stored(said, k)
            p = clip((ahead + apart) * inverse, CLIP)
            if math.isnan(ahead):
                r, loss = 0.0, own + ASLEEP
            elif m < MEDIAN:
                r, loss = -2.0 * away * p, (away + p) * (away + p)
            else:
                r, loss = -sign * p, abs(away + p)
            if not math.isnan(ahead):
                squares += r * r
                awake += 1.0
            state[regrets + k] = REGRET_DISCOUNT[m] * state[regrets + k] + r
            room[k] = REGRET_DISCOUNT[m] * stored(halves, block + k) + r * r
            lost = LOSS_DISCOUNT[m] * stored(halves, block + experts + k) + loss - own
            halves[block + experts + k] = np.int16(half(lost, share))
            if pooled:
                known[m, 0, k] += pace * (r - known[m, 0, k])
                known[m, 1, k] += pace * (r * r - known[m, 1, k])
                known[m, 2, k] += pace * (loss - known[m, 2, k])
        for k in range(experts):
            if math.isnan(stored(said, k)):
                room[k] += NAP * squares / awake
                if pooled:
                    known[m, 1, k] += pace * NAP * squares / awake
            halves[block + k] = np.int16(half(room[k], share))


@kernel
def blend_weights(
    kept: Mixtures, experts: int, pooled: bool, shared: Experience, age: float, m: int, said: Float64, out: Float64
) -> None:
    """Write the weights of mixture `m` (experts,), which add up to 1, for a series that has seen `age` values.

    An expert that says NaN in `said` (experts,) has none.
    """
    state, halves = kept.numbers, kept.halves
    n = float(state[SETTLED])
    b = age_bin(age)
    prior = PRIOR if pooled and shared.seen[b] > PRIOR_FROM else 0.0
    used = experts if m >= MEDIAN else experts - 1
    for k in range(experts):
        out[k] = 0.0
    if (n == 0.0 and prior == 0.0) or (n > 0.0 and state[SPREAD] == 0.0):  # the last value has always been right
        out[0] = 1.0
        return
    regrets, block, known = OWN + MIXTURES + m * experts, 2 * m * experts, shared.means[b, m]
    rate = RATE[m] if prior > 0.0 else RATE[m] + EARLY[m] / n
    lowest, total, awake = math.inf, 0.0, 0.0
    for k in range(used):
        if not math.isnan(said[k]):
            out[k] = stored(halves, block + experts + k) + prior * known[2, k]
            lowest = min(lowest, out[k])
            awake += 1.0
    exponential = 0.0
    for k in range(used):
        if math.isnan(said[k]):
            continue
        out[k] = math.exp(-rate * (out[k] - lowest))
        exponential += out[k]
        total += max(state[regrets + k] + prior * known[0, k], 0.0) / (
            1.0 + stored(halves, block + k) + prior * known[1, k]
        )
    for k in range(used):
        if math.isnan(said[k]):
            continue
        poly = 1.0 / awake
        if total > 0.0:
            regret = max(state[regrets + k] + prior * known[0, k], 0.0)
            poly = regret / ((1.0 + stored(halves, block + k) + prior * known[1, k]) * total)
        out[k] = 0.5 * (out[k] / exponential + poly)


@kernel
def blend(
    kept: Mixtures, experts: int, pooled: bool, shared: Experience, age: float, said: Float64, weights: Float64,
    room: Float64, sigma: float,
) -> tuple[float, float]:  # fmt: skip
    """Mean and median (sigmas over the last value) of what the experts say (experts,), kept until the value comes.

    weights (experts,) and room (experts,) are to work in.
    """
    out_of_line()
    state, pending = kept.numbers, kept.halves[2 * MIXTURES * experts :]
    for k in range(experts):
        room[k] = 0.0
    mean, median = 0.0, 0.0
    for m in range(MIXTURES):
        blend_weights(kept, experts, pooled, shared, age, m, said, weights)
        mixed = 0.0
        for k in range(experts):
            if weights[k] > 0.0:
                mixed += weights[k] * said[k]
        state[OWN + m] = mixed
        if m < MEDIAN:
            mean += 0.5 * mixed
            for k in range(experts):
                room[k] += 0.5 * weights[k]
        else:
            median += 0.5 * mixed
    for k in range(experts):
        pending[k] = np.int16(half(said[k] - float(state[OWN + MEAN])))
        kept.shown[k] = np.uint8(SHOWN * room[k] + 0.5)
    return _believed(state, mean, sigma), _share(state) * median


@kernel
def _believed(state: Float32, mean: float, sigma: float) -> float:
    """The mean's step, its part beyond `LARGE` as far as such steps came true before."""
    limit = LARGE * float(state[SPREAD]) / sigma if sigma > 0.0 else 0.0
    if not abs(mean) > limit > 0.0:
        return mean
    prior = LARGE * LARGE
    share = (0.5 * prior + float(state[CAME])) / (prior + float(state[CAME + 1]))
    size = limit + max(0.0, min(1.0, share)) * (abs(mean) - limit)
    return size if mean > 0.0 else -size


@kernel
def _share(state: Float32) -> float:
    """The largest share of the median's mixture that has lost no more than may be lost to the last value."""
    spread = float(state[SPREAD])
    typical = min(spread, TAIL * max(float(state[UNIT]), 0.1 * spread))
    allowed = (1.0 + TOLERANCE) * float(state[SHARES]) + LEAP * typical
    for k in range(4, 0, -1):
        if state[SHARES + k] <= allowed:
            return 0.25 * k
    return 0.0
