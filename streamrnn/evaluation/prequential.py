"""Test, then train: one pass of the model, or of a baseline, over one file.

The model's pass is the product's own: the batches of `reading.EventFile` through `ForecastModel.process`, as in
`run --input`. Forecasts are scored when the value they were made for arrives (`scores.Pending`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.errors import ConnectorError
from streamrnn.evaluation import baselines
from streamrnn.evaluation.ages import AgeScores
from streamrnn.evaluation.reading import EventFile
from streamrnn.evaluation.scores import IntervalScores, Pending, PointScores
from streamrnn.evaluation.season import season_length
from streamrnn.evaluation.trace import Trace
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.key_rules import IgnoredEvents
from streamrnn.forecasting.model import ForecastModel
from streamrnn.forecasting.scorecard import Scorecard
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import Decoded, Float64, Int64
from streamrnn.runtime.task import ForecastTask

MODEL = "streamrnn"

Report = Callable[[int], None]
"""Called with the number of events done since the last call."""

_VALUES_PER_BLOCK = 1 << 18  # forecasts held before they are settled: bounds memory, changes no number
_REPORT_EVERY = 250


class Job(NamedTuple):
    """One pass: the model (`MODEL`) or a baseline over one file. Small, and can be sent to another process."""

    path: Path
    name: str
    config: Config  # its event section as given, not yet fitted to the file
    limit: int | None = None
    trace: bool = False  # keep what the plot shows


@dataclass
class SeriesOutcome:
    """What one pass came to on one series."""

    events: int
    points: PointScores
    persistence: PointScores | None = None  # with the model's pass
    intervals: IntervalScores | None = None
    ages: AgeScores | None = None
    seasons: list[str] | None = None  # None: unknown
    settings: list[str] = field(default_factory=list)  # of a baseline's pass, per target
    replaced: int = 0  # forecasts of a baseline for which the last value stood in
    anomalies: int = 0
    trace: Trace | None = None


@dataclass
class Outcome:
    """What one pass came to."""

    targets: tuple[str, ...]
    notes: list[str]
    series: dict[str, SeriesOutcome]
    scorecard: Scorecard | None = None  # the one-step scores that `run --input` prints
    late: int = 0


def perform(job: Job, report: Report) -> Outcome:
    """Make the pass. Raises a `StreamRNNError` when the file cannot be evaluated."""
    with EventFile(job.path, job.config) as file:
        config = job.config.model_copy(update={"event": file.event})
        batches = file.batches(job.limit)
        passing = _model_pass if job.name == MODEL else _baseline_pass
        return passing(job, config, batches, file.notes, report)


def _model_pass(job: Job, config: Config, batches: Iterator[Decoded], notes: list[str], report: Report) -> Outcome:
    names, horizon, levels = targets_of(config.event), config.model.horizon, len(config.model.levels)
    outcome = Outcome(names, notes, {}, Scorecard(names))
    pending: dict[str, Pending] = {}
    blocks: list[_Block] = []
    size = max(1, _VALUES_PER_BLOCK // (horizon * len(names) * levels))
    reason = ""
    model = ForecastTask(config).model()
    try:
        for decoded in batches:
            if decoded.rejected and not reason:
                reason = f" (the first rejected row, {decoded.rejected[0][0].offset}: {decoded.rejected[0][1]})"
            answers, lower, upper = _process(model, decoded)
            assert outcome.scorecard is not None
            outcome.scorecard.add(decoded, answers, len(decoded.rejected))
            outcome.late += int(answers.late.sum())
            blocks.append(_Block(decoded, answers, lower, upper))
            report(len(decoded.keys) + len(decoded.rejected))
            if sum(len(block.decoded.keys) for block in blocks) >= size:
                _settle(config, blocks, pending, outcome, job.trace)
                blocks.clear()
        _settle(config, blocks, pending, outcome, job.trace)
        for key, found in outcome.series.items():
            found.seasons = model.seasons(key)
    finally:
        model.close()
    if not outcome.series:
        raise ConnectorError(f"{job.path} has no usable events{reason}")
    if not any(series.points.count.any() for series in outcome.series.values()):
        raise ConnectorError(
            f"{job.path} is too short: no series ({len(outcome.series)} found) has two known values to score"
        )
    return outcome


class _Block(NamedTuple):
    decoded: Decoded
    answers: Answers
    lower: Float64  # (events, horizon, targets, levels)
    upper: Float64


def _process(model: ForecastModel, decoded: Decoded) -> tuple[Answers, Float64, Float64]:
    """The batch's answers, and its bounds with a last axis of levels."""
    answers = model.process(decoded)
    return answers, np.moveaxis(answers.forecast_lower, 1, -1), np.moveaxis(answers.forecast_upper, 1, -1)


