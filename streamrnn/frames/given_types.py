"""Times and names of series come back as they were given, so that an answer can be joined with the frame it is of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals import dependencies

from streamrnn.frames.columns import Columns
from streamrnn.frames.given_frames import Given, kind_of
from streamrnn.frames.table import Float64, Int64, parts_of_key, unit_of

_PLAIN = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Categorical")
_DAY = np.timedelta64(1, "D") // np.timedelta64(1, "us")


class GivenTypes(NamedTuple):
    """The types of the time and of the key columns in the newest frame; before one: text, and datetimes in UTC."""

    time: str = "datetime"  # or `date`, `dates` (Python's), `integers`, `floats`
    unit: str = "us"  # of datetimes; of numbers the microseconds in one
    zone: str | None = None
    keys: Sequence[str] = ()

    @classmethod
    def of(cls, given: Given, columns: Columns) -> Self:
        """Those of a frame."""
        frame = given.frame
        found = cls(keys=[str(frame.schema[name]).partition("(")[0] for name in columns.keys])
        if columns.time is None:
            return found
        kind = frame.schema[columns.time]
        if isinstance(kind, nw.Datetime):
            return found._replace(unit=kind.time_unit, zone=given.zones.get(columns.time, kind.time_zone))
        if kind == nw.Date:
            return found._replace(time="date")
        if kind.is_numeric():
            unit = unit_of(frame[columns.time].cast(nw.Float64).to_numpy())
            return found._replace(time="integers" if kind.is_integer() else "floats", unit=repr(unit))
        if kind == nw.Object and kind_of(frame, columns.time) == "time":
            cells = frame[columns.time].to_list()
            return found if any(isinstance(cell, datetime) for cell in cells) else found._replace(time="dates")
        return found

    def time_column(self, name: str, times: Int64, backend: Any) -> nw.Series[Any]:
        """`times`, microseconds with NaT, as the frame has them; of a zone in UTC still (`in_zone`)."""
        moments = times.astype("datetime64[us]")
        known = ~np.isnat(moments)
        if self.time in ("integers", "floats"):
            return nw.new_series(name, self._counted(times, known), backend=backend)
        column = nw.new_series(name, moments, backend=backend)
        if self.time in ("date", "dates"):
            if (times[known] % _DAY).any():
                return column
            if self.time == "dates":
                return nw.new_series(name, [one.item().date() for one in moments], backend=backend)
            return column.cast(nw.Date)
        return column.cast(nw.Datetime(self.unit))  # type: ignore[arg-type]

    def in_zone(self, answer: nw.DataFrame[Any], names: Sequence[str]) -> Any:
        """The native frame of an answer, its columns of times in the zone of the frame that was given."""
        native = answer.to_native()
        if self.zone is None:
            return native
        for name in (name for name in names if name in answer.columns):
            if dependencies.is_pandas_dataframe(native):
                times = native[name] if native[name].dt.tz is not None else native[name].dt.tz_localize("UTC")
                native = native.assign(**{name: times.dt.tz_convert(self.zone)})
                continue
            times = nw.col(name)
            if getattr(answer.schema[name], "time_zone", None) is None:
                times = times.dt.replace_time_zone("UTC")
            native = nw.from_native(native).with_columns(times.dt.convert_time_zone(self.zone)).to_native()
        return native

    def _counted(self, times: Int64, known: npt.NDArray[np.bool_]) -> Int64 | Float64:
        unit = float(self.unit)
        if self.time == "integers" and known.all():
            return times * 1000 if unit < 1 else times // int(unit)
        return np.where(known, times / unit, np.nan)

    def key_columns(self, names: Sequence[str], keys: Sequence[str], backend: Any) -> dict[str, nw.Series[Any]]:
        """The key columns of the series `keys`."""
        found = {}
        rows = [parts_of_key(key, names) for key in keys]
        for place, name in enumerate(names):
            cells = nw.new_series(name, [row[place] for row in rows], backend=backend)
            kind = self.keys[place] if place < len(self.keys) else ""
            found[name] = cells.cast(getattr(nw, kind)) if kind in _PLAIN else cells
        return found
