"""Which form the times of a column have: decided over all cells of the sample together, or asked for."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import NamedTuple

from streamrnn.connectors.reading import dates, times
from streamrnn.connectors.reading.layout import TimeReading

ENOUGH = 0.75
"""Share of the known cells that must be times under one form."""

_TIME_WORDS = """
time timestamp date datetime ds ts epoch year month day period datum zeit uhrzeit zeitstempel zeitpunkt fecha hora ora
heure horodatage tijd dato aika время дата jahr when created updated logged recorded measured observed quarter week
yearmonth yyyymm yyyymmdd yearweek unix jd julian datenum quartal trimestre kvartal woche semaine semana vecka uge
unix mjd hjd bjd yyyyddd yyyydoy aika dátum idő 日時 時刻 时间 日期 일시 날짜
日付 年月日 年月 期間 기간 monat mes mois mese maand месяц měsíc miesiąc mês تاريخ تاریخ التاريخ
"""
_CALENDAR_WORDS = "date datum fecha dato дата ds datetime day month yearmonth yyyymm yyyymmdd period year jahr quarter"
_WORDS, _CALENDAR = frozenset(_TIME_WORDS.split()), frozenset(_CALENDAR_WORDS.split())
_ELAPSED = frozenset({"time", "elapsed", "zeit", "temps", "tiempo", "tempo", "timestamp", "seconds"})
_UNIT_BEHIND = re.compile(
    r"(?P<name>.*?)[\s_/\[(]+(?P<unit>ms|us|µs|μs|ns|sec|seconds?|s|min|minutes?|hours?|hrs?|h|days?|d)[\])]?$"
)
_UNITS = {"µs": "us", "μs": "us", "sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min",
          "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "day": "d", "days": "d"}  # fmt: skip
KNOWN = ("time", "timestamp", "_time", "date", "datetime", "date_time", "ds", "ts", "t")
"""Names of time columns, the likeliest first."""

_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?(?:[eE][+]?\d+)?|\d{5,},\d+)$|\d{9,}(?:\.\d*)?:$")
_STAMPS = frozenset({"time", "timestamp", "ts", "epoch", "unix"})
_LATEST = 7.3e9  # seconds since 1970: the year 2201
_WEEK_WORDS = frozenset({"week", "yearweek", "yyyyww", "woche", "kw", "semaine", "vecka", "uge"})
_WEEK_OF_YEAR = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|[1-4]\d|5[0-3])$")
_MONTH_OF_YEAR = re.compile(r"(?:0[1-9]|1[0-2])\.(?:19|20)\d\d$")
_MONTH = 31  # days
_UNEVEN_MONTHS = 3.0
_YEARS, _FEWEST_YEARS = range(1700, 2200), 3
_MANY, _EVEN = 5, 100.0  # cells, and the largest step over the usual one
_CLOCK = re.compile(
    r"(?:\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[AaPp](?:\.?[Mm]\.?)?|Uhr|h)?|\d{1,2}\.\d{2}\.\d{2}|\d{1,2}\s?h\s?\d{2}(?::\d{2})?)$"
)
_CLOCK_WITH_POINT = re.compile(r"(?:[01]?\d|2[0-4])\.[0-5]\d$")
OF_DAY_WORDS = frozenset(
    {"time", "tid", "ora", "orario", "kello", "klo", "klokkeslæt", "klokkeslett", "klockan", "uhrzeit", "aika"}
)


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
    since_start: bool = False  # the times are no dates


def words_of(name: str) -> list[str]:
    """`openTime` and `open_time (UTC)` are open and time."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_\d]+", spaced.lower()) if word]


def says_time(name: str) -> bool:
    """Whether a column's name says that its numbers are times."""
    return name.strip().lower() in KNOWN or bool(_WORDS & set(words_of(name))) or _since_the_start(name)[0] in KNOWN


def is_clock(cells: Sequence[str], name: str = "") -> bool:
    """Whether a column holds times of day and no dates; `14.30` is one where the column's name says so."""
    form = _CLOCK
    if OF_DAY_WORDS & set(words_of(name)) and all(_CLOCK_WITH_POINT.match(cell) for cell in cells):
        form = _CLOCK_WITH_POINT
    fit = [form.match(cell) for cell in cells]
    # `25.01.24` is a date: no day has an hour of that number.
    return bool(cells) and sum(map(bool, fit)) >= ENOUGH * len(cells) and all(_hour(cell) <= 24 for cell in cells)


def _hour(cell: str) -> int:
    digits = re.match(r"\d{1,2}", cell)
    return int(digits[0]) if digits is not None else 0


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


