"""From river's dictionaries to a vector: features may come and go, be missing, or hold text.

Every numeric feature has a column of its own, every text a column for each of its values (one-hot), given in order of
appearance; within one event in order of their names, so that the order inside a dictionary means nothing. Beyond
`most` columns new features share them by hashing. What is absent, None or not finite is missing (NaN).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

ROOM = 8  # columns are made room for by so many at a time
SHARED = 16  # names per column that are remembered, at most

_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Category:
    """What the column of one value of a text feature is known by."""

    feature: Any
    value: str


@dataclass(frozen=True, slots=True)
class LastTarget:
    """What the column of the last value of a target is known by."""

    target: Any


class FeatureEncoder:
    """Gives every feature its column.

    >>> encoder = FeatureEncoder()
    >>> encoder.learn({"wind": 3.5, "sky": "gray"})
    >>> encoder.encode({"wind": 4.0, "sky": "gray"})[:2]
    array([4., 1.])
    >>> encoder.encode({"sky": "blue", "rain": 1})[:2]
    array([nan,  0.])
    """

    def __init__(self, most: int = 256) -> None:
        self.most = most
        self.columns: dict[Any, int] = {}
        self.used = 0
        self.capacity = 0
        self._template = np.zeros(0)

    def learn(self, x: Mapping[Any, Any]) -> None:
        """Give columns to the features that have none yet."""
        columns = self.columns
        for name, value in x.items():
            if name not in columns or not isinstance(value, float | int):
                keys = {key_of(name, value) for name, value in x.items()}
                self.add(key for key in keys if key not in columns)
                return

    def add(self, keys: Iterable[Any]) -> None:
        """Give a column to each of these keys."""
        unknown = sorted(keys, key=repr)
        if not unknown:
            return
        for key in unknown:
            if self.used < self.most:
                self.columns[key] = self.used
                self.used += 1
            elif len(self.columns) < SHARED * self.most:
                self.columns[key] = zlib.crc32(repr(key).encode()) % self.most
        if self.used > self.capacity:
            wanted = max(self.used, min(self.most, self.capacity + self.capacity // 2))
            self.capacity = -(-wanted // ROOM) * ROOM
        self._template = np.full(self.capacity, math.nan)
        for key, column in self.columns.items():
            if isinstance(key, Category):
                self._template[column] = 0.0

    def encode(self, x: Mapping[Any, Any]) -> Float64:
        """The vector (capacity,) of one event; what has no column is left out."""
        encoded = self._template.copy()
        columns = self.columns
        if len(columns) > self.used:
            return self._encode_shared(x, encoded)
        for name, value in x.items():
            if isinstance(value, float | int):
                column = columns.get(name)
                if column is not None:
                    try:
                        encoded[column] = value
                    except OverflowError:  # an integer beyond any float
                        encoded[column] = math.nan
            else:
                column = columns.get(key_of(name, value))
                if column is not None:
                    encoded[column] = number_of(value)
        return encoded

    def _encode_shared(self, x: Mapping[Any, Any], encoded: Float64) -> Float64:
        """The same where features share columns: there they add up."""
        for name, value in x.items():
            column = self.columns.get(key_of(name, value))
            number = number_of(value)
            if column is not None and math.isfinite(number):
                encoded[column] = number if math.isnan(encoded[column]) else encoded[column] + number
        return encoded


def key_of(name: Any, value: Any) -> Any:
    """What the column of this feature is known by: its name, or its name and value where it holds text."""
    return Category(name, str(value)) if is_category(value) else name


def is_category(value: Any) -> bool:
    """Whether a value is text, or anything else that is no number, no time and not missing."""
    if isinstance(value, bool | int | float | np.number | np.bool_ | date | np.datetime64) or is_missing(value):
        return False
    try:
        float(value)  # Decimal and Fraction are numbers; text is text, whatever digits are in it
    except (TypeError, ValueError, OverflowError):
        return True
    return isinstance(value, str)


def number_of(value: Any) -> float:
    """The number in a feature's column: 1 for a category, seconds since 1970 for a time, NaN for a missing value."""
    if isinstance(value, float):
        return float(value)
    if is_missing(value):
        return math.nan
    if isinstance(value, date | np.datetime64):
        return seconds_of(value)
    if is_category(value):
        return 1.0
    try:
        return float(value)
    except OverflowError:
        return math.nan


def target_of(value: Any) -> float:
    """The number of a target: text that is a number counts as one, NaN is a missing value.

    Raises `TypeError` for what is no number: nothing may be learned from it.

    >>> target_of("54.21"), target_of(None)
    (54.21, nan)
    """
    if isinstance(value, float | int):  # a bool is 0 or 1, as everywhere in Python
        return number_of(value)
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return math.nan
    if not isinstance(value, date | np.datetime64 | bytes):
        try:
            return float(value)
        except OverflowError:
            return math.nan
        except (TypeError, ValueError):
            pass
    what = "text" if isinstance(value, str | bytes) else f"a {type(value).__name__}"
    raise TypeError(f"the target is {what}, not a number: {value!r:.60}")


def is_missing(value: Any) -> bool:
    """None, and what pandas and numpy have for it: `pd.NA`, `NaT`. (NaN is a number here.)"""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value))


def time_in(value: Any) -> float | None:
    """Seconds since 1970 where a value is a time: a date, `datetime64`, text in ISO form; else None."""
    if isinstance(value, float | int) or is_missing(value):
        return None
    if isinstance(value, str):
        if not (8 <= len(value) <= 40 and value[:4].isdigit() and value[4:5] == "-"):
            return None
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return seconds_of(value) if isinstance(value, date | np.datetime64) else None


def seconds_of(time: date | np.datetime64) -> float:
    """Seconds since 1970; a time without zone is taken as UTC."""
    if isinstance(time, np.datetime64):
        return float(time.astype("datetime64[us]").astype(np.int64)) / 1e6
    if not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)
    return (time - (_EPOCH if time.tzinfo is None else _EPOCH_UTC)).total_seconds()
