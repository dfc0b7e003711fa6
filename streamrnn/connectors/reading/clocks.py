"""Which form the times of a column have: decided over all cells of the sample together, or asked for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple

from streamrnn.connectors.reading import times
from streamrnn.connectors.reading.layout import TimeReading

ENOUGH = 0.75
"""Share of the known cells that must be times under one form."""

_TIME_WORDS = """
time timestamp date datetime ds ts epoch year month day period datum zeit uhrzeit zeitstempel zeitpunkt fecha hora ora
heure horodatage tijd dato aika время дата jahr when created updated logged recorded measured observed quarter week
yearmonth yyyymm yyyymmdd yearweek unix jd julian datenum
"""
_CALENDAR_WORDS = "date datum fecha dato дата ds datetime day month yearmonth yyyymm yyyymmdd period year jahr quarter"
_WORDS, _CALENDAR = frozenset(_TIME_WORDS.split()), frozenset(_CALENDAR_WORDS.split())
_ELAPSED = frozenset({"time", "elapsed", "zeit", "temps", "tiempo", "tempo", "timestamp", "seconds"})
KNOWN = ("time", "timestamp", "_time", "date", "datetime", "date_time", "ds", "ts", "t")
"""Names of time columns, the likeliest first."""

_FIELDS = {
    "fields": "year, month, day", "year and day": "year, day of the year", "year and quarter": "year, quarter",
    "year and week": "year, week of ISO 8601",
}  # fmt: skip
"""Parts of a date in columns of their own, and what to say of them."""

SINCE_THE_START = "seconds counted from 1970"
"""The note of times that are no dates."""

_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?(?:[eE][+]?\d+)?|\d{5,},\d+)$")
_CLOCK = re.compile(r"(?:\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?|\d{1,2}\.\d{2}\.\d{2})$")


class Ambiguous(Exception):
    """Day first or month first? `cell` reads as both, and so does the whole sample."""

    def __init__(self, cell: str) -> None:
        super().__init__(cell)
        self.cell = cell


class Clock(NamedTuple):
    """A form that fits a column, and what the column's cells are under it."""

    how: TimeReading
    seconds: list[float | None]  # since 1970, of every cell; None where it is none
    note: str


def words_of(name: str) -> list[str]:
    """`openTime` and `open_time (UTC)` are open and time."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_\d]+", spaced.lower()) if word]


def says_time(name: str) -> bool:
    """Whether a column's name says that its numbers are times."""
    return name.strip().lower() in KNOWN or bool(_WORDS & set(words_of(name)))


def is_clock(cells: Sequence[str]) -> bool:
    """Whether a column holds times of day and no dates."""
    return bool(cells) and sum(bool(_CLOCK.match(cell)) for cell in cells) >= ENOUGH * len(cells)


def seconds_of(time: datetime) -> float:
    """Seconds since 1970; no zone means UTC."""
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def read(cells: Sequence[str], how: TimeReading, zone: str | None = None) -> list[float | None]:
    """Every cell in seconds, None where it is no time."""
    parse = times.reader(how, zone)
    found: list[float | None] = []
    for cell in cells:
        try:
            found.append(seconds_of(parse(cell)))
        except ValueError:
            found.append(None)
    return found


def fits(seconds: Sequence[float | None]) -> bool:
    """Whether enough of the cells are times."""
    return bool(seconds) and sum(second is not None for second in seconds) >= ENOUGH * len(seconds)


def recognise(
    name: str,
    cells: Sequence[str],
    *,
    form: str | None = None,
    unit: str | None = None,
    named: bool = False,
    parts: str = "whole",
    columns: tuple[str, ...] = (),
) -> Clock | None:
    """The form of these known cells, None when they are no times.

    `form` (strptime) and `unit` are what was asked for; `named` says that the column was named as the time, so numbers
    count. Raises `Ambiguous` when nothing tells the day from the month.
    """

    def made(found: str, note: str = "", **more: str) -> Clock | None:
        how = TimeReading.model_validate({"columns": columns or (name,), "form": found, "parts": parts, **more})
        seconds = read(cells, how)
        return Clock(how, seconds, note) if fits(seconds) else None

    if not cells:
        return None
    if form is not None:
        return made(form, f"format {form}")
    numeric = sum(bool(_NUMBER.match(cell)) for cell in cells) >= ENOUGH * len(cells)
    if unit is not None:
        return made("epoch", f"{unit} since 1970", unit=unit) if numeric else None
    if numeric and parts == "whole":
        return _numeric(name, cells, made, named) if named or says_time(name) else None
    if parts in _FIELDS:
        return made("fields", _FIELDS[parts])
    if found := made("iso"):
        return found
    return _by_order(cells, made)


