"""Times that stand in several columns: a date with its hour, its part of the day, its zone; year, month and day."""

from __future__ import annotations

import itertools
import re
from collections import Counter

from streamrnn.config.event import EventConfig
from streamrnn.connectors.reading import clocks
from streamrnn.connectors.reading.clocks import Ambiguous, Clock
from streamrnn.connectors.reading.dates import ZONES
from streamrnn.connectors.reading.month_names import MONTHS
from streamrnn.connectors.reading.numbers import is_plain
from streamrnn.connectors.reading.sample import Sample
from streamrnn.connectors.reading.times import HOUR_CELL

_HOUR_NAMES = """
hour hr hours hh hourending he hhmm time stunde std hora heure ora uur tid godzina hodina óra tunti klokken zeit uhrzeit
час
"""
_HOURS = frozenset(_HOUR_NAMES.split())
_BESIDE_WORDS = "ending beginning begin begins ends end utc gmt lst local cet mez of day the"
_BESIDE_HOURS = frozenset(_BESIDE_WORDS.split())
_OF_DAY = (
    _HOURS | clocks.OF_DAY_WORDS | {"start", "begin", "von", "from", "clock", "utc", "gmt", "local", "時刻", "时间"}
)
_PERIODS = (48, 96, 144, 288, 24, 1440)
"""Parts of a day that are counted: half hours, quarters, ten and five minutes, hours, minutes."""
_ZONE_CELL = re.compile(r"(?:UTC|GMT)?[+\-−]\d{1,2}(?::?\d{2})?$|[A-Z][A-Za-z]+/[A-Z][A-Za-z_/]+$")
_ZONE_WORDS = frozenset({"tz", "zone", "timezone", "offset", "utc", "zeitzone", "fuseau"})
_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_FIELD_NAMES = {"yr": "year", "yy": "year", "hh": "hour",
                "yyyy": "year", "mo": "month", "mon": "month", "mm": "month", "dd": "day", "hr": "hour",
                "min": "minute", "sec": "second", "mn": "minute", "dy": "day", "jahr": "year", "monat": "month",
                "tag": "day", "stunde": "hour", "año": "year", "ano": "year", "mes": "month", "dia": "day",
                "día": "day",
                "hora": "hour", "année": "year", "annee": "year", "mois": "month", "jour": "day", "heure": "hour",
                "anno": "year", "mese": "month", "giorno": "day", "ora": "hour"}  # fmt: skip
_SECONDS = {"seconds": 86_400, "second": 86_400, "sec": 86_400, "sod": 86_400, "minutes": 1440, "minute": 1440,
            "min": 1440, "hours": 24, "hour": 24, "sekunde": 86_400, "sekunden": 86_400}  # fmt: skip
"""Names of columns that count a day from its beginning, and how many of that it has."""
_WEEKDAYS = ("weekday", "dow", "day of week", "dayofweek", "isoweekday", "wochentag", "day")
_WEEKS = ("week", "wk", "isoweek", "iso week", "week no", "week number", "kw", "woche", "kalenderwoche", "semaine",
          "weeknum", "semana")  # fmt: skip
_QUARTERS = ("quarter", "qtr", "quartal", "trimestre", "kvartal")
_DAY_OF_YEAR = ("doy", "dayofyear", "day of year", "yday", "yearday", "julian day", "jday", "jul day")
_DAY = 86_400


def completed(sample: Sample, clock: Clock, free: list[str], of_day: list[str], event: EventConfig) -> Clock:
    """A date with the time of day of another column, where it has none itself."""
    known = [second for second in clock.seconds if second is not None]
    if len(clock.how.columns) > 1 or not known or any(second % _DAY for second in known):
        return clock
    (name,) = clock.how.columns
    whole = with_time_of_day(sample, name, of_day, event)
    if whole is not None:
        return whole
    if len(set(known)) * 2 > len(known):
        return clock
    found = with_hours(sample, name, free, event)
    if found is not None and len(set(found.seconds)) > len(set(known)):
        return found
    return _with_periods(sample, clock, free) or _with_parts(sample, clock, free) or clock


def with_hours(sample: Sample, name: str, free: list[str], event: EventConfig) -> Clock | None:
    """A date with the hour, or with hour and minute in digits, of another column."""
    for other in free:
        words = clocks.words_of(other) or [other.lower()]
        cells = sample.known(other)
        named = "".join(words) in _HOURS or (words[0] in _HOURS and set(words[1:]) <= _BESIDE_HOURS)
        if other == name or not cells or not named:
            continue
        hours = [hour["hour"] if (hour := HOUR_CELL.match(cell)) else "" for cell in cells]
        most = 240_000 if all(len(hour) == 6 for hour in hours) else 2400
        if all(hour and int(hour) <= most for hour in hours):
            try:
                found = _recognised(name, sample.joined([name, other]), "date and hour", (name, other), event)
            except Ambiguous:
                return None
            if found is not None:
                return found
    return None


