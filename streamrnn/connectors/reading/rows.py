"""One row of a file as an event's fields, under the layout that was decided: no row changes how another is read."""

from __future__ import annotations

import csv
import json
import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading import numbers, times
from streamrnn.connectors.reading.encodings import text_of_line
from streamrnn.connectors.reading.layout import Layout
from streamrnn.connectors.reading.missing import sentinels, spellings
from streamrnn.connectors.reading.point_lines import KINDS, SPOKEN
from streamrnn.connectors.reading.sample import at_path, text_of
from streamrnn.connectors.reading.tables import SPACES, cells_of, placed, trimmed
from streamrnn.connectors.reading.times import EPOCH
from streamrnn.errors import ConnectorError, EventInvalid
from streamrnn.records.event_schema import LARGEST_VALUE, targets_of
from streamrnn.records.scanning import TEXT, PlainFields

_NOT_UTF8 = "\ufffd"


_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}


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
        self._more_missing = bool(file.missing)
        self._key = event.key
        self._time = event.time
        self._parse_time = times.microseconds(layout.time, event.time_zone) if layout.time is not None else None
        self._latest = ("", 0)  # the time that was read last: in long files it comes again
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

    def read(self, line: bytes) -> tuple[str | None, int | None, list[float]]:
        """Key, time (microseconds since 1970), targets and features of one row; NaN is missing.

        A number may be larger than any that counts as one. Raises `EventInvalid`.
        """
        raise NotImplementedError

    def __call__(self, line: bytes) -> dict[str, Any]:
        """The fields of one row, as the schema of events has them. Raises `EventInvalid`."""
        key, time, numbers = self.read(line)
        fields: dict[str, Any] = {
            name: self._counted(name, number) for name, number in zip(self._numbers, numbers, strict=True)
        }
        if self.layout.keys:
            fields[self._key] = key
        if time is not None:
            fields[self._time] = EPOCH + timedelta(microseconds=time)
        return fields

    def _counted(self, name: str, number: float) -> float | None:
        if -LARGEST_VALUE <= number <= LARGEST_VALUE:
            return number
        if number == number:
            self.broken(name, f"{number} is too large")
        return None

    def time_of(self, line: bytes) -> int | None:
        """The time of a row in microseconds since 1970, None where it has none that can be read."""
        try:
            return self.read(line)[1]
        except EventInvalid:
            return None

    def _is_plain(self, name: str) -> bool:
        return name not in self.layout.numbers and not self._sentinels

    def _number(self, name: str, cell: str) -> float:
        try:
            found = self._careful[name](cell)
        except ValueError as error:
            self.broken(name, str(error))
            return math.nan
        return math.nan if found is None else found

    def broken(self, name: str, why: str) -> None:
        """Count a cell that is no number."""
        self.broken_cells[name] += 1
        self.examples.setdefault(name, why)

    def _moment(self, text: str) -> int | None:
        if text == self._latest[0] and text:
            return self._latest[1]
        assert self._parse_time is not None
        if self._more_missing and text.lower() in self._missing:
            return None
        try:
            time = self._parse_time(text)
        except ValueError as error:
            if text.lower() in self._missing:
                return None
            assert self.layout.time is not None
            raise EventInvalid(f"{' and '.join(self.layout.time.columns)}: {error}") from None
        self._latest = text, time
        return time

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
        self._spaces = layout.delimiter == SPACES
        places = [at.get(name, -1) for name in self._numbers]
        self._slots = list(zip(self._numbers, places, self._numbers.values(), strict=True))
        plain = bool(places) and min(places) >= 0 and not any(self._numbers.values())
        self._pick = operator.itemgetter(*places) if plain and len(places) > 1 else None
        self._only = places[0] if plain and len(places) == 1 else -1
        self._keys_at = [at[name] for name in layout.keys if name in at]
        self._time_at = [at[name] for name in (layout.time.columns if layout.time is not None else ()) if name in at]
        used = {event.key, event.time, *layout.targets, *layout.features}
        self._texts = [
            (name, at[name], numbers.reader(layout.numbers[name], self._missing, self._sentinels)
             if name in layout.numbers else None)
            for name in self._further if name in at and name not in used
        ]  # fmt: skip

    def _cells(self, line: bytes) -> list[str]:
        layout = self.layout
        text = text_of_line(line, layout.encoding)
        if '"' in text or self._spaces:
            try:
                cells = cells_of(text, layout.delimiter)
            except csv.Error as error:
                raise EventInvalid(f"not a row of text: {error}") from None
        else:
            cells = text.split(layout.delimiter)
        if len(cells) < self._width and layout.spans:
            try:
                return placed(text, layout.spans)
            except ValueError as error:
                raise EventInvalid(f"the row has {len(cells)} cells, the header {self._width}, and {error}") from None
        return cells if len(cells) == self._width else self._fitted(cells)

    def read(self, line: bytes) -> tuple[str | None, int | None, list[float]]:
        """See `RowReader.read`. Raises `ConnectorError` where another table begins."""
        try:
            return self._read(self._cells(line))
        except EventInvalid:
            self._refuse_another_header(line)
            raise

    def _refuse_another_header(self, line: bytes) -> None:
        """A line of names, that of the time among them, which is not the header: what follows has other columns."""
        cells = [cell.strip() for cell in trimmed(self._split(line), 1)]
        names = [self.layout.names[at] for at in self._time_at]
        header = self.layout.header
        if header is None or not names or len(cells) < 2 or len(set(cells)) < len(cells) or not all(cells):
            return
        known = {name.strip() for name in self._split(header.encode(self.layout.encoding, "replace"))}
        if set(names) <= set(cells) and set(names) <= known and not any(map(numbers.has_digit_first, cells)):
            raise ConnectorError(
                f"another table begins in the middle of the file ({', '.join(cells)[:100]}); its first one has the "
                f"columns {', '.join(self.layout.names)[:100]}. Write each into a file of its own"
            )

    def _split(self, line: bytes) -> list[str]:
        try:
            return cells_of(text_of_line(line, self.layout.encoding), self.layout.delimiter)
        except csv.Error:
            return []

    def _read(self, cells: list[str]) -> tuple[str | None, int | None, list[float]]:
        time = key = None
        if len(self._time_at) == 1:
            time = self._moment(cells[self._time_at[0]].strip())
        elif self._time_at:
            time = self._moment(" ".join([cells[at].strip() for at in self._time_at]))
        if self._keys_at:
            key = self._series([cells[at].strip() for at in self._keys_at])
        try:
            if self._only >= 0:
                return key, time, [float(cells[self._only])]
            if self._pick is not None:
                return key, time, [*map(float, self._pick(cells))]
        except ValueError:
            pass
        found = []
        for name, at, read in self._slots:
            cell = cells[at] if at >= 0 else ""
            try:
                number = float(cell) if read is None else read(cell)
            except ValueError:
                number = self._number(name, cell)
            found.append(math.nan if number is None else number)
        return key, time, found

    def __call__(self, line: bytes) -> dict[str, Any]:
        """See `RowReader`."""
        fields = super().__call__(line)
        if not self._texts:
            return fields
        cells = self._cells(line)
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
        if self._spaces and len(cells) > self._width and not any(map(numbers.has_digit, cells[self._width :])):
            return cells[: self._width]  # a remark behind the row
        raise EventInvalid(f"the row has {len(cells)} cells, the header {self._width}")


