"""Monash archive (.tsf): a series a line, with its attributes and its start, as forecasting benchmarks publish them.

Its kin ARFF (Weka) has a row a line under attributes that name the columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import IO, Any

from streamrnn.errors import ConnectorError

_STEPS = {"minutely": "1_minute", "hourly": "1_hour", "half_hourly": "30_minutes", "daily": "1_day",
          "weekly": "7_days", "monthly": "1_month", "quarterly": "3_months", "yearly": "12_months"}  # fmt: skip
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_HEAD = re.compile(rb"^@(relation|attribute|frequency)\b.*^@data\s", re.MULTILINE | re.DOTALL)
_NO_START = datetime(1970, 1, 1)


def is_monash(start: bytes) -> bool:
    """Whether a file's first bytes are a header of this archive; its kin ARFF has no `@frequency`."""
    return b"@frequency" in start and _HEAD.search(start.replace(b"\r", b"")) is not None


_ARFF = re.compile(rb"^@attribute\s.*^@data\b", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"@attribute\s+(?:'((?:\\.|[^'])*)'|\"((?:\\.|[^\"])*)\"|(\S+))", re.IGNORECASE)


def is_arff(start: bytes) -> bool:
    """Whether a file's first bytes are a header of ARFF."""
    return _ARFF.search(start) is not None


def arff(open_file: Callable[[], IO[bytes]]) -> Iterator[dict[str, Any]]:
    """Every row as an object, its cells as text; `?` is None. Raises `ConnectorError` for a row of another length."""
    names: list[str] = []
    for number, line, is_row in _lines(open_file, "%"):
        if not is_row:
            if (found := _ATTRIBUTE.match(line)) is not None:
                names.append(next(name for name in found.groups() if name is not None))
            continue
        quote = "'" if "'" in line else '"'
        cells = next(csv.reader([line], quotechar=quote, escapechar="\\", skipinitialspace=True))
        if len(cells) != len(names):
            raise ConnectorError(f"line {number} has {len(cells)} cells for {len(names)} attributes: {line[:60]!r}")
        yield {name: None if cell == "?" else cell for name, cell in zip(names, cells, strict=True)}


def monash(open_file: Callable[[], IO[bytes]]) -> Iterator[dict[str, Any]]:
    """Every value as an object with the attributes of its series, `time` and `value`; `?` is None.

    A series without a start begins in 1970. Raises `ConnectorError` for what is no such file.
    """
    names: list[str] = []
    kinds: list[str] = []
    frequency = ""
    for number, line, is_row in _lines(open_file, "#"):
        if not is_row:
            word, _, rest = line.partition(" ")
            if word == "@attribute":
                name, _, kind = rest.strip().partition(" ")
                names.append(name)
                kinds.append(kind.strip())
            elif word == "@frequency":
                frequency = rest.strip()
            continue
        *attributes, values = line.split(":", len(names))
        if len(attributes) != len(names):
            raise ConnectorError(f"line {number} has {len(attributes)} of {len(names)} attributes: {line[:60]!r}")
        series = dict(zip(names, attributes, strict=True))
        starts = [name for name, kind in zip(names, kinds, strict=True) if kind == "date"]
        try:
            start = datetime.strptime(series.pop(starts[0]), "%Y-%m-%d %H-%M-%S") if starts else _NO_START
            for step, cell in enumerate(values.split(",")):
                value = None if cell.strip() in ("?", "") else float(cell)
                yield {**series, "time": _later(start, step, frequency).isoformat(), "value": value}
        except (ValueError, OverflowError) as error:
            raise ConnectorError(f"line {number} is not read: {error}"[:200]) from error


def _lines(open_file: Callable[[], IO[bytes]], comment: str) -> Iterator[tuple[int, str, bool]]:
    """The number and text of every line that is neither blank nor a comment; whether it is behind `@data`."""
    at_data = False
    with open_file() as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8", "replace").strip()
            if not line or line.startswith(comment):
                continue
            yield number, line, at_data
            at_data = at_data or line.split()[0].lower() == "@data"


def _later(start: datetime, steps: int, frequency: str) -> datetime:
    count, _, unit = _STEPS.get(frequency, frequency).partition("_")
    unit = unit.removesuffix("s")
    if not count.isdigit() or unit not in (*_UNITS, "month"):
        raise ValueError(f"@frequency {frequency!r:.40} is not known")
    if unit == "month":
        months = start.month - 1 + steps * int(count)
        return _last_valid(start, start.year + months // 12, months % 12 + 1)
    return start + timedelta(seconds=steps * int(count) * _UNITS[unit])


def _last_valid(start: datetime, year: int, month: int) -> datetime:
    """The same day of another month, or its last."""
    for day in range(start.day, 27, -1):
        try:
            return start.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    return start.replace(year=year, month=month)
