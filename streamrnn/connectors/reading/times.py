"""One cell as a time, under a form that the whole column was found to have."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from streamrnn.connectors.reading.dates import century, general, iso, micros
from streamrnn.connectors.reading.layout import TimeReading
from streamrnn.connectors.reading.month_names import MONTHS

EXCEL_EPOCH = datetime(1899, 12, 30)
EPOCH = datetime(1970, 1, 1)
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
SECONDS = {"min": 60, "h": 3600, "d": 86_400}
"""Of the units in which only times since a start are counted."""
_OF_DAY = re.compile(r"(?P<H>\d{1,4}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<F>\d{1,9}))?)?$")


def of_day(text: str) -> timedelta:
    """`13:45`, `100:00:00`: time since midnight, or since a start."""
    found = _OF_DAY.match(text)
    if found is None or int(found["M"]) > 59 or int(found["S"] or 0) > 59:
        raise ValueError(f"{text!r:.60} is no time of day")
    hours, minutes, seconds = int(found["H"]), int(found["M"]), int(found["S"] or 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros(found["F"]))


def epoch(text: str, unit: str) -> datetime:
    """So many seconds, ms, us or ns (or min, h, d) since 1970, to the microsecond."""
    if unit in SECONDS:
        return EPOCH + timedelta(microseconds=round(float(text) * SECONDS[unit] * 1_000_000))
    per = PER_SECOND[unit]
    try:
        return EPOCH + timedelta(microseconds=int(text) * 1_000_000 // per)
    except ValueError:
        whole, _, fraction = text.partition(".")
        if unit == "s" and fraction.isdigit() and whole.lstrip("-").isdigit():
            micro = micros(fraction)
            return EPOCH + timedelta(seconds=int(whole), microseconds=-micro if whole.startswith("-") else micro)
        return EPOCH + timedelta(microseconds=round(float(text) * 1_000_000 / per))


def digits(text: str) -> datetime:
    """`202401`, `20240131`, `2024031` (day of the year), `2024013112`, `202401311259`, `20240131125959`; `240131`."""
    whole = text.removesuffix(".0")
    if not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    size = len(whole)
    if size == 7:
        return _year_and_day(f"{whole[:4]} {whole[4:]}")
    if size == 6:
        year, month = int(whole[:4]), int(whole[4:])
        if 1 <= month <= 12 and 1700 <= year <= 2200:
            return datetime(year, month, 1)
        return datetime(century(int(whole[:2])), int(whole[2:4]), int(whole[4:]))
    if size not in (8, 10, 12, 14, 17):
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    numbers = [int(whole[:4]), *(int(whole[at : at + 2]) for at in range(4, min(size, 14), 2))]
    micro = int(whole[14:]) * 1000 if size == 17 else 0
    if len(numbers) > 3 and numbers[3] == 24 and not any(numbers[4:]) and not micro:
        return datetime(*numbers[:3]) + timedelta(1)  # type: ignore[arg-type]
    return datetime(*numbers).replace(microsecond=micro)  # type: ignore[arg-type]


def short_digits(text: str) -> datetime:
    """`240131`, `2401311259`, `240131125959`: the year has two digits."""
    whole = text.removesuffix(".0")
    if len(whole) not in (6, 10, 12) or not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    first, *others = [int(whole[at : at + 2]) for at in range(0, len(whole), 2)]
    return datetime(century(first), *others)  # type: ignore[arg-type]


def digits_year_last(text: str, order: str) -> datetime:
    """`31012024` or `01312024`; spreadsheets drop a zero in front."""
    whole = text.removesuffix(".0").zfill(8)
    if len(whole) != 8 or not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    first, second, year = int(whole[:2]), int(whole[2:4]), int(whole[4:])
    return datetime(year, second, first) if order == "DMY" else datetime(year, first, second)


def year(text: str) -> datetime:
    """`1949`, and `1949.25` for its second quarter."""
    number = float(text)
    first = datetime(int(number), 1, 1)
    return first + (number - int(number)) * (datetime(int(number) + 1, 1, 1) - first)


def week(text: str) -> datetime:
    """`202405`, `2024-05`: the Monday of the fifth week."""
    whole = text.removesuffix(".0").replace("-", "")
    if len(whole) != 6 or not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no year and week")
    return datetime.fromisocalendar(int(whole[:4]), int(whole[4:]), 1)


_DATENUM, _JULIAN, _MODIFIED = 693_960.0, 2_415_018.5, 15_018.0
"""What 1899-12-30 is in days of MATLAB, in Julian days and in modified ones."""


def excel(text: str, begin: float = 0.0) -> datetime:
    """A serial number of a spreadsheet: days since 1899-12-30, which is number `begin`.

    To the millisecond, or as finely as its decimals go: 45316.04167 is one o'clock, 45316.0417 too.
    """
    places = len(text.partition(".")[2])
    step = 1 if places > 8 else 60_000 if places == 4 else 1000
    return EXCEL_EPOCH + timedelta(milliseconds=round((float(text) - begin) * 86_400_000 / step) * step)


LEAST_OF_UNIT = (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8))
"""The least number of each unit that is taken as a time since 1970: in 1973."""


def mixed_epoch(text: str) -> datetime:
    """A number since 1970 whose size tells its unit: seconds to nanoseconds, for the years 1973 to 5138."""
    size = abs(float(text))
    for unit, least in LEAST_OF_UNIT:
        if size >= least:
            return epoch(text, unit)
    raise ValueError(f"{text!r:.60} is no time since 1970: it is too small to tell its unit")


def zone_of(name: str) -> tzinfo:
    """`Europe/Berlin`, or `+01:00`."""
    if name[:1] not in "+-":
        return ZoneInfo(name)
    hours, _, minutes = name[1:].partition(":")
    apart = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-apart if name[0] == "-" else apart)


def reader(how: TimeReading, zone: str | None) -> Callable[[str], datetime]:
    """What reads one cell (or several with a space between); raises `ValueError`. No zone means UTC, or `zone`."""
    zone = zone or how.zone or None
    form = how.form
    if form == "iso":
        parse: Callable[[str], datetime] = iso
    elif form in ("YMD", "DMY", "MDY", "yMD"):
        parse = lambda text: general(text, form)  # noqa: E731
    elif form == "epoch":
        unit = how.unit
        return _bounded(_with_point(lambda text: epoch(text, unit)))
    elif form == "of day":
        parse = lambda text: EPOCH + of_day(text)  # noqa: E731
    elif form in _NUMERIC:
        parse = _with_point(_NUMERIC[form])
    elif how.parts == "date and time" and _OF_A_CLOCK.search(form) is None:
        parse = lambda text: _with_its_clock(text, form)  # noqa: E731
    else:
        parse = lambda text: datetime.strptime(text, form)  # noqa: E731
    if how.parts == "date and hour":
        whole = parse
        parse = lambda text: _short_and_clock(text) or whole(_hour_last(text))  # noqa: E731
    elif how.parts == "date and period":
        date_alone, per_day = parse, how.periods

        def parse(text: str) -> datetime:
            day, since = _period_last(text, per_day)
            return date_alone(day) + since

    elif how.parts == "date and part":
        date_of, in_a_day = parse, how.periods
        parse = lambda text: _with_part(date_of, text, in_a_day)  # noqa: E731
    elif how.parts in _OF_FIELDS:
        parse = _OF_FIELDS[how.parts]
    if zone is None:
        return _bounded(parse)
    where = zone_of(zone)

    def local(text: str) -> datetime:
        time = parse(text)
        return time if time.tzinfo is not None else time.replace(tzinfo=where)

    return _bounded(local)


_MICROSECOND = timedelta(microseconds=1)
_AWARE = EPOCH.replace(tzinfo=UTC)
_FIRST, _LAST = (datetime.min - EPOCH) // _MICROSECOND, (datetime.max - EPOCH) // _MICROSECOND


def microseconds(how: TimeReading, zone: str | None) -> Callable[[str], int]:
    """As `reader`, in microseconds since 1970."""
    as_it_is = how.form == "iso" and how.parts in ("whole", "date and time") and zone is None and not how.zone
    parse: Callable[[str], datetime] = iso if as_it_is else reader(how, zone)
    if how.form == "epoch" and how.unit == "s":
        other = parse

        def whole_seconds(text: str) -> int:
            try:
                found = int(text) * 1_000_000
            except ValueError:
                return (other(text) - EPOCH) // _MICROSECOND
            return _inside(found, text)

        return whole_seconds

    def read(text: str) -> int:
        time = parse(text)
        return _inside((time - (EPOCH if time.tzinfo is None else _AWARE)) // _MICROSECOND, text)

    return read


def _inside(time: int, text: str) -> int:
    if _FIRST <= time <= _LAST:
        return time
    raise ValueError(f"{text!r:.60} is outside the calendar")


_NUMERIC: dict[str, Callable[[str], datetime]] = {
    "digits": digits, "week": week, "year": year, "excel": excel, "mixed epoch": mixed_epoch,
    "short digits": short_digits, "digits DMY": lambda text: digits_year_last(text, "DMY"),
    "digits MDY": lambda text: digits_year_last(text, "MDY"), "mjd": lambda text: excel(text, _MODIFIED),
    "datenum": lambda text: excel(text, _DATENUM), "julian": lambda text: excel(text, _JULIAN),
}  # fmt: skip


def _with_point(parse: Callable[[str], datetime]) -> Callable[[str], datetime]:
    """Numbers may have a decimal comma, and a colon behind them."""
    return lambda text: parse(text.replace(",", ".").rstrip(":") if "," in text or ":" in text else text)


def _bounded(parse: Callable[[str], datetime]) -> Callable[[str], datetime]:
    """Every error is a `ValueError`; times that UTC would put outside the calendar are errors, too."""

    def read(text: str) -> datetime:
        try:
            time = parse(text)
            return time if time.tzinfo is None else time.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text!r:.60} is outside the calendar") from None

    return read


_HOUR = r"(?P<hour>\d{1,6})(?:\.0)?\s*(?:h|Uhr|UTC|GMT|Z)?(?:\s*[-–]\s*\d{1,2}\s*(?:h|Uhr)?)?$"
HOUR_CELL = re.compile(_HOUR, re.IGNORECASE)
"""An hour, or hour, minute and second in digits: `7`, `0730 UTC`, `07 - 08`."""
_HOUR_LAST = re.compile(rf"(?P<day>.*[^\s–-])\s+{_HOUR}", re.IGNORECASE)


def _hour_last(text: str) -> str:
    """`2024-01-31 7`, `2024-01-31 0730 UTC` and `2024-01-31 07 - 08` as a date and a time of day."""
    found = _HOUR_LAST.match(text)
    if found is None:
        raise ValueError(f"{text[-20:]!r} ends with no hour")
    day, hour = found["day"].removesuffix(" 00:00:00"), found["hour"]
    if len(hour) == 6:
        return f"{day} {hour[:2]}:{hour[2:4]}:{hour[4:]}"
    return f"{day} {hour.zfill(2)}:00" if len(hour) <= 2 else f"{day} {hour.zfill(4)[:2]}:{hour[-2:]}"


def _with_its_clock(text: str, form: str) -> datetime:
    """A date in the form that was asked for, and behind it a time of day from another column."""
    words = text.split(" ")
    day = datetime.strptime(" ".join(words[: form.count(" ") + 1]), form)
    return general(f"{day:%Y-%m-%d} {' '.join(words[form.count(' ') + 1 :])}", "YMD")


_OF_A_CLOCK = re.compile(r"%[HIXcTMS]")
_SHORT = re.compile(r"(\d{6}) (\d{4}(?:\d\d)?)$")


def _short_and_clock(text: str) -> datetime | None:
    """`240131 1259`: both of digits alone, the year first."""
    found = _SHORT.match(text)
    return short_digits(found[1] + found[2]) if found is not None else None


def _period_last(text: str, per_day: int) -> tuple[str, timedelta]:
    """`2024-01-31 48`: the date, and when the 48th of so many equal parts of the day begins."""
    day, _, number = text.rpartition(" ")
    period = int(number.removesuffix(".0"))
    if not 1 <= period <= per_day:
        raise ValueError(f"there is no period {period} in a day of {per_day}")
    return day, timedelta(seconds=86_400 / per_day * (period - 1))


def _with_part(date_of: Callable[[str], datetime], text: str, per_day: int) -> datetime:
    """`2024-01-31 3600`: the date, and so many equal parts of a day after its beginning."""
    day, _, number = text.rpartition(" ")
    part = float(number.replace(",", "."))
    if not 0 <= part <= per_day:
        raise ValueError(f"there is no {number} in a day of {per_day}")
    return date_of(day) + timedelta(seconds=round(86_400 / per_day * part, 3))


def _year_and_day(text: str) -> datetime:
    """`2024 31 7`: year, day of the year, hour."""
    year, day, *hour = [int(float(part)) for part in text.split()]
    if not 1 <= day <= 366:
        raise ValueError(f"{text!r:.40}: there is no day {day} in a year")
    return datetime(year, 1, 1) + timedelta(days=day - 1, hours=hour[0] if hour else 0)


def _field(text: str) -> int:
    """`7`, `7.0`, `M07`, `Jul`."""
    try:
        return int(float(text))
    except ValueError:
        name = text.lower().rstrip(".")
        if name in MONTHS:
            return MONTHS[name]
        return int(text[1:]) if text[:1] in "MQWmqw" else int(text)


def _fields(text: str) -> datetime:
    """`2024 1 31 7`: year, month, day, hour ... as far as there are; `2024 1 31 7:30`."""
    if ":" in text:
        *day, clock = text.split(" ", 3)
        year, month, number = map(_field, day)
        return general(f"{year}-{month:02}-{number:02} {clock}", "YMD")
    numbers = [_field(part) for part in text.split()]
    numbers += [1] * (3 - len(numbers))
    hours = timedelta(hours=numbers[3]) if len(numbers) > 3 else timedelta(0)
    rest = timedelta(minutes=numbers[4] if len(numbers) > 4 else 0, seconds=numbers[5] if len(numbers) > 5 else 0)
    return datetime(*numbers[:3]) + hours + rest  # type: ignore[arg-type]


def _year_and_quarter(text: str) -> datetime:
    year, quarter = [_field(part) for part in text.split()]
    if not 1 <= quarter <= 4:
        raise ValueError(f"there is no quarter {quarter} in a year")
    return datetime(year, 3 * quarter - 2, 1)


def _year_and_week(text: str) -> datetime:
    """`2024 5`, or with the day of the week, 1 to 7 from Monday on."""
    year, week, *day = [_field(part) for part in text.split()]
    return datetime.fromisocalendar(year, week, day[0] if day else 1)


def _year_and_mmwr_week(text: str) -> datetime:
    """`2024 5` as epidemiologists in America count: weeks begin on Sunday, and the 4th of January is in the first."""
    year, week = [_field(part) for part in text.split()]
    first, next_first = (
        day - timedelta(days=day.isoweekday() % 7) for day in (datetime(year, 1, 4), datetime(year + 1, 1, 4))
    )
    sunday = first + timedelta(weeks=week - 1)
    if week < 1 or sunday >= next_first:
        raise ValueError(f"there is no week {week} in {year}")
    return sunday


_OF_FIELDS: dict[str, Callable[[str], datetime]] = {
    "fields": _fields,
    "year and day": _year_and_day,
    "year and week": _year_and_week,
    "year and week of Sundays": _year_and_mmwr_week,
    "year and quarter": _year_and_quarter,
}