def _with_periods(sample: Sample, clock: Clock, free: list[str]) -> Clock | None:
    """A date with a column that counts equal parts of each day: `48` is the last half hour."""
    (name,) = clock.how.columns
    days = sample.cells(name)
    for other in free:
        cells = sample.cells(other)
        if other == name or not all(cell.isdigit() for cell in cells):
            continue
        counted = [int(cell) for cell in cells]
        # From row to row it counts up, and it begins anew where the day does.
        pairs = list(zip(itertools.pairwise(days), itertools.pairwise(counted), strict=True))
        least = min(counted, default=1)
        steady = least in (0, 1) and all(
            b == a + 1 if one == next_one else b == least for (one, next_one), (a, b) in pairs
        )
        if not steady or max(counted) <= 12 or len(set(days)) < 2:
            continue
        # Of whole days: the last one may be cut, and one with a clock that is changed has more or fewer.
        most = Counter(counted[at] for at, ((one, next_one), _) in enumerate(pairs) if one != next_one)
        per_day = most.most_common(1)[0][0] + 1 - least
        if per_day in _PERIODS:
            parts = "date and period" if least else "date and part"
            how = clock.how.model_copy(update={"columns": (name, other), "parts": parts, "periods": per_day})
            seconds = clocks.read(sample.joined([name, other]), how)
            note = f"{clock.note}, {per_day} parts of a day".removeprefix(", ")
            return clock._replace(how=how, seconds=seconds, note=note)
    return None


def _with_parts(sample: Sample, clock: Clock, free: list[str]) -> Clock | None:
    """A date with a column that counts seconds, minutes or hours since midnight."""
    (name,) = clock.how.columns
    days = sample.cells(name)
    for other in free:
        words = clocks.words_of(other)
        per_day = next((_SECONDS[word] for word in words if word in _SECONDS), 0)
        cells = sample.cells(other)
        if other == name or not per_day or not all(map(is_plain, cells)):
            continue
        counted = [float(cell) for cell in cells]
        pairs = list(zip(itertools.pairwise(days), itertools.pairwise(counted), strict=True))
        rising = all(b > a for (one, next_one), (a, b) in pairs if one == next_one)
        # Minutes within an hour, seconds within a minute: they are no parts of a day.
        if rising and max(counted) > (60 if per_day > 24 else 12) and max(counted) <= per_day and min(counted) >= 0:
            how = clock.how.model_copy(update={"columns": (name, other), "parts": "date and part", "periods": per_day})
            seconds = clocks.read(sample.joined([name, other]), how)
            note = f"{clock.note}, {other} since midnight".removeprefix(", ")
            return clock._replace(how=how, seconds=seconds, note=note)
    return None


def in_its_zone(sample: Sample, clock: Clock, free: list[str], event: EventConfig) -> Clock:
    """The time with the zone that stands in a column of its own."""
    if clock.how.form not in ("iso", "YMD", "DMY", "MDY", "yMD") or clock.how.parts not in ("whole", "date and time"):
        return clock
    for name in free:
        cells = sample.known(name)
        if name in clock.how.columns or not cells or not all(_is_zone(cell, name) for cell in set(cells)):
            continue
        how = clock.how.model_copy(update={"columns": (*clock.how.columns, name), "parts": "date and time"})
        seconds = clocks.read(sample.joined(how.columns), how)
        if clocks.fits(seconds):
            return clock._replace(how=how, seconds=seconds, note=f"{clock.note}, with its zone".removeprefix(", "))
    return clock


def _is_zone(cell: str, name: str) -> bool:
    if _ZONE_CELL.match(cell):
        return ":" in cell or not is_plain(cell) or bool(_ZONE_WORDS & set(clocks.words_of(name)))
    return cell.lower() in ZONES


def with_time_of_day(sample: Sample, name: str, of_day: list[str], event: EventConfig) -> Clock | None:
    """A date with a time of day of one of these columns."""
    days = sample.known(name)
    moves = len(set(days)) == len(days) > 2
    for other in of_day:
        if other == name or (moves and not _OF_DAY & set(clocks.words_of(other))):
            continue  # when the least of each day was measured is not the time of the row
        together = sample.joined([name, other])
        try:
            found = _recognised(name, together, "date and time", (name, other), event)
        except Ambiguous:
            return None
        if found is not None:
            return found
    return None


def _recognised(name: str, cells: list[str], parts: str, columns: tuple[str, ...], event: EventConfig) -> Clock | None:
    return clocks.recognise(name, cells, form=event.time_format, named=True, parts=parts, columns=columns)


