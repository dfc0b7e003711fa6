"""The compiled fold: what a batch of events does to the arrays of a partition.

A batch goes through passes, each one compiled call over all its events in order: `arrive` (is the event late, what was
there before), `forecast` (learn from it, forecast the next), `bound` (publish what had been forecast for it, keep the
next forecasts to what values can be, and bound them), `score` (how surprising it was) and, where asked for, `warn`
(will a limit be crossed). No pass reads what a later one writes, so this is one left fold over the events; where a
batch was cut changes no bit of any answer or state.

(Several calls instead of one nested one because LLVM optimizes a function again in every caller: it halves cold start.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alerts, detector, early_warning, episodes
from streamrnn.forecasting import bounds, calendar, forecaster, intervals
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.calendar import INTERVAL
from streamrnn.forecasting.pooled_widths import PooledWidths
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.prefetch import prefetch

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# Columns of CommonSeries.numbers and entries of the partition's counters.
EVENTS, LAST_TIME = 0, 1
NUMBERS = 2
COUNTERS = ("events", "late", "watermark")
LATE, WATERMARK = 1, 2
AHEAD = 4
"""Events between asking for a row and using it, where a pass over an event is shorter than memory takes."""


class CommonSeries(NamedTuple):
    """What the fold itself keeps per series: the forecasts that the next event will be held against."""

    numbers: Int64  # (rows, NUMBERS) events so far, newest event time
    previous: Float64  # (rows, targets) last value that was not missing
    expected: Float64  # (rows, targets)
    expected_median: Float64  # (rows, targets)
    lower: Float64  # (rows, levels, targets)
    upper: Float64  # (rows, levels, targets)
    history: bounds.Int32  # (rows, targets, bounds.COLUMNS)
    episodes: npt.NDArray[np.int32]  # (rows, episodes.KINDS, episodes.COLUMNS)


class Batch(NamedTuple):
    """The events of one call."""

    rows: Int64  # (events,) row of each event's series
    times: Int64  # (events,) microseconds since 1970
    x: Float64  # (events, targets), NaN where missing
    u: Float64  # (events, features), NaN where missing
    rules: Int64  # (events,) row of the rule that says what is an alert
    ignored: npt.NDArray[np.bool_]  # (events,) nothing is learned from it (x is NaN), and it is no alert


@kernel
def arrive(skip_late: bool, counters: Int64, common: CommonSeries, batch: Batch, answers: Answers) -> None:
    """Note every event's arrival: count it, keep its time and values, say what the values were before."""
    for i in range(len(batch.rows)):
        row, time = batch.rows[i], batch.times[i]
        numbers, previous = common.numbers[row], common.previous[row]
        seen = numbers[EVENTS] > 0
        answers.late[i] = skip_late and seen and time < numbers[LAST_TIME]
        if answers.late[i]:
            counters[LATE] += 1
            continue
        for k in range(batch.x.shape[1]):
            answers.previous[i, k] = previous[k] if seen else np.nan
            if not np.isnan(batch.x[i, k]):
                previous[k] = batch.x[i, k]
            elif not seen:
                previous[k] = np.nan
        if not seen or time > numbers[LAST_TIME]:
            numbers[LAST_TIME] = time
        if counters[EVENTS] == 0 or time > counters[WATERMARK]:
            counters[WATERMARK] = time
        numbers[EVENTS] += 1
        counters[EVENTS] += 1


@kernel
def forecast(
    config: forecaster.ForecasterConfig,
    shared: forecaster.ForecasterShared,
    series: forecaster.ForecasterSeries,
    scratch: forecaster.ForecasterScratch,
    common: CommonSeries,
    batch: Batch,
    answers: Answers,
) -> None:
    """Learn from each event, and forecast the series' next ones."""
    for i in range(len(batch.rows)):
        if i + 1 < len(batch.rows):
            prefetch(series, batch.rows[i + 1])
        if answers.late[i]:
            continue
        row = batch.rows[i]
        steps, medians = answers.forecast[i], answers.forecast_median[i]
        forecaster.observe(config, shared, series, scratch, row, batch.times[i], batch.x[i], batch.u[i], steps, medians)
        answers.interval[i] = series.clock[row, INTERVAL]
        for k in range(batch.x.shape[1]):
            answers.drift[i, k] = forecaster.has_drifted(config, series, row, k, batch.x[i, k])


