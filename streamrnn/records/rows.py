"""Rows of a file as arrays: the rows' own reader gives numbers and times, so nothing is left to validate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import orjson
from pydantic import ValidationError

from streamrnn.config.event import EventConfig
from streamrnn.errors import EventError, EventInvalid
from streamrnn.records import feedback
from streamrnn.records.event_schema import DEFAULT_KEY, LARGEST_VALUE, LONGEST_KEY, number_type
from streamrnn.records.events import Decoded, EventDecoder, first_problem, own_time
from streamrnn.records.future import FUTURE, RowsToCome, future_numbers, future_schema
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

    def __init__(self, event: EventConfig, rows: RowReader, *, horizon: int = 1) -> None:
        super().__init__(event, rows, horizon=horizon)
        self._rows = rows
        self.rows_to_come: RowsToCome | None = None
        """What is known ahead; None: the events say it themselves."""
        self._future = future_schema(event, horizon, number_type(False)) if event.future else None

    def _decode(self, records: Sequence[Record]) -> Decoded:
        if self._scanner is not None and not (records and records[0].key):  # plain JSON is read many lines at once
            return self._scan(self._scanner, records)
        most, read = self._event.max_bytes, self._rows.read
        keys: list[str] = []
        times: list[int] = []
        values: list[list[float]] = []
        ahead: list[list[float]] = []
        own = self._future is not None and self.rows_to_come is None
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
                if own:
                    ahead.append(self._said(line))
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
        features = table[:, targets:]
        if self._future is not None:
            if self.rows_to_come is None:
                to_come = np.array(ahead, np.float64).reshape(len(good), len(self._event.future) * self._horizon)
            else:
                to_come = self.rows_to_come(np.array([record.offset for record in good], np.int64))
            features = np.hstack([features, to_come])
        return Decoded(
            keys, np.array(times, np.int64), np.ascontiguousarray(table[:, :targets]), np.ascontiguousarray(features),
            good, rejected,
        )  # fmt: skip

    def _said(self, line: bytes) -> list[float]:
        """What an event in JSON says of the steps to come; nothing else says anything."""
        field = None
        if line[:1] == b"{" and self._future is not None:
            try:
                field = self._future.validate_python(orjson.loads(line).get(FUTURE))
            except orjson.JSONDecodeError:  # NaN in it, which the reader of rows takes
                pass
            except ValidationError as error:
                raise EventInvalid(first_problem(error, FUTURE)) from None
        return future_numbers(self._event.future, self._horizon, field)
