"""What the columns of a file mean, where nobody said so."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from streamrnn.config.tree import EventConfig
from streamrnn.errors import ConfigurationError
from streamrnn.records.events import DEFAULT_TARGETS, MISSING_TEXT

_TIME_NAMES = ("time", "timestamp", "date", "datetime", "date_time", "ds", "ts", "t")
_DELIMITERS = ",;\t|"


class Columns(NamedTuple):
    """How to read a file's rows, and what was found out rather than told."""

    event: EventConfig
    names: list[str] | None  # header of a CSV file, None for JSON lines
    delimiter: str
    has_time: bool
    notes: list[str]


def sniff(header: bytes | None, rows: Sequence[bytes], event: EventConfig, *, labelled: bool = False) -> Columns:
    """Decide time and targets from the header (None: JSON lines) and the first rows.

    `labelled` rows have no targets, but a label; in JSON lines that and the id may come with any later row.

    Raises `ConfigurationError` when a column was named that is not there, or when no column is numeric.
    """
    if header is None:
        names, samples, delimiter = None, _objects(rows), ","
        present = list(dict.fromkeys(name for sample in samples for name in sample))
    else:
        names, samples, delimiter = _cells(header, rows)
        present = names
    given = event.model_fields_set
    for kind, wanted in (
        ("time", [event.time] if "time" in given else []),
        ("key", [event.key] if "key" in given else []),
        ("target", event.targets),
        ("feature", event.features),
        ("label", [event.label] if labelled and header is not None else []),
        ("id", [event.id] if labelled and header is not None and "id" in given else []),
    ):
        for name in wanted:
            if name not in present and samples:
                raise ConfigurationError(f"no column {name!r} for event.{kind}; there are: {', '.join(present)}")
    notes: list[str] = []
    changes: dict[str, Any] = {}
    time = event.time
    if time not in present:
        found = next((name for name in _by_likeness(present) if _mostly(samples, name, _is_time)), None)
        if found is None:
            notes.append("no time column: rows count as one second apart (name one with --time)")
        else:
            notes.append(f"time column: {found}")
            changes["time"] = time = found
    if not labelled and not event.targets and not set(DEFAULT_TARGETS) <= set(present):
        taken = {time, event.key, *event.features}
        targets = [name for name in present if name not in taken and _mostly(samples, name, _is_number)]
        if samples and not targets:
            raise ConfigurationError(
                f"no numeric column to forecast; there are: {', '.join(present)}. Name one with --target"
            )
        if targets:
            notes.append(f"targets: {', '.join(targets)}")
            changes["targets"] = tuple(targets)
    return Columns(event.model_copy(update=changes), names, delimiter, time in present, notes)


def _objects(rows: Sequence[bytes]) -> list[dict[str, Any]]:
    objects = []
    for row in rows:
        try:
            value = orjson.loads(row)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            objects.append(value)
    return objects


def _cells(header: bytes, rows: Sequence[bytes]) -> tuple[list[str], list[dict[str, Any]], str]:
    try:
        text = header.decode()
        delimiter = max(_DELIMITERS, key=text.count)
        names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise ConfigurationError(f"the first line is no CSV header in UTF-8: {error}") from error
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"the header names {', '.join(map(repr, doubled))} more than once")
    table = [row for row in (_row(line, delimiter) for line in rows) if len(row) == len(names)]
    return names, [dict(zip(names, row, strict=True)) for row in table], delimiter


def _row(line: bytes, delimiter: str) -> list[str]:
    """One row on its own: a broken one must not take the next into its open quotes."""
    try:
        return next(csv.reader([line.decode(errors="replace")], delimiter=delimiter), [])
    except csv.Error:
        return []


def _by_likeness(names: Sequence[str]) -> list[str]:
    known = {name: rank for rank, name in enumerate(_TIME_NAMES)}
    return sorted(names, key=lambda name: known.get(name.strip().lower(), len(known)))


def _mostly(samples: Sequence[dict[str, Any]], name: str, test: Any) -> bool:
    values = [sample.get(name) for sample in samples]
    values = [v for v in values if v is not None and not (isinstance(v, str) and v.strip().lower() in MISSING_TEXT)]
    # A broken row here and there goes to the dead letters; it does not decide what a column is.
    return bool(values) and sum(test(value, name) for value in values) >= 0.9 * len(values)


def _is_number(value: object, _: str) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: object, name: str) -> bool:
    if _is_number(value, name):
        return name.strip().lower() in _TIME_NAMES  # a number is a time only if its column says so
    try:
        _DATETIME.validate_python(value)
    except ValidationError:
        return False
    return True


_DATETIME = TypeAdapter(datetime)
