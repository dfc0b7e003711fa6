"""A date with or without a time of day, as people and programs write it: in figures, in words, with a zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamrnn.connectors.reading.month_names import MONTHS

ZONES: dict[str, float] = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8,
    "pdt": -7, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "wet": 0, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9,
    "hkt": 8, "sgt": 8, "awst": 8, "acst": 9.5, "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip
"""Hours from UTC, where a cell names its zone. IST and BST are left out: they are several zones each."""

_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?=[T _-]?\d|$|[T ])")
_DATES = (
    re.compile(r"(?P<y>\d{4})(?P<s>[-/. ])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?P<a>\d{1,2})(?P<s>[-/. ])(?P<b>\d{1,2})(?P=s)(?P<c>\d{4}|\d{2})(?!\d)"),
    re.compile(r"(?:[^\W\d]{2,10}\.?,?\s+)?(?P<d>\d{1,2})(?:st|nd|rd|th|\.)?[\s/-]*(?P<n>[^\W\d_]{3,12})\.?,?[\s/-]*"
               r"(?P<y>\d{4}|\d{2})(?!\d)"),
    re.compile(r"(?:[^\W\d]{2,10}\.?,?\s+)?(?P<n>[^\W\d_]{3,12})\.?[\s/-]+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?"
               r"[\s/-]+(?P<y>\d{4})(?!\d)"),
    re.compile(r"(?P<y>\d{4})\.?[\s/-]*(?P<n>[^\W\d_]{3,12})\.?[\s/-]*(?P<d>\d{1,2})\.?(?!\d)"),
    re.compile(r"(?:[^\W\d]{3}\s+)(?P<n>[^\W\d_]{3})\s+(?P<d>\d{1,2})\s+"
               r"(?P<clock>\d\d:\d\d:\d\d(?:\s+(?:[A-Z]{3,4}|[+-]\d{4}))?)\s+(?P<y>\d{4})$"),
    _COMPACT,
    re.compile(r"(?P<y>\d{4})[-/. ](?P<m>\d{1,2})$"),
    re.compile(r"(?P<m>\d{1,2})[-/. ](?P<y>\d{4})$"),
    re.compile(r"(?P<n>[^\W\d_]{3,12})\.?[\s/-]*(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})\s?[Mm](?P<m>\d{1,2})$"),
    re.compile(r"(?P<y>\d{4}):(?P<m>\d\d):(?P<d>\d\d)(?=\s\d)"),
    re.compile(r"(?P<y>(?:1[789]|20|21)\d\d):(?:(?P<m>\d\d)|(?P<q>[1-4]))$"),
    re.compile(r"(?P<y>\d{4})[\s/-]+(?P<n>[^\W\d_]{3,12})\.?$"),
    re.compile(r"(?P<n>[^\W\d_]{3,12})[-/' ](?P<y>\d{2})$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*[QqTK](?P<q>[1-4])$"),
    re.compile(r"[Qq](?P<q>[1-4])[\s/'-]*(?P<y>\d{4}|\d{2})$"),
    re.compile(r"T(?P<q>[1-4])[\s/-]+(?P<y>\d{4})$"),
    re.compile(r"(?P<q>[1-4])(?:er|ère|e|ème|st|nd|rd|th|[ºª°])?[.\s]*"
               r"(?:[QqT]|(?i:quartal|quarter|kvartal|trimestre|trim)\.?)[\s/-]*(?:of\s|de\s)?(?P<y>\d{4}|\d{2})$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*[SH](?P<half>[12])$"),
    re.compile(r"[SH](?P<half>[12])[\s/-]*(?P<y>\d{4})$"),
    re.compile(r"(?P<half>[12])(?:er|e|st|nd|[ºª°])?[.\s]*(?:[SH]|(?i:halbjahr|half|semestre|semester)\.?)[\s/-]*"
               r"(?:of\s|de\s)?(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})-?[Ww](?P<w>\d\d)(?:-?(?P<wd>[1-7]))?$"),
    re.compile(r"(?P<y>\d{4})[\s/-]*(?i:w|kw|cw|wk|week|v)[\s.]*(?P<w>\d{1,2})$"),
    re.compile(r"(?i:kw|cw|wk|week|w|v)[\s.]*(?P<w>\d{1,2})[\s/,.-]+(?P<y>\d{4})$"),
    re.compile(r"(?P<y>\d{4})[-/:](?P<yd>\d{3})(?!\d)"),
)  # fmt: skip
_CLOCK = re.compile(
    r"(?:[TD\s:,_-]*)(?P<H>\d{1,2})[:h.](?P<M>\d{2})(?:[:m.](?P<S>\d{2})s?(?:[.,:](?P<F>\d{1,9}))?)?\s*"
    r"(?P<P>[AaPp](?:\.?[Mm]\.?)?(?![A-Za-z]))?"
)
_CLOCK_DIGITS = re.compile(r"[T _-]?(?P<H>\d\d)(?P<M>\d\d)(?:(?P<S>\d\d)(?:[.,](?P<F>\d{1,9}))?)?(?P<P>(?!))?")
_HOUR = re.compile(
    r"(?:[T\s,]*)(?P<H>\d{1,2})\s*(?P<P>[AaPp]\.?[Mm]\.?(?![A-Za-z]))(?P<M>(?!))?(?P<S>(?!))?(?P<F>(?!))?"
)
_HOUR_ALONE = re.compile(
    r"(?:[T\s,]+|:(?=\d\d$))(?P<H>\d{1,2})\s*(?:h|Uhr|uur|hrs)?\.?(?P<P>(?!))?(?P<M>(?!))?(?P<S>(?!))?(?P<F>(?!))?$"
)
_OFFSET = re.compile(
    r"\s*\(?(?:UTC|GMT|Z)?(?P<sign>[+\-−])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?\)?(?:\s*\([^)]*\)|\s+[A-Z]{2,5})?$"
)
_WEEKDAY = re.compile(r"[^\W\d_]{2,12}(?:-feira)?\.?,?\s+(?=\d)")
_WEEKDAY_INSIDE = re.compile(r"(?<=\d)\s*\([^\W\d_]{1,10}\.?\)|(?<=\d\d)\s+[^\W\d_]{2,10}\.?,?(?=\s+\d{1,2}:\d\d)")
_OF = re.compile(r"(?<=\d)\s+de\s+(?=[^\W\d])|(?<=[^\W\d_.])\.?\s+del?\s+(?=\d)")
_NAMED_ZONE = re.compile(r"(?<=[Z\d])\[[\w/+-]+\]$")  # behind an offset, as Java writes it
_BEHIND = re.compile(r"\s*(?:Uhr|uur|hrs?)\.?$|(?<=\d)\.$", re.IGNORECASE)
_YEAR_BEHIND = re.compile(r"(?<=\d\d)\s*(?:г|года|р)\.?,?(?=\s|$)")
_ORDINALS = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
_ORDINAL = re.compile(r"(first|second|third|fourth)(?=\s+(?:quarter|half))", re.IGNORECASE)
_CHARACTERS = str.maketrans(
    dict.fromkeys("年年년月월", "-") | dict.fromkeys("日일", " ") | dict.fromkeys("時时시点", ":")
)
_BEHIND_SECONDS = ("秒", "초", "分", "분", " ")
_MINUTES = re.compile("[分분]\\s*(?=\\d)")
_RANGE = re.compile(r"(?P<begin>.{8,}?)(?:\s+(?:-|–|to|bis|à|a)\s+|/(?=\d{4}-\d\d-\d\dT))(?P<end>.*\d.*)$")
_POINT_BEHIND = re.compile(r"(?<=\d)\.\s+(?=\d)")
_POINTS = re.compile(r"(?<=\d)\. (?=\d{1,2}[:.h]\d\d)")
_BETWEEN = re.compile(r"\s+(?:@|klo|kl\.?|um|at|à|às|a las?|alle(?: ore)?|ore|в|godz\.?|o godz\.?|ob|u)\s+(?=\d)")
_HALVES = {"上午": "AM", "下午": "PM", "午前": "AM", "午後": "PM", "오전": "AM", "오후": "PM"}
_HALF = re.compile(f"(?P<half>{'|'.join(_HALVES)})\\s*(?P<clock>[\\d:]+)")


_HALF_BEHIND = re.compile(r"(?<=\d)\s*(?:(?P<am>a\.?\s*m\.?|πμ|π\.μ\.|ص)|(?:p\.?\s*m\.?|μμ|μ\.μ\.|م))$", re.IGNORECASE)


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


def _plainer(text: str) -> str:
    """Without what people put around a date and a clock: a weekday, "o'clock", `@`, points behind ordinals."""
    text = _BETWEEN.sub(" ", text.strip("<>"))
    text = _YEAR_BEHIND.sub("", text)
    text = _ORDINAL.sub(lambda found: _ORDINALS[found[1].lower()], text)
    text = _HALF.sub(lambda found: f"{found['clock']} {_HALVES[found['half']]}", text)
    # `2024.03.25. 14:00` before `25. 3. 2024`: the point before a clock parts nothing.
    text = _POINT_BEHIND.sub(".", _POINTS.sub(" ", text))
    text = _HALF_BEHIND.sub(lambda found: " AM" if found["am"] else " PM", _OF.sub(" ", text))
    text = _WEEKDAY_INSIDE.sub("", text)
    span = _RANGE.match(text)
    # `25/01/2024 a 13:00` is no range: the time of day of its beginning would be lost.
    if span is not None and len(span["end"]) > 3 and (":" in span["begin"] or ":" not in span["end"]):
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
        return _with_clock(day, rest, compact=pattern is _COMPACT)
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
            return datetime(century(first), second, third)
        year = third if len(c) == 4 else century(third)
        return datetime(year, second, first) if order == "DMY" else datetime(year, first, second)
    text = of["y"] or ""
    year = int(text) if len(text) == 4 else century(int(text))
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


def century(year: int) -> int:
    """The year that two digits mean: 1969 to 2068."""
    return year + (2000 if year < 69 else 1900)


def _with_clock(day: datetime, rest: str, *, compact: bool) -> datetime:
    found = _CLOCK.match(rest) or _HOUR.match(rest) or (_CLOCK_DIGITS.match(rest) if compact else None)
    found = found or _HOUR_ALONE.match(rest)
    zone = rest
    if found is not None:
        hour, minute, second = int(found["H"]), int(found["M"] or 0), int(found["S"] or 0)
        half = (found["P"] or "").lower()
        if half:
            if not 1 <= hour <= 12:
                raise ValueError(f"{rest.strip()!r:.60} is no time of day")
            hour = hour % 12 + 12 * half.startswith("p")
        micro = micros(found["F"])
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


def micros(fraction: str | None) -> int:
    """Microseconds of the digits behind the point of a second; further digits are cut off."""
    return int((fraction + "000000")[:6]) if fraction else 0


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
