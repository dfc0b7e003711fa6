"""Long by metric: `time,device,metric,value` rows, of which those of one time and series are one event (`--metric`)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from streamrnn.connectors.reading.encodings import text_of_line
from streamrnn.connectors.reading.layout import LongReading, TableReading
from streamrnn.connectors.reading.lines import Found, json_line
from streamrnn.connectors.reading.sample import at_path, text_of
from streamrnn.connectors.reading.tables import cells_of, placed, trimmed

VALUE_NAMES = ("value", "_value", "val", "wert", "valeur", "valor", "state", "reading", "measurement")
MOST_METRICS = 500


class RowsByName:
    """Reads each row as a mapping from its columns."""

    def __init__(self, how: TableReading) -> None:
        self._how = how
        self._width = len(how.names)

    def __call__(self, line: bytes) -> Mapping[str, Any] | None:
        """One row; None where it is none."""
        how = self._how
        if how.kind == "json":
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                return None
            return value if isinstance(value, dict) else None
        text = text_of_line(line, how.encoding)
        try:
            cells = cells_of(text, how.delimiter)
            if len(cells) < self._width and how.spans:
                cells = placed(text, how.spans)
        except (csv.Error, ValueError):
            return None
        cells = trimmed(cells, self._width)
        if how.short_rows and 1 < len(cells) < self._width:
            cells += [""] * (self._width - len(cells))
        if len(cells) != self._width:
            return None
        return {name: cell.strip() for name, cell in zip(how.names, cells, strict=True)}


class MetricRows:
    """Turns each row into an object with its time, its key and its metric under the metric's own name."""

    def __init__(self, how: LongReading) -> None:
        self._how = how
        self._row = RowsByName(how)

    def __call__(self, lines: Found) -> Found:
        """The same lines as objects; what is no row stays, to be refused."""
        return [(line if (one := self.one(line)) is None else json_line(one), position) for line, position in lines]

    def one(self, line: bytes) -> dict[str, Any] | None:
        """One row."""
        row = self._row(line)
        return None if row is None else self.of(row)

    def of(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """One row, by its columns."""
        how = self._how
        metric = text_of(at_path(row, how.metric)).strip()
        if not metric:
            return None
        return {**{name: at_path(row, name) for name in how.shared}, metric: at_path(row, how.value)}


class MergedTimes:
    """Joins objects of one time, one for each key; a time is over when another one comes."""

    def __init__(self, how: LongReading) -> None:
        self._how = how
        self._times, self._keys = how.times, how.keys
        self._open: dict[tuple[str, ...], dict[str, Any]] = {}
        self._now: tuple[str, ...] = ()
        self._end = 0  # position behind the rows that wait

    @property
    def waiting(self) -> bool:
        """Whether rows wait for others of their time."""
        return bool(self._open)

    def __call__(self, lines: Found, *, ended: bool) -> Found:
        """Whole events as far as these lines complete them; `ended` says that no more will come."""
        found: Found = []
        for line, position in lines:
            try:
                one = orjson.loads(line)
            except orjson.JSONDecodeError:
                one = None
            if not isinstance(one, dict):
                if line.strip():
                    found += [*self._closed(), (line, position)]
                continue
            time = tuple(text_of(one.get(name)) for name in self._times)
            if time != self._now:
                found += self._closed()
                self._now = time
            key = tuple(text_of(one.get(name)) for name in self._keys)
            if self._how.metrics and not any(name in self._how.metrics for name in one):
                key = (*key, *one)  # a metric that is no target is refused by itself
                if self._how.chosen:
                    self._end = position
                    continue
            self._open.setdefault(key, {}).update(one)
            self._end = position
        return found + (self._closed() if ended else [])

    def _closed(self) -> Found:
        rows = [(json_line(one), self._end) for one in self._open.values()]
        self._open = {}
        return rows


def merged(rows: Sequence[dict[str, Any]], how: LongReading) -> list[dict[str, Any]]:
    """Events of a sample."""
    lines = [(orjson.dumps(row), at) for at, row in enumerate(rows)]
    return [orjson.loads(line) for line, _ in MergedTimes(how)(lines, ended=True)]
