"""JSON records by the thousand: a template's pieces, and between them what differs from event to event.

The numbers come as the text that the JSON library wrote for all of them at once, so that every byte is the library's;
here they are only put where they belong. No Python object is made for a field.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

NUMBER: Final = 0  # the next one of the event
KEY: Final = 1
TIME: Final = 2
OFFSET: Final = 3
DUE: Final = 4  # the time of the next step
EXTRA: Final = 5  # the text that only some events have
END: Final = 6

LONGEST_TIME: Final = 32  # bytes, quotes included
LONGEST_INTEGER: Final = 20

_DAY = 86_400_000_000
_UNKNOWN = np.int64(np.iinfo(np.int64).min)


class Slots(NamedTuple):
    """A template: fixed pieces of text, each followed by a slot."""

    text: Bytes  # all pieces
    ends: Int64  # (slots,) where each piece ends
    kinds: Int64  # (slots,) what follows it


class Contents(NamedTuple):
    """What goes into the slots of the events."""

    numbers: Bytes  # JSON of an array (events, numbers)
    keys: Bytes  # JSON of an array of text
    times: Int64  # (events,) microseconds since 1970
    offsets: Int64  # (events,)
    due: Int64  # (events, steps) microseconds, the smallest integer where it is not known
    extra: Bytes  # all texts
    extra_ends: Int64  # (events, EXTRA slots) where each ends
    skip: npt.NDArray[np.bool_]  # (events,) without a record


@kernel
def copied(source: Bytes, start: int, end: int, out: Bytes, at: int) -> int:
    """Copy source[start:end] to out[at:]; returns where it ends."""
    # Of an index without a sign compiled code does not ask whether it counts from the end: a sixth of the time.
    read, write = np.uint64(start), np.uint64(at)
    for i in range(np.uint64(end - start)):
        out[write + i] = source[read + i]
    return at + end - start


@kernel
def _digits(value: int, count: int, out: Bytes, at: int) -> int:
    for i in range(count - 1, -1, -1):
        out[at + i] = 48 + value % 10
        value //= 10
    return at + count


@kernel
def _integer(value: int, out: Bytes, at: int) -> int:
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    count, rest = 1, value // 10
    while rest > 0:
        count += 1
        rest //= 10
    return _digits(value, count, out, at)


@kernel
def _time(time: int, out: Bytes, at: int) -> int:
    """RFC 3339 in UTC, with a fraction only where there is one; the civil date as in Hinnant, "chrono-compatible"."""
    if time == _UNKNOWN:
        out[at], out[at + 1], out[at + 2], out[at + 3] = 110, 117, 108, 108  # null
        return at + 4
    days = time // _DAY
    rest = time - days * _DAY
    z = days + 719_468
    era = z // 146_097
    of_era = z - era * 146_097
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    out[at] = 34
    at = _digits(year, 4 if year < 10_000 else 5, out, at + 1)
    out[at] = 45
    at = _digits(month, 2, out, at + 1)
    out[at] = 45
    at = _digits(day, 2, out, at + 1)
    out[at] = 84
    seconds = rest // 1_000_000
    at = _digits(seconds // 3600, 2, out, at + 1)
    out[at] = 58
    at = _digits(seconds // 60 % 60, 2, out, at + 1)
    out[at] = 58
    at = _digits(seconds % 60, 2, out, at + 1)
    fraction = rest % 1_000_000
    if fraction > 0:
        out[at] = 46
        at = _digits(fraction, 6, out, at + 1)
    out[at], out[at + 1] = 90, 34
    return at + 2


@kernel
def write(slots: Slots, contents: Contents, out: Bytes, ends: Int64) -> None:
    """Write the records one after the other; `ends` (events,) is where each ends, an event without one included."""
    numbers, keys = contents.numbers, contents.keys
    number, key, at, extra = 0, 1, 0, 0  # where the next of each begins
    for i in range(len(contents.times)):
        while numbers[number] == 91 or numbers[number] == 44 or numbers[number] == 93:  # [ , ]
            number += 1
        key_end = key + 1
        while keys[key_end] != 34:
            key_end += 2 if keys[key_end] == 92 else 1
        key_end += 1
        piece, step, nth = 0, 0, 0
        skip = contents.skip[i]
        for slot in range(len(slots.kinds)):
            kind, end = slots.kinds[slot], slots.ends[slot]
            if not skip:
                at = copied(slots.text, piece, end, out, at)
            piece = end
            if kind == NUMBER:
                first = number
                while numbers[number] != 44 and numbers[number] != 93:
                    number += 1
                if not skip:
                    at = copied(numbers, first, number, out, at)
                number += 1
            elif kind == EXTRA:
                last = contents.extra_ends[i, nth]
                if not skip:
                    at = copied(contents.extra, extra, last, out, at)
                extra, nth = last, nth + 1
            elif skip:
                continue
            elif kind == KEY:
                at = copied(keys, key, key_end, out, at)
            elif kind == TIME:
                at = _time(contents.times[i], out, at)
            elif kind == OFFSET:
                at = _integer(contents.offsets[i], out, at)
            elif kind == DUE:
                at = _time(contents.due[i, step], out, at)
                step += 1
        key = key_end + 1
        ends[i] = at
