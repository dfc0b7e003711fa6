"""One row of a file as an event's fields, under the layout that was decided: no row changes how another is read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from streamrnn.config.tree import EventConfig, FileConfig
from streamrnn.connectors.reading import numbers, times
from streamrnn.connectors.reading.clocks import seconds_of
from streamrnn.connectors.reading.layout import Layout
from streamrnn.connectors.reading.line_protocol import point
from streamrnn.connectors.reading.missing import sentinels, spellings
from streamrnn.connectors.reading.sample import at_path, text_of
from streamrnn.connectors.reading.tables import trimmed
from streamrnn.errors import EventInvalid
from streamrnn.records.events import LARGEST_VALUE, targets_of
from streamrnn.records.scanning import PlainFields

_NOT_UTF8 = "\ufffd"


class RowReader:
    """Reads rows; what is in `broken_cells` was taken as missing."""

    def __init__(self, layout: Layout, event: EventConfig, file: FileConfig) -> None:
        self.layout = layout
        self.plain: PlainFields | None = None
        """Set where plain JSON events need none of this: they are read many at once (`records/scanning.py`)."""
        self.broken_cells: Counter[str] = Counter()
        """Cells that are no numbers, by column."""
        self.examples: dict[str, str] = {}
        """The first of each column, and why."""
        self._missing = spellings(file.missing)
        self._sentinels = sentinels(file.missing)
        self._key = event.key
        self._time = event.time
        self._parse_time = times.reader(layout.time, event.time_zone) if layout.time is not None else None
        self._further = (event.id, event.label)
        self._numbers = {
            name: None
            if self._is_plain(name)
            else numbers.reader(layout.numbers.get(name), self._missing, self._sentinels)
            for name in (*layout.targets, *layout.features)
        }
        self._careful = {
            name: numbers.reader(layout.numbers.get(name), self._missing, self._sentinels) for name in self._numbers
        }

    def __call__(self, line: bytes) -> dict[str, Any]:
        """The fields of one row. Raises `EventInvalid`."""
        raise NotImplementedError

    def time_of(self, line: bytes) -> int | None:
        """The time of a row in microseconds since 1970, None where it has none that can be read."""
        try:
            time = self(line).get(self._time)
        except EventInvalid:
            return None
        return None if time is None else round(seconds_of(time) * 1_000_000)

    def _is_plain(self, name: str) -> bool:
        return name not in self.layout.numbers and not self._sentinels

    def _number(self, name: str, cell: str) -> float | None:
        try:
            return self._careful[name](cell)
        except ValueError as error:
            self._broken(name, str(error))
            return None

    def _broken(self, name: str, why: str) -> None:
        self.broken_cells[name] += 1
        self.examples.setdefault(name, why)

    def _moment(self, text: str) -> datetime | None:
        if text.lower() in self._missing:
            return None
        assert self._parse_time is not None
        try:
            return self._parse_time(text)
        except ValueError as error:
            assert self.layout.time is not None
            raise EventInvalid(f"{' and '.join(self.layout.time.columns)}: {error}") from None

    def _series(self, parts: list[str]) -> str | None:
        """The series key; of several columns their values with / between."""
        if any(_NOT_UTF8 in part for part in parts):
            raise EventInvalid(f"the key {'/'.join(parts)!r:.60} is not UTF-8")
        if len(parts) == 1:
            return None if parts[0].lower() in self._missing else parts[0]
        return "/".join(part.replace("/", "%2F") for part in parts)


class TableRows(RowReader):
    """Rows of a table in text."""

    def __init__(self, layout: Layout, event: EventConfig, file: FileConfig) -> None:
        super().__init__(layout, event, file)
        at = {name: index for index, name in enumerate(layout.names)}
        self._width = len(layout.names)
        self._slots = [(name, at[name], read) for name, read in self._numbers.items() if name in at]
        self._absent = dict.fromkeys(name for name in layout.targets if name not in at)
        self._keys_at = [at[name] for name in layout.keys if name in at]
        self._time_at = [at[name] for name in (layout.time.columns if layout.time is not None else ()) if name in at]
        used = {event.key, event.time, *layout.targets, *layout.features}
        self._texts = [
            (name, at[name], numbers.reader(layout.numbers[name], self._missing, self._sentinels)
             if name in layout.numbers else None)
            for name in self._further if name in at and name not in used
        ]  # fmt: skip

    def __call__(self, line: bytes) -> dict[str, Any]:
        """See `RowReader`."""
        layout = self.layout
        text = line.decode(layout.encoding, "replace")
        if '"' in text:
            try:
                cells = next(csv.reader([text], delimiter=layout.delimiter, skipinitialspace=True), [])
            except csv.Error as error:
                raise EventInvalid(f"not a row of text: {error}") from None
        else:
            cells = text.split(layout.delimiter)
        if len(cells) != self._width:
            cells = self._fitted(cells)
        fields: dict[str, Any] = dict(self._absent)
        for name, at, read in self._slots:
            cell = cells[at]
            try:
                number = float(cell) if read is None else read(cell)
            except ValueError:
                fields[name] = self._number(name, cell)
                continue
            if read is None and not -LARGEST_VALUE <= number <= LARGEST_VALUE:  # type: ignore[operator]
                number = self._number(name, cell)
            fields[name] = number
        if self._time_at:
            fields[self._time] = self._moment(" ".join([cells[at].strip() for at in self._time_at]))
        if self._keys_at:
            fields[self._key] = self._series([cells[at].strip() for at in self._keys_at])
        for name, at, read_text in self._texts:
            cell = cells[at].strip()
            if cell.lower() in self._missing:
                fields[name] = None
            else:
                fields[name] = cell if read_text is None else self._label(read_text, cell)
        return fields

    @staticmethod
    def _label(read: Callable[[str], float | None], cell: str) -> float | str | None:
        try:
            return read(cell)
        except ValueError:
            return cell  # the schema says what is wrong with it

    def _fitted(self, cells: list[str]) -> list[str]:
        cells = trimmed(cells, self._width)
        if len(cells) == self._width:
            return cells
        if self.layout.short_rows and 1 < len(cells) < self._width:
            return cells + [""] * (self._width - len(cells))
        raise EventInvalid(f"the row has {len(cells)} cells, the header {self._width}")


class ObjectRows(RowReader):
    """JSON objects, one a row; names with points are paths into nested ones."""

    def __init__(self, layout: Layout, event: EventConfig, file: FileConfig) -> None:
        super().__init__(layout, event, file)
        self._times = layout.time.columns if layout.time is not None else ()
        self.plain = self._plain_fields(event)
        self._labels = [name for name in self._further if name not in (event.key, event.time)]

    def __call__(self, line: bytes) -> dict[str, Any]:
        """See `RowReader`."""
        value = self._object(line)
        fields: dict[str, Any] = {}
        present = not self.layout.targets
        for name in self._numbers:
            found = value.get(name)
            if found is None and name not in value:
                found = at_path(value, name) if "." in name else None
            if found is None and name not in value:
                if name in self.layout.targets:
                    fields[name] = None
                    present = present or ("." in name and name.partition(".")[0] in value)
                continue
            present = True
            fields[name] = self._of(name, found)
        if not present:
            raise EventInvalid(f"none of the targets is there: {', '.join(self.layout.targets)[:200]}")
        if self._times:
            texts = [text_of(at_path(value, name)).strip() for name in self._times]
            fields[self._time] = self._moment(" ".join(texts))
        if self.layout.keys:
            fields[self._key] = self._key_of(value)
        for name in self._labels:
            if name in value and name not in fields:
                fields[name] = value[name]
        return fields

    def _plain_fields(self, event: EventConfig) -> PlainFields | None:
        """Where key and time stand, if plain JSON events are read here as anywhere; numbers have their own names."""
        layout, time = self.layout, self.layout.time
        names = (*layout.keys, *layout.targets, *layout.features, *(() if time is None else time.columns))
        usual = (
            layout.kind == "json"
            and time is not None
            and (time.form, time.parts, len(time.columns)) == ("iso", "whole", 1)
            and len(layout.keys) < 2
            and not layout.numbers
            and not self._sentinels
            and len(set(names)) == len(names)
            and not any("." in name for name in names)
            and (layout.targets, layout.features) == (targets_of(event), event.features)
        )
        if not usual or time is None:
            return None
        return PlainFields(layout.keys[0] if layout.keys else None, time.columns[0], event.time_zone is None)

    def _object(self, line: bytes) -> Mapping[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise EventInvalid(f"no JSON: {error}"[:300]) from None
        if not isinstance(value, dict):
            raise EventInvalid(f"a JSON {type(value).__name__}, not an object")
        return value

    def _of(self, name: str, value: Any) -> float | None:
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            if -LARGEST_VALUE <= value <= LARGEST_VALUE:
                return None if value in self._sentinels else float(value)
            self._broken(name, f"{value!r:.60} is too large")
            return None
        if value is None:
            return None
        if isinstance(value, str) or (isinstance(value, bool) and name in self.layout.numbers):
            return self._number(name, text_of(value))
        self._broken(name, f"{text_of(value)!r:.60} is no number")
        return None

    def _key_of(self, value: Mapping[str, Any]) -> str | None:
        parts = []
        for name in self.layout.keys:
            found = at_path(value, name)
            if isinstance(found, bool | dict | list):
                raise EventInvalid(f"the key {name} is neither text nor a number: {text_of(found)!r:.60}")
            if isinstance(found, str) and len(self.layout.keys) == 1:
                return found
            parts.append(text_of(found))
        return self._series(parts)


class PointRows(ObjectRows):
    """Points of the line protocol."""

    def _object(self, line: bytes) -> Mapping[str, Any]:
        found = point(line)
        if found is None:
            raise EventInvalid("no point of the line protocol")
        return found


_KINDS: dict[str, type[RowReader]] = {"csv": TableRows, "json": ObjectRows, "line protocol": PointRows}


def row_reader(layout: Layout, event: EventConfig, file: FileConfig) -> RowReader:
    """What reads the rows of a file with this layout; `event` is the one that the look decided."""
    return _KINDS[layout.kind](layout, event, file)
