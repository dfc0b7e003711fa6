"""One cell as a time, under a form that the whole column was found to have."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamrnn.connectors.reading.layout import TimeReading

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio januari janeiro ene genn sty styczeń stycznia "
            "led leden ledna tammi",
            "feb february februar février fevrier febrero febbraio februari fevereiro févr fev lut luty lutego "
            "úno únor helmi",
            "mar march märz maerz mars marzo maart março mär mrz mrt marzec marca bře březen března maalis",
            "apr april avril abril aprile avr abr kwi kwiecień kwietnia dub duben dubna huhti",
            "may mai mayo maggio mei maio mag maj maja kvě květen května touko",
            "jun june juni juin junio giugno junho giu cze czerwiec czerwca čvn červen června kesä",
            "jul july juli juillet julio luglio julho juil lug lip lipiec lipca čvc červenec července heinä",
            "aug august août aout agosto augustus ago augusti sie sierpień sierpnia srp srpen srpna elo",
            "sep sept september septembre septiembre settembre setembro set wrz wrzesień września zář září syys",
            "oct october oktober octobre octubre ottobre outubro okt ott out paź październik października "
            "říj říjen října loka",
            "nov november novembre noviembre novembro lis listopad listopada marras",
            "dec december dezember décembre decembre diciembre dicembre dezembro déc dez dic des gru grudzień grudnia "
            "pro prosinec prosince joulu",
        ),
        1,
    )
    for name in names.split()
}
ZONES = {"z": 0, "utc": 0, "gmt": 0, "ut": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
          "pst": -8, "pdt": -7, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "wet": 0, "eet": 2, "eest": 3}  # fmt: skip
"""Hours from UTC, where a cell names its zone."""

_DATES = (
    re.compile(r"(?P<y>\d{4})(?P<s>[-/. ])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?P<a>\d{1,2})(?P<s>[-/. ])(?P<b>\d{1,2})(?P=s)(?P<c>\d{4}|\d{2})(?!\d)"),
    re.compile(r"(?:[^\W\d]{2,10}\.?,?\s+)?(?P<d>\d{1,2})(?:st|nd|rd|th|\.)?[\s/-]*(?P<n>[^\W\d_]{3,10})\.?,?[\s/-]*"
               r"(?P<y>\d{4}|\d{2})(?!\d)"),
    re.compile(r"(?:[^\W\d]{2,10}\.?,?\s+)?(?P<n>[^\W\d_]{3,10})\.?[\s/-]+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?"
               r"[\s/-]+(?P<y>\d{4})(?!\d)"),
    re.compile(r"(?P<y>\d{4})[\s/-]*(?P<n>[^\W\d_]{3,10})[\s/-]*(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?:[^\W\d]{3}\s+)(?P<n>[^\W\d_]{3})\s+(?P<d>\d{1,2})\s+"
               r"(?P<clock>\d\d:\d\d:\d\d(?:\s+(?:[A-Z]{3,4}|[+-]\d{4}))?)\s+(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?=[T _-]?\d|$|[T ])"),
    re.compile(r"(?P<y>\d{4})[-/. ](?P<m>\d{1,2})$"),
    re.compile(r"(?P<m>\d{1,2})[-/. ](?P<y>\d{4})$"),
    re.compile(r"(?P<n>[^\W\d_]{3,10})\.?[\s/-]+(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})[\s/-]+(?P<n>[^\W\d_]{3,10})\.?$"),
    re.compile(r"(?P<n>[^\W\d_]{3,10})[-/' ](?P<y>\d{2})$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*[QqT](?P<q>[1-4])$"),
    re.compile(r"[Qq](?P<q>[1-4])[\s/'-]*(?P<y>\d{4}|\d{2})$"),
    re.compile(r"T(?P<q>[1-4])[\s/-]+(?P<y>\d{4})$"),
    re.compile(r"(?P<q>[1-4])[.\s]*(?:[QqT]|(?i:quartal|quarter|kvartal|trimestre))[\s/-]*(?P<y>\d{4}|\d{2})$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*[SH](?P<half>[12])$"),
    re.compile(r"[SH](?P<half>[12])[\s/-]*(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})-?[Ww](?P<w>\d\d)(?:-?(?P<wd>[1-7]))?$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*(?i:w|kw|cw|wk|week|v)[\s.]*(?P<w>\d{1,2})$"),
    re.compile(r"(?i:kw|cw|wk|week|w|v)[\s.]*(?P<w>\d{1,2})[\s/,.-]+(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})-(?P<yd>\d{3})(?!\d)"),
)  # fmt: skip
_CLOCK = re.compile(
    r"(?:[T\s:,_-]*)(?P<H>\d{1,2})[:h.](?P<M>\d{2})(?:[:m.](?P<S>\d{2})s?(?:[.,:](?P<F>\d{1,9}))?)?\s*"
    r"(?P<P>[AaPp]\.?[Mm]\.?(?![A-Za-z]))?"
)
_CLOCK_DIGITS = re.compile(r"[T _-]?(?P<H>\d\d)(?P<M>\d\d)(?:(?P<S>\d\d)(?:[.,](?P<F>\d{1,9}))?)?(?P<P>(?!))?")
_HOUR = re.compile(
    r"(?:[T\s,]*)(?P<H>\d{1,2})\s*(?P<P>[AaPp]\.?[Mm]\.?(?![A-Za-z]))(?P<M>(?!))?(?P<S>(?!))?(?P<F>(?!))?"
)
_OFFSET = re.compile(
    r"\s*(?:UTC|GMT|Z)?(?P<sign>[+\-−])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?(?:\s*\([^)]*\)|\s+[A-Z]{2,5})?$"
)
_OF_DAY = re.compile(r"(?P<H>\d{1,4}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<F>\d{1,9}))?)?$")

EXCEL_EPOCH = datetime(1899, 12, 30)
EPOCH = datetime(1970, 1, 1)
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
SECONDS = {"min": 60, "h": 3600, "d": 86_400}
"""Of the units in which only times since a start are counted."""


_WEEKDAY = re.compile(r"[^\W\d_]{2,10}\.?,?\s+(?=\d)")
_NAMED_ZONE = re.compile(r"(?<=[Z\d])\[[\w/+-]+\]$")  # behind an offset, as Java writes it
_BEHIND = re.compile(r"\s*(?:Uhr|uur|hrs?)\.?$", re.IGNORECASE)
_CHARACTERS = str.maketrans(
    dict.fromkeys("年年년月월", "-") | dict.fromkeys("日일", " ") | dict.fromkeys("時时시点", ":")
)
_BEHIND_SECONDS = ("秒", "초", "分", "분", " ")
_MINUTES = re.compile("[分분]\\s*(?=\\d)")
_RANGE = re.compile(r"(?P<begin>.{8,}?)(?:\s+(?:-|–|to|bis|à|a)\s+|/(?=\d{4}-\d\d-\d\dT))(?P<end>.*\d.*)$")


def general(text: str, order: str) -> datetime:
    """A date with or without a time of day; `order` says what three numbers are. Raises `ValueError` for others.

    `Mo, 25.01.2024 13:00 Uhr` and `2024年1月25日` too; of `begin - end` it is the beginning.
    """
    try:
        return _general(text, order)
    except ValueError:
        plain = _plainer(text)
        if plain != text:
            try:
                return _general(plain, order)
            except ValueError:
                pass
        if _WEEKDAY.match(plain) is None:
            raise
        return _general(_WEEKDAY.sub("", plain, count=1), order)


_POINT_BEHIND = re.compile(r"(?<=\d)\.\s+(?=\d)")
_POINTS = re.compile(r"(?<=\d)\. (?=\d{1,2}[:.h]\d\d)")
_BETWEEN = re.compile(r"\s+(?:@|klo|kl\.?|um|at|à|alle|ore|godz\.?|o godz\.?|ob|u)\s+(?=\d)")
_HALVES = {"上午": "AM", "下午": "PM", "午前": "AM", "午後": "PM", "오전": "AM", "오후": "PM"}
_HALF = re.compile(f"(?P<half>{'|'.join(_HALVES)})\\s*(?P<clock>[\\d:]+)")


def _plainer(text: str) -> str:
    """Without what people put around a date and a clock: a weekday, "o'clock", `@`, points behind ordinals."""
    text = _BETWEEN.sub(" ", text)
    text = _HALF.sub(lambda found: f"{found['clock']} {_HALVES[found['half']]}", text)
    # `2024.03.25. 14:00` before `25. 3. 2024`: the point before a clock parts nothing.
    text = _POINT_BEHIND.sub(".", _POINTS.sub(" ", text))
    span = _RANGE.match(text)
    if span is not None and len(span["end"]) > 3:
        text = span["begin"]
    text = _NAMED_ZONE.sub("", text)
    text = _BEHIND.sub("", text)
    if not text.isascii():
        text = _MINUTES.sub(":", text.translate(_CHARACTERS)).rstrip("".join(_BEHIND_SECONDS))
        text = re.sub(r"-\s+(?=\d)", "-", re.sub(r"(?<=\d) +", " ", text)).rstrip("-: ")
    return text


def _general(text: str, order: str) -> datetime:
    for pattern in _DATES:
        found = pattern.match(text)
        if found is None:
            continue
        try:
            day = _day(found.groupdict(), order)
        except ValueError:
            continue
        rest = found.groupdict().get("clock") or text[found.end() :]
        if not rest.strip():
            return day
        return _with_clock(day, rest, compact=pattern is _DATES[6])
    raise ValueError(f"{text!r:.60} is no time that is known")


def _day(of: dict[str, str | None], order: str) -> datetime:
    if (a := of.get("a")) is not None:
        b, c = of["b"] or "", of["c"] or ""
        first, second, third = int(a), int(b), int(c)
        if order == "YMD":
            raise ValueError(f"{a}{of['s']}{b}{of['s']}{c}: is the day first or the month?")
        if order == "yMD":
            if len(a) != 2 or len(c) != 2:
                raise ValueError("the year has two digits")
            return datetime(_century(first), second, third)
        year = third if len(c) == 4 else _century(third)
        return datetime(year, second, first) if order == "DMY" else datetime(year, first, second)
    text = of["y"] or ""
    year = int(text) if len(text) == 4 else _century(int(text))
    if (quarter := of.get("q")) is not None:
        return datetime(year, 3 * int(quarter) - 2, 1)
    if (half := of.get("half")) is not None:
        return datetime(year, 6 * int(half) - 5, 1)
    if (week := of.get("w")) is not None:
        return datetime.fromisocalendar(year, int(week), int(of.get("wd") or 1))
    if (day_of_year := of.get("yd")) is not None:
        day = datetime(year, 1, 1) + timedelta(int(day_of_year) - 1)
        if day.year != year or day_of_year == "000":
            raise ValueError(f"there is no day {day_of_year} in {year}")
        return day
    if (name := of.get("n")) is not None:
        if name.lower() not in MONTHS:
            raise ValueError(f"{name} is no month")
        return datetime(year, MONTHS[name.lower()], int(of.get("d") or 1))
    return datetime(year, int(of["m"] or 1), int(of.get("d") or 1))


def _century(year: int) -> int:
    return year + (2000 if year < 69 else 1900)


def _with_clock(day: datetime, rest: str, *, compact: bool) -> datetime:
    found = _CLOCK.match(rest) or _HOUR.match(rest) or (_CLOCK_DIGITS.match(rest) if compact else None)
    zone = rest
    if found is not None:
        hour, minute, second = int(found["H"]), int(found["M"] or 0), int(found["S"] or 0)
        half = (found["P"] or "").lower()
        if half:
            if not 1 <= hour <= 12:
                raise ValueError(f"{rest.strip()!r:.60} is no time of day")
            hour = hour % 12 + 12 * half.startswith("p")
        fraction = found["F"]
        micro = int((fraction + "000000")[:6]) if fraction else 0
        if hour == 24 and minute == second == micro == 0:
            day, hour = day + timedelta(1), 0
        day = day.replace(hour=hour, minute=minute, second=second, microsecond=micro)
        zone = rest[found.end() :]
    name = zone.strip().lower()
    if not name:
        return day
    if (offset := _OFFSET.match(zone)) is not None:
        minutes = 60 * int(offset["h"]) + int(offset["m"] or 0)
        if minutes >= 24 * 60:
            raise ValueError(f"{zone.strip()!r:.60} is no zone")
        return day.replace(tzinfo=timezone(timedelta(minutes=minutes if offset["sign"] == "+" else -minutes)))
    hours = ZONES.get(name)
    if hours is None and "/" in name:
        return day.replace(tzinfo=_place(zone.strip()))
    if hours is None:
        raise ValueError(f"{zone.strip()!r:.60} is no zone that is known")
    return day.replace(tzinfo=timezone(timedelta(hours=hours)))


def _place(name: str) -> ZoneInfo:
    """`Europe/Berlin`."""
    try:
        return ZoneInfo(name.strip("[]"))
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name!r:.60} is no zone that is known") from error


def iso(text: str) -> datetime:
    """RFC 3339 and its kin, which Python knows; 24:00 and short zones too."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return general(text, "YMD")


