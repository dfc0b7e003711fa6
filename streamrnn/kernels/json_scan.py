"""Events by the thousand: where in their JSON text the fields of interest lie, and what their times are.

Only the plain case is read here: one flat object of JSON (RFC 8259) with each field of interest at most once, its time
in RFC 3339 or a whole number since 1970. Every event that is anything else, a broken one included, is left to the
schema (`records/events.py`), which decides; so nothing here has to say what is wrong. The JSON library reads the
numbers and keys that were found.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.json_text import copied

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

KEY: Final = 0  # roles of the names; from FIRST_NUMBER on they are numbers
TIME: Final = 1
FIRST_NUMBER: Final = 2

_TEXT, _ANY = -2, -1  # what times may be, see `records/scanning.py`; else numbers alone, each so many microseconds
_MOST_SECONDS = 20_000_000_000  # what is more are milliseconds, as the schema has it
_MOST_DIGITS = 15

_DAY = 86_400_000_000
_NO_TIME = -(2**63)
_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE = 34, 92, 44, 58, 123, 125
_N, _MINUS, _PLUS, _DOT, _ZERO, _NINE = 110, 45, 43, 46, 48, 57


class Names(NamedTuple):
    """The names of the fields, as UTF-8, one after the other."""

    text: Bytes
    ends: Int64  # (names,)
    needed: npt.NDArray[np.bool_]  # (names,) an event without it is not plain


class Found(NamedTuple):
    """What was found in each event."""

    plain: npt.NDArray[np.bool_]  # (events,) all is found; the rest is only of use where this is true
    has_key: npt.NDArray[np.bool_]  # (events,)
    times: Int64  # (events,) microseconds since 1970
    keys: Bytes  # JSON text of an array of the keys of all events that have one
    numbers: Bytes  # JSON text of an array of the numbers of all plain events, null where missing
    sizes: Int64  # (2,) of keys and numbers


@kernel
def _blank(text: Bytes, at: int, end: int) -> int:
    while at < end and (text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9):
        at += 1
    return at


@kernel
def _string(text: Bytes, at: int, end: int, any_text: bool) -> int:
    """Behind the string whose quote is at `at`; -1 where it is none, or not plain ASCII and not `any_text`."""
    at += 1
    while at < end:
        byte = text[at]
        if byte == _QUOTE:
            return at + 1
        if byte < 32 or (not any_text and (byte == _BACKSLASH or byte > 126)):
            return -1
        at += 2 if byte == _BACKSLASH else 1
    return -1


@kernel
def _digits(text: Bytes, at: int, end: int) -> int:
    """Behind the digits at `at`; -1 where there is none."""
    first = at
    while at < end and _ZERO <= text[at] <= _NINE:
        at += 1
    return at if at > first else -1


@kernel
def _number(text: Bytes, at: int, end: int) -> int:
    """Behind the number at `at`; -1 where it is none, and for -0, of which libraries think differently."""
    first = at
    if at < end and text[at] == _MINUS:
        at += 1
    leading = at
    at = _digits(text, at, end)
    if at < 0 or (text[leading] == _ZERO and at > leading + 1):
        return -1
    if at < end and text[at] == _DOT:
        at = _digits(text, at + 1, end)
        if at < 0:
            return -1
    elif text[first] == _MINUS and text[leading] == _ZERO:
        return -1
    if at < end and (text[at] == 101 or text[at] == 69):
        at += 1
        if at < end and (text[at] == _PLUS or text[at] == _MINUS):
            at += 1
        at = _digits(text, at, end)
    return at


@kernel
def _word(text: Bytes, at: int, end: int) -> int:
    """Behind null, true or false; -1 where there is none."""
    if at + 4 <= end:
        a, b, c, d = text[at], text[at + 1], text[at + 2], text[at + 3]
        if (a == 110 and b == 117 and c == 108 and d == 108) or (a == 116 and b == 114 and c == 117 and d == 101):
            return at + 4
        if a == 102 and b == 97 and c == 108 and d == 115 and at + 5 <= end and text[at + 4] == 101:
            return at + 5
    return -1


@kernel
def _digit(text: Bytes, at: int) -> int:
    return int(np.int64(text[at]) - _ZERO)


@kernel
def _two(text: Bytes, at: int) -> int:
    """The number of two digits, or one beyond all."""
    a, b = _digit(text, at), _digit(text, at + 1)
    return a * 10 + b if 0 <= a <= 9 and 0 <= b <= 9 else 1000


@kernel
def _time(text: Bytes, at: int, end: int, without_zone: bool) -> int:
    """Microseconds since 1970 of the time in RFC 3339 between two quotes; the smallest integer where it is none.

    `without_zone`: one without a zone is taken, and is UTC. Hinnant, "chrono-compatible low-level date algorithms".
    """
    if end - at < 19 or text[at + 4] != _MINUS or text[at + 7] != _MINUS or text[at + 13] != 58 or text[at + 16] != 58:
        return _NO_TIME
    if text[at + 10] != 84 and text[at + 10] != 32:
        return _NO_TIME
    century, decade, month, day = _two(text, at), _two(text, at + 2), _two(text, at + 5), _two(text, at + 8)
    hour, minute, second = _two(text, at + 11), _two(text, at + 14), _two(text, at + 17)
    year = century * 100 + decade
    if century > 99 or decade > 99 or year < 2 or year > 9998 or month < 1 or month > 12 or day < 1:
        return _NO_TIME
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 30 + (month + month // 8) % 2 if month != 2 else (29 if leap else 28)
    if day > longest or hour > 23 or minute > 59 or second > 59:
        return _NO_TIME
    at += 19
    fraction = 0
    if at < end and text[at] == _DOT:
        first = at + 1
        at = _digits(text, first, end)
        if at < 0 or at - first > 6:
            return _NO_TIME
        for i in range(first, first + 6):
            fraction = fraction * 10 + (_digit(text, i) if i < at else 0)
    offset = 0
    if at < end and text[at] == 90:
        at += 1
    elif at + 6 == end and (text[at] == _PLUS or text[at] == _MINUS) and text[at + 3] == 58:
        hours, minutes = _two(text, at + 1), _two(text, at + 4)
        if hours > 23 or minutes > 59:
            return _NO_TIME
        offset = (hours * 60 + minutes) * (1 if text[at] == _PLUS else -1)
        at += 6
    elif not without_zone:
        return _NO_TIME
    if at != end:
        return _NO_TIME
    y = year - (1 if month <= 2 else 0)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days * _DAY + ((hour * 60 + minute - offset) * 60 + second) * 1_000_000 + fraction


@kernel
def _since_1970(text: Bytes, at: int, end: int, unit: int) -> int:
    """Microseconds since 1970 of a whole number without a sign; the smallest integer where it is none, or too large."""
    if end - at > _MOST_DIGITS:
        return _NO_TIME
    number = np.int64(0)
    for i in range(at, end):
        digit = _digit(text, i)
        if digit < 0 or digit > 9:
            return _NO_TIME
        number = number * 10 + digit
    if unit == _ANY:
        unit = 1_000_000 if number <= _MOST_SECONDS else 1000
    return int(number * unit) if number < (1 << 62) // unit else _NO_TIME


@kernel
def _role(names: Names, text: Bytes, start: int, end: int) -> int:
    """Which of the names it is, -1: none."""
    first = 0
    for role in range(len(names.ends)):
        last = names.ends[role]
        if last - first == end - start:
            same = True
            for i in range(end - start):
                if names.text[first + i] != text[start + i]:
                    same = False
                    break
            if same:
                return role
        first = last
    return -1


@kernel
def _event(names: Names, longest_key: int, text: Bytes, at: int, end: int, starts: Int64, stops: Int64) -> bool:
    """Whether the event is plain; where each field of interest begins and ends, 0 and 0 where it is missing."""
    starts[:] = 0
    stops[:] = 0
    at = _blank(text, at, end)
    if at >= end or text[at] != _OPEN:
        return False
    at = _blank(text, at + 1, end)
    while True:
        if at >= end or text[at] != _QUOTE:
            return False
        first = at + 1
        at = _string(text, at, end, True)
        role = _role(names, text, first, at - 1)
        if at < 0 or (role < 0 and _string(text, first - 1, end, False) < 0):
            return False
        at = _blank(text, at, end)
        if at >= end or text[at] != _COLON:
            return False
        at = _blank(text, at + 1, end)
        if at >= end:
            return False
        start = at
        if text[at] == _QUOTE:
            if role >= FIRST_NUMBER:
                return False
            at = _string(text, at, end, role == KEY)
        elif text[at] == _MINUS or _ZERO <= text[at] <= _NINE:
            if role == KEY:
                return False
            at = _number(text, at, end)
        else:
            if role >= 0 and text[at] != _N:
                return False
            at = _word(text, at, end)
        if at < 0:
            return False
        if role >= 0:
            if stops[role] != 0 or (role == KEY and at - start > longest_key):
                return False
            starts[role], stops[role] = start, at
        at = _blank(text, at, end)
        if at >= end:
            return False
        if text[at] == _CLOSE:
            break
        if text[at] != _COMMA:
            return False
        at = _blank(text, at + 1, end)
    if _blank(text, at + 1, end) != end:
        return False
    missing = False
    for role in range(len(stops)):
        missing = missing or (names.needed[role] and stops[role] == 0)
    return not missing


@kernel
def _put(text: Bytes, start: int, end: int, out: Bytes, at: int) -> int:
    """Copy, and a comma."""
    at = copied(text, start, end, out, at)
    out[at] = _COMMA
    return at + 1


@kernel
def scan(
    names: Names,
    longest_key: int,
    without_zone: bool,
    unit: int,
    text: Bytes,
    ends: Int64,
    starts: Int64,
    stops: Int64,
    null: Bytes,
    found: Found,
) -> None:
    """Look through the events, which lie one after the other in `text`; `starts` and `stops` (names,) are for work.

    `unit` is what times may be: text, text or numbers, or microseconds of numbers.
    """
    begin = 0
    keys = numbers = 1
    found.keys[0] = found.numbers[0] = 91  # [
    for i in range(len(ends)):
        end = ends[i]
        plain = _event(names, longest_key, text, begin, end, starts, stops)
        begin = end
        if plain:
            if text[starts[TIME]] == _QUOTE:
                found.times[i] = _NO_TIME
                if unit < 0:
                    found.times[i] = _time(text, starts[TIME] + 1, stops[TIME] - 1, without_zone)
            else:
                found.times[i] = _NO_TIME if unit == _TEXT else _since_1970(text, starts[TIME], stops[TIME], unit)
            plain = found.times[i] != _NO_TIME
        found.plain[i] = plain
        if not plain:
            continue
        found.has_key[i] = stops[KEY] > 0 and text[starts[KEY]] == _QUOTE
        if found.has_key[i]:
            keys = _put(text, starts[KEY], stops[KEY], found.keys, keys)
        for role in range(FIRST_NUMBER, len(stops)):
            if stops[role] > 0:
                numbers = _put(text, starts[role], stops[role], found.numbers, numbers)
            else:
                numbers = _put(null, 0, 4, found.numbers, numbers)
    keys, numbers = max(keys - 1, 1), max(numbers - 1, 1)  # in place of the last comma
    found.keys[keys] = found.numbers[numbers] = 93  # ]
    found.sizes[0], found.sizes[1] = keys + 1, numbers + 1
