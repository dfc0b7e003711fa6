"""Prediction intervals that keep their coverage while the series drifts.

For every target and horizon step, two quantile trackers follow the residuals in units of their running size:

    e = |x - forecast|,  size += g_m (min(e, 8 size) - size),  g_m = max(g, 1 / m)
    lower = forecast - below size,  upper = forecast + above size
    above += eta (1[x > upper] - a),  a = (1 - level) / 2,  eta ~ a^(-1/2)    (below: mirrored)

A tracker that only counts misses makes no assumption about the residuals: over T events its miss rate is a up to
(above_T - above_1) / (eta T) (Gibbs and Candès 2021, "Adaptive conformal inference under distribution shift"; the
quantile tracker of Angelopoulos, Candès and Tibshirani 2023). Unlike adaptive conformal inference it never emits
an infinite interval. The running size makes the step dimensionless and lets the width follow volatility at once.

Trackers stand at the `MARKS` 1, 2, 3, 4, 6, 8, 12, 16, 24 ... and at the last step; widths between two of them are
interpolated over the square root of the step. At far marks only every `stride`th event leaves a forecast that waits for
its value (a number that divides no day), so the state grows much slower than the horizon.

Promises, for every event: bounds are finite, mean and median lie within them, and intervals of a higher level contain
those of a lower one. Until its 20th residual a series borrows the widths of the partition's series at that age, see
`pooled_widths.py`. Where there were none, a step that has not settled borrows the width of the longest step that has,
grown by the square root of the step; and while every residual so far was zero the size is

    |forecast| / (residuals + 1),  of a forecast of zero 1 / (residuals + 1)

as long as the level asks for it: after n of them another one is different with a probability of about 1 / (n + 1),
which an interval of level l must cover until n is 1 / (1 - l). A missing target (NaN) teaches nothing. A single absurd
value cannot widen intervals for long: the size forgets it after two blocks of 64 residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.forecasting import pooled_widths
from streamrnn.forecasting.pooled_widths import PooledWidths
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.running_scale import PEAK_BLOCK, running_size
from streamrnn.kernels.step_marks import mark_at, marks_of, places_of, steps_tracked, stride_of, waiting_of

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

SIZE_GAIN = 0.05  # memory of the running size: 20 residuals
STEP = 0.1  # eta of a 90 % interval, in running sizes per miss
LARGEST = 1e300  # bounds stay representable whatever the forecast
LARGEST_SINGLE = 1e37
MOST_SETTLED: Final = 1 << 30  # counted at most; a multiple of PEAK_BLOCK, as is half of it


class IntervalConfig(NamedTuple):
    """Sizes of the interval state."""

    targets: int
    horizon: int
    levels: int  # how many levels; the levels themselves travel beside, see `level_table`
    pooled: bool  # young series borrow from those before them, see `pooled_widths.py`


class IntervalSeries(NamedTuple):
    """Interval state, one row per series; an all-zero row is a new series."""

    events: npt.NDArray[np.int64]  # (rows,)
    pending: Array  # (rows, waiting, targets): forecasts
    unit: Array  # (rows, targets): what their distances are kept in, 0 before the first
    distances: Singles  # (rows, waiting, 2 levels, targets): how far below and above them the bounds were
    settled: npt.NDArray[np.int32]  # (rows, marks, targets): residuals seen
    size: Array  # (rows, marks, targets): running mean of |residual|
    peak: Array  # (rows, marks, targets): largest |residual| of this block
    last_peak: Array  # (rows, marks, targets): largest of the block before
    below: Singles  # (rows, levels, marks, targets): distance of the lower bound, in running sizes
    above: Singles  # (rows, levels, marks, targets)


def level_table(levels: Sequence[float]) -> Array:
    """What `observe` needs to know of the levels, e.g. of `(0.5, 0.9, 0.99)`; shape `(2, levels)`.

    Row 0 holds the levels, row 1 where their trackers start: the quantile of a Gaussian, in units of its mean
    absolute value.

    Raises:
        ValueError: when there is none, or one is not strictly between 0 and 1.
    """
    if not levels or not all(0.0 < level < 1.0 for level in levels):
        raise ValueError(f"interval levels must lie strictly between 0 and 1, at least one: {levels!r}")
    normal = NormalDist()
    return np.array([levels, [normal.inv_cdf(0.5 + level / 2) * sqrt(np.pi / 2) for level in levels]])


def allocate(config: IntervalConfig, rows: int) -> IntervalSeries:
    """State of `rows` new series."""
    marks, waiting = len(steps_tracked(config.horizon)), waiting_of(config.horizon)
    steps = (rows, marks, config.targets)
    quantiles = (rows, config.levels, marks, config.targets)
    return IntervalSeries(
        events=np.zeros(rows, np.int64),
        pending=np.zeros((rows, waiting, config.targets)),
        unit=np.zeros((rows, config.targets)),
        distances=np.zeros((rows, waiting, 2 * config.levels, config.targets), np.float32),
        settled=np.zeros(steps, np.int32),
        size=np.zeros(steps),
        peak=np.zeros(steps),
        last_peak=np.zeros(steps),
        below=np.zeros(quantiles, np.float32),
        above=np.zeros(quantiles, np.float32),
    )


def allocate_shared(config: IntervalConfig) -> PooledWidths:
    """What the partition knows of young series."""
    return pooled_widths.allocate(len(steps_tracked(config.horizon)), config.targets, config.levels)


@kernel
def _settle(
    config: IntervalConfig,
    levels: Array,
    shared: PooledWidths,
    series: IntervalSeries,
    row: int,
    mark: int,
    step: int,
    place: int,
    target: int,
    residual: float,
) -> None:
    """Learn from one residual `x - forecast`, in original units, of the forecast of step `step` that waited in `place`.

    Misses are those of the bounds that were published. Residuals of far steps overlap: bounds of now know of this
    residual's neighbours, and trackers that looked at them would learn a coverage that no bound had.
    """
    seen = int(series.settled[row, mark, target])
    size = series.size[row, mark, target]
    if config.pooled and seen <= pooled_widths.GROWN:
        center = series.pending[row, place, target]
        pooled_widths.learn(
            shared.sizes[mark, target], shared.ratios[mark, target], levels, center, residual, seen, size
        )
    if seen > 0 and size > 0.0:
        unit, waited = series.unit[row, target], series.distances[row, place]
        for level in range(config.levels):
            tail = 0.5 * (1.0 - levels[0, level])
            above = float(series.above[row, level, mark, target])
            below = float(series.below[row, level, mark, target])
            # Bounds of low levels are close, and runs of hits must not close them; those of high ones see few misses.
            eta = STEP * min(2.0, sqrt(0.05 / tail))
            above += eta * ((1.0 if residual > unit * waited[config.levels + level, target] else 0.0) - tail)
            below += eta * ((1.0 if -residual > unit * waited[level, target] else 0.0) - tail)
            series.above[row, level, mark, target] = max(above, 0.0)
            series.below[row, level, mark, target] = max(below, 0.0)
    elif seen == 0:
        for level in range(config.levels):
            series.above[row, level, mark, target] = levels[1, level]
            series.below[row, level, mark, target] = levels[1, level]
    absolute = abs(residual)
    if mark == 0 and size == 0.0 and absolute > 0.0:
        _change_unit(series.unit[row], series.distances[row], target, absolute)
    # Residuals of far steps overlap: as many independent ones take longer to come.
    gain = max(1.0 / (seen + 1.0), SIZE_GAIN * stride_of(step) / (1.0 + 0.25 * (step - 1)))
    series.size[row, mark, target] = running_size(size, series.last_peak[row, mark, target], absolute, gain)
    series.settled[row, mark, target] = seen + 1 if seen + 1 < MOST_SETTLED else MOST_SETTLED // 2
    peak = max(series.peak[row, mark, target], absolute)
    if (seen + 1) % PEAK_BLOCK == 0:
        series.last_peak[row, mark, target] = peak
        peak = 0.0
    series.peak[row, mark, target] = peak


@kernel
def observe(
    config: IntervalConfig,
    levels: Array,
    shared: PooledWidths,
    series: IntervalSeries,
    row: int,
    x: Array,
    forecast: Array,
    median: Array,
    lower: Array,
    upper: Array,
) -> None:
    """Settle the pending forecasts with the values `x`, then bound the new `forecast`.

    Args:
        config: sizes.
        levels: `(2, levels)`, from `level_table`.
        shared: what the partition knows of young series; changes.
        series: the state; row `row` changes.
        row: which series.
        x: `(targets,)` observed values, NaN where missing.
        forecast: `(horizon, targets)` written after seeing `x`, in original units.
        median: `(horizon, targets)`, the same; both will lie within the bounds.
        lower: `(levels, horizon, targets)`, written.
        upper: `(levels, horizon, targets)`, written.
    """
    event, horizon = series.events[row], config.horizon
    marks, first = marks_of(horizon), 0
    for mark in range(marks):
        step = mark_at(horizon, mark)
        stride, places = stride_of(step), places_of(step)
        if event >= step and (event - step) % stride == 0:
            place = first + (event - step) // stride % places
            for target in range(config.targets):
                residual = x[target] - series.pending[row, place, target]
                if abs(residual) <= LARGEST:  # false for NaN: missing, nothing is learned
                    _settle(config, levels, shared, series, row, mark, step, place, target, residual)
        first += places
    for target in range(config.targets):
        _bound(config, levels, shared, series, row, target, forecast, median, lower, upper)
    first = 0
    for mark in range(marks):
        step = mark_at(horizon, mark)
        stride, places = stride_of(step), places_of(step)
        if event % stride == 0:
            place = first + event // stride % places
            for target in range(config.targets):
                center = forecast[step - 1, target]
                series.pending[row, place, target] = center
                waits = series.distances[row, place]
                for level in range(config.levels):
                    down, up = center - lower[level, step - 1, target], upper[level, step - 1, target] - center
                    waits[level, target] = _in_units(series.unit[row], target, down)
                    waits[config.levels + level, target] = _in_units(series.unit[row], target, up)
        first += places
    series.events[row] = event + 1


@kernel
def _in_units(unit: Array, target: int, distance: float) -> float:
    """A distance in units of the target: the first one above zero, then the first residual that is.

    Singles reach 1e38 times as far.
    """
    if unit[target] == 0.0 and distance > 0.0:
        unit[target] = max(distance, 1.0 / LARGEST)
    return min(distance / unit[target], LARGEST_SINGLE) if unit[target] > 0.0 else 0.0


@kernel
def _change_unit(unit: Array, distances: Singles, target: int, wanted: float) -> None:
    """Give the target another unit; distances (waiting, 2 levels, targets) are what is kept in it."""
    wanted = max(wanted, 1.0 / LARGEST)
    for place in range(distances.shape[0]):
        for k in range(distances.shape[1]):
            distance = min(float(distances[place, k, target]) * unit[target], LARGEST)
            distances[place, k, target] = min(distance / wanted, LARGEST_SINGLE)
    unit[target] = wanted


@kernel
def _first_size(level: float, seen: int, forecast: float) -> float:
    """The size while no residual was another than zero."""
    if seen * (1.0 - level) >= 1.0 or not abs(forecast) >= 0.0:
        return 0.0
    return (abs(forecast) if forecast != 0.0 else 1.0) / (seen + 1.0)


@kernel
def _bound(
    config: IntervalConfig,
    levels: Array,
    shared: PooledWidths,
    series: IntervalSeries,
    row: int,
    target: int,
    forecast: Array,
    median: Array,
    lower: Array,
    upper: Array,
) -> None:
    """Write the bounds of every step and level of one target: first the distances, at the marks, then between."""
    source, from_step, settled_growth, before = -1, 1, 1.0, 0
    for mark in range(marks_of(config.horizon)):
        step = mark_at(config.horizon, mark)
        seen = series.settled[row, mark, target]
        if seen > 0:
            source, from_step = mark, step
            settled_growth = 1.0 + 2.0 / seen  # few residuals: their size is uncertain
        pooled = 0.0
        if config.pooled and pooled_widths.is_known(shared.ratios[mark, target], pooled_widths.age_of(seen)):
            own = series.size[row, mark, target]
            pooled = pooled_widths.size_of(shared.sizes[mark, target], forecast[step - 1, target], seen, own)
        growth = settled_growth * sqrt(step / from_step)  # a mark that has not settled borrows a shorter one's width
        for level in range(config.levels):
            up, down = 0.0, 0.0
            if pooled > 0.0:
                ratios = shared.ratios[mark, target, pooled_widths.age_of(seen)]
                for other in range(config.levels):
                    if levels[0, other] <= levels[0, level]:
                        down = max(down, exp(ratios[1 + other]))
                        up = max(up, exp(ratios[1 + config.levels + other]))
                up, down = min(up * pooled, LARGEST), min(down * pooled, LARGEST)
                if seen > 0 and series.size[row, mark, target] > 0.0:  # the series' trackers go on from here
                    series.above[row, level, mark, target] = up / series.size[row, mark, target]
                    series.below[row, level, mark, target] = down / series.size[row, mark, target]
            elif source >= 0:
                for other in range(config.levels):  # a level contains every lower one
                    if levels[0, other] <= levels[0, level]:
                        up = max(up, float(series.above[row, other, source, target]))
                        down = max(down, float(series.below[row, other, source, target]))
                size = series.size[row, source, target] * growth
                up, down = up * size, down * size
            if pooled <= 0.0 and (source < 0 or series.size[row, source, target] == 0.0):
                last = 0 if source < 0 else series.settled[row, source, target]
                up = down = levels[1, level] * _first_size(levels[0, level], last, forecast[step - 1, target])
            lower[level, step - 1, target], upper[level, step - 1, target] = down, up
            for between in range(before + 1, step):
                share = (sqrt(between) - sqrt(before)) / (sqrt(step) - sqrt(before))
                one, two = lower[level, before - 1, target], upper[level, before - 1, target]
                lower[level, between - 1, target] = one + share * (down - one)
                upper[level, between - 1, target] = two + share * (up - two)
        before = step
    for level in range(config.levels):
        for k in range(config.horizon):
            center, middle = forecast[k, target], median[k, target]
            low, high = center - lower[level, k, target], center + upper[level, k, target]
            if middle < low:
                low = middle
            if middle > high:
                high = middle
            lower[level, k, target], upper[level, k, target] = max(low, -LARGEST), min(high, LARGEST)