_GUESSED = ("excel", "datenum", "short digits", "digits DMY", "digits MDY", "mjd")
_USUAL_YEARS = (1990, 2035)


def _from(note: str, seconds: Sequence[float | None], how: TimeReading, since_start: bool) -> str:
    """The note with the first time, where numbers were taken as times that they need not be."""
    first = next((second for second in seconds if second is not None), None)
    if first is None or since_start or how.parts not in ("whole", "date and time"):
        return note
    begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=first)
    odd = how.form == "epoch" and not _USUAL_YEARS[0] <= begin.year <= _USUAL_YEARS[1]
    if how.form not in _GUESSED and not odd and how.unit != "d":
        return note
    return f"{note or 'seconds since 1970'}, the first is {begin:%Y-%m-%d %H:%M}".replace(" 00:00", "")


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

    def made(found: str, note: str = "", *, since_start: bool = False, **more: str) -> Clock | None:
        how = TimeReading.model_validate({"columns": columns or (name,), "form": found, "parts": parts, **more})
        seconds = read(cells, how)
        return Clock(how, seconds, _from(note, seconds, how, since_start), since_start) if fits(seconds) else None

    if not cells:
        return None
    if form is not None:
        return made(form, f"format {form}")
    numeric = sum(bool(_NUMBER.match(cell)) for cell in cells) >= ENOUGH * len(cells)
    if unit is not None:
        return made("epoch", f"{unit} since 1970", unit=unit) if numeric else None
    if _WEEK_WORDS & set(words_of(name)) and parts == "whole" and all(map(_WEEK_OF_YEAR.match, cells)):
        return made("week", "year and week")
    if numeric and parts == "whole" and all(map(_MONTH_OF_YEAR.match, cells)) and any(cell[0] == "0" for cell in cells):
        return made("iso", "months")  # `01.2024` is no number
    if numeric and parts == "whole":
        return _numeric(name, cells, made, named) if named or says_time(name) else None
    if parts in _OF_FIELDS:
        return made("fields", _OF_FIELDS[parts])
    if _may_be_days(cells):
        return None
    return made("iso") or _by_order(cells, made)


_OF_FIELDS = {
    "fields": "year, month, day",
    "year and day": "year, day of the year",
    "year and week": "the Monday of each week",
    "year and week of Sundays": "the Sunday of each week, as the CDC counts them",
    "year and quarter": "the first day of each quarter",
}
_MONTH_AND_TWO = re.compile(r"(?P<month>[^\W\d_]{3,10})[-/' ]\d{2}$")


def _may_be_days(cells: Sequence[str]) -> bool:
    """`Jan-15` is January of 2015 where the month changes from row to row; else it may be a day of January."""
    cells = list(dict.fromkeys(cells))  # rows of several series have one time
    found = [one["month"] for cell in cells if (one := _MONTH_AND_TWO.match(cell))]
    changes = sum(a != b for a, b in itertools.pairwise(found))
    return len(found) > len(cells) / 2 and changes < 0.8 * (len(found) - 1)