def of_day(text: str) -> timedelta:
    """`13:45`, `100:00:00`: time since midnight, or since a start."""
    found = _OF_DAY.match(text)
    if found is None or int(found["M"]) > 59 or int(found["S"] or 0) > 59:
        raise ValueError(f"{text!r:.60} is no time of day")
    micro = int((found["F"] + "000000")[:6]) if found["F"] else 0
    return timedelta(hours=int(found["H"]), minutes=int(found["M"]), seconds=int(found["S"] or 0), microseconds=micro)


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
            micro = int((fraction + "000000")[:6])
            return EPOCH + timedelta(seconds=int(whole), microseconds=-micro if whole.startswith("-") else micro)
        return EPOCH + timedelta(microseconds=round(float(text) * 1_000_000 / per))


def digits(text: str) -> datetime:
    """`202401`, `20240131`, `2024013112`, `202401311259`, `20240131125959` and with milliseconds; `240131`."""
    whole = text.removesuffix(".0")
    if not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    size = len(whole)
    if size == 6:
        year, month = int(whole[:4]), int(whole[4:])
        if 1 <= month <= 12 and 1700 <= year <= 2200:
            return datetime(year, month, 1)
        return datetime(_century(int(whole[:2])), int(whole[2:4]), int(whole[4:]))
    if size not in (8, 10, 12, 14, 17):
        raise ValueError(f"{text!r:.60} is no date of digits alone")
    numbers = [int(whole[:4]), *(int(whole[at : at + 2]) for at in range(4, min(size, 14), 2))]
    micro = int(whole[14:]) * 1000 if size == 17 else 0
    if len(numbers) > 3 and numbers[3] == 24 and not any(numbers[4:]) and not micro:
        return datetime(*numbers[:3]) + timedelta(1)  # type: ignore[arg-type]
    return datetime(*numbers).replace(microsecond=micro)  # type: ignore[arg-type]