def _by_content(sample: Sample, free: list[str]) -> dict[str, str]:
    """Years beside the names of months, whatever the columns are called."""
    for at, (first, second) in enumerate(itertools.pairwise(free)):
        cells = sample.known(second)
        named = bool(cells) and sum(cell.lower().rstrip(".") in MONTHS for cell in cells) >= clocks.ENOUGH * len(cells)
        if named and _are_years(sample.known(first)):
            return {"year": first, "month": second}
        if named and at + 2 < len(free) and _are_years(sample.known(free[at + 2])):
            return {"year": free[at + 2], "month": second}
    return {}


def _are_years(cells: list[str]) -> bool:
    years = [cell.isdigit() and 1700 <= int(cell) <= 2200 for cell in cells]
    return sum(years) >= clocks.ENOUGH * len(years) > 0


def _by_plain_name(free: list[str]) -> dict[str, str]:
    """The first column of each name, by the words of it."""
    return {" ".join(clocks.words_of(name)) or name.strip().lower(): name for name in reversed(free)}


def from_year_and(sample: Sample, free: list[str]) -> Clock | None:
    """Year and week, or year and quarter, in columns of their own."""
    known = _by_plain_name(free)
    for before in ("mmwr", "epi", "cdc"):
        if f"{before} week" in known and (year := known.get(f"{before} year") or known.get("year")) is not None:
            columns: tuple[str, ...] = (year, known[f"{before} week"])
            return clocks.recognise(year, sample.joined(columns), parts="year and week of Sundays", columns=columns)
    year = known.get("year") or known.get("yr") or known.get("jahr")
    for parts, names, most in (("year and week", _WEEKS, 53), ("year and quarter", _QUARTERS, 4)):
        other = next((known[name] for name in names if name in known), None)
        if other is None and most == 53:
            other = next((name for words, name in known.items() if _counts_weeks(sample, words, name)), None)
        if year is None or other is None or any(name in known for name in ("month", "monat", "tag")):
            continue
        columns = (year, other)
        if most == 53:
            columns += tuple(_weekday(sample, year, other, known))
        if "day" in known and known["day"] not in columns:
            continue
        clock = clocks.recognise(year, sample.joined(columns), parts=parts, columns=columns)
        if clock is not None and len(set(sample.known(other))) <= most:
            return clock
    return None


def _counts_weeks(sample: Sample, words: str, name: str) -> bool:
    """Whether a column such as `mmwr_week` has the numbers of weeks."""
    cells = set(sample.known(name))
    numbers = [int(cell) for cell in cells if cell.isdigit()]
    return bool(set(words.split()) & set(_WEEKS)) and len(numbers) == len(cells) > 7 and max(numbers) in (51, 52, 53)


def _weekday(sample: Sample, year: str, week: str, known: dict[str, str]) -> list[str]:
    """The column that says the day of each week, 1 to 7, where the weeks come again for each of them."""
    weeks = sample.joined((year, week))
    for name in (known[one] for one in _WEEKDAYS if one in known):
        days = sample.cells(name)
        if (
            set(days) <= set("1234567")
            and len(set(days)) > 1
            and len(set(sample.joined((year, week, name)))) > len(set(weeks))
        ):
            return [name]
    return []


def from_day_of_year(sample: Sample, free: list[str]) -> Clock | None:
    """Year, day of the year and perhaps the hour in columns of their own."""
    known = _by_plain_name(free)
    year = known.get("year") or known.get("yr")
    day = next((known[name] for name in _DAY_OF_YEAR if name in known), None)
    if year is None or day is None:
        return None
    hour = known.get("hour") or known.get("hr")
    columns = (year, day) if hour is None else (year, day, hour)
    return clocks.recognise(year, sample.joined(columns), parts="year and day", columns=columns)


def from_fields(sample: Sample, free: list[str]) -> Clock | None:
    """Year, month, day ... in columns of their own."""
    by_field: dict[str, str] = _by_content(sample, free)
    for name in free:
        plain = name.strip().lower().strip("(),#")
        if plain == "mm" and "month" in by_field:
            plain = "minute"
        if plain not in _FIELD_NAMES and not plain.isascii():  # `年/Year`
            plain = next((word for word in clocks.words_of(name) if word in _FIELDS or word in _FIELD_NAMES), plain)
        field = _FIELD_NAMES.get(plain, plain)
        if plain == "period" and all(re.match(r"M\d\d$", cell) for cell in sample.known(name)):
            field = "month"
        by_field[field] = by_field.get(field, name)
    present = [field for field in _FIELDS if field in by_field]
    while present != list(_FIELDS[: len(present)]):
        present.pop()
    if len(present) < 2:
        return None
    columns = tuple(by_field[field] for field in present)
    of_day = [name for name in free if name not in columns and clocks.is_clock(sample.known(name), name)]
    if len(present) == 3 and of_day and len(set(sample.joined(columns))) < sample.rows:
        columns += (of_day[0],)
    return clocks.recognise(columns[0], sample.joined(columns), parts="fields", columns=columns)
