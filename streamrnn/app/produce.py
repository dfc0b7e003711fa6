"""The rows of a file as messages to produce."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from streamrnn.config.tree import EventConfig
from streamrnn.connectors.files import LineReader
from streamrnn.connectors.sniff import sniff
from streamrnn.records.events import MISSING_TEXT
from streamrnn.records.log import Message


def messages(source: Path, event: EventConfig, rewrite_times: bool, *, labelled: bool = False) -> Iterator[Message]:
    """Every row as one JSON message, keyed by the series key.

    A CSV row becomes an object of its columns, numbers as numbers; a JSON line is sent as it is, broken ones too.
    With `rewrite_times` the event time becomes the moment of sending.
    """
    reader = LineReader(source)
    try:
        lines = (line for block in _blocks(reader) for line in block if line.strip())
        first = next(lines, None)
        if first is None:
            return
        if first.lstrip().startswith(b"{"):
            columns = sniff(None, [first], event, labelled=labelled)
            for line in _chain(first, lines):
                yield _json_message(line, columns.event, rewrite_times)
            return
        second = next(lines, None)
        columns = sniff(first, [second] if second is not None else [], event, labelled=labelled)
        names = columns.names or []
        for line in _chain(second, lines):
            row = next(csv.reader([line.decode(errors="replace")], delimiter=columns.delimiter), [])
            fields = {name: _value(cell) for name, cell in zip(names, row, strict=False)}
            yield _message(fields, columns.event, rewrite_times)
    finally:
        reader.close()


def _blocks(reader: LineReader) -> Iterator[list[bytes]]:
    while not reader.at_end:
        yield [line for line, _ in reader.lines(timeout=1.0)]


def _chain(first: bytes | None, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first is not None:
        yield first
    yield from rest


def _json_message(line: bytes, event: EventConfig, rewrite_times: bool) -> Message:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        return Message(None, line)
    if rewrite_times:
        return _message(fields, event, rewrite_times)
    return Message(_key(fields, event), line)


def _message(fields: dict[str, Any], event: EventConfig, rewrite_times: bool) -> Message:
    if rewrite_times:
        fields[event.time] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Message(_key(fields, event), orjson.dumps(fields))


def _key(fields: dict[str, Any], event: EventConfig) -> bytes | None:
    key = fields.get(event.key)
    return str(key).encode() if key is not None else None


def _value(cell: str) -> float | str | None:
    if cell.strip().lower() in MISSING_TEXT:
        return None
    try:
        return float(cell)
    except ValueError:
        return cell