def _by_order(cells: Sequence[str], made: Callable[..., Clock | None]) -> Clock | None:
    spoken = {"YMD": "", "DMY": "day first", "MDY": "month first", "yMD": "year first, of two digits"}
    found = {order: clock for order, note in spoken.items() if (clock := made(order, note)) is not None}
    if not found:
        return made("of day", "time since the start, counted from 1970") if is_clock(cells) else None
    if "YMD" in found and len(found) == 1:
        return found["YMD"]
    whole = {order: sum(second is not None for second in clock.seconds) for order, clock in found.items()}
    most = max(whole.values())
    best = [found[order] for order in found if whole[order] == most]
    if len(best) == 1 or all(clock.seconds == best[0].seconds for clock in best):
        return best[0]
    if all("." in cell.split(" ")[0] for cell in cells) and "DMY" in found:
        return found["DMY"]  # nobody writes the month first with points
    # Whichever makes the steps even: the wrong one jumps from month to month.
    ranked = sorted(best, key=lambda clock: _unevenness(clock.seconds))
    if _unevenness(ranked[1].seconds) > 3 * _unevenness(ranked[0].seconds):
        return ranked[0]._replace(note=ranked[0].note + ", since the steps are even so")
    different = zip(cells, ranked[0].seconds, ranked[1].seconds, strict=True)
    raise Ambiguous(next(cell for cell, one, other in different if one != other))


def _unevenness(seconds: Sequence[float | None]) -> float:
    """Largest step over the usual one; a step back is worst."""
    known = [second for second in seconds if second is not None]
    steps = [b - a for a, b in itertools.pairwise(known) if b != a]
    if not steps:
        return 1.0
    if sum(step < 0 for step in steps) > len(steps) / 2:
        steps = [-step for step in steps]
    usual = median(abs(step) for step in steps)
    back = sum(step < 0 for step in steps)
    return max(abs(step) for step in steps) / usual * (1 + back)


def _numeric(name: str, cells: Sequence[str], made: Callable[..., Clock | None], named: bool) -> Clock | None:
    numbers = [float(cell.replace(",", ".")) for cell in cells if _NUMBER.match(cell)]
    # Not the very ends: one broken time must not decide.
    ordered = sorted(numbers)
    least, largest = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    whole = all(number.is_integer() for number in numbers)
    calendar = bool(_CALENDAR & set(words_of(name))) or name.strip().lower() in _CALENDAR
    lengths = {len(cell.removesuffix(".0")) for cell in cells}
    if whole and len(lengths) == 1:
        (length,) = lengths
        sensible = length == 8 or (length == 6 and calendar) or length in (10, 12, 14, 17)
        if sensible and (clock := made("digits")) is not None:
            days = [datetime.fromtimestamp(second, UTC).year for second in clock.seconds if second is not None]
            late = 1980 if length in (10, 12) else 1700
            if len(days) == len(cells) and all(late <= day <= 2100 for day in days) and len(set(cells)) > 1:
                return clock
            if length in (8, 14, 17) and len(days) == len(cells) and all(1900 <= day <= 2100 for day in days):
                return clock
    steady = all(b >= a for a, b in itertools.pairwise(numbers))
    if least >= 1700 and largest <= 2200 and (calendar or (steady and largest - least < len(numbers) + 100)):
        return made("year", "years")
    if least >= 20_000 and largest <= 80_000 and _looks_like_excel(numbers, calendar):
        return made("excel", "days of a spreadsheet")
    for form, first, last in (("datenum", 690_000, 780_000), ("julian", 2_415_000, 2_490_000)):
        if least >= first and largest <= last and _looks_like_excel(numbers, form == "julian" or calendar):
            return made(form, "days of MATLAB" if form == "datenum" else "Julian days")
    for unit, low in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)):
        if least >= low and largest < 1000 * low:
            return made("epoch", "" if unit == "s" else f"{unit} since 1970", unit=unit)
    if least >= 1e8 and largest < 1e20:
        return made("mixed epoch", "numbers since 1970 in several units, each told by its size")
    if not (named or name.strip().lower() in KNOWN or (steady and _ELAPSED & set(words_of(name)))):
        return None  # a duration, a day of the week: numbers like others
    return made("epoch", f"{SINCE_THE_START} (another unit: --time-unit)", unit="s")


def _looks_like_excel(numbers: Sequence[float], calendar: bool) -> bool:
    if all(number.is_integer() for number in numbers):
        return calendar
    # Seconds of a day are what a spreadsheet's fractions are made of.
    return (
        all(abs(number * 86_400 - round(number * 86_400)) < 0.1 for number in numbers)
        and (max(numbers) - min(numbers) < 400 * len(numbers))
        and (calendar or not all((number * 100).is_integer() for number in numbers))
    )


def recognises(cell: str) -> bool:
    """Whether a text alone is a time in any order of day and month."""
    for order in ("YMD", "DMY", "MDY"):
        try:
            times.general(cell, order)
        except (ValueError, OverflowError):
            continue
        return True
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True