def _by_order(cells: Sequence[str], made: Callable[..., Clock | None]) -> Clock | None:
    spoken = {"YMD": "", "DMY": "day first", "MDY": "month first", "yMD": "year first, of two digits"}
    found = {order: clock for order, note in spoken.items() if (clock := made(order, note)) is not None}
    if not found:
        return made("of day", "time since the start, counted from 1970", since_start=True) if is_clock(cells) else None
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
    numbers = [float(cell.replace(",", ".").rstrip(":")) for cell in cells if _NUMBER.match(cell)]
    # Not the very ends: one broken time must not decide.
    ordered = sorted(numbers)
    least, largest = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    whole = all(number.is_integer() for number in numbers)
    words = set(words_of(name))
    calendar = bool(_CALENDAR & words) or name.strip().lower() in _CALENDAR
    lengths = {len(cell.removesuffix(".0")) for cell in cells}
    if {"mjd", "jd", "hjd", "bjd"} & words:
        form = "mjd" if least >= 15_000 and largest <= 90_000 else "julian"
        if form == "mjd" or (least >= 2_300_000 and largest <= 2_600_000):
            return made(form, "modified Julian days" if form == "mjd" else "Julian days")
    if whole and len(lengths) == 1:
        (length,) = lengths
        if length == 6 and _WEEK_WORDS & words:
            return made("week", "year and week")
        sensible = length in (7, 8) or (length == 6 and calendar) or length in (10, 12, 14, 17)
        if sensible and (clock := made("digits")) is not None:
            days = [datetime.fromtimestamp(second, UTC).year for second in clock.seconds if second is not None]
            late = 1980 if length in (10, 12) else 1700
            if len(days) == len(cells) and all(late <= day <= 2100 for day in days) and len(set(cells)) > 1:
                return clock
            if length in (8, 14, 17) and len(days) == len(cells) and all(1900 <= day <= 2100 for day in days):
                return clock
        if length == 6 and not calendar and len(set(cells)) >= _MANY and (clock := made("digits")) is not None:
            # A counter that runs through 202312 and 202401 leaves out neither 202313 nor 202399.
            months = sorted({second for second in clock.seconds if second is not None})
            if None not in clock.seconds and _unevenness(months) < _UNEVEN_MONTHS:
                return clock
    if whole and (calendar or named) and lengths <= {7, 8} and (clock := _year_last(cells, made)) is not None:
        return clock
    if whole and lengths in ({10}, {12}) and len(set(cells)) >= _MANY:
        clock = made("short digits", "year of two digits first")
        # What no time since 1970 is by chance: every cell has a month, a day, an hour and a minute.
        if clock is not None and None not in clock.seconds and _unevenness(clock.seconds) < _EVEN:
            return clock
    steady = all(b >= a for a, b in itertools.pairwise(numbers))
    if least >= 1700 and largest <= 2200 and (calendar or (steady and largest - least < len(numbers) + 100)):
        return made("year", "years")
    if whole and calendar and least >= 3_650 and largest < 25_569:  # as days of a spreadsheet before 1970
        return made("epoch", "days since 1970", unit="d")
    if least >= 20_000 and largest <= 80_000 and _looks_like_excel(numbers, calendar):
        return made("excel", "days of a spreadsheet")
    for form, first, last in (("datenum", 690_000, 780_000), ("julian", 2_415_000, 2_490_000)):
        if least >= first and largest <= last and _looks_like_excel(numbers, form == "julian" or calendar):
            return made(form, "days of MATLAB" if form == "datenum" else "Julian days")
    if whole and 1e8 <= max(abs(least), abs(largest)) < 1e11:
        # Of times before or soon after 1970 the size tells no unit; whole thousands are milliseconds.
        thousands = all(number % 1000 == 0 for number in numbers) and len(set(numbers)) > 2
        if thousands or (largest > _LATEST and calendar | bool(_STAMPS & words)):
            return made("epoch", "ms since 1970", unit="ms")
        if least < 0:
            return made("epoch", "seconds since 1970")
    if least < 0 and whole and 1e11 <= max(-least, largest) < 1e14:
        return made("epoch", "ms since 1970", unit="ms")
    for unit, low in times.LEAST_OF_UNIT:
        if least >= low and largest < 1000 * low:
            return made("epoch", "" if unit == "s" else f"{unit} since 1970", unit=unit)
    if least >= 1e8 and largest < 1e20:
        return made("mixed epoch", "numbers since 1970 in several units, each told by its size")
    plain, unit = _since_the_start(name)
    falls = sum(b < a for a, b in itertools.pairwise(numbers)) / max(1, len(numbers) - 1)
    # A temperature T goes up and down; a time goes back where another series begins.
    known = plain in KNOWN and not (plain == "t" and 0.3 < falls < 0.7)
    if not (named or known or (steady and _ELAPSED & set(words_of(plain)))):
        return None  # a duration, a day of the week: numbers like others
    spoken = "seconds" if unit == "s" else unit
    return made("epoch", f"{spoken} counted from 1970 (another unit: --time-unit)", since_start=True, unit=unit)


def _year_last(cells: Sequence[str], made: Callable[..., Clock | None]) -> Clock | None:
    """Digits alone, of which the last four are the year: `31012024`. Raises `Ambiguous`."""
    found = []
    for order, note in (("DMY", "day first"), ("MDY", "month first")):
        clock = made(f"digits {order}", note)
        if clock is None or None in clock.seconds or len(set(cells)) < 2:
            continue
        years = [datetime.fromtimestamp(second or 0.0, UTC).year for second in clock.seconds]
        if all(1900 <= one <= 2100 for one in years):
            found.append(clock)
    if len(found) == 2:
        found.sort(key=lambda clock: _unevenness(clock.seconds))
        if _unevenness(found[1].seconds) <= 3 * _unevenness(found[0].seconds):
            raise Ambiguous(cells[0])
    return found[0] if found else None


def _since_the_start(name: str) -> tuple[str, str]:
    """`Time (ms)` as a name and a unit."""
    plain = name.strip().lower()
    found = _UNIT_BEHIND.match(plain)
    if found is None or not found["name"]:
        return plain, "s"
    return found["name"].strip(), _UNITS.get(found["unit"], found["unit"])