@kernel
def bound(
    config: intervals.IntervalConfig,
    levels: Float64,
    sense: bounds.Bounds,
    shared: PooledWidths,
    series: intervals.IntervalSeries,
    common: CommonSeries,
    batch: Batch,
    answers: Answers,
) -> None:
    """Publish what was forecast for each event, learn from what became of it, bound the series' next events."""
    for i in range(len(batch.rows)):
        if i + AHEAD < len(batch.rows):
            prefetch(series, batch.rows[i + AHEAD])
            prefetch(common, batch.rows[i + AHEAD])
        if answers.late[i]:
            continue
        row = batch.rows[i]
        expected, median, history = common.expected[row], common.expected_median[row], common.history[row]
        steps, medians = answers.forecast[i], answers.forecast_median[i]
        lower, upper = common.lower[row], common.upper[row]
        low, high = answers.forecast_lower[i], answers.forecast_upper[i]
        count, targets = lower.shape
        for k in range(targets):
            seen = not np.isnan(answers.previous[i, k])
            answers.expected[i, k] = expected[k] if seen else np.nan
            answers.expected_median[i, k] = median[k] if seen else np.nan
            for level in range(count):
                answers.lower[i, level, k] = lower[level, k] if seen else np.nan
                answers.upper[i, level, k] = upper[level, k] if seen else np.nan
        bounds.note(history, batch.x[i])
        bounds.hold_points(sense, history, steps, medians)
        intervals.observe(config, levels, shared, series, row, batch.x[i], steps, medians, low, high)
        bounds.hold_intervals(sense, history, steps, medians, low, high)
        for k in range(targets):
            expected[k], median[k] = steps[0, k], medians[0, k]
            for level in range(count):
                lower[level, k], upper[level, k] = low[level, 0, k], high[level, 0, k]


@kernel
def score(
    config: detector.AnomalyConfig,
    rules: Float64,
    shared: detector.AnomalyShared,
    series: detector.AnomalySeries,
    offsets: Int64,
    outcome: Float64,
    common: CommonSeries,
    batch: Batch,
    answers: Answers,
) -> None:
    """Say how surprising each event was, and where an alert opened or closed; `outcome` is working memory."""
    for i in range(len(batch.rows)):
        if i + AHEAD < len(batch.rows):
            prefetch(series, batch.rows[i + AHEAD])
            prefetch(common.episodes, batch.rows[i + AHEAD])
        if answers.late[i]:
            continue
        if batch.ignored[i]:
            answers.score[i] = np.nan
            detector.pass_over(series, batch.rows[i], batch.times[i])
            continue
        channels = answers.channels[i]
        answers.score[i] = detector.observe(
            config,
            rules[batch.rules[i]],
            shared,
            series,
            batch.rows[i],
            batch.times[i],
            batch.times[i] + calendar.offset_at(offsets, batch.times[i]),
            batch.x[i],
            answers.expected[i],
            answers.lower[i, 0],
            answers.upper[i, 0],
            channels,
            outcome,
            answers.context[i],
        )
        answers.strength[i] = outcome[detector.STRENGTH]
        answers.is_anomaly[i] = outcome[detector.IS_ANOMALY] > 0
        answers.alert[i] = int(outcome[detector.ALERT])
        answers.driver[i] = int(outcome[detector.DRIVER])
        answers.channel[i] = int(outcome[detector.CHANNEL])
        answers.deviation[i] = outcome[detector.DEVIATION]
        alert, state = series.alert[batch.rows[i]], common.episodes[batch.rows[i], episodes.ANOMALY]
        lasts, changes = alert[alerts.OPEN] == 1, answers.changes[i]
        driver, channel = answers.driver[i], answers.channel[i]
        if lasts and state[episodes.LASTS] == 1 and outcome[detector.REPLACES] > 0:
            episodes.replace(
                state, alert[alerts.SINCE], driver, channel, changes[episodes.REPLACED], changes[episodes.ANOMALY]
            )
        else:
            episodes.observe(state, lasts, alert[alerts.SINCE], driver, channel, changes[episodes.ANOMALY])


@kernel
def warn(
    config: early_warning.WarningConfig,
    levels: Float64,
    limits: Float64,
    series: early_warning.WarningSeries,
    common: CommonSeries,
    batch: Batch,
    answers: Answers,
) -> None:
    """Say how probable it is that a limit will be crossed; `levels` is the table of the first level alone."""
    for i in range(len(batch.rows)):
        if answers.late[i]:
            continue
        early_warning.observe(
            config,
            levels,
            limits,
            series,
            batch.rows[i],
            batch.x[i],
            answers.forecast[i],
            answers.forecast_lower[i, :1],
            answers.forecast_upper[i, :1],
            answers.warning_steps[i],
            answers.warning[i],
        )
        if batch.ignored[i]:
            answers.warning[i, early_warning.WARN] = 0.0
            continue
        episodes.observe(
            common.episodes[batch.rows[i], episodes.WARNING],
            answers.warning[i, early_warning.WARN] > 0.0,
            batch.times[i],
            int(answers.warning[i, early_warning.DRIVER]),
            -1,
            answers.changes[i, episodes.WARNING],
        )
