"""Simulated series with the forecast an ideal forecaster would make, and the scoring run over them by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alert_context, alerts, detector, early_warning, rules
from streamrnn.forecasting import intervals
from streamrnn.forecasting.pooled_widths import PooledWidths
from tests.kernels import loop

Array = npt.NDArray[np.float64]

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
INTERVAL = 300_000_000  # five minutes
DAY = 288
KINDS = ("white noise", "random walk", "AR(2)", "seasonal", "heavy tails")


def series(kind: str, seed: int, count: int) -> tuple[Array, Array]:
    """Values `(count, 1)` of innovations with deviation 1, and what was to be expected of each."""
    random = np.random.Generator(np.random.Philox(key=seed + 1000 * KINDS.index(kind)))
    noise = random.standard_normal(count)
    expected = np.zeros(count)
    if kind == "white noise":
        values = noise
    elif kind == "random walk":
        values = np.cumsum(noise)
        expected[1:] = values[:-1]
    elif kind == "AR(2)":
        values = np.zeros(count)
        for t in range(2, count):
            expected[t] = 1.2 * values[t - 1] - 0.5 * values[t - 2]
            values[t] = expected[t] + noise[t]
    elif kind == "seasonal":
        expected = 5 * np.sin(2 * np.pi * np.arange(count) / DAY)
        values = expected + noise
    else:
        values = random.standard_t(3, count)
    expected[0] = np.nan
    return values[:, None], expected[:, None]


class Scored(NamedTuple):
    """What the scoring said of every event."""

    score: Array  # (count,)
    channels: Array  # (count, CHANNELS)
    outcome: Array  # (count, OUTCOMES)
    open: npt.NDArray[np.bool_]  # (count, 1) whether an alert is open
    context: Array  # (count, alert_context.COLUMNS) of what opened an alert

    @property
    def is_anomaly(self) -> npt.NDArray[np.bool_]:
        return self.outcome[:, detector.IS_ANOMALY] > 0

    @property
    def is_open(self) -> npt.NDArray[np.bool_]:
        return self.open[:, 0]

    @property
    def alert(self) -> npt.NDArray[np.int64]:
        return self.outcome[:, detector.ALERT].astype(np.int64)


@loop
def _score(
    config: detector.AnomalyConfig,
    rule: Array,
    shared: detector.AnomalyShared,
    series: detector.AnomalySeries,
    times: npt.NDArray[np.int64],
    values: Array,
    expected: Array,
    width: float,
    score: Array,
    channels: Array,
    outcome: Array,
    is_open: npt.NDArray[np.bool_],
    context: Array,
) -> None:
    for i in range(len(times)):
        score[i] = detector.observe(
            config,
            rule,
            shared,
            series,
            0,
            times[i],
            times[i],
            values[i],
            expected[i],
            expected[i] - width,
            expected[i] + width,
            channels[i],
            outcome[i],
            context[i],
        )
        is_open[i, 0] = series.alert[0, alerts.OPEN] == 1


def scored(
    values: Array,
    expected: Array,
    times: npt.NDArray[np.int64] | None = None,
    config: detector.AnomalyConfig | None = None,
    state: detector.AnomalySeries | None = None,
    shared: detector.AnomalyShared | None = None,
    rule: rules.Rule | None = None,
) -> Scored:
    """Score a whole series; values and expected are `(count, targets)`."""
    count, targets = values.shape
    config = config or detector.AnomalyConfig(targets=targets)
    state = state or detector.allocate(config, 1)
    times = START + INTERVAL * np.arange(count) if times is None else times
    result = Scored(
        np.zeros(count),
        np.zeros((count, detector.CHANNELS)),
        np.zeros((count, detector.OUTCOMES)),
        np.zeros((count, 1), np.bool_),
        np.full((count, alert_context.COLUMNS), np.nan),
    )
    _score(
        config,
        rules.table(rule or rules.Rule())[0],
        shared or detector.allocate_shared(),
        state,
        times,
        np.ascontiguousarray(values),
        np.ascontiguousarray(expected),
        1.645,
        *result,
    )
    return result


@loop
def _bound(
    config: intervals.IntervalConfig,
    levels: Array,
    shared: PooledWidths,
    series: intervals.IntervalSeries,
    values: Array,
    forecasts: Array,
    lower: Array,
    upper: Array,
) -> None:
    for i in range(len(values)):
        intervals.observe(config, levels, shared, series, 0, values[i], forecasts[i], forecasts[i], lower[i], upper[i])


def bounded(values: Array, forecasts: Array, levels: tuple[float, ...] = (0.9,)) -> tuple[Array, Array]:
    """Bounds `(count, levels, horizon, targets)` of forecasts `(count, horizon, targets)` made after each value."""
    count, horizon, targets = forecasts.shape
    config = intervals.IntervalConfig(targets, horizon, len(levels), pooled=False)
    lower = np.zeros((count, len(levels), horizon, targets))
    upper = np.zeros_like(lower)
    table, state = intervals.level_table(levels), intervals.allocate(config, 1)
    _bound(
        config,
        table,
        intervals.allocate_shared(config),
        state,
        np.ascontiguousarray(values),
        np.ascontiguousarray(forecasts),
        lower,
        upper,
    )
    return lower, upper


@loop
def _warn(
    config: early_warning.WarningConfig,
    levels: Array,
    limits: Array,
    series: early_warning.WarningSeries,
    values: Array,
    forecasts: Array,
    lower: Array,
    upper: Array,
    steps: Array,
    outcome: Array,
) -> None:
    for i in range(len(values)):
        early_warning.observe(
            config, levels, limits, series, 0, values[i], forecasts[i], lower[i], upper[i], steps[i], outcome[i]
        )


def warned(
    values: Array, forecasts: Array, limits: list[tuple[float | None, float | None]], warn_at: float = 0.5
) -> tuple[Array, Array]:
    """Probabilities `(count, horizon)` per step and the outcome `(count, OUTCOMES)` of early warning."""
    count, horizon, targets = forecasts.shape
    lower, upper = bounded(values, forecasts)
    config = early_warning.WarningConfig(targets, horizon, 1, warn_at)
    steps, outcome = np.zeros((count, horizon)), np.zeros((count, early_warning.OUTCOMES))
    _warn(
        config,
        intervals.level_table((0.9,)),
        early_warning.limit_table(limits),
        early_warning.allocate(config, 1),
        np.ascontiguousarray(values),
        np.ascontiguousarray(forecasts),
        lower,
        upper,
        steps,
        outcome,
    )
    return steps, outcome
