"""The model that forecasts: a partition's state, and how a batch of events goes through the fold."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alerts, detector, early_warning, episodes, feedback
from streamrnn.cells.catalog import build_cell
from streamrnn.config.anomaly import Limit
from streamrnn.config.tree import Config
from streamrnn.config.zones import local_offsets
from streamrnn.errors import ConfigurationError, FeedbackRefused
from streamrnn.forecasting import bounds, diagnostics, fold, forecaster, intervals
from streamrnn.forecasting.answers import Answers, blank_answers
from streamrnn.forecasting.calendar import INTERVAL, season_names
from streamrnn.forecasting.fold import COUNTERS, EVENTS, LAST_TIME, NUMBERS, Batch, CommonSeries
from streamrnn.forecasting.key_rules import IgnoredEvents, KeyRules
from streamrnn.forecasting.pooled_widths import PooledWidths
from streamrnn.kernels.bound_calls import bind
from streamrnn.records.alerts import alert_documents, encode_alerts
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import Decoded, format_times
from streamrnn.records.feedback import Feedback
from streamrnn.records.forecasts import encode
from streamrnn.records.latest import Opened, forecast_steps, numbers, open_alerts, origin
from streamrnn.records.log import Message, Partition
from streamrnn.state import settings
from streamrnn.state.arrays import OneRow, row_bytes
from streamrnn.state.partition_model import PartitionModel, unknown_series

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_WARN_AT = 0.5
_LEARNING_RATE = 1e-3


class Series(NamedTuple):
    """Everything that belongs to one series; an all-zero row is a new one."""

    common: CommonSeries
    forecaster: forecaster.ForecasterSeries
    intervals: intervals.IntervalSeries
    anomaly: detector.AnomalySeries
    warning: early_warning.WarningSeries


class Shared(NamedTuple):
    """Everything that belongs to the partition as a whole."""

    counters: Int64  # (COUNTERS,)
    forecaster: forecaster.ForecasterShared
    intervals: PooledWidths
    anomaly: detector.AnomalyShared


class Scratch(NamedTuple):
    """Working memory; nothing in it outlives an event."""

    forecaster: forecaster.ForecasterScratch
    outcome: Float64  # (detector.OUTCOMES,)


class FoldConfig(NamedTuple):
    """The numbers that configure each part."""

    forecaster: forecaster.ForecasterConfig
    intervals: intervals.IntervalConfig
    anomaly: detector.AnomalyConfig
    warning: early_warning.WarningConfig
    skip_late: bool


def _fold_config(config: Config) -> FoldConfig:
    model, names = config.model, targets_of(config.event)
    return FoldConfig(
        forecaster=forecaster.forecaster_config(
            preset=model.preset,
            targets=len(names),
            features=len(config.event.features),
            horizon=model.horizon,
            hidden_size=model.hidden_size,
            truncation_length=model.truncation_length,
            update_every=model.update_every,
            learning_rate=_LEARNING_RATE if model.learning_rate is None else model.learning_rate,
            gradient_clip=model.gradient_clip,
            weights=model.weights,
            seasonality=tuple(round(period * 1e6) for period in model.seasonality),
            known_ahead=[config.event.features.index(name) for name in config.event.future],
            cell=lambda inputs, hidden: build_cell(model.cell, inputs, (hidden,) * model.layers),
        ),
        intervals=intervals.IntervalConfig(
            targets=len(names),
            horizon=model.horizon,
            levels=len(model.levels),
            pooled=model.weights == "partition",
        ),
        anomaly=detector.AnomalyConfig(targets=len(names), **_new_normal(config.anomaly.new_normal_after)),
        warning=early_warning.WarningConfig(len(names), model.horizon, 1, config.anomaly.warn_at or _WARN_AT),
        skip_late=config.event.late != "process",
    )


def _sense(config: Config) -> bounds.Bounds:
    event, names = config.event, targets_of(config.event)
    try:
        event.check_bounds(names)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    nonnegative, low, high = event.nonnegative, event.bound("minimum", names), event.bound("maximum", names)
    if nonnegative is True:
        low = [max(0.0, one or 0.0) for one in low]
    return bounds.bounds_of(low, high, automatic=nonnegative == "auto", integers=event.integers)


def _new_normal(after: float | None) -> dict[str, Any]:
    """What lasts for so many seconds is no fault; by default a day, or 500 events where these are shorter."""
    return {} if after is None else {"new_normal": after * 1e6, "new_normal_events": detector.NO_LIMIT}


def _limits(config: Config) -> Float64:
    declared, names = config.anomaly.limits, targets_of(config.event)
    try:
        config.anomaly.check_limits(names)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    limits = [declared.get(name, Limit()) for name in names]
    return early_warning.limit_table([(limit.lower, limit.upper) for limit in limits])


def settings_of(config: Config) -> settings.Settings:
    """The settings that give stored state its meaning; rates and thresholds are free to change."""
    document = config.model_dump(mode="json", include={"event", "model"})
    places = {name: name.split(".") for name in settings.FORECAST}
    found = {name: document[place[0]][place[1]] for name, place in places.items() if len(place) == 2}
    return found | {"task": config.task, "event.targets": list(targets_of(config.event))}


class ForecastModel(PartitionModel[Answers]):
    """The forecaster of one partition; see `PartitionModel`."""

    counter_names, known_settings, part = COUNTERS, settings.FORECAST, "common"

    def __init__(self, config: Config) -> None:
        model, names = config.model, targets_of(config.event)
        self._config = _fold_config(config)
        self._levels = intervals.level_table(model.levels)
        offsets = local_offsets(config.event.time_zone, config.event.holidays)
        shared, series, scratch = forecaster.allocate(self._config.forecaster, 1, seed=model.seed, offsets=offsets)
        steps, targets = model.horizon, len(names)
        common = CommonSeries(
            numbers=np.zeros((1, NUMBERS), np.int64),
            previous=np.zeros((1, targets)),
            expected=np.zeros((1, targets)),
            expected_median=np.zeros((1, targets)),
            lower=np.zeros((1, len(model.levels), targets)),
            upper=np.zeros((1, len(model.levels), targets)),
            history=np.zeros((1, targets, bounds.COLUMNS), np.int32),
            episodes=np.zeros((1, episodes.KINDS, episodes.COLUMNS), np.int32),
        )
        self._warns = config.anomaly.warns
        rows = Series(
            common,
            series,
            intervals.allocate(self._config.intervals, 1),
            detector.allocate(self._config.anomaly, 1),
            early_warning.allocate(self._config.warning, 1, wanted=self._warns),
        )
        self._sense = _sense(config)
        self._limits = _limits(config)
        self._rules, self._ignored = KeyRules(config.anomaly), IgnoredEvents(config.event)
        self._scratch = Scratch(scratch, np.zeros(detector.OUTCOMES))
        self._horizon, self._targets = steps, targets
        self._features = len(config.event.features) + len(config.event.future) * steps
        self._names, self._published = names, model.levels
        self._explain = config.anomaly.explain
        self._flat = config.output.shape == "flat"
        super().__init__(
            config,
            settings_of(config),
            Shared(
                np.zeros(len(COUNTERS), np.int64),
                shared,
                intervals.allocate_shared(self._config.intervals),
                detector.allocate_shared(),
            ),
            rows,
            optional=row_bytes(early_warning.allocate(self._config.warning, 1)),
        )

    def _blank_answers(self, decoded: Decoded) -> Answers:
        return self._answers(len(decoded.keys))

    def _answers(self, count: int) -> Answers:
        return blank_answers(count, self._levels.shape[1], self._horizon, self._targets)

    def _fold(self, series: Series, decoded: Decoded, part: slice, rows: Int64, answers: Answers) -> None:
        keys, times, values = decoded.keys[part], decoded.times[part], decoded.targets[part]
        ignored = self._ignored.mask(keys, times)
        if ignored.any():  # the forecast fills in what it does not see, and learns nothing from it
            values = np.where(ignored[:, None], np.nan, values)
        batch = Batch(rows, times, values, decoded.features[part], self._rules.numbers(keys), ignored)
        for run in self._passes(series, batch, Answers._make(array[part] for array in answers)):
            run()

    def one_at_a_time(self, series: Series) -> Callable[[Decoded], Answers]:
        """See `PartitionModel.one_at_a_time`: event, answers and the arrays of the state stay where they are."""
        batch = Batch(
            rows=np.zeros(1, np.int64),
            times=np.zeros(1, np.int64),
            x=np.zeros((1, self._targets)),
            u=np.zeros((1, self._features)),
            rules=np.zeros(1, np.int64),
            ignored=np.zeros(1, np.bool_),
        )
        answer = OneRow(self._answers(1))
        blank = answer.get()
        run = bind([(one.func, one.args) for one in self._passes(series, batch, answer.arrays)])

        def fold_one(decoded: Decoded) -> Answers:
            answer.put(blank)
            ignored = self._ignored.mask(decoded.keys, decoded.times)[0]
            batch.times[0], batch.ignored[0] = decoded.times[0], ignored
            batch.rules[0] = self._rules.numbers(decoded.keys)[0]
            batch.x[0] = np.nan if ignored else decoded.targets[0]
            if self._features:
                batch.u[0] = decoded.features[0]
            run()
            return answer.arrays

        return fold_one

    @staticmethod
    def newest_times(rows: Series) -> Int64:
        """See `PartitionModel`."""
        times: Int64 = rows.common.numbers[:, LAST_TIME]
        return times

    @staticmethod
    def event_counts(rows: Series) -> Int64:
        """See `PartitionModel`."""
        counts: Int64 = rows.common.numbers[:, EVENTS]
        return counts

    def encode(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        """See `forecasts.encode`."""
        return encode(
            partition,
            self._names,
            detector.CHANNEL_NAMES,
            decoded,
            answers,
            levels=self._published,
            explain=self._explain,
            columns_only=self._flat,
        )

    def alerts(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        """See `alerts.encode_alerts`."""
        return encode_alerts(partition, self._names, detector.CHANNEL_NAMES, decoded, answers)

    def alert_documents(self, decoded: Decoded, answers: Answers) -> Iterator[dict[str, Any]]:
        """What the alert records of a batch say, without where its events come from."""
        documents = alert_documents(self._names, detector.CHANNEL_NAMES, decoded, answers)
        return (document for _, document in documents)

    def hear(self, series: Series, row: int, told: Feedback) -> None:
        """See `PartitionModel.hear`."""
        if series.common.numbers[row, EVENTS] == 0:
            raise unknown_series(told)
        found = feedback.tell(series.anomaly, row, told.alert, told.verdict == "expected")
        if found == feedback.HEARD:
            return
        had = int(series.anomaly.alert[row, alerts.ALERTS])
        why = f"it has had {had}" if found == feedback.TO_COME else f"it has had {had}, and knows the last few of them"
        raise FeedbackRefused(f"feedback on alert {told.alert} of series {told.key!r}: {why}")

    def _passes(self, series: Series, batch: Batch, answers: Answers) -> tuple[partial[None], ...]:
        """The compiled passes over a batch, in order."""
        config, shared, scratch = self._config, self.shared, self._scratch
        common, working = series.common, scratch.forecaster
        passes: tuple[partial[None], ...] = (
            partial(fold.arrive, config.skip_late, shared.counters, common, batch, answers),
            partial(
                fold.forecast, config.forecaster, shared.forecaster, series.forecaster, working, common, batch, answers
            ),
            partial(
                fold.bound,
                config.intervals,
                self._levels,
                self._sense,
                shared.intervals,
                series.intervals,
                common,
                batch,
                answers,
            ),
            partial(
                fold.score,
                config.anomaly,
                self._rules.table,
                shared.anomaly,
                series.anomaly,
                working.offsets,
                scratch.outcome,
                common,
                batch,
                answers,
            ),
        )
        if self._warns:
            first = self._levels[:, :1].copy()
            passes += (partial(fold.warn, config.warning, first, self._limits, series.warning, common, batch, answers),)
        return passes

    def open_alerts(self) -> list[tuple[str, Opened]]:
        """See `PartitionModel.open_alerts`."""
        state = self.series.arrays.common.episodes
        rows, kinds = (state[:, :, episodes.LASTS] == 1).nonzero()
        opened = episodes.began(state[rows, kinds]).tolist()
        return sorted(
            (key, Opened(kind, *one))
            for key, kind, one in zip(self.series.in_rows(rows), kinds.tolist(), opened, strict=True)
        )

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts that forecast the next step, in the order of their weights."""
        return diagnostics.expert_names(self._config.forecaster)

    def expert_weights(self, key: str) -> Float64 | None:
        """Weights of the experts of a series, `(targets, experts)`, rows adding up to 1.

        None where the series is not in memory, or not every target has had a forecast that met its value.
        """
        row = self.series.row_of(key)
        if row is None:
            return None
        weights = diagnostics.expert_weights(self._config.forecaster, self.series.arrays.forecaster, row)
        return weights if weights.any(axis=1).all() else None

    def latest(self, key: str, partition: Partition) -> dict[str, Any] | None:
        """What the state of a series says of its newest: see `records.latest.LatestRecord`; None where it has none.

        The state holds the forecast of the next step alone, and the last value that was not missing.
        """
        row = self.series.row_of(key)
        if row is None or self.series.arrays.common.numbers[row, EVENTS] == 0:
            return None
        common, names, weights = self.series.arrays.common, self.expert_names, self.expert_weights(key)
        time, interval = int(common.numbers[row, LAST_TIME]), int(self.series.arrays.forecaster.clock[row, INTERVAL])
        targets = {}
        for i, name in enumerate(self._names):
            ahead = (common.expected, common.lower[:, 0], common.upper[:, 0], common.expected_median)
            targets[name] = {
                "observed": numbers(common.previous[row, i : i + 1])[0],
                "expected": None,
                "expected_median": None,
                "lower": None,
                "upper": None,
                "forecast": forecast_steps(time, interval, np.array([[part[row, i] for part in ahead]])),
                "experts": None if weights is None else dict(zip(names, weights[i].tolist(), strict=True)),
            }
        opened = [one for whose, one in self.open_alerts() if whose == key]
        return {
            "key": key,
            "source": origin(partition),
            "time": format_times(common.numbers[row, LAST_TIME:][:1])[0],
            "events": int(common.numbers[row, EVENTS]),
            "level": self._published[0],
            "horizon": self._horizon,
            "targets": targets,
            "score": None,
            "is_anomaly": None,
            "alerts": open_alerts(opened, self._names, detector.CHANNEL_NAMES),
        }

    def seasons(self, key: str) -> list[str] | None:
        """Names of the seasons that a series follows now, the shorter one first; None where it is not in memory."""
        row = self.series.row_of(key)
        return None if row is None else season_names(self.series.arrays.forecaster.clock[row])

    def statistics(self) -> dict[str, int]:
        """Cumulative counters of the learning: `updates`, `updates_skipped`."""
        return diagnostics.statistics(self.shared.forecaster, self.series.arrays.forecaster)

    def warm_up(self, *beside: Callable[[], object]) -> None:
        """See `PartitionModel`.

        The forecast takes longest to compile: another process compiles all the rest into the cache meanwhile, where the
        system can fork and nothing else runs.
        """
        batch = Batch(
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.zeros((1, self._targets)),
            np.zeros((1, self._features)),
            np.zeros(1, np.int64),
            np.zeros(1, np.bool_),
        )
        passes = self._passes(self.series.arrays, batch, self._answers(1))
        forecast = passes[1]
        others: tuple[Callable[[], object], ...] = (passes[0], *passes[2:], *beside)
        helper = os.fork() if hasattr(os, "fork") and threading.active_count() == 1 else None
        if helper == 0:
            try:
                for run in others:
                    run()
            finally:
                os._exit(0)
        forecast()
        if helper is not None:
            os.waitpid(helper, 0)
        for run in others:
            run()