_ERAS = (("s", 9.4e8, 4.1e9), ("ms", 9.4e11, 4.1e12), ("us", 9.4e14, 4.1e15), ("ns", 9.4e17, 4.1e18))
"""What the years 2000 to 2099 are in each unit."""


def unit_of_this_century(least: float, most: float) -> str | None:
    """The unit in which numbers from `least` to `most` since 1970 are times of this century; None if there is none."""
    return next((unit for unit, first, last in _ERAS if first <= least and most <= last), None)


def by_size(name: str, cells: Sequence[str]) -> Clock | None:
    """Numbers that can hardly be anything but times since 1970, whatever their column is called.

    They lie in this century and rise, in seconds mostly by the same step: a counter has other ones.
    """
    if len(cells) < 3 or not all(_NUMBER.match(cell) and "," not in cell for cell in cells):
        return None
    if {len(cell) for cell in cells} in ({8}, {12}, {14}) and all(map(str.isdigit, cells)):
        clock = recognise(name, cells, named=True)
        if clock is not None and clock.how.form == "digits" and _goes_one_way(clock.seconds):
            return clock
    numbers = [float(cell.rstrip(":")) for cell in cells]
    least, most = min(numbers), max(numbers)
    unit = unit_of_this_century(least, most)
    if unit is None:
        return None
    steps = [b - a for a, b in itertools.pairwise(numbers) if b != a]
    rising = [step for step in steps if step > 0]
    rising = rising if 2 * len(rising) > len(steps) else [-step for step in steps if step < 0]  # newest first
    if not rising or len(rising) < 0.9 * len(steps):
        return None
    usual = max(Counter(rising).values())
    if unit == "s" and usual < 0.3 * len(rising):
        return None
    return recognise(name, cells, unit=unit, named=True)


_COUNTED = {"secs": "s", "sec": "s", "seconds": "s", "second": "s", "s": "s", "x": "s", "elapsed": "s",
            "minutes": "min", "minute": "min", "min": "min", "hours": "h", "hour": "h", "days": "d",
            "day": "d"}  # fmt: skip
_BESIDE_WORDS = "nth index no number nr elapsed since start of value total time run test relative"
_BESIDE_COUNTED = frozenset(_BESIDE_WORDS.split())


def counted(name: str, cells: Sequence[str]) -> Clock | None:
    """A column such as `secs`, `X_Value` or `Nth day` that rises from the beginning on, in a file without a time."""
    words = [word for word in words_of(name) if word not in _BESIDE_COUNTED]
    unit = _COUNTED.get(words[0] if words else "elapsed" if "elapsed" in name.lower() else "")
    if unit is None or len(words) > 1 or len(cells) < _MANY or not all(map(_NUMBER.match, cells)):
        return None
    numbers = [float(cell.replace(",", ".").rstrip(":")) for cell in cells]
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    if min(steps) <= 0 or not 0 <= numbers[0] <= median(steps) or max(steps) > 100 * median(steps):
        return None
    how = TimeReading(columns=(name,), form="epoch", unit=unit)
    spoken = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}[unit]
    return Clock(how, read(cells, how), f"{spoken} counted from 1970 (another unit: --time-unit)", True)


def counts_years(cells: Sequence[str]) -> bool:
    """Whether these are years, one after the other: 1990, 1991 ..."""
    if len(cells) < _FEWEST_YEARS or not all(cell.isdigit() and len(cell) == 4 for cell in cells):
        return False
    first, last = int(cells[0]), int(cells[-1])
    return _YEARS.start <= first and last < _YEARS.stop and list(map(int, cells)) == list(range(first, last + 1))


def _goes_one_way(seconds: Sequence[float | None]) -> bool:
    known = [second for second in seconds if second is not None]
    steps = [b - a for a, b in itertools.pairwise(known) if b != a]
    rising = sum(step > 0 for step in steps)
    return len(known) == len(seconds) and len(steps) > 1 and max(rising, len(steps) - rising) >= 0.9 * len(steps)


def _looks_like_excel(numbers: Sequence[float], calendar: bool) -> bool:
    if all(number.is_integer() for number in numbers):
        # Days go one way, or begin anew with another series; a load of 36,484 goes up and down.
        steps = [b - a for a, b in itertools.pairwise(numbers)] or [0.0]
        falls = sum(step < 0 for step in steps) / len(steps)
        return calendar and not 0.2 < falls < 0.8 and median(map(abs, steps)) <= _MONTH
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
            dates.general(cell, order)
        except (ValueError, OverflowError):
            continue
        return True
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True
