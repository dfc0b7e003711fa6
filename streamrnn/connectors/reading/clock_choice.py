"""Which column is the event time, or which columns together."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from streamrnn.config.event import EventConfig
from streamrnn.connectors.reading import clock_columns, clocks, times, zone_names
from streamrnn.connectors.reading.clocks import Ambiguous, Clock
from streamrnn.connectors.reading.layout import TimeReading
from streamrnn.connectors.reading.numbers import has_digit, is_plain
from streamrnn.connectors.reading.sample import Sample
from streamrnn.errors import ConfigurationError

_DAY = 86_400
_COMMON = 0.5  # of the rows have the time
_DATED = re.compile(r"(?:^|\D)(?:19|20)\d\d(?:\D|$).*\d|\d.*\D(?:19|20)\d\d(?:\D|$)")
_IN_THREE = re.compile(
    r"['\"\[]?[^\W\d_]{0,9}\d{1,4}([./:-]|[^\W\d_]{1,4})(?:0?[1-9]|[12]\d|3[01])([./:-]|[^\W\d_]{1,4})\d{1,2}"
    r"(?!\d*\.\d)\D{0,3}.{0,12}"
)
"""Three numbers, as a date has them: `R5.1.31`, `112/01/31`. Not the address `10.1.1.7`, nor the version `1.0.3`."""


class Choice(NamedTuple):
    """The time that was found, and the other columns that hold times."""

    clock: Clock | None
    others: tuple[str, ...]
    notes: list[str]


def choose(sample: Sample, event: EventConfig, taken: frozenset[str]) -> Choice:
    """Find the time among the columns that are not `taken`.

    Raises `ConfigurationError` where only a person can tell.
    """
    if "time" in event.model_fields_set:
        return _named(sample, event)
    free = [name for name in sample.names if name not in taken]
    found: list[tuple[tuple[float, ...], Clock]] = []
    doubt: tuple[str, str] | None = None
    of_day = [name for name in free if clocks.is_clock(sample.known(name), name)]
    for position, name in enumerate(free):
        try:
            clock = clocks.recognise(name, sample.known(name), form=event.time_format, unit=event.time_unit)
        except Ambiguous as both:
            doubt = doubt or (name, both.cell)
            # With the time of day the steps may tell.
            clock = clock_columns.with_time_of_day(sample, name, of_day, event) or clock_columns.with_hours(
                sample, name, free, event
            )
            if clock is None:
                continue
        if clock is None and event.time_format is None and {"utc", "gmt"} & set(clocks.words_of(name)):
            clock = clocks.by_size(name, sample.known(name))
        if clock is None:
            if event.time_format is not None and (whole := clock_columns.with_time_of_day(sample, name, of_day, event)):
                clock = whole
            else:
                continue
        if clock.how.form == "of day" and event.time_format is None:
            continue
        clock = clock_columns.completed(sample, clock, free, of_day, event)
        elapsed = float(clock.since_start)
        rare = float(len(clock.seconds) < _COMMON * sample.rows)
        found.append(((rare, _stands_still(clock), elapsed, _rank(name), position), clock))
    found.sort(key=lambda one: one[0])
    found = _finer_first(found)
    fields = (
        clock_columns.from_year_and(sample, free)
        or clock_columns.from_fields(sample, free)
        or clock_columns.from_day_of_year(sample, free)
    )
    if fields is not None and (not found or found[0][1].how.form in ("year", "epoch") or any(found[0][0][:2])):
        found = [((0.0, 0.0, 0.0), fields), *found]
    if not found and doubt is not None:
        raise _ambiguous(*doubt)
    if not found and event.time_format is not None:
        name = next((name for name in free if clocks.says_time(name)), free[0] if free else "")
        first = next(iter(sample.known(name)), "") if name else ""
        raise ConfigurationError(
            f"no column has times like --time-format {event.time_format}; column {name!r} begins with {first!r:.80}"
        )
    if not found:
        for name in of_day:
            if (clock := clocks.recognise(name, sample.known(name))) is not None:
                _refuse_days_without_dates(name, clock.seconds)
                found.append(((0.0, 0.0, 0.0), clock))
                break
    if not found:
        for name in free:
            if (clock := clocks.by_size(name, sample.known(name))) is not None:
                found.append(((0.0, 0.0, 0.0), clock))
                break
    if not found:
        for name in free:
            if (clock := clocks.counted(name, sample.cells(name))) is not None:
                found.append(((0.0, 0.0, 0.0), clock))
                break
    if not found:
        _refuse_what_says_time(sample, free)
        if sample.rows == 0:
            return Choice(None, (), ["no row yet, and so no time column"])
        return Choice(None, (), ["no time column: rows count as one second apart (name one with --time)"])
    _refuse_misread(sample, found[0][1], event)
    best = clock_columns.in_its_zone(sample, found[0][1], free, event)
    best, notes = zone_names.with_zone(best, event.time_zone, _is_naive(sample, best), sample.units)
    if best.how.columns != ("time",) or best.note:
        told = " and ".join(best.how.columns)
        notes.append(f"time column{'s' * (len(best.how.columns) > 1)}: {told}" + f" ({best.note})" * bool(best.note))
    others = tuple(
        name for _, clock in found[1:] for name in clock.how.columns
        if name not in best.how.columns and not clock.since_start
    )  # fmt: skip
    if _stands_still(best) and sample.rows > 2:
        notes.append(f"the time in {best.how.columns[0]} is the same in every row that was looked at")
    return Choice(best, others, notes)


def _is_naive(sample: Sample, clock: Clock) -> bool:
    """Whether the times name no zone themselves."""
    cell = next(iter(sample.joined(clock.how.columns)), "")
    try:
        there, elsewhere = (times.reader(clock.how, zone)(cell) for zone in ("Asia/Tokyo", "UTC"))
    except ValueError:
        return False
    return there.replace(tzinfo=None) != elsewhere.replace(tzinfo=None)


def _refuse_misread(sample: Sample, clock: Clock, event: EventConfig) -> None:
    """Cells that read as times and yet mean others; with `--time-unit` they are numbers, as a person has said."""
    if event.time_unit is None:
        _refuse_several_frequencies(sample, clock)
        _refuse_both_orders(sample, clock)
        _refuse_another_calendar(sample, clock, event)


_FREQUENCIES = (
    ("years", re.compile(r"(?:1[5-9]|2[01])\d\d$")),
    ("quarters", re.compile(r"\d{4}[\s/:-]*[QqTK][1-4]$|[Qq][1-4][\s/-]*\d{4}$")),
    ("months", re.compile(r"\d{4}[\s/-]*(?:[^\W\d_]{3,}\.?|[Mm]?(?:0[1-9]|1[0-2]))$|[^\W\d_]{3,}\.?[\s/-]*\d{4}$")),
)
_SHARE, _NEARLY_ALL = 0.03, 0.9


def _refuse_several_frequencies(sample: Sample, clock: Clock) -> None:
    """A column with the figures of years below those of quarters and months: they are several series."""
    if len(clock.how.columns) > 1:
        return
    name = clock.how.columns[0]
    cells = sample.known(name)
    examples, told_of = {}, 0
    for word, form in _FREQUENCIES:
        of_this = [cell for cell in cells if form.match(cell)]
        told_of += len(of_this)
        if len(of_this) >= max(2, _SHARE * len(cells)):
            examples[word] = of_this[0]
    if len(examples) > 1 and told_of >= _NEARLY_ALL * len(cells):  # seconds since a start have such figures, too
        told = " and ".join(f"{word} ({cell!r})" for word, cell in examples.items())
        raise ConfigurationError(f"column {name!r} has {told}: these are several series. Keep the rows of one of them")


def _finer_first(found: list[tuple[tuple[float, ...], Clock]]) -> list[tuple[tuple[float, ...], Clock]]:
    """Of a date that repeats and a column of the same dates with the time of day, the latter is the time.

    So it is of years that repeat and a column with more times.
    """
    for at, (_, other) in enumerate(found[1:], 1):
        if _is_finer(other, found[0][1]) or _is_finer_than_years(other, found[0][1]):
            return [found[at], *found[:at], *found[at + 1 :]]
    return found


def _is_finer(other: Clock, date: Clock) -> bool:
    if len(other.seconds) != len(date.seconds):
        return False
    both = [(a, b) for a, b in zip(other.seconds, date.seconds, strict=True) if a is not None and b is not None]
    if not both or any(day % _DAY for _, day in both):
        return False
    inside = sum(0 <= time - day <= _DAY for time, day in both)
    return inside >= 0.99 * len(both) and len({time for time, _ in both}) > 1.5 * len({day for _, day in both})


def _is_finer_than_years(other: Clock, years: Clock) -> bool:
    different = {second for second in other.seconds if second is not None}
    return (
        years.how.form == "year"
        and other.how.form != "year"
        and not other.since_start
        and len(other.seconds) == len(years.seconds)
        and len(different) > 1.5 * len(set(years.seconds))
    )


_OTHER_ORDER = {"DMY": "MDY", "MDY": "DMY"}


def _refuse_both_orders(sample: Sample, clock: Clock) -> None:
    """Some rows have the day first and some the month: those that read both ways would be wrong in silence."""
    order = _OTHER_ORDER.get(clock.how.form)
    if order is None:
        return
    cells = sample.joined(clock.how.columns)
    other = clocks.read(cells, clock.how.model_copy(update={"form": order}))
    here = clocks.read(cells, clock.how)
    only = [[cell for cell, a, b in zip(cells, one, two, strict=True) if a is not None and b is None]
            for one, two in ((here, other), (other, here))]  # fmt: skip
    if min(map(len, only)) >= max(2, _SHARE_OF_OTHERS * len(cells)):
        day, month = [one[0] for one in (only if clock.how.form == "DMY" else only[::-1])]
        raise ConfigurationError(
            f"column {clock.how.columns[0]!r} has the day first in {day!r:.60} and the month first in {month!r:.60}: "
            "these are two files in one. Write all dates alike, as 2024-01-31"
        )


_SHARE_OF_OTHERS = 0.005
_CALENDAR = (1600, 2400)


def _refuse_another_calendar(sample: Sample, clock: Clock, event: EventConfig) -> None:
    """Dates of the Iranian, Buddhist or Japanese calendar look like ours, and their months have other days."""
    known = sorted(second for second in clock.seconds if second is not None)
    if not known or clock.since_start or event.time_format is not None:
        return
    year = times.EPOCH.year + known[len(known) // 2] / (365.2425 * _DAY)
    if not _CALENDAR[0] <= year < _CALENDAR[1]:
        cell = next(iter(sample.joined(clock.how.columns)), "")
        raise ConfigurationError(
            f"column {clock.how.columns[0]!r}: {cell!r:.60} is in the year {int(year)}. Is it a date of another "
            "calendar (Iranian, Buddhist ...)? Write dates of the Gregorian one, as 2024-01-31; a year that is meant "
            "is read with --time-format"
        )


def _named(sample: Sample, event: EventConfig) -> Choice:
    name = event.time
    cells = sample.known(name)
    if not cells:
        return Choice(Clock(_plain(name), [], ""), (), [])
    try:
        clock = clocks.recognise(name, cells, form=event.time_format, unit=event.time_unit, named=True)
    except Ambiguous as both:
        raise _ambiguous(name, both.cell) from None
    if clock is None:
        raise ConfigurationError(
            f"column {name!r} is not read as a time: {_first_bad(name, cells, event)!r:.80}. Say how with "
            "--time-format '%d.%m.%Y %H:%M' (as strptime has it), or --time-unit s, ms, us or ns for numbers"
        )
    _refuse_misread(sample, clock, event)
    clock, notes = zone_names.with_zone(clock, event.time_zone, _is_naive(sample, clock), sample.units)
    return Choice(clock, (), notes + ([f"times of {name}: {clock.note}"] if clock.note else []))


def _first_bad(name: str, cells: list[str], event: EventConfig) -> str:
    for cell in cells:
        try:
            good = clocks.recognise(name, [cell], form=event.time_format, unit=event.time_unit, named=True)
        except Ambiguous:
            continue
        if good is None:
            return cell
    return cells[0]


def _plain(name: str) -> TimeReading:
    return TimeReading(columns=(name,), form="iso")


def _ambiguous(name: str, cell: str) -> ConfigurationError:
    rest = " %H:%M" if ":" in cell else ""
    mark = next((character for character in cell if character in "/-. "), "/")
    year = "%y" if re.match(r"\d{1,2}\D\d{1,2}\D\d\d(?!\d)", cell) else "%Y"
    day_first, month_first = mark.join(("%d", "%m", year)) + rest, mark.join(("%m", "%d", year)) + rest
    return ConfigurationError(
        f"column {name!r}: is it day or month first in {cell!r:.60}? No row tells. Say so: --time-format "
        f"'{day_first}' or --time-format '{month_first}'"
    )


def _refuse_what_says_time(sample: Sample, free: list[str]) -> None:
    """A column with the name of a time, or with a year in every cell, must not be passed over."""
    for name in free:
        cells = sample.known(name)[:50]
        if not cells or all(is_plain(cell) for cell in cells):
            continue
        plain = name.strip().lower()
        named = plain in ("time", "timestamp", "datetime", "date", "date time")
        changes = len(set(cells)) > len(cells) / 4
        digits = sum(map(has_digit, cells)) >= _NEARLY_ALL * len(cells)
        named |= (clocks.says_time(name) or plain == "elapsed") and changes and digits
        named |= len(set(cells)) == len(cells) > 2 and all(map(_IN_THREE.fullmatch, cells))
        dated = changes and all(len(cell) < 80 and _DATED.search(cell) for cell in cells)
        if named or dated:
            raise ConfigurationError(
                f"column {name!r} looks like the time, but {cells[0]!r:.60} is not read as one. Say how with "
                "--time-format, name another column with --time, or leave it out with --exclude"
            )


def _refuse_days_without_dates(name: str, seconds: list[float | None]) -> None:
    """Times of day that begin anew: which day it is stands nowhere."""
    known = [second for second in seconds if second is not None]
    back = sum(b < a for a, b in itertools.pairwise(known))
    if back and all(b >= 0 for b in known) and max(known) < _DAY:
        raise ConfigurationError(
            f"column {name!r} has times of day without a date, and they begin anew {back} times. Add a column with the "
            f"date, or leave this one out: with --exclude '{name}' rows count as one second apart"
        )


def _stands_still(clock: Clock) -> float:
    known = {second for second in clock.seconds if second is not None}
    return float(len(known) <= 1 and len(clock.seconds) > 1)


def _rank(name: str) -> float:
    plain = name.strip().lower()
    if plain in clocks.KNOWN:
        return float(clocks.KNOWN.index(plain))
    words = set(clocks.words_of(name))
    # When a row was written is the time only for want of another; when it was changed, or where its interval ends, is
    # it only for want of any other column with times, whatever that is called.
    written = 2 * bool({"created", "creation", "inserted"} & words)
    late = 25 * bool({"updated", "modified", "changed", "end", "ends", "ende", "bis", "fin", "to", "expires"} & words)
    # Of one time in UTC and in local time the former never comes twice.
    return (20.0 if clocks.says_time(name) else 40.0) + written + late + bool({"local", "lokal"} & words)