class ObjectRows(RowReader):
    """JSON objects, one a row; names with points are paths into nested ones."""

    def __init__(self, layout: Layout, event: EventConfig, file: FileConfig) -> None:
        super().__init__(layout, event, file)
        self._times = layout.time.columns if layout.time is not None else ()
        self.plain = self._plain_fields(event)
        self._alone = self._times[0] if len(self._times) == 1 else None
        self._labels = [name for name in self._further if name not in (event.key, event.time)]

    def read(self, line: bytes) -> tuple[str | None, int | None, list[float]]:
        """See `RowReader.read`."""
        return self._read(self._object(line))

    def _read(self, value: Mapping[str, Any]) -> tuple[str | None, int | None, list[float]]:
        found: list[float] = []
        present = False
        for name in self._numbers:
            number = value.get(name)
            if type(number) is float and not self._more_missing:
                found.append(number)
                present = True
                continue
            if number is None and name not in value and "." in name:
                number = at_path(value, name)
                present = present or name.partition(".")[0] in value
            else:
                present = present or name in value
            found.append(self._of(name, number))
        if not present and self.layout.targets:
            raise EventInvalid(f"none of the targets is there: {', '.join(self.layout.targets)[:200]}")
        time = key = None
        if self._alone is not None:
            moment = value.get(self._alone)
            if moment is None:
                moment = at_path(value, self._alone)
            time = self._moment(moment if type(moment) is str else text_of(moment).strip())
        elif self._times:
            time = self._moment(" ".join([text_of(at_path(value, name)).strip() for name in self._times]))
        if self.layout.keys:
            key = self._key_of(value)
        return key, time, found

    def __call__(self, line: bytes) -> dict[str, Any]:
        """See `RowReader`; what is not there is left out."""
        fields = super().__call__(line)
        value = self._object(line)
        for name in self.layout.features:
            if name not in value and at_path(value, name) is None:
                del fields[name]
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
            and time.form in ("iso", "epoch")
            and (time.parts, len(time.columns)) == ("whole", 1)
            and len(layout.keys) < 2
            and not layout.numbers
            and not self._sentinels
            and len(set(names)) == len(names)
            and not any("." in name for name in names)
            and (layout.targets, layout.features) == (targets_of(event), event.features)
        )
        if not usual or time is None:
            return None
        unit = TEXT if time.form == "iso" else _MICROSECONDS.get(time.unit)
        if unit is None:
            return None
        return PlainFields(layout.keys[0] if layout.keys else None, time.columns[0], event.time_zone is None, unit)

    def _object(self, line: bytes) -> Mapping[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            value = _with_nan(line) if b"NaN" in line or b"Infinity" in line else None
            if value is None and self.layout.wide is not None:
                width, begin = len(self.layout.wide.names), line[:60].decode(errors="replace")
                raise EventInvalid(f"not a row of {width} cells, as the header has: {begin!r}") from None
            if value is None:
                raise EventInvalid(f"no JSON: {error}"[:300]) from None
        if not isinstance(value, dict):
            raise EventInvalid(f"a JSON {type(value).__name__}, not an object")
        return value

    def _of(self, name: str, value: Any) -> float:
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            try:
                return math.nan if value in self._sentinels else float(value)
            except OverflowError:
                return math.inf
        if value is None:
            return math.nan
        if isinstance(value, str) or (isinstance(value, bool) and name in self.layout.numbers):
            return self._number(name, text_of(value))
        self.broken(name, f"{text_of(value)!r:.60} is no number")
        return math.nan

    def _key_of(self, value: Mapping[str, Any]) -> str | None:
        parts = []
        for name in self.layout.keys:
            found = value.get(name)
            if found is None:
                found = at_path(value, name)
            if type(found) is str and len(self.layout.keys) == 1:
                return found
            if isinstance(found, bool | dict | list):
                raise EventInvalid(f"the key {name} is neither text nor a number: {text_of(found)!r:.60}")
            parts.append(text_of(found))
        return self._series(parts)


def _with_nan(line: bytes) -> Any:
    """What Python's json writes beside JSON; None where it is that neither."""
    try:
        return json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


class PointRows(ObjectRows):
    """Lines that are points (`point_lines`)."""

    def _object(self, line: bytes) -> Mapping[str, Any]:
        found = KINDS[self.layout.kind](line)
        if found is None:
            raise EventInvalid(f"not of {SPOKEN[self.layout.kind]}")
        return found


_KINDS: dict[str, type[RowReader]] = {"csv": TableRows, "json": ObjectRows, **dict.fromkeys(KINDS, PointRows)}


def row_reader(layout: Layout, event: EventConfig, file: FileConfig) -> RowReader:
    """What reads the rows of a file with this layout; `event` is the one that the look decided."""
    return _KINDS[layout.kind](layout, event, file)
