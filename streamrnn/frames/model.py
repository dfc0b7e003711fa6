"""`StreamModel`: what a worker does with a topic, done with data frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Self

import narwhals as nw
import numpy as np

from streamrnn import __version__
from streamrnn.config.loading import load
from streamrnn.errors import ConfigurationError, SnapshotCorrupt, StreamRNNError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.frames.alerts import NAMES, Alerts
from streamrnn.frames.caller_warning import warn_caller
from streamrnn.frames.columns import Columns, find_columns, names_of
from streamrnn.frames.given_frames import index_of, read
from streamrnn.frames.given_types import GivenTypes
from streamrnn.frames.newest import Newest
from streamrnn.frames.other_libraries import missing_attribute, refuse_arguments
from streamrnn.frames.table import Table, table_of, with_future
from streamrnn.kernels.jit import compiling
from streamrnn.records.events import Decoded
from streamrnn.records.step_times import step_times
from streamrnn.state.snapshot_file import read_file, write_file

LARGEST_BATCH = 20_000
"""Rows folded at once: bounds the memory that the answers take."""


def _compile(model: ForecastModel) -> None:
    """Compile what the model needs, or load it from the cache, before the first row."""
    with compiling():
        model.warm_up()
    model.close()


class StreamModel:
    """Learns row by row from data frames, forecasts every series, and goes on with the next frame.

    The state and the arithmetic are those of `streamrnn run`: the same rows in the same order give the same forecasts.
    A forecast for a row is made before the row is seen. Frames may come from pandas, polars or pyarrow; what comes back
    is of the same kind.

    Args:
        horizon: rows ahead that `forecast` answers, at least 1.
        preset: `lite`, `standard` or `full`: how much machinery.
        levels: coverage of the prediction intervals, one share or many; the first is `lower` and `upper`.
        seasonality: one period or many, such as `"24h"`, or seconds; none: they are found.
        time: column with the time; default: the first one of datetimes.
        key: column that names the series, or columns that name it together; default: the one of text.
        target: column or columns to forecast; default: `value`, `y`, else every numeric column.
        features: columns that help to forecast and are not forecast themselves.
        future: those of them that are known ahead, such as a weather forecast: a row is forecast with what the next
            rows of the frame say. Rows at its end that have them and no target say what comes after the last value.
        settings: any further setting of the service by its dotted name, such as `{"model.hidden_size": 64}`.

    Raises:
        ConfigurationError: a setting or a column that does not exist, a cell that is no number or time.
        TypeError: an argument that does not exist.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"y": [float(i % 7) for i in range(300)]})
    >>> model = StreamModel(horizon=3, preset="lite", target="y")
    >>> seen = model.update(frame)
    >>> model.forecast().columns.tolist()
    ['time', 'step', 'mean', 'median', 'lower', 'upper']
    """

    def __init__(
        self,
        horizon: int = 12,
        *,
        preset: str = "standard",
        levels: float | Sequence[float] = (0.9,),
        seasonality: str | float | Sequence[str | float] = (),
        time: str | None = None,
        key: str | Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        features: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        settings: Mapping[str, object] | None = None,
        **unknown: Never,
    ) -> None:
        refuse_arguments("StreamModel", unknown, ("horizon", *(type(self).__init__.__kwdefaults__ or {})))
        features, future = names_of(features), names_of(future)
        periods = [seasonality] if isinstance(seasonality, str | int | float) else list(seasonality)
        self._settings: dict[str, object] = {
            "model.horizon": horizon,
            "model.preset": preset,
            "model.levels": _shares(levels),
            "model.seasonality": periods,
            **(settings or {}),
        }
        if future:
            self._settings["event.future"] = list(future)
        # The environment configures services; a script should do the same wherever it runs.
        self._config = load(None, self._settings, environment={})
        more = [name for name in self._config.event.future if name not in features]
        self._asked: dict[str, Any] = {"time": time, "key": key, "target": target, "features": (*features, *more)}
        self._config.only_forecasts("a StreamModel forecasts: for labels see RNNRegressor and RNNClassifier")
        self._columns: Columns | None = None
        self._model: ForecastModel | None = None
        self._rows = 0
        self._newest = Newest()
        self._alerts = Alerts()
        self._types = GivenTypes()
        self._backend: Any = "pandas"  # what a model that was loaded answers with, until it has seen a frame

    def update(self, frame: Any) -> Any:
        """Learn from the rows, in the order of their times, and say what had been forecast for each.

        Returns a frame with one row per row and target, in the frame's own order and with its index: time and key as
        they were given, `target` where there are several, `observed`, `expected` (mean) and `expected_median`, `lower`,
        `upper`, the anomaly `score` in [0, 1], `is_anomaly`, and `alert`: the number of the series' alert that the row
        belongs to, 0 for none. A series' first row has no forecast. `alerts` says more of every alert.

        Warns of rows that are older than the newest row of their series, and of rows that repeat a time.
        """
        table, columns, native = self._read(frame)
        model = self._started()
        self._look_at_late_rows(table)
        targets, count = len(columns.targets), len(native)
        names = ("expected", "expected_median", "lower", "upper")
        said = {name: np.full((count, targets), np.nan) for name in names}
        score, flagged, alert = np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.int64)
        for start in range(0, len(table.keys), LARGEST_BATCH):
            part = slice(start, min(start + LARGEST_BATCH, len(table.keys)))
            decoded = Decoded(table.keys[part], table.times[part], table.targets[part], table.features[part], [], [])
            answers = model.process(decoded)
            self._newest.add(decoded.keys, decoded.times, answers)
            self._alerts.add(model.alert_documents(decoded, answers))
            place = table.order[part]
            said["expected"][place], said["expected_median"][place] = answers.expected, answers.expected_median
            said["lower"][place], said["upper"][place] = answers.lower[:, 0], answers.upper[:, 0]
            score[place], flagged[place], alert[place] = answers.score, answers.is_anomaly, answers.alert
        self._rows += len(table.keys)
        observed = np.full((count, targets), np.nan)
        observed[table.order] = table.targets
        found: dict[str, Any] = {}
        for name in (*columns.keys, columns.time):
            if name is not None:
                found[name] = native[name] if targets == 1 else nw.concat([native.select(name)] * targets)[name]
        if targets > 1:
            found["target"] = np.repeat(np.array(columns.targets), count).tolist()
        found["observed"] = observed.T.ravel()
        found |= {name: values.T.ravel() for name, values in said.items()}
        found["score"], found["is_anomaly"] = np.tile(score, targets), np.tile(flagged, targets)
        found["alert"] = np.tile(alert, targets)
        return self._frame(found, index_of(frame, targets))

    def forecast(self, horizon: int | None = None) -> Any:
        """What every series is expected to do after its newest row, in the next `horizon` rows (None: the model's).

        Returns a frame with one row per series, step and target: the key, the `time` of the step (after the usual time
        between two rows), `step` from 1 on, `target` where there are several, `mean`, `median`, `lower` and `upper`.

        Raises `StreamRNNError` before the first `update`, and `ConfigurationError` for more rows than the model has.
        """
        if self._model is None or self._columns is None:
            raise StreamRNNError("there is nothing to forecast yet: call update(frame) first")
        columns, most, targets = self._columns, self._config.model.horizon, len(self._columns.targets)
        horizon = most if horizon is None else horizon
        if not 1 <= horizon <= most:
            raise ConfigurationError(
                f"this model forecasts 1 to {most} rows, not {horizon!r}: say StreamModel(horizon={horizon!r}) first"
            )
        keys = sorted(self._newest.keys)
        order = sorted(range(len(keys)), key=self._newest.keys.__getitem__)
        newest = {name: array[order] for name, array in self._newest.arrays.items()}
        times = step_times(newest["time"], newest["interval"], horizon)
        steps, shape = np.arange(1, horizon + 1), (len(keys), horizon, targets)
        found: dict[str, Any] = {}
        repeated = np.repeat(np.array(keys, dtype=object), horizon * targets).tolist()
        found |= self._types.key_columns(columns.keys, repeated, self._backend)
        name = columns.time or "time"
        found[name] = self._types.time_column(name, np.broadcast_to(times[:, :, None], shape).ravel(), self._backend)
        found["step"] = np.broadcast_to(steps[None, :, None], shape).ravel()
        if targets > 1:
            found["target"] = list(columns.targets) * (len(keys) * horizon)
        found |= {name: newest[name][:, :horizon].ravel() for name in ("mean", "median", "lower", "upper")}
        return self._frame(found)

    def alerts(self) -> Any:
        """The alerts that opened or closed in the rows since the model was made or loaded.

        Returns a frame with one row per alert, in the order in which they opened: the key, `alert` and `kind` (anomaly;
        warning, where `anomaly.limits` asks for it), `since` and `until` (null while it is open), the `target` that
        drove it, `direction` (high, low, shape), `size` in the target's unit, `strength`, and in `text` why it opened.

        Raises `StreamRNNError` before the first `update`.
        """
        if self._columns is None:
            raise StreamRNNError("there are no alerts yet: call update(frame) first")
        alerts, backend = self._alerts, self._backend
        if clash := [name for name in self._columns.keys if name in NAMES]:
            raise ConfigurationError(f"{clash[0]!r} is the name of a column of alerts, too: rename yours")
        columns = alerts.columns
        found: dict[str, Any] = dict(self._types.key_columns(self._columns.keys, alerts.keys, backend))
        found |= {name: columns.pop(name) for name in ("alert", "kind")}
        found |= {name: self._types.time_column(name, alerts.times(name), backend) for name in ("since", "until")}
        return self._frame({**found, **columns})

    def save(self, path: str | Path) -> None:
        """Write all that was learned to one file (safetensors): `StreamModel.load` goes on from it.

        Raises `StateError` where it cannot be written.
        """
        model = self._started()
        facts = {
            "version": __version__,
            "settings": json.loads(json.dumps(self._settings)),
            "asked": self._asked,
            "columns": None if self._columns is None else self._columns._asdict(),
            "rows": self._rows,
            "keys": self._newest.keys,
            "types": self._types._asdict(),
        }
        write_file(Path(path), model.snapshot(self._rows, whole=True), facts, self._newest.arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model that `save` wrote, bit for bit.

        Raises `StateError`, `SnapshotCorrupt`, `SnapshotVersion` or `SnapshotMismatch`.
        """
        facts, messages, newest = read_file(Path(path))
        try:
            model = cls(settings=facts["settings"], **facts["asked"])
            rows, columns, keys = int(facts["rows"]), facts["columns"], list(facts["keys"])
            types = GivenTypes(**facts.get("types", {}))
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotCorrupt(f"{path} is a state, but not one that StreamModel.save wrote: {error}") from error
        if columns is not None:
            named = names_of(columns["keys"] if "keys" in columns else columns["key"])  # older files say `key`
            model._settle(Columns(columns["time"], named, tuple(columns["targets"]), tuple(columns["features"])))
            for _ in model._started().restore(messages):
                pass
            model._rows, model._newest, model._types = rows, Newest(newest, keys), types
        return model

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(name)

    def __reduce__(self) -> Never:
        raise TypeError("a StreamModel cannot be pickled or copied: save(path), then StreamModel.load(path)")

    def __repr__(self) -> str:
        model = self._config.model
        return f"<StreamModel: {model.preset}, {model.horizon} rows ahead, {self._rows:,} rows, {self.series:,} series>"

    @property
    def series(self) -> int:
        """How many series there are."""
        return 0 if self._model is None else len(self._model.series)

    def _read(self, native: Any) -> tuple[Table, Columns, nw.DataFrame[Any]]:
        given = read(native)
        frame = given.frame
        columns = self._columns
        if columns is None:
            if not len(frame):
                raise ConfigurationError("the frame has no rows: its columns cannot be told apart yet")
            columns = find_columns(frame, given.levels, **self._asked)
        needed = [
            name for name in (columns.time, *columns.keys, *columns.targets, *columns.features) if name is not None
        ]
        if absent := [name for name in needed if name not in frame.columns]:
            raise ConfigurationError(
                f"the frame has no column {absent[0]!r}, which the first one had; there are: {', '.join(frame.columns)}"
            )
        table = table_of(frame, columns, self._rows)
        if self._columns is None:
            _refuse_short_seasons(self._settings["model.seasonality"], table)
            self._settle(columns)
        self._backend = nw.get_native_namespace(frame)
        if len(frame):
            self._types = GivenTypes.of(given, columns)
        future = self._config.event.future
        return with_future(table, columns, future, self._config.model.horizon) if future else table, columns, frame

    def _settle(self, columns: Columns) -> None:
        self._columns = columns
        event: dict[str, object] = {"event.targets": list(columns.targets), "event.features": list(columns.features)}
        names = {"event.key": next(iter(columns.keys), None), "event.time": columns.time}
        event |= {name: value for name, value in names.items() if value is not None}
        self._config = load(None, {**self._settings, **event}, environment={})
        _compile(ForecastModel(self._config))
        self._model = ForecastModel(self._config)

    def _look_at_late_rows(self, table: Table) -> None:
        """Warn of rows that are older than what their series has learned: a frame that is handed over twice."""
        if late := self._newest.older(table.keys, table.times):
            warn_caller(
                f"{late:,} of {len(table.keys):,} rows are older than the newest row of their series so far. "
                + (
                    "They are learned after it: hand over every row once, or say settings={'event.late': 'drop'}"
                    if self._config.event.late == "process"
                    else "They are not learned"
                )
            )

    def _started(self) -> ForecastModel:
        if self._model is None:
            raise StreamRNNError("nothing was learned yet: call update(frame) first")
        return self._model

    def _frame(self, columns: Mapping[str, Any], index: Any = None) -> Any:
        """The columns as a frame of the kind that was given, and with its index where that is one of pandas."""
        backend = self._backend
        made = {
            name: values if isinstance(values, nw.Series) else nw.new_series(name, values, backend=backend)
            for name, values in columns.items()
        }
        time = None if self._columns is None else self._columns.time
        native = self._types.in_zone(nw.from_dict(made, backend=backend), (time or "time", "since", "until"))
        if index is not None:
            native.index = index
        return native


def _shares(levels: float | Sequence[float]) -> list[float]:
    shares = [levels] if isinstance(levels, int | float) else list(levels)
    if above := [share for share in shares if isinstance(share, int | float) and share > 1]:
        raise ConfigurationError(f"levels are shares below 1: write {above[0] / 100:g} for {above[0]:g} %")
    return shares


def _refuse_short_seasons(periods: Any, table: Table) -> None:
    """A number is seconds, and a period of less than two rows is a number that was meant as rows."""
    steps = np.diff(np.unique(table.times))
    if not len(steps) or not isinstance(periods, Sequence) or isinstance(periods, str):
        return
    usual = float(np.median(steps)) / 1e6
    for period in periods:
        if isinstance(period, int | float) and period < 2 * usual:
            raise ConfigurationError(
                f"seasonality: {period:g} seconds are less than two rows, which are {usual:g} seconds apart; "
                f"{period:g} rows are '{period * usual:g}s'"
            )
