"""The rows of a data frame as the arrays that the model takes, in the order in which they are learned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt

from streamrnn.errors import ConfigurationError
from streamrnn.frames.caller_warning import warn_caller
from streamrnn.frames.columns import Columns
from streamrnn.frames.given_frames import kind_of
from streamrnn.records.event_schema import DEFAULT_KEY, LARGEST_VALUE
from streamrnn.records.future import RowsToCome

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_UNITS = ((20_000_000_000, 1e6), (20_000_000_000_000, 1e3), (20_000_000_000_000_000, 1.0), (np.inf, 1e-3))
"""A number as a time is seconds since 1970 up to here (the year 2603), then milliseconds, microseconds, nanoseconds;
and microseconds in each."""


class Table(NamedTuple):
    """The rows of a frame in the order they are learned: by time, and as they came where times are equal."""

    order: Int64  # (rows,) place of each in the frame
    keys: list[str]
    times: Int64  # (rows,) microseconds since 1970, UTC
    targets: Float64  # (rows, targets), NaN where missing
    features: Float64  # (rows, features), NaN where missing; as `Decoded` has them where some are known ahead


def table_of(frame: nw.DataFrame[Any], columns: Columns, after: int) -> Table:
    """The rows as arrays, in the order of their times; without a time column one second apart, from `after` seconds on.

    Raises `ConfigurationError` for a row without key or time, for a number that is infinite or beyond 1e100, and for
    rows with the same time that a further column tells apart. Warns where no column does.
    """
    rows = len(frame)
    if columns.time is None:
        times = (after + np.arange(rows, dtype=np.int64)) * 1_000_000
    else:
        times = times_of(frame[columns.time], columns.time)
    keys = _keys(frame, columns.keys)
    if columns.time is not None:
        _look_at_repeats(frame, columns, keys, times)
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
    series = _series(table.keys)
    rows, known = np.arange(len(series)), ~np.isnan(table.targets).all(axis=1)
    if len(rows) and not known.any():
        raise ConfigurationError(
            f"no row has a target ({', '.join(columns.targets)}): rows without one say what comes after those that "
            "have one, in the same frame"
        )
    last = np.full(series.max(initial=-1) + 1, -1)
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


def _keys(frame: nw.DataFrame[Any], names: Sequence[str]) -> list[str]:
    """The series of every row; of several columns their values with / between, as in files."""
    if not names:
        return [DEFAULT_KEY] * len(frame)
    parts = []
    for name in names:
        cells = frame[name].to_list()
        if (missing := next((i for i, cell in enumerate(cells) if cell is None or cell != cell), None)) is not None:
            raise ConfigurationError(f"row {missing} has no {name!r}, which names its series")
        parts.append([str(cell) for cell in cells])
    if len(parts) == 1:
        return parts[0]
    return ["/".join(cell.replace("/", "%2F") for cell in row) for row in zip(*parts, strict=True)]


def parts_of_key(key: str, names: Sequence[str]) -> list[str]:
    """The cells that `_keys` made a series of."""
    return [key] if len(names) == 1 else [part.replace("%2F", "/") for part in key.split("/")]


def _series(keys: Sequence[str]) -> Int64:
    """The number of every row's series, from 0 in the order in which they appear."""
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))


def _look_at_repeats(frame: nw.DataFrame[Any], columns: Columns, keys: list[str], times: Int64) -> None:
    series = _series(keys)
    repeats = _repeats(series, times)
    if not repeats.size:
        return
    moment = np.datetime64(int(times[repeats[0]]), "us").item().isoformat()
    used = {columns.time, *columns.keys, *columns.features}
    for name in frame.columns:
        kind = None if name in used else kind_of(frame, name)
        whole = kind == "text" or (kind == "number" and frame.schema[name].is_integer())
        if not whole or not 1 < frame[name].n_unique() < len(frame):
            continue
        cells = np.unique(np.array([str(cell) for cell in frame[name].to_list()]), return_inverse=True)[1]
        if not _repeats(series * (int(cells.max()) + 1) + cells, times).size:
            keyed = repr(name) if not columns.keys else repr([*columns.keys, name])
            raise ConfigurationError(
                f"{repeats.size:,} rows repeat the time of another row of their series ({moment}), and the column "
                f"{name!r} tells them apart: if it names the series, say key={keyed}; if it is a part of the time, "
                "join the two into one column of datetimes; else leave it out of the frame"
            )
    warn_caller(
        f"{repeats.size:,} rows repeat the time of another row of their series ({moment}); each is learned, in the "
        "order of the frame. Where they are the same measurement twice, drop one of them first"
    )


def _repeats(series: npt.NDArray[np.integer[Any]], times: Int64) -> Int64:
    """Rows that have the time of another row of their series before them."""
    order = np.lexsort((times, series))
    same = (np.diff(series[order]) == 0) & (np.diff(times[order]) == 0)
    return np.sort(order[1:][same])


def _numbers(frame: nw.DataFrame[Any], names: Sequence[str]) -> Float64:
    found = np.full((len(frame), len(names)), np.nan)
    for place, name in enumerate(names):
        if frame.schema[name] == nw.Object:
            found[:, place] = [_number(cell, name, row) for row, cell in enumerate(frame[name].to_list())]
        else:
            found[:, place] = frame[name].cast(nw.Float64).to_numpy()
        beyond = ~np.isnan(found[:, place]) & ~(np.abs(found[:, place]) <= LARGEST_VALUE)
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            raise ConfigurationError(
                f"row {row} of {name!r} holds {float(found[row, place])!r}; numbers lie between -1e100 and 1e100, "
                "and what is missing is null or NaN"
            )
    return found


def _number(cell: Any, name: str, row: int) -> float:
    """A cell of a column of Python objects, such as Decimal."""
    try:
        return np.nan if cell is None else float(cell)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"row {row} of {name!r} holds {cell!r}, which is no number: convert the column first, for example with "
            f"pandas.to_numeric(frame[{name!r}], errors='coerce')"
        ) from None


def unit_of(numbers: Float64) -> float:
    """Microseconds in one, of numbers that are times."""
    largest = float(np.abs(numbers).max()) if len(numbers) else 0.0
    return next(micros for most, micros in _UNITS if largest <= most)


def times_of(cells: nw.Series[Any], name: str) -> Int64:
    """Microseconds since 1970, UTC. Raises `ConfigurationError` for a cell that is no time."""
    if cells.is_null().any():
        raise ConfigurationError(
            f"row {int(np.flatnonzero(cells.is_null().to_numpy())[0])} has no {name!r}: leave rows without a time out"
        )
    kind = cells.dtype
    if kind.is_numeric():
        numbers = cells.cast(nw.Float64).to_numpy()
        if not np.isfinite(numbers).all():
            raise ConfigurationError(f"row {int(np.flatnonzero(~np.isfinite(numbers))[0])} has no {name!r}")
        unit = unit_of(numbers)
        if unit < 1 and kind.is_integer():
            return cells.to_numpy().astype(np.int64) // 1000
        return np.round(numbers * unit).astype(np.int64)
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
            f"row {row} of {name!r} holds {cell!r}, which is no ISO 8601 time: convert the column to datetimes first, "
            f"for example with pandas.to_datetime(frame[{name!r}])"
        ) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
