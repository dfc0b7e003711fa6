"""Columns of numbers that are no measurement: a count, an id, a place, a part of the time or the time again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streamrnn.config.event import EventConfig
from streamrnn.connectors.reading import clocks, key_choice
from streamrnn.connectors.reading.clocks import Clock
from streamrnn.connectors.reading.sample import Sample

_PLACE_WORDS = "latitude longitude lat lon lng elevation altitude stn wmo site zip postcode"
_PLACE = frozenset(_PLACE_WORDS.split())
_Part = Callable[[datetime], int]
_LABELS = frozenset({"label", "is_anomaly", "anomaly", "is_outlier", "outlier", "anomaly_label", "ground_truth"})
_ZERO_OR_ONE = frozenset({"0", "1", "0.0", "1.0"})
_DAYS_OF_WEEK: tuple[_Part, ...] = (
    lambda time: time.weekday(), lambda time: time.isoweekday(), lambda time: time.isoweekday() % 7,
    lambda time: time.isoweekday() % 7 + 1,
)  # fmt: skip
_HOURS: tuple[_Part, ...] = (lambda time: time.hour, lambda time: time.hour + 1, lambda time: time.hour or 24)
_PARTS_OF_TIME: dict[str, tuple[_Part, ...]] = {
    **dict.fromkeys(("year", "yr"), (lambda time: time.year,)),
    **dict.fromkeys(("month", "mnth", "mon"), (lambda time: time.month,)),
    **dict.fromkeys(("day", "dayofmonth", "dom"), (lambda time: time.day, *_DAYS_OF_WEEK)),
    **dict.fromkeys(("weekday", "dayofweek", "dow", "wday"), _DAYS_OF_WEEK),
    **dict.fromkeys(("hour", "hr", "hourofday", "he", "hourending"), _HOURS),
    **dict.fromkeys(("quarter", "qtr"), (lambda time: (time.month + 2) // 3,)),
    **dict.fromkeys(("dayofyear", "doy", "yday"), (lambda time: time.timetuple().tm_yday,)),
    **dict.fromkeys(
        ("week", "weekofyear", "isoweek", "mmwrweek", "epiweek"),
        (lambda time: time.isocalendar().week, lambda time: (time + timedelta(1)).isocalendar().week),
    ),
    **dict.fromkeys(("minute", "min"), (lambda time: time.minute,)),
}
"""What columns of these names may repeat of the time."""


def counts(sample: Sample, name: str) -> bool:
    """Whether a column is one more in every row than in the one before."""
    cells = sample.cells(name)[: sample.head]
    if not all(cell.isdigit() for cell in cells):
        return False
    values = list(map(int, cells))
    return all(b - a == 1 for a, b in itertools.pairwise(values))


def numbers_the_rows(sample: Sample, name: str) -> bool:
    """Whether a column of an identifier's name has another whole number in every row, and they go one way.

    So do the readings of a meter, whose name says something else.
    """
    cells = sample.cells(name)[: sample.head]
    if not key_choice.is_number_of_one(name) or len(cells) < 5 or not all(map(str.isdigit, cells)):
        return False
    values = list(map(int, cells))
    return len(set(values)) == len(values) and values in (sorted(values), sorted(values, reverse=True))


def is_no_key(sample: Sample, event: EventConfig) -> bool:
    """Whether `key`, which nobody asked for, is another number in every row: a time, or a count."""
    cells = sample.cells(event.key)
    return (
        "key" not in event.model_fields_set
        and sample.rows >= 10
        and len(set(cells)) == sample.rows
        and (clocks.by_size(event.key, cells) is not None or counts(sample, event.key))
    )


def names_the_place(name: str) -> bool:
    """Whether a column's name says that its numbers tell where or by what was measured."""
    words = set(clocks.words_of(name))
    return key_choice.is_id_name(name) or bool(words & _PLACE)


def belongs_to_the_key(sample: Sample, name: str, keys: Sequence[str]) -> bool:
    """Whether a column has one number for each series, and each series another one: its id, its place, its size."""
    series = [*zip(*(sample.cells(key) for key in keys), strict=True)] if keys else []
    pairs = set(zip(series, sample.cells(name), strict=True)) if series else set()
    numbers, names = {cell for _, cell in pairs}, {key for key, _ in pairs}
    return 1 < len(pairs) == len(names) == len(numbers) <= len(series) / 3 and not numbers <= _ZERO_OR_ONE


def is_label(sample: Sample, name: str) -> bool:
    """Whether a column of 0 and 1 says which rows somebody found strange."""
    return name.strip().lower() in _LABELS and set(sample.known(name)) <= _ZERO_OR_ONE


def is_part_of_the_time(sample: Sample, name: str, seconds: Sequence[float | None], zone: str | None) -> bool:
    """Whether a column says again what the time says: the hour, the day of the week, the month."""
    of = _PARTS_OF_TIME.get("".join(clocks.words_of(name)))
    if of is None:
        return False
    where = ZoneInfo(zone) if zone is not None else UTC
    cells = sample.cells(name)
    rows = [at for at, second in enumerate(seconds) if second is not None and cells[at]]
    times = [datetime.fromtimestamp(seconds[at] or 0.0, where) for at in rows]
    values = [cell[:-2] if (cell := cells[at].lstrip("0") or "0").endswith(".0") else cell for at in rows]
    return bool(rows) and any([str(part(time)) for time in times] == values for part in of)


def is_time_again(sample: Sample, name: str, clock: Clock | None, seconds: Sequence[float | None]) -> bool:
    """Whether a column of numbers is always the same amount away from the time: when a candle closes."""
    if clock is None:
        return False
    again = clocks.by_size(name, sample.cells(name))
    if again is not None:
        apart_by = {None if a is None or b is None else a - b for a, b in zip(again.seconds, seconds, strict=False)}
        return len(apart_by) == 1 and None not in apart_by and sample.rows > 2
    if clock.how.form != "epoch" or len(clock.how.columns) > 1:
        return False
    pairs = zip(sample.cells(name)[:200], sample.cells(clock.how.columns[0])[:200], strict=True)
    apart = {int(one) - int(time) if one.isdigit() and time.isdigit() else None for one, time in pairs}
    return len(apart) == 1 and None not in apart and sample.rows > 2
