"""The labels of `evaluate --labels FILE`: a CSV file of points or of windows.

    time,key                     points: each a labelled event; neighbors are one window
    start,end,key                windows, both ends included

`key` may be left out where there is one series, and a column `file` names the file where several are evaluated. Times
are RFC 3339, or without a zone UTC.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamrnn.errors import ConfigurationError
from streamrnn.evaluation.alert_scores import Mask
from streamrnn.records.events import Int64


class Label(NamedTuple):
    """One labelled span; times in microseconds since 1970."""

    file: str | None
    key: str | None
    start: int
    end: int


def read_labels(path: Path) -> list[Label]:
    """All labels of the file.

    Raises:
        ConfigurationError: it cannot be read, has no time columns, or a time that is none; says in which line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
            names = list(rows[0]) if rows else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"--labels {path}: {error}") from error
    columns = ("start", "end") if {"start", "end"} <= set(names) else ("time", "time")
    if not set(columns) <= set(names):
        raise ConfigurationError(f"--labels {path}: wants columns time,key or start,end,key; it has {','.join(names)}")
    labels = []
    for line, row in enumerate(rows, start=2):
        start, end = (_time(path, line, row[column]) for column in columns)
        if end < start:
            raise ConfigurationError(f"--labels {path}, line {line}: ends before it starts")
        labels.append(Label(row.get("file") or None, row.get("key") or None, start, end))
    return labels


def _time(path: Path, line: int, text: str | None) -> int:
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise ConfigurationError(f"--labels {path}, line {line}: {text!r} is no time (RFC 3339)") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return round(time.timestamp() * 1e6)


def labelled(labels: list[Label], file: str, key: str, times: Int64) -> Mask:
    """`(events,)` which events of a series are labelled."""
    mask = np.zeros(len(times), bool)
    for label in labels:
        if label.file in (None, file) and label.key in (None, key):
            mask |= (times >= label.start) & (times <= label.end)
    return mask


def check_series(path: Path, labels: list[Label], known: set[tuple[str, str]]) -> None:
    """Raise ConfigurationError where a label speaks of a series that is not there."""
    for label in labels:
        if not any(label.file in (None, file) and label.key in (None, key) for file, key in known):
            what = " of ".join(repr(part) for part in (label.key, label.file) if part is not None)
            raise ConfigurationError(f"--labels {path}: no series {what} in the files")