def year(text: str) -> datetime:
    """`1949`, and `1949.25` for its second quarter."""
    number = float(text)
    first = datetime(int(number), 1, 1)
    return first + (number - int(number)) * (datetime(int(number) + 1, 1, 1) - first)


def week(text: str) -> datetime:
    """`202405`: the Monday of the fifth week."""
    whole = text.removesuffix(".0")
    if len(whole) != 6 or not whole.isdigit():
        raise ValueError(f"{text!r:.60} is no year and week")
    return datetime.fromisocalendar(int(whole[:4]), int(whole[4:]), 1)


_DATENUM, _JULIAN = 693_960.0, 2_415_018.5
"""What 1899-12-30 is in days of MATLAB, and in Julian days."""


def excel(text: str, begin: float = 0.0) -> datetime:
    """A serial number of a spreadsheet: days since 1899-12-30, which is number `begin`.

    To the millisecond, or as finely as its decimals go: 45316.04167 is one o'clock, 45316.0417 too.
    """
    places = len(text.partition(".")[2])
    step = 1 if places > 8 else 60_000 if places == 4 else 1000
    return EXCEL_EPOCH + timedelta(milliseconds=round((float(text) - begin) * 86_400_000 / step) * step)


def mixed_epoch(text: str) -> datetime:
    """A number since 1970 whose size tells its unit: seconds to nanoseconds, for the years 1973 to 5138."""
    size = abs(float(text))
    for unit, least in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)):
        if size >= least:
            return epoch(text, unit)
    raise ValueError(f"{text!r:.60} is no time since 1970: it is too small to tell its unit")