def _settle(config: Config, blocks: list[_Block], pending: dict[str, Pending], outcome: Outcome, trace: bool) -> None:
    """Score what the blocks' values settle, series by series."""
    if not blocks:
        return
    names, horizon = outcome.targets, config.model.horizon
    levels = np.array(config.model.levels)
    keys = [key for block in blocks for key in block.decoded.keys]
    times = np.concatenate([block.decoded.times for block in blocks])
    observed = np.concatenate([block.decoded.targets for block in blocks])
    answers = Answers._make(np.concatenate(parts) for parts in zip(*(b.answers for b in blocks), strict=True))
    seen = answers.seen(observed)
    lower = np.concatenate([block.lower for block in blocks])
    upper = np.concatenate([block.upper for block in blocks])
    for key, rows in _by_series(keys, answers.late).items():
        if key not in outcome.series:
            outcome.series[key] = SeriesOutcome(
                0,
                PointScores.empty(horizon, len(names)),
                PointScores.empty(horizon, len(names)),
                IntervalScores.empty(horizon, len(names), len(levels)),
                AgeScores.empty(len(names), len(levels)),
                trace=Trace(names) if trace and len(outcome.series) < Trace.MOST_SERIES else None,
            )
            pending[key] = Pending(horizon, len(names))
        series = outcome.series[key]
        assert series.persistence is not None
        assert series.intervals is not None
        assert series.ages is not None
        settled = pending[key].settle(
            seen[rows], answers.forecast[rows], answers.forecast_median[rows], lower[rows], upper[rows]
        )
        mean, median, low, high = settled.forecasts
        series.ages.add(series.events, levels, settled)
        series.events += len(rows)
        series.anomalies += int(answers.opened[rows].sum())
        series.points.add(settled.observed, mean, settled.known, median)
        series.persistence.add(settled.observed, settled.persistence, settled.known)
        series.intervals.add(levels, settled.observed[..., None], low, high, settled.known[..., None])
        if series.trace is not None:
            series.trace.add(times[rows], observed[rows], Answers._make(array[rows] for array in answers))


def _by_series(keys: list[str], late: object = None) -> dict[str, Int64]:
    """Each series' rows in order; late events, which the model never saw, are left out."""
    skip = np.asarray(late, bool) if late is not None else np.zeros(len(keys), bool)
    rows: dict[str, list[int]] = {}
    for row, (key, out) in enumerate(zip(keys, skip.tolist(), strict=True)):
        if not out:
            rows.setdefault(key, []).append(row)
    return {key: np.array(found, np.int64) for key, found in rows.items()}


def _baseline_pass(job: Job, config: Config, batches: Iterator[Decoded], notes: list[str], report: Report) -> Outcome:
    names, horizon = targets_of(config.event), config.model.horizon
    keys: list[str] = []
    parts = []
    rejected = 0
    for decoded in batches:
        keys += decoded.keys
        parts.append((decoded.times, decoded.targets))
        rejected += len(decoded.rejected)
    times = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0, np.int64)
    values = np.concatenate([part[1] for part in parts]) if parts else np.zeros((0, len(names)))
    values = np.where(IgnoredEvents(config.event).mask(keys, times)[:, None], np.nan, values)
    late = _late(keys, times) if config.event.late != "process" else None
    report(rejected + (int(late.sum()) if late is not None else 0))
    series = {
        key: _score_baseline(job.name, config, times[rows], values[rows], horizon, report)
        for key, rows in _by_series(keys, late).items()
    }
    return Outcome(names, notes, series)


def _late(keys: list[str], times: Int64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which events are older than the newest of their series."""
    newest: dict[str, int] = {}
    late = np.zeros(len(keys), np.bool_)
    for i, (key, time) in enumerate(zip(keys, times.tolist(), strict=True)):
        late[i] = time < newest.get(key, time)
        newest[key] = max(time, newest.get(key, time))
    return late


def _score_baseline(
    name: str, config: Config, times: Int64, values: Float64, horizon: int, report: Report
) -> SeriesOutcome:
    found = [baselines.settings(name, season_length(times, column, config.model.seasonality)) for column in values.T]
    runs = [_Run(k, setting, make, horizon) for k, makers in enumerate(found) for setting, make in makers.items()]
    size = max(1, _VALUES_PER_BLOCK // (horizon * len(runs)))
    start = reported = 0
    for i, row in enumerate(values.tolist(), start=1):
        for run in runs:
            run.step(row[run.target])
        if i % _REPORT_EVERY == 0:
            report(i - reported)
            reported = i
        if i - start == size or i == len(values):
            for run in runs:
                run.settle(values[start:i, run.target])
            start = i
    report(len(values) - reported)
    own = [[run for run in runs if run.target == k] for k in range(len(found))]
    best = [min(of_target, key=lambda run: float(run.points.absolute.sum())) for of_target in own]
    squared = [min(of_target, key=lambda run: float(run.points.squared.sum())) for of_target in own]
    points = PointScores(
        np.hstack([run.points.count for run in best]),
        np.hstack([run.points.absolute for run in best]),
        np.hstack([run.points.squared for run in squared]),
    )
    return SeriesOutcome(
        len(values), points, settings=[run.setting for run in best], replaced=sum(run.model.replaced for run in best)
    )


class _Run:
    """One setting of a baseline on one target."""

    def __init__(self, target: int, setting: str, make: Callable[[], baselines.Forecaster], horizon: int) -> None:
        self.target, self.setting = target, setting
        self.model = baselines.Guarded(make, horizon)
        self.points = PointScores.empty(horizon, 1)
        self._pending = Pending(horizon, 1)
        self._forecasts: list[Sequence[float]] = []

    def step(self, value: float) -> None:
        self._forecasts.append(self.model.step(value))

    def settle(self, values: Float64) -> None:
        settled = self._pending.settle(values[:, None], np.array(self._forecasts)[:, :, None])
        self._forecasts = []
        # Before the first value forecasts are NaN; `known` leaves those out.
        self.points.add(settled.observed, settled.forecasts[0], settled.known)
