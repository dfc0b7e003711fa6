"""Whatever a user hands over as a data frame, behind one interface: names are text, and an index is columns.

pandas keeps in an index what others keep in columns: the time, or the series and the time. A `Period` becomes the
moment at which it begins, a span of time (`Timedelta`) its seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals as nw
from narwhals import dependencies

from streamrnn.errors import ConfigurationError

TIME_NAMES = ("time", "timestamp", "date", "datetime", "date_time", "ds", "ts", "t")
KEY_NAMES = ("key", "unique_id", "id", "series", "series_id", "item_id", "name", "tag")


class Given(NamedTuple):
    """A frame behind narwhals' interface."""

    frame: nw.DataFrame[Any]
    levels: tuple[str, ...]  # columns that were levels of a pandas index
    zones: dict[str, str]  # of pandas' columns of times: they are in UTC in `frame`


def read(native: Any) -> Given:
    """What was given as a frame.

    A series of pandas or polars is a frame of one column. Raises `ConfigurationError` for what is no data frame.
    """
    levels: tuple[str, ...] = ()
    zones: dict[str, str] = {}
    if dependencies.is_pandas_series(native):
        native = native.to_frame("value" if native.name is None else native.name)
    elif dependencies.is_polars_series(native):
        native = native.to_frame(native.name or "value")
    if dependencies.is_pandas_dataframe(native):
        native, levels, zones = _plain(native)
    try:
        frame: nw.DataFrame[Any] = nw.from_native(native, eager_only=True)
    except TypeError:
        raise ConfigurationError(
            f"a {type(native).__name__} is no data frame; pass one of pandas, polars or pyarrow{_how(native)}"
        ) from None
    _no_doubles(list(frame.columns))
    return Given(frame, levels, zones)


def index_of(native: Any, times: int) -> Any:
    """The index of a pandas frame or series, so often, without the names that became columns; None of others."""
    if not (dependencies.is_pandas_dataframe(native) or dependencies.is_pandas_series(native)):
        return None
    index = native.index.copy()
    index.names = [None] * index.nlevels
    return index if times == 1 else index.append([index] * (times - 1))


def kind_of(frame: nw.DataFrame[Any], name: str) -> str:
    """What a column holds: `time`, `number`, `boolean`, `text`, or its type where it is none of them."""
    kind = frame.schema[name]
    if kind in (nw.Datetime, nw.Date):
        return "time"
    if kind.is_numeric():
        return "number"
    if kind == nw.Boolean:
        return "boolean"
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return "text"
    if kind == nw.Object:
        return next(
            (_kind_of_cell(cell) for cell in frame[name].to_list() if cell is not None and cell == cell), "text"
        )
    return str(kind)


def _kind_of_cell(cell: object) -> str:
    if isinstance(cell, date | datetime):
        return "time"
    if isinstance(cell, bool):
        return "boolean"
    return "number" if isinstance(cell, int | float | Decimal) else "text"


def _how(native: Any) -> str:
    """What to write instead."""
    if dependencies.is_polars_lazyframe(native):
        return ": frame.collect()"
    if isinstance(native, str):
        return f", such as pandas.read_csv({native!r}); `streamrnn run --input` reads files without it"
    if dependencies.is_numpy_array(native) or isinstance(native, Sequence):
        return ", such as pandas.DataFrame({'value': values})"
    return ", such as pandas.DataFrame(values)" if isinstance(native, dict) else ""


def _no_doubles(names: Sequence[str]) -> None:
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"the frame names {', '.join(map(repr, doubled))} more than once")


def _plain(native: Any) -> tuple[Any, tuple[str, ...], dict[str, str]]:
    """A pandas frame without index, periods, zones, and names that are no text; and what `Given` says beside it."""
    names = ["/".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in native.columns]
    _no_doubles(names)
    plain = native.copy(deep=False)
    plain.columns = names
    levels = {}
    for place in range(native.index.nlevels):
        level = native.index.get_level_values(place)
        name = _name_of_level(level, place, native.index.nlevels)
        if name is not None and name not in names:
            levels[name] = level
    plain = plain.reset_index(drop=True)
    for place, (name, level) in enumerate(levels.items()):
        plain.insert(place, name, level.to_series().reset_index(drop=True))
    zones = {}
    for name in plain.columns:
        kind = str(plain[name].dtype)
        if kind.startswith("period["):
            plain[name] = plain[name].dt.to_timestamp()
        elif kind.startswith("timedelta") and name in levels:
            plain[name] = plain[name].dt.total_seconds()
        elif kind.startswith(("datetime64", "timestamp[")) and plain[name].dt.tz is not None:
            zones[name] = str(plain[name].dt.tz)
            plain[name] = plain[name].dt.tz_convert("UTC")  # narwhals does not know pandas' America/New_York
    return plain, tuple(levels), zones


def _name_of_level(level: Any, place: int, count: int) -> str | None:
    """The column that a level of an index becomes; None: it only numbers the rows."""
    kind = str(level.dtype)
    first = level[0] if len(level) else None
    dated = isinstance(first, date) or kind.startswith(("datetime", "period", "timedelta"))
    if level.name is None:
        return "time" if dated or (count == 1 and _is_time(first)) else None if count == 1 else f"level_{place}"
    name = str(level.name)
    numbers = count == 1 and kind.lower().startswith(("int", "uint", "float"))
    known = name.strip().lower() in TIME_NAMES or (name.strip().lower() in KEY_NAMES and not level.is_unique)
    return name if known or not numbers else None


def _is_time(cell: object) -> bool:
    try:
        return isinstance(cell, str) and bool(datetime.fromisoformat(cell))
    except ValueError:
        return False
