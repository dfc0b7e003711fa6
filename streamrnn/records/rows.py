"""Rows of a file as arrays: the rows' own reader gives numbers and times, so nothing is left to validate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from streamrnn.config.event import EventConfig
from streamrnn.errors import EventError, EventInvalid
from streamrnn.records import feedback
from streamrnn.records.events import DEFAULT_KEY, LARGEST_VALUE, LONGEST_KEY, Decoded, EventDecoder, own_time
from streamrnn.records.log import Record


class RowReader(Protocol):
    """Reads the rows of a file; see `connectors/reading/rows.py`."""

    def __call__(self, line: bytes) -> dict[str, Any]:
        """The fields of a row by name."""

    def read(self, line: bytes) -> tuple[str | None, int | None, list[float]]:
        """Key, time (microseconds since 1970), targets and features of a row; NaN is missing."""

    def broken(self, name: str, why: str) -> None:
        """Count a cell that is no number."""


class RowDecoder(EventDecoder):
    """Turns the rows of a file into events to forecast."""

    def __init__(self, event: EventConfig, rows: RowReader) -> None:
        super().__init__(event, rows)
        self._rows = rows

    def _decode(self, records: Sequence[Record]) -> Decoded:
        if self._scanner is not None and not (records and records[0].key):  # plain JSON is read many lines at once
            return self._scan(self._scanner, records)
        most, read = self._event.max_bytes, self._rows.read
        keys: list[str] = []
        times: list[int] = []
        values: list[list[float]] = []
        good: list[Record] = []
        rejected: list[tuple[Record, EventError]] = []
        for record in records:
            line = record.value or b""
            try:
                if len(line) > most:
                    self._fields(line)  # which says so
                if line[:1] == b"{" and feedback.read(self._feedback, self._targets, line) is not None:
                    raise EventInvalid("feedback")  # its commas are no columns of a table
                key, time, numbers = read(line)
                if key is None:
                    key = DEFAULT_KEY if record.key is None else record.key.decode()
                elif len(key) > LONGEST_KEY:
                    raise EventInvalid(f"{self._event.key}: longer than {LONGEST_KEY} characters")
                if time is None:
                    time = own_time(record)
                    if time is None:
                        raise EventInvalid(f"no field {self._event.time!r}, and the record has no timestamp of its own")
            except EventError as error:
                rejected.append((record, error))
                continue
            keys.append(key)
            times.append(time)
            values.append(numbers)
            good.append(record)
        width = len(self._targets) + len(self._event.features)
        table = np.array(values, np.float64).reshape(len(values), width)
        bad = ~(np.abs(table) <= LARGEST_VALUE)
        if bad.any():
            names = (*self._targets, *self._event.features)
            for at, column in np.argwhere(bad & ~np.isnan(table)):
                self._rows.broken(names[column], f"{table[at, column]} is too large")
            table[bad] = math.nan
        targets = len(self._targets)
        return Decoded(
            keys, np.array(times, np.int64), np.ascontiguousarray(table[:, :targets]),
            np.ascontiguousarray(table[:, targets:]), good, rejected,
        )  # fmt: skip
