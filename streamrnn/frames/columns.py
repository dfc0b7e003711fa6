"""What the columns of a data frame mean, and how they become the arrays that the model takes.

A frame is *long* when a column of text or categories names the series (`unique_id, ds, y`), else *one series*: every
numeric column is a target. What was not named is found by type and by the usual names; what cannot be told is an
error that says which argument tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt

from streamrnn.errors import ConfigurationError
from streamrnn.records.event_schema import DEFAULT_KEY, LARGEST_VALUE
from streamrnn.records.future import RowsToCome

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

TIME_NAMES = ("time", "timestamp", "date", "datetime", "date_time", "ds", "ts", "t")
KEY_NAMES = ("key", "unique_id", "id", "series", "series_id", "item_id", "name", "tag")
TARGET_NAMES = ("value", "y", "target")
MILLISECONDS_FROM = 20_000_000_000
"""A number as a time is seconds since 1970 up to here (the year 2603), and milliseconds beyond, as in JSON events."""


class Columns(NamedTuple):
    """Which column is what."""

    time: str | None
    key: str | None
    targets: tuple[str, ...]
    features: tuple[str, ...]


class Table(NamedTuple):
    """The rows of a frame in the order they are learned: by time, and as they came where times are equal."""

    order: Int64  # (rows,) place of each in the frame
    keys: list[str]
    times: Int64  # (rows,) microseconds since 1970, UTC
    targets: Float64  # (rows, targets), NaN where missing
    features: Float64  # (rows, features), NaN where missing; as `Decoded` has them where some are known ahead


def read(native: Any) -> nw.DataFrame[Any]:
    """The frame behind narwhals' interface; a pandas index that holds times becomes a column.

    Raises `ConfigurationError` for what is no data frame.
    """
    try:
        frame: nw.DataFrame[Any] = nw.from_native(native, eager_only=True)
    except TypeError:
        raise ConfigurationError(
            f"a {type(native).__name__} is no data frame; pass one of pandas, polars or pyarrow (collect a lazy one)"
        ) from None
    index = getattr(native, "index", None)
    if index is not None and type(index).__name__ in ("DatetimeIndex", "PeriodIndex"):
        name = str(index.name) if index.name is not None else "time"
        if name not in frame.columns:
            dated = native.copy(deep=False)
            dated.index = index.to_timestamp() if type(index).__name__ == "PeriodIndex" else index
            frame = nw.from_native(dated.rename_axis(name).reset_index(), eager_only=True)
    if doubled := sorted({name for name in frame.columns if frame.columns.count(name) > 1}):
        raise ConfigurationError(f"the frame names {', '.join(map(repr, doubled))} more than once")
    return frame


def find_columns(
    frame: nw.DataFrame[Any],
    *,
    time: str | None = None,
    key: str | None = None,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] = (),
) -> Columns:
    """Which column is what; arguments that are given are taken as they are.

    Raises `ConfigurationError` naming the columns there are.
    """
    present, schema = list(frame.columns), frame.schema
    targets = (target,) if isinstance(target, str) else tuple(target or ())
    for argument, names in (("time", [time]), ("key", [key]), ("target", targets), ("features", features)):
        for name in names:
            if name is not None and name not in present:
                raise ConfigurationError(f"{argument}: no column {name!r}; there are: {', '.join(map(str, present))}")
    taken = {name for name in (time, key, *targets, *features) if name is not None}
    free = [name for name in present if name not in taken]
    if time is None:
        dated = [name for name in free if schema[name] in (nw.Datetime, nw.Date)]
        named = [name for name in _by_name(free, TIME_NAMES) if schema[name].is_numeric() or schema[name] == nw.String]
        time = next(iter([*_by_name(dated, TIME_NAMES), *dated, *named]), None)
        free = [name for name in free if name != time]
    if key is None:
        texts = [name for name in free if not schema[name].is_numeric() and _is_text(schema[name])]
        named = [name for name in _by_name(free, KEY_NAMES) if not _numbers_rows(frame, name)]
        found = list(dict.fromkeys([*named, *texts]))
        if len(found) > 1 and not named:
            raise ConfigurationError(
                f"several columns may name the series ({', '.join(found)}): say which with key=..., or leave the "
                "others out of the frame"
            )
        key = next(iter(found), None)
        free = [name for name in free if name != key]
    if not targets:
        numeric = [name for name in free if schema[name].is_numeric()]
        named = _by_name(numeric, TARGET_NAMES)
        if key is not None and not named and len(numeric) > 1:
            raise ConfigurationError(
                f"several columns may be the target ({', '.join(numeric)}): say which with target=..., one name or many"
            )
        targets = tuple(named[:1] or numeric)
    if not targets:
        raise ConfigurationError(f"no numeric column to forecast; there are: {', '.join(map(str, present))}")
    for name in (*targets, *features):
        if not (schema[name].is_numeric() or schema[name] == nw.Boolean):
            raise ConfigurationError(f"column {name!r} holds {schema[name]}, not numbers: convert it first")
    return Columns(time, key, targets, tuple(features))


def _by_name(names: Sequence[str], known: Sequence[str]) -> list[str]:
    rank = {name: place for place, name in enumerate(known)}
    found = [name for name in names if str(name).strip().lower() in rank]
    return sorted(found, key=lambda name: rank[str(name).strip().lower()])


def _numbers_rows(frame: nw.DataFrame[Any], name: str) -> bool:
    """Whether the column is a row number rather than the name of a series: numeric, and never twice the same."""
    return frame.schema[name].is_numeric() and frame[name].n_unique() == len(frame)


def _is_text(kind: Any) -> bool:
    return kind in (nw.String, nw.Categorical, nw.Enum, nw.Object)


def table_of(frame: nw.DataFrame[Any], columns: Columns, after: int) -> Table:
    """The rows as arrays, in the order of their times; without a time column one second apart, from `after` seconds on.

    Raises `ConfigurationError` for a row without key or time, and for a number that is infinite or beyond 1e100.
    """
    rows = len(frame)
    if columns.time is None:
        times = (after + np.arange(rows, dtype=np.int64)) * 1_000_000
    else:
        times = _times(frame[columns.time], columns.time)
    keys = [DEFAULT_KEY] * rows
    if columns.key is not None:
        cells = frame[columns.key].to_list()
        if (missing := next((i for i, cell in enumerate(cells) if cell is None or cell != cell), None)) is not None:
            raise ConfigurationError(f"row {missing} has no {columns.key!r}, which names its series")
        keys = [str(cell) for cell in cells]
    order = np.argsort(times, kind="stable").astype(np.int64)
    return Table(
        order,
        [keys[i] for i in order.tolist()],
        times[order],
        _numbers(frame, columns.targets)[order],
        _numbers(frame, columns.features)[order],
    )


def with_future(table: Table, columns: Columns, future: Sequence[str], horizon: int) -> Table:
    """The rows to learn, with what the next `horizon` rows of their series say of the features `future`.

    Rows after the last one of their series that has a target are left out: they only say what is known ahead. Raises
    `ConfigurationError` where no row has a target.
    """
    numbers: dict[str, int] = {}
    series = np.array([numbers.setdefault(key, len(numbers)) for key in table.keys], np.int64)
    rows, known = np.arange(len(series)), ~np.isnan(table.targets).all(axis=1)
    if len(rows) and not known.any():
        raise ConfigurationError(
            f"no row has a target ({', '.join(columns.targets)}): rows without one say what comes after those that "
            "have one, in the same frame"
        )
    last = np.full(len(numbers), -1)
    np.maximum.at(last, series[known], rows[known])
    places = [columns.features.index(name) for name in future]
    ahead = RowsToCome(rows, series, table.features[:, places], horizon)(rows)
    learned = rows[rows <= last[series]]
    return Table(
        table.order[learned],
        [table.keys[i] for i in learned.tolist()],
        table.times[learned],
        table.targets[learned],
        np.hstack([table.features, ahead])[learned],
    )


def _numbers(frame: nw.DataFrame[Any], names: Sequence[str]) -> Float64:
    found = np.full((len(frame), len(names)), np.nan)
    for place, name in enumerate(names):
        found[:, place] = frame[name].cast(nw.Float64).to_numpy()
        beyond = ~np.isnan(found[:, place]) & ~(np.abs(found[:, place]) <= LARGEST_VALUE)
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            raise ConfigurationError(
                f"row {row} of {name!r} holds {float(found[row, place])!r}; numbers lie between -1e100 and 1e100, "
                "and what is missing is null or NaN"
            )
    return found


def _times(cells: nw.Series[Any], name: str) -> Int64:
    if cells.is_null().any():
        raise ConfigurationError(f"row {int(np.flatnonzero(cells.is_null().to_numpy())[0])} has no {name!r}")
    kind = cells.dtype
    if kind.is_numeric():
        numbers = cells.cast(nw.Float64).to_numpy()
        if not np.isfinite(numbers).all():
            raise ConfigurationError(f"row {int(np.flatnonzero(~np.isfinite(numbers))[0])} has no {name!r}")
        scale = 1e3 if len(numbers) and np.abs(numbers).max() > MILLISECONDS_FROM else 1e6
        return np.round(numbers * scale).astype(np.int64)
    if kind in (nw.Datetime, nw.Date):
        if kind == nw.Date:
            cells = cells.cast(nw.Datetime("us"))
        return np.asarray(cells.dt.timestamp("us").to_numpy(), dtype=np.int64)
    return np.array([_time_of(cell, name, row) for row, cell in enumerate(cells.to_list())], dtype=np.int64)


def _time_of(cell: object, name: str, row: int) -> int:
    try:
        if isinstance(cell, datetime):
            moment = cell
        elif isinstance(cell, date):
            moment = datetime(cell.year, cell.month, cell.day)
        else:
            moment = datetime.fromisoformat(str(cell))
    except ValueError:
        raise ConfigurationError(
            f"row {row} of {name!r} holds {cell!r}, which is no ISO 8601 time: convert the column to datetimes first"
        ) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
