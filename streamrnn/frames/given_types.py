"""Times and names of series come back as they were given, so that an answer can be joined with the frame it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals import dependencies

from streamrnn.frames.columns import Columns
from streamrnn.frames.given_frames import Given, kind_of
from streamrnn.frames.table import Float64, Int64, parts_of_key, unit_of

_PLAIN = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Categorical")
_DAY = np.timedelta64(1, "D") // np.timedelta64(1, "us")


class GivenTypes:
    """The types of the time and of the key columns in the newest frame."""

    def __init__(self, facts: Mapping[str, Any] | None = None) -> None:
        """Nothing known, or what `facts` said of another one: then answers are text and times in UTC."""
        facts = facts or {}
        self._time: str = facts.get("time", "datetime")
        self._unit: str = facts.get("unit", "us")
        self._zone: str | None = facts.get("zone")
        self._keys: list[str] = list(facts.get("keys", ()))

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"time": self._time, "unit": self._unit, "zone": self._zone, "keys": self._keys}

    @classmethod
    def of(cls, given: Given, columns: Columns) -> Self:
        """Those of a frame."""
        frame = given.frame
        found = cls({"keys": [str(frame.schema[name]).partition("(")[0] for name in columns.keys]})
        if columns.time is None:
            return found
        kind = frame.schema[columns.time]
        if isinstance(kind, nw.Datetime):
            found._unit, found._zone = kind.time_unit, given.zones.get(columns.time, kind.time_zone)
        elif kind == nw.Date:
            found._time = "date"
        elif kind.is_numeric():
            unit = unit_of(frame[columns.time].cast(nw.Float64).to_numpy())
            found._time, found._unit = ("integers" if kind.is_integer() else "floats"), repr(unit)
        elif kind == nw.Object and kind_of(frame, columns.time) == "time":
            cells = frame[columns.time].to_list()
            found._time = "datetime" if any(isinstance(cell, datetime) for cell in cells) else "dates"
        return found

    def times(self, name: str, times: Int64, backend: Any) -> nw.Series[Any]:
        """`times`, microseconds with NaT, as the frame has them; of a zone in UTC still (`in_zone`)."""
        moments = times.astype("datetime64[us]")
        known = ~np.isnat(moments)
        if self._time in ("integers", "floats"):
            return nw.new_series(name, self._counted(times, known), backend=backend)
        column = nw.new_series(name, moments, backend=backend)
        if self._time in ("date", "dates"):
            if (times[known] % _DAY).any():
                return column
            if self._time == "dates":
                return nw.new_series(name, [one.item().date() for one in moments], backend=backend)
            return column.cast(nw.Date)
        return column.cast(nw.Datetime(self._unit))  # type: ignore[arg-type]

    def in_zone(self, answer: nw.DataFrame[Any], name: str) -> Any:
        """The native frame of an answer, its times `name` in the zone of the frame that was given."""
        native = answer.to_native()
        if self._zone is None or name not in answer.columns:
            return native
        if dependencies.is_pandas_dataframe(native):
            times = native[name] if native[name].dt.tz is not None else native[name].dt.tz_localize("UTC")
            return native.assign(**{name: times.dt.tz_convert(self._zone)})
        times = nw.col(name)
        if getattr(answer.schema[name], "time_zone", None) is None:
            times = times.dt.replace_time_zone("UTC")
        return answer.with_columns(times.dt.convert_time_zone(self._zone)).to_native()

    def _counted(self, times: Int64, known: npt.NDArray[np.bool_]) -> Int64 | Float64:
        unit = float(self._unit)
        if self._time == "integers" and known.all():
            return times * 1000 if unit < 1 else times // int(unit)
        return np.where(known, times / unit, np.nan)

    def keys(self, names: Sequence[str], keys: Sequence[str], backend: Any) -> dict[str, nw.Series[Any]]:
        """The key columns of the series `keys`."""
        found = {}
        rows = [parts_of_key(key, names) for key in keys]
        for place, name in enumerate(names):
            cells = nw.new_series(name, [row[place] for row in rows], backend=backend)
            kind = self._keys[place] if place < len(self._keys) else ""
            found[name] = cells.cast(getattr(nw, kind)) if kind in _PLAIN else cells
        return found
