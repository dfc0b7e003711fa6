"""Early warning: the probability that a limit will be crossed, before it is.

Each step's predictive distribution, a Gaussian on either side of the forecast with the width of its interval, gives
a raw probability that a value lies beyond a limit; over targets these are combined as if independent:

    z = (limit - forecast) / deviation,   raw_step = 1 - product over targets and sides of Phi(z)

Over the whole horizon the truth lies between the steps being one and the same event (l_1, the logit of the largest
probability) and being independent (l_2, that of 1 - product). Where between is learned from what became of earlier
warnings, by one Newton step for each (Hazan et al. 2007, "Logarithmic regret algorithms"):

    raw = expit(w_0 + w_1 l_1 + w_2 l_2),   w from (0, 1/2, 1/2)

Raw values are then calibrated in `BINS` bins of their logit, which count warnings and crossings,

    P = (crossings + PRIOR raw) / (warnings + PRIOR),   logit(P) - logit(raw) linear between centres of bins

once for single steps and once for the whole horizon (histogram binning; Zadrozny and Elkan 2001). Whatever is wrong
with widths, tails or the dependence between steps is made good by the series' own outcomes. Neighbouring warnings
share most of their future: each counts as `EVIDENCE` of one. Single steps are settled at the marks of
`kernels/step_marks.py`, so that what waits for its outcome grows with the horizon and not with its square.

Without declared limits the usual range stands in: bounds that one value in 200 exceeds on each side, tracked online.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.step_marks import mark_at, marks_of, places_of, stride_of, waiting_of

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Entries of the `outcome` array that `observe` writes.
PROBABILITY, LEAD_STEPS, DRIVER, WARN = range(4)
OUTCOMES = 4

BINS = 21
LARGEST_LOGIT = 6.0  # probabilities are not told apart beyond .0025 and .9975
EVIDENCE = 0.25
FIRST_COVARIANCE = 1 / 3  # of the weights
PRIOR = 2.0  # warnings worth of trust in a raw probability
MEMORY = 4000.0  # warnings of a bin; older ones fade
STEPS, WHOLE = 0, 1  # the two tables of bins
LARGEST_OF, ANY_OF, RAW_OF = 0, 1, 2  # columns of what waits for the whole horizon
WHOLES = 3
RAISED, CROSSED = 0, 1  # columns of a bin
BEYOND_SHARE = 0.005  # of values beyond the usual range, on each side
RANGE_STEP = 2.0  # mean deviations that the usual range moves when it is exceeded
SIZE_GAIN = 0.01
LARGEST_VALUE = 1e300
MEAN_TO_DEVIATION = sqrt(np.pi / 2.0)  # the quantiles of `level_table` are in mean absolute deviations

# Columns of `usual`, per target.
LOW, HIGH, CENTRE, SIZE, SEEN = range(5)


class WarningConfig(NamedTuple):
    """Sizes and rates of the early warning."""

    targets: int
    horizon: int
    levels: int
    warn_at: float = 0.5


class WarningSeries(NamedTuple):
    """Early-warning state, one row per series; an all-zero row is a new series."""

    events: npt.NDArray[np.int64]  # (rows, 2): events so far, number of the last one beyond a limit
    waiting: Singles  # (rows, waiting): logits of the steps at the marks, until their value comes
    pending: Singles  # (rows, horizon origins, WHOLES): l_1, l_2 and the raw logit of all steps
    weights: Array  # (rows, 3): w
    covariance: Array  # (rows, 3, 3): of w
    bins: Array  # (rows, 2, BINS, 2): warnings raised and crossings seen, for steps and the whole horizon
    usual: Array  # (rows, targets, 5): the usual range


def allocate(config: WarningConfig, rows: int, *, wanted: bool = True) -> WarningSeries:
    """State of `rows` new series, without a number in it where no warnings are `wanted`."""
    horizon, targets, bins, weights = (config.horizon, config.targets, BINS, 3) if wanted else (0, 0, 0, 0)
    return WarningSeries(
        events=np.zeros((rows, 2 if wanted else 0), np.int64),
        waiting=np.zeros((rows, waiting_of(horizon) if wanted else 0), np.float32),
        pending=np.zeros((rows, horizon, WHOLES), np.float32),
        weights=np.zeros((rows, weights)),
        covariance=np.zeros((rows, weights, weights)),
        bins=np.zeros((rows, 2, bins, 2)),
        usual=np.zeros((rows, targets, 5)),
    )


def limit_table(limits: Sequence[tuple[float | None, float | None]]) -> Array:
    """Declared `(lower, upper)` limits per target as the array that `observe` takes, `(2, targets)`; NaN: none.

    Raises:
        ValueError: a lower limit that is not below the upper one.
    """
    for lower, upper in limits:
        if lower is not None and upper is not None and not lower < upper:
            raise ValueError(f"limits: lower {lower} is not below upper {upper}")
    table = [[np.nan if bound is None else float(bound) for bound in side] for side in zip(*limits, strict=True)]
    return np.array(table, dtype=np.float64)


@kernel
def _logit(p: float) -> float:
    if p <= 0.0:
        return -LARGEST_LOGIT
    if p >= 1.0:
        return LARGEST_LOGIT
    return min(max(log(p / (1.0 - p)), -LARGEST_LOGIT), LARGEST_LOGIT)


@kernel
def _calibrated(bins: Array, logit: float) -> float:
    """P(crossing) for a raw `logit`, from `bins` `(BINS, 2)`."""
    place = (logit + LARGEST_LOGIT) / (2.0 * LARGEST_LOGIT) * (BINS - 1)
    left = min(int(place), BINS - 2)
    part = place - left
    corrected = logit
    for side in range(2):
        known = bins[left + side]
        centre = (left + side) * (2.0 * LARGEST_LOGIT) / (BINS - 1) - LARGEST_LOGIT
        p = (known[CROSSED] + PRIOR / (1.0 + exp(-centre))) / (known[RAISED] + PRIOR)
        corrected += (part if side == 1 else 1.0 - part) * (log(p / (1.0 - p)) - centre)
    return 1.0 / (1.0 + exp(-corrected))


@kernel
def _settle(bins: Array, logit: float, crossed: bool) -> None:
    """Count one warning whose outcome is known, in the two bins around its logit; NaN: it was none."""
    if np.isnan(logit):
        return
    place = (logit + LARGEST_LOGIT) / (2.0 * LARGEST_LOGIT) * (BINS - 1)
    left = min(int(place), BINS - 2)
    part = place - left
    for side in range(2):
        known = bins[left + side]
        weight = part if side == 1 else 1.0 - part
        known[RAISED] += EVIDENCE * weight
        if crossed:
            known[CROSSED] += EVIDENCE * weight
        if known[RAISED] > MEMORY:
            known[RAISED] *= 0.5
            known[CROSSED] *= 0.5


@kernel
def _settle_steps(horizon: int, bins: Array, waiting: Singles, event: int, crossed: bool) -> None:
    """Settle what waited for this event's value, one logit of every mark at most."""
    first = 0
    for mark in range(marks_of(horizon)):
        step = mark_at(horizon, mark)
        stride, places = stride_of(step), places_of(step)
        if event >= step and (event - step) % stride == 0:
            _settle(bins, float(waiting[first + (event - step) // stride % places]), crossed)
        first += places


@kernel
def _learn_dependence(weights: Array, covariance: Array, one: float, two: float, crossed: bool) -> None:
    """One Newton step of w for a warning with logits l_1, l_2 whose outcome is known; NaN: it was none."""
    if np.isnan(one):
        return
    z = min(max(weights[0] + weights[1] * one + weights[2] * two, -30.0), 30.0)
    p = 1.0 / (1.0 + exp(-z))
    gain_0 = covariance[0, 0] + covariance[0, 1] * one + covariance[0, 2] * two
    gain_1 = covariance[1, 0] + covariance[1, 1] * one + covariance[1, 2] * two
    gain_2 = covariance[2, 0] + covariance[2, 1] * one + covariance[2, 2] * two
    scaled = gain_0 + gain_1 * one + gain_2 * two
    curvature = EVIDENCE * max(p * (1.0 - p), 0.02)
    shrink = curvature / (1.0 + curvature * scaled)
    gains = (gain_0, gain_1, gain_2)
    push = EVIDENCE * ((1.0 if crossed else 0.0) - p) * (1.0 - shrink * scaled)
    for i in range(3):
        for j in range(3):
            covariance[i, j] -= shrink * gains[i] * gains[j]
        weights[i] += push * gains[i]


@kernel
def _learn_usual(usual: Array, x: float) -> None:
    """One step of the tracked usual range of one target."""
    seen = usual[SEEN]
    if seen == 0.0:
        usual[LOW], usual[HIGH], usual[CENTRE] = x, x, x
    gain = max(1.0 / (seen + 1.0), SIZE_GAIN)
    off = abs(x - usual[CENTRE])
    usual[SIZE] += gain * ((min(off, 8.0 * usual[SIZE]) if seen > 20.0 else off) - usual[SIZE])
    usual[CENTRE] += gain * (
        min(max(x, usual[CENTRE] - 8.0 * usual[SIZE]), usual[CENTRE] + 8.0 * usual[SIZE]) - usual[CENTRE]
    )
    step = RANGE_STEP * usual[SIZE]
    usual[HIGH] += step * ((1.0 if x > usual[HIGH] else 0.0) - BEYOND_SHARE)
    usual[LOW] -= step * ((1.0 if x < usual[LOW] else 0.0) - BEYOND_SHARE)
    usual[SEEN] = seen + 1.0


@kernel
def _limit(limits: Array, usual: Array, declared: bool, side: int, target: int) -> float:
    """The limit in force, NaN for none."""
    if declared:
        return float(limits[side, target])
    if usual[target, SEEN] < 100.0:
        return np.nan
    return float(usual[target, LOW + side])


@kernel
def observe(
    config: WarningConfig,
    levels: Array,
    limits: Array,
    series: WarningSeries,
    row: int,
    x: Array,
    forecast: Array,
    lower: Array,
    upper: Array,
    steps: Array,
    outcome: Array,
) -> float:
    """Settle earlier warnings with `x`, then state the probability that a limit is crossed from here.

    Args:
        config: sizes and rates.
        levels: `(2, levels)`, from `intervals.level_table`.
        limits: `(2, targets)`, from `limit_table`; NaN where undeclared. When no limit at all is declared, the usual
            range of the series stands in.
        series: the state; row `row` changes.
        row: which series.
        x: `(targets,)` observed values, NaN where missing.
        forecast: `(horizon, targets)`, the new forecast, written after seeing `x`.
        lower: `(levels, horizon, targets)`, its bounds.
        upper: `(levels, horizon, targets)`.
        steps: `(horizon,)`, written: probability that some target is beyond a limit at that step.
        outcome: `(OUTCOMES,)`, written: probability over the whole horizon, expected lead in steps until the first
            crossing if there is one (NaN: none expected), index of the driving target (-1: none), 1.0 when the
            probability is at least `warn_at` and no limit is crossed already.

    Returns:
        The probability over the whole horizon.
    """
    horizon = config.horizon
    usual, bins, pending = series.usual[row], series.bins[row], series.pending[row]
    if series.events[row, 0] == 0:
        for i in range(3):
            series.weights[row, i] = 0.5 if i > 0 else 0.0
            series.covariance[row, i, i] = FIRST_COVARIANCE
    declared = False
    for target in range(config.targets):
        declared = declared or not (np.isnan(limits[0, target]) and np.isnan(limits[1, target]))
    beyond, known = False, False
    for target in range(config.targets):
        if abs(x[target]) <= LARGEST_VALUE:
            known = True
            beyond = beyond or x[target] < _limit(limits, usual, declared, 0, target)
            beyond = beyond or x[target] > _limit(limits, usual, declared, 1, target)
    event = series.events[row, 0]
    if beyond:
        series.events[row, 1] = event + 1
    if known:
        _settle_steps(horizon, bins[STEPS], series.waiting[row], event, beyond)
        if event >= horizon:
            whole = pending[event % horizon]
            crossed = series.events[row, 1] > event + 1 - horizon
            _settle(bins[WHOLE], float(whole[RAW_OF]), crossed)
            _learn_dependence(
                series.weights[row], series.covariance[row], float(whole[LARGEST_OF]), float(whole[ANY_OF]), crossed
            )
        for target in range(config.targets):
            if abs(x[target]) <= LARGEST_VALUE:
                _learn_usual(usual[target], x[target])
    probability, lead, driver = _ahead(
        config,
        levels,
        limits,
        declared,
        usual,
        series.weights[row],
        bins,
        forecast,
        lower,
        upper,
        steps,
        np.nan if beyond else 0.0,
        event,
        series.waiting[row],
        pending[event % horizon],
    )
    if beyond:  # what was raised with a limit crossed already is no warning, and would teach the bins another thing
        pending[event % horizon] = np.nan
    series.events[row, 0] = event + 1
    outcome[PROBABILITY] = probability
    outcome[LEAD_STEPS] = lead
    outcome[DRIVER] = float(driver)
    outcome[WARN] = 1.0 if probability >= config.warn_at and not beyond else 0.0
    return probability


@kernel
def _ahead(
    config: WarningConfig,
    levels: Array,
    limits: Array,
    declared: bool,
    usual: Array,
    weights: Array,
    bins: Array,
    forecast: Array,
    lower: Array,
    upper: Array,
    steps: Array,
    void: float,
    event: int,
    waiting: Singles,
    pending: Singles,
) -> tuple[float, float, int]:
    """Calibrated probabilities of the new forecast, its expected lead and driver; keeps the raw logits.

    `void` is added to those that are to be settled: NaN where this is no warning.
    """
    widest = 0
    for level in range(config.levels):
        if levels[0, level] > levels[0, widest]:
            widest = level
    deviations = levels[1, widest] / MEAN_TO_DEVIATION
    none, largest, strongest, driver = 1.0, 0.0, 0.0, -1
    stay, lead = 1.0, 0.0  # of the calibrated steps, for the expected lead
    mark, first = 0, 0  # the next one and its first place
    for step in range(config.horizon):
        keep = 1.0
        for target in range(config.targets):
            centre = forecast[step, target]
            for side in range(2):
                limit = _limit(limits, usual, declared, side, target)
                if np.isnan(limit) or np.isnan(centre):
                    continue
                width = upper[widest, step, target] - centre if side == 1 else centre - lower[widest, step, target]
                distance = limit - centre if side == 1 else centre - limit
                z = distance / max(width / deviations, 1e-12 * (abs(limit) + abs(centre)) + 1e-300)
                p = 0.5 * erfc(min(max(z, -30.0), 30.0) / sqrt(2.0))
                keep *= 1.0 - p
                if p > strongest:
                    strongest, driver = p, target
        largest = max(largest, 1.0 - keep)
        none *= keep
        logit = _logit(1.0 - keep)
        if step + 1 == mark_at(config.horizon, mark):
            stride, places = stride_of(step + 1), places_of(step + 1)
            if event % stride == 0:
                waiting[first + event // stride % places] = logit + void
            mark, first = mark + 1, first + places
        steps[step] = _calibrated(bins[STEPS], logit)
        lead += stay * steps[step] * (step + 1)
        stay *= 1.0 - steps[step]
    one, two = _logit(largest), _logit(1.0 - none)
    raw = min(max(weights[0] + weights[1] * one + weights[2] * two, -LARGEST_LOGIT), LARGEST_LOGIT)
    pending[LARGEST_OF], pending[ANY_OF], pending[RAW_OF] = one, two, raw
    probability = _calibrated(bins[WHOLE], raw)
    return probability, lead / (1.0 - stay) if stay < 1.0 else np.nan, driver
