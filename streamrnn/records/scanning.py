"""The plain events of a batch as arrays, without an object for each field; all others are left to the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_NO_NAME = b"\xff"  # no UTF-8, so no field is called so
_NULL = np.frombuffer(b"null", np.uint8)


TEXT, ANY = -2, -1
"""Times are text alone; or numbers, too, whose size tells whether they are seconds or milliseconds."""


class PlainFields(NamedTuple):
    """Where key and time stand in the rows of a file whose plain events are those of this file."""

    key: str | None  # None: events have no key
    time: str
    without_zone: bool  # a time without a zone is UTC
    unit: int  # what times may be: text, or microseconds of a number's unit (`kernels/json_scan.py`)


class Scanned(NamedTuple):
    """The batch; what is not `plain` holds nothing."""

    plain: npt.NDArray[np.bool_]  # (events,)
    keys: list[str | None]  # None: no key, or not plain
    times: Int64  # (events,) microseconds since 1970
    numbers: Float64  # (events, names), NaN where missing


class Scanner:
    """Reads events with these fields: `needed` numbers must be there (they may be null), `others` may."""

    def __init__(
        self, fields: PlainFields, needed: Sequence[str], others: Sequence[str], *, longest_key: int, largest: float
    ) -> None:
        """A key of more bytes than `longest_key`, a number beyond `largest` are not plain."""
        key = _NO_NAME if fields.key is None else fields.key.encode()
        names = [key, *(name.encode() for name in (fields.time, *needed, *others))]
        self._text = np.frombuffer(b"".join(names) or b" ", np.uint8)
        self._ends = np.cumsum([len(name) for name in names])
        self._needed = np.array([False, True, *[True] * len(needed), *[False] * len(others)])
        self._longest_key, self._largest = longest_key, largest
        self._without_zone, self._unit = fields.without_zone, fields.unit

    def scan(self, values: Sequence[bytes]) -> Scanned:
        """Look through the events."""
        from streamrnn.kernels import json_scan  # compiled code is loaded when it is needed

        events, width = len(values), len(self._ends) - json_scan.FIRST_NUMBER
        text = b"".join(values)
        ends = np.fromiter(map(len, values), np.int64, events).cumsum()
        found = json_scan.Found(
            np.zeros(events, np.bool_),
            np.zeros(events, np.bool_),
            np.zeros(events, np.int64),
            np.empty(len(text) + 2, np.uint8),
            np.empty(len(text) + 5 * width * events + 2, np.uint8),
            np.zeros(2, np.int64),
        )
        work = np.zeros((2, len(self._ends)), np.int64)
        names = json_scan.Names(self._text, self._ends, self._needed)
        json_scan.scan(
            names, self._longest_key, self._without_zone, self._unit, np.frombuffer(text or b" ", np.uint8), ends,
            work[0], work[1], _NULL, found,
        )  # fmt: skip
        numbers = np.full((events, width), np.nan)
        keys: list[str | None] = [None] * events
        plain = found.plain
        try:
            read = orjson.loads(found.numbers[: found.sizes[1]].tobytes())
            said = orjson.loads(found.keys[: found.sizes[0]].tobytes())
        except orjson.JSONDecodeError:  # such as a key that is no UTF-8: the schema says which
            return Scanned(np.zeros(events, np.bool_), keys, found.times, numbers)
        numbers[plain] = np.array(read, np.float64).reshape(-1, width)
        if len(said) == events:
            keys = said
        else:
            for i, key in zip(found.has_key.nonzero()[0].tolist(), said, strict=True):
                keys[i] = key
        plain &= ~(np.abs(numbers) > self._largest).any(axis=1)
        return Scanned(plain, keys, found.times, numbers)
