"""Prediction intervals that keep their coverage while the series drifts.

For every target and horizon step, two quantile trackers follow the residuals in units of their running size:

    e = |x - forecast|,  size += g_m (min(e, 8 size) - size),  g_m = max(g, 1 / m)
    lower = forecast - below size,  upper = forecast + above size
    above += eta (1[x > upper] - a),  a = (1 - level) / 2     (below: mirrored)

A tracker that only counts misses makes no assumption about the residuals: over T events its miss rate is a up to
(above_T - above_1) / (eta T) (Gibbs and Candès 2021, "Adaptive conformal inference under distribution shift"; the
quantile tracker of Angelopoulos, Candès and Tibshirani 2023). Unlike adaptive conformal inference it never emits
an infinite interval. The running size makes the step dimensionless and lets the width follow volatility at once.

Promises, for every event: bounds are finite, `lower <= forecast <= upper`, and intervals of a higher level contain
those of a lower one. Before the first residual of a series the width is zero; a step that has not settled yet
borrows the width of the longest step that has, grown by the square root of the step. A missing target (NaN) teaches
nothing. A single absurd value cannot widen intervals for long: the size forgets it after two blocks of 64 residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.running_scale import PEAK_BLOCK, running_size

Array = npt.NDArray[np.float64]

SIZE_GAIN = 0.05  # memory of the running size: 20 residuals
STEP = 0.1  # eta, in running sizes per miss
LARGEST = 1e300  # bounds stay representable whatever the forecast


class IntervalConfig(NamedTuple):
    """Sizes of the interval state."""

    targets: int
    horizon: int
    levels: int  # how many levels; the levels themselves travel beside, see `level_table`


class IntervalSeries(NamedTuple):
    """Interval state, one row per series; an all-zero row is a new series."""

    events: npt.NDArray[np.int64]  # (rows,)
    pending: Array  # (rows, horizon origins, horizon steps, targets): forecasts not yet settled
    pending_below: Array  # (rows, horizon origins, levels, horizon steps, targets): how far below their bounds were
    pending_above: Array  # the same, above
    settled: npt.NDArray[np.int64]  # (rows, horizon, targets): residuals seen
    size: Array  # (rows, horizon, targets): running mean of |residual|
    peak: Array  # (rows, horizon, targets): largest |residual| of this block
    last_peak: Array  # (rows, horizon, targets): largest of the block before
    below: Array  # (rows, levels, horizon, targets): distance of the lower bound, in running sizes
    above: Array  # (rows, levels, horizon, targets)


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
    steps = (rows, config.horizon, config.targets)
    quantiles = (rows, config.levels, config.horizon, config.targets)
    return IntervalSeries(
        events=np.zeros(rows, np.int64),
        pending=np.zeros((rows, config.horizon, config.horizon, config.targets)),
        pending_below=np.zeros((rows, config.horizon, config.levels, config.horizon, config.targets)),
        pending_above=np.zeros((rows, config.horizon, config.levels, config.horizon, config.targets)),
        settled=np.zeros(steps, np.int64),
        size=np.zeros(steps),
        peak=np.zeros(steps),
        last_peak=np.zeros(steps),
        below=np.zeros(quantiles),
        above=np.zeros(quantiles),
    )


@kernel
def _settle(
    config: IntervalConfig,
    levels: Array,
    series: IntervalSeries,
    row: int,
    step: int,
    target: int,
    origin: int,
    residual: float,
) -> None:
    """Learn from one residual `x - forecast` of horizon step `step`, in original units, forecast at `origin`.

    Misses are those of the bounds that were published. Residuals of far steps overlap: bounds of now know of this
    residual's neighbours, and trackers that looked at them would learn a coverage that no bound had.
    """
    seen = series.settled[row, step, target]
    size = series.size[row, step, target]
    if seen > 0 and size > 0.0:
        for level in range(config.levels):
            tail = 0.5 * (1.0 - levels[0, level])
            above = series.above[row, level, step, target]
            below = series.below[row, level, step, target]
            eta = STEP * min(
                1.0, 0.1 / tail
            )  # low levels: their bounds are close, and runs of hits must not close them
            above += eta * ((1.0 if residual > series.pending_above[row, origin, level, step, target] else 0.0) - tail)
            below += STEP * (
                (1.0 if -residual > series.pending_below[row, origin, level, step, target] else 0.0) - tail
            )
            series.above[row, level, step, target] = max(above, 0.0)
            series.below[row, level, step, target] = max(below, 0.0)
    elif seen == 0:
        for level in range(config.levels):
            series.above[row, level, step, target] = levels[1, level]
            series.below[row, level, step, target] = levels[1, level]
    absolute = abs(residual)
    # Residuals of far steps overlap: as many independent ones take longer to come.
    gain = max(1.0 / (seen + 1.0), SIZE_GAIN / (1.0 + 0.25 * step))
    series.size[row, step, target] = running_size(size, series.last_peak[row, step, target], absolute, gain)
    series.settled[row, step, target] = seen + 1
    peak = max(series.peak[row, step, target], absolute)
    if (seen + 1) % PEAK_BLOCK == 0:
        series.last_peak[row, step, target] = peak
        peak = 0.0
    series.peak[row, step, target] = peak


@kernel
def observe(
    config: IntervalConfig,
    levels: Array,
    series: IntervalSeries,
    row: int,
    x: Array,
    forecast: Array,
    lower: Array,
    upper: Array,
) -> None:
    """Settle the pending forecasts with the values `x`, then bound the new `forecast`.

    Args:
        config: sizes.
        levels: `(2, levels)`, from `level_table`.
        series: the state; row `row` changes.
        row: which series.
        x: `(targets,)` observed values, NaN where missing.
        forecast: `(horizon, targets)` written after seeing `x`, in original units.
        lower: `(levels, horizon, targets)`, written.
        upper: `(levels, horizon, targets)`, written.
    """
    event = series.events[row]
    horizon = config.horizon
    for step in range(min(horizon, event)):
        origin = (event - 1 - step) % horizon
        for target in range(config.targets):
            residual = x[target] - series.pending[row, origin, step, target]
            if abs(residual) <= LARGEST:  # false for NaN: missing, nothing is learned
                _settle(config, levels, series, row, step, target, origin, residual)
    slot = event % horizon
    for step in range(horizon):
        for target in range(config.targets):
            series.pending[row, slot, step, target] = forecast[step, target]
    series.events[row] = event + 1
    for target in range(config.targets):
        _bound(config, levels, series, row, target, slot, forecast, lower, upper)


@kernel
def _bound(
    config: IntervalConfig,
    levels: Array,
    series: IntervalSeries,
    row: int,
    target: int,
    slot: int,
    forecast: Array,
    lower: Array,
    upper: Array,
) -> None:
    """Write the bounds of every step and level of one target, and keep them as `pending` in `slot`."""
    source, growth = -1, 0.0  # the longest settled step so far, and the widening when it stands in for this one
    for step in range(config.horizon):
        seen = series.settled[row, step, target]
        if seen > 0:
            source = step
            growth = 1.0 + 2.0 / seen  # few residuals: their size is uncertain
        elif source >= 0:
            growth *= sqrt((step + 1.0) / step)
        center = forecast[step, target]
        for level in range(config.levels):
            up, down = 0.0, 0.0
            if source >= 0:
                for other in range(config.levels):  # a level contains every lower one
                    if levels[0, other] <= levels[0, level]:
                        up = max(up, series.above[row, other, source, target])
                        down = max(down, series.below[row, other, source, target])
                size = series.size[row, source, target] * growth
                up, down = up * size, down * size
            series.pending_below[row, slot, level, step, target] = down
            series.pending_above[row, slot, level, step, target] = up
            lower[level, step, target] = max(center - down, -LARGEST)
            upper[level, step, target] = min(center + up, LARGEST)