def reader(how: TimeReading, zone: str | None) -> Callable[[str], datetime]:
    """What reads one cell (or several with a space between); raises `ValueError`. No zone means UTC, or `zone`."""
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
    else:
        parse = lambda text: datetime.strptime(text, form)  # noqa: E731
    if how.parts == "date and hour":
        whole = parse
        parse = lambda text: whole(_hour_last(text))  # noqa: E731
    elif how.parts == "date and period":
        date_alone, per_day = parse, how.periods

        def parse(text: str) -> datetime:
            day, since = _period_last(text, per_day)
            return date_alone(day) + since

    elif how.parts in _OF_FIELDS:
        parse = _OF_FIELDS[how.parts]
    if zone is None:
        return _bounded(parse)
    where = ZoneInfo(zone)

    def local(text: str) -> datetime:
        time = parse(text)
        return time if time.tzinfo is not None else time.replace(tzinfo=where)

    return _bounded(local)


_MICROSECOND = timedelta(microseconds=1)
_AWARE = EPOCH.replace(tzinfo=UTC)
_FIRST, _LAST = (datetime.min - EPOCH) // _MICROSECOND, (datetime.max - EPOCH) // _MICROSECOND


def microseconds(how: TimeReading, zone: str | None) -> Callable[[str], int]:
    """As `reader`, in microseconds since 1970."""
    as_it_is = how.form == "iso" and how.parts in ("whole", "date and time") and zone is None
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
    "datenum": lambda text: excel(text, _DATENUM), "julian": lambda text: excel(text, _JULIAN),
}  # fmt: skip


