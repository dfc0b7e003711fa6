"""The rows of a file as messages to produce: read as `run --input` reads them, sent as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.encodings import text_of_line
from streamrnn.connectors.reading.look import Look
from streamrnn.connectors.reading.missing import spellings
from streamrnn.connectors.reading.numbers import is_plain
from streamrnn.connectors.reading.rows import RowReader, row_reader
from streamrnn.connectors.reading.tables import cells_of
from streamrnn.connectors.rows_to_come import rows_to_come
from streamrnn.errors import EventInvalid
from streamrnn.records.future import FUTURE, future_of
from streamrnn.records.log import Message


def messages(
    source: Path, config: Config, rewrite_times: bool, say: Callable[[str], None] = lambda _: None
) -> Iterator[Message]:
    """Every row as one JSON message, keyed by the series key; `say` hears what was found out about the file.

    A row of a table becomes an object of its columns, numbers as numbers and the time in UTC. A JSON line is sent as
    it is, broken ones too, unless its numbers or times are written in a way that only files have. With
    `rewrite_times` the event time becomes the moment of sending. What `event.future` names is looked up in the next
    rows of the series and sent with each row, as `run --input` does; where the lines say it themselves, they are sent.
    """
    with FileConnector(source, None) as connector:
        found = connector.look(config)
        for note in found.notes:
            say(note)
        ahead = rows_to_come([source], config, found) if found.event.future else None
        sender = _Sender(found, row_reader(found.layout, found.event, config.file), config, rewrite_times)
        for partition in connector.poll(0).assigned:
            connector.start(partition, 0)
        finished = False
        while not finished:
            polled = connector.poll(1.0)
            finished = polled.finished
            for records in polled.records.values():
                known = None if ahead is None else ahead(np.array([record.offset for record in records], np.int64))
                for place, record in enumerate(records):
                    yield sender.message(record.value or b"", None if known is None else known[place].tolist())


class _Sender:
    def __init__(self, found: Look, rows: RowReader, config: Config, rewrite_times: bool) -> None:
        self._layout, self._event, self._rows = found.layout, found.event, rows
        self._rewrite = rewrite_times
        self._missing = spellings(config.file.missing)
        self._left_out = frozenset(config.file.exclude)
        time = self._layout.time
        usual = time is None or (
            len(time.columns) == 1 and (time.form == "iso" or (time.form, time.unit) == ("epoch", "s"))
        )
        zone = self._event.time_zone is not None and time is not None
        # What a consumer of the topic reads just so.
        self._as_it_is = usual and not zone and not self._layout.numbers and not config.file.missing and (
            len(self._layout.keys) < 2 and self._layout.kind == "json"
        )  # fmt: skip

    def message(self, line: bytes, known: list[float] | None = None) -> Message:
        """One row; `known` is what the steps to come will be of every feature in turn, NaN where that is not known."""
        try:
            fields = self._rows(line)
        except EventInvalid:
            fields = {}
        key = fields.get(self._event.key)
        name = None if key is None else str(key).encode()
        whole = self._whole(line)
        if whole is None:
            return Message(None, line)
        numbers = [whole.get(column) for column in (*self._layout.targets, *self._layout.features)]
        plain = all(number is None or (isinstance(number, int | float)) for number in numbers)
        future = {} if known is None else future_of(self._event.future, known)
        if self._as_it_is and plain and not self._rewrite and not future:
            return Message(name, line)
        for column, value in fields.items():
            whole[column] = _utc(value) if isinstance(value, datetime) else value
        if self._rewrite:
            whole[self._event.time] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if future:
            whole[FUTURE] = future
        return Message(name, orjson.dumps(whole))

    def _whole(self, line: bytes) -> dict[str, Any] | None:
        """Every column of a row that is used or may be of use to others."""
        layout = self._layout
        if layout.kind == "csv":
            try:
                cells = cells_of(text_of_line(line, layout.encoding), layout.delimiter)
            except (ValueError, StopIteration):
                cells = []
            joined = layout.time.columns[1:] if layout.time is not None else ()
            return {
                name: _value(cell, self._missing) for name, cell in zip(layout.names, cells, strict=False)
                if name not in joined and name not in self._left_out
            }  # fmt: skip
        if layout.kind not in ("csv", "json"):
            return {}
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None


def _utc(time: datetime) -> str:
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def _value(cell: str, missing: frozenset[str]) -> float | str | None:
    text = cell.strip()
    if text.lower() in missing:
        return None
    return float(text) if is_plain(text) else text