def _with_point(parse: Callable[[str], datetime]) -> Callable[[str], datetime]:
    """Numbers may have a decimal comma."""
    return lambda text: parse(text.replace(",", ".") if "," in text else text)


def _bounded(parse: Callable[[str], datetime]) -> Callable[[str], datetime]:
    """Every error is a `ValueError`; times that UTC would put outside the calendar are errors, too."""

    def read(text: str) -> datetime:
        try:
            time = parse(text)
            return time if time.tzinfo is None else time.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text!r:.60} is outside the calendar") from None

    return read


_HOUR_LAST = re.compile(
    r"(?P<day>.*[^\s–-])\s+(?P<hour>\d{1,6})(?:\.0)?\s*(?:h|Uhr|UTC|GMT|Z)?(?:\s*[-–]\s*\d{1,2}\s*(?:h|Uhr)?)?$",
    re.IGNORECASE,
)


def _hour_last(text: str) -> str:
    """`2024-01-31 7`, `2024-01-31 0730 UTC` and `2024-01-31 07 - 08` as a date and a time of day."""
    found = _HOUR_LAST.match(text)
    if found is None:
        raise ValueError(f"{text[-20:]!r} ends with no hour")
    day, hour = found["day"].removesuffix(" 00:00:00"), found["hour"]
    if len(hour) == 6:
        return f"{day} {hour[:2]}:{hour[2:4]}:{hour[4:]}"
    return f"{day} {hour.zfill(2)}:00" if len(hour) <= 2 else f"{day} {hour.zfill(4)[:2]}:{hour[-2:]}"


def _period_last(text: str, per_day: int) -> tuple[str, timedelta]:
    """`2024-01-31 48`: the date, and when the 48th of so many equal parts of the day begins."""
    day, _, number = text.rpartition(" ")
    period = int(number.removesuffix(".0"))
    if not 1 <= period <= per_day:
        raise ValueError(f"there is no period {period} in a day of {per_day}")
    return day, timedelta(seconds=86_400 / per_day * (period - 1))


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
    """`2024 1 31 7`: year, month, day, hour ... as far as there are."""
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
    year, week = [_field(part) for part in text.split()]
    return datetime.fromisocalendar(year, week, 1)


_OF_FIELDS: dict[str, Callable[[str], datetime]] = {
    "fields": _fields,
    "year and day": _year_and_day,
    "year and week": _year_and_week,
    "year and quarter": _year_and_quarter,
}
