"""The records inside a batch of Kafka's log (format 2), read and written by the thousand.

    record      length, attributes, time stamp, offset, key, value, headers
    time stamp, offset    less those of the batch's first record
    key, value  length (-1: null), bytes
    headers     count, and of each the length and bytes of name and value

All whole numbers but the attributes, one byte, are varints: zigzag, seven bits a byte, the least first. See "Record" in
https://kafka.apache.org/documentation/#messageformat. Nothing here says what is wrong with a batch: what cannot be
read is left to the client, which does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.json_text import copied

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

OFFSET: Final = 0  # columns of a record that was read
STAMP: Final = 1
KEY: Final = 2  # begin, and end; -1 where it is null
VALUE: Final = 4
HEADERS: Final = 6  # where the headers themselves begin
HEADER_COUNT: Final = 7
COLUMNS: Final = 8

NEXT: Final = 0  # what `write` says: the record that did not fit, or how many there are
SIZE: Final = 1  # bytes written
KEYS: Final = 2  # where the keys, values and headers of the next one begin
VALUES: Final = 3
HEADINGS: Final = 4
SAID: Final = 5

MOST_OVERHEAD: Final = 40
"""Bytes of a record at most, besides its key, value and headers."""

_LONGEST = 10  # bytes of a varint


@kernel
def _varint(data: Bytes, place: Int64) -> int:
    """The number at place[0], which moves behind it; to -1 where there is none."""
    at, found, shift = place[0], np.uint64(0), np.uint64(0)
    if at < 0:
        return 0
    for i in range(_LONGEST):
        if at + i >= len(data):
            break
        byte = np.uint64(data[at + i])
        if i == _LONGEST - 1 and byte > 1:  # more than 64 bits
            break
        found |= (byte & np.uint64(127)) << shift
        if byte < 128:
            place[0] = at + i + 1
            return int(np.int64(found >> np.uint64(1)) ^ -np.int64(found & np.uint64(1)))
        shift += np.uint64(7)
    place[0] = -1
    return 0


@kernel
def _pass(data: Bytes, place: Int64, least: int) -> int:
    """Go past a length and so many bytes; returns the length. place[0] is -1 where it is less than `least`."""
    length = _varint(data, place)
    if place[0] >= 0:
        place[0] = place[0] + max(length, 0) if least <= length <= len(data) - place[0] else -1
    return length


@kernel
def read(data: Bytes, records: Int64, place: Int64) -> None:
    """Find the records `(count, COLUMNS)` that begin at place[0], which is then their end; -1: `data` is not they."""
    for i in range(len(records)):
        record = records[i]
        length = _varint(data, place)
        start = place[0]
        if start < 0 or length < 1 or length > len(data) - start or data[start] > 127:
            place[0] = -1
            return
        place[0] = start + 1
        record[STAMP] = _varint(data, place)
        record[OFFSET] = _varint(data, place)
        for part in (KEY, VALUE):
            size = _pass(data, place, -1)
            record[part], record[part + 1] = place[0] - max(size, 0), place[0] if size >= 0 else -1
        count = _varint(data, place)
        record[HEADERS], record[HEADER_COUNT] = place[0], count
        for _ in range(count):
            _pass(data, place, 0)
            _pass(data, place, -1)
            if place[0] < 0:
                return
        if count < 0 or place[0] != start + length:
            place[0] = -1
            return
    if place[0] != len(data):
        place[0] = -1


class Columns(NamedTuple):
    """Records to write."""

    stamps: Int64  # (records,) milliseconds
    key_sizes: Int64  # (records,) bytes, -1: null
    value_sizes: Int64
    header_sizes: Int64  # 0: no headers
    keys: Bytes  # one after the other
    values: Bytes
    headers: Bytes  # of those that have any: their count, and they


@kernel
def _zigzag(value: int) -> np.uint64:
    return np.uint64((value << 1) ^ (value >> 63))


@kernel
def _size(value: int) -> int:
    """Bytes of a varint."""
    rest, size = _zigzag(value) >> np.uint64(7), 1
    while rest > 0:
        rest >>= np.uint64(7)
        size += 1
    return size


@kernel
def _put(value: int, out: Bytes, at: int) -> int:
    """Write a varint; returns where it ends."""
    rest = _zigzag(value)
    while rest > 127:
        out[at] = np.uint8(128) | np.uint8(rest & np.uint64(127))
        rest >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(rest)
    return at + 1


@kernel
def write(columns: Columns, room: int, out: Bytes, said: Int64) -> None:
    """Write the records from said[NEXT] on to `out`, the first one always, others as long as they fit into `room`."""
    first = said[NEXT]
    at, key, value, heading = 0, said[KEYS], said[VALUES], said[HEADINGS]
    i = first
    while i < len(columns.stamps):
        stamp = columns.stamps[i] - columns.stamps[first]
        key_size, value_size, header_size = columns.key_sizes[i], columns.value_sizes[i], columns.header_sizes[i]
        body = 1 + _size(stamp) + _size(i - first) + _size(key_size) + _size(value_size) + max(header_size, 1)
        body += max(key_size, 0) + max(value_size, 0)
        if i > first and at + _size(body) + body > room:
            break
        at = _put(body, out, at)
        out[at] = 0
        at = _put(stamp, out, at + 1)
        at = _put(i - first, out, at)
        at = _put(key_size, out, at)
        at = copied(columns.keys, key, key + max(key_size, 0), out, at)
        at = _put(value_size, out, at)
        at = copied(columns.values, value, value + max(value_size, 0), out, at)
        if header_size == 0:
            out[at] = 0
            at += 1
        else:
            at = copied(columns.headers, heading, heading + header_size, out, at)
        key, value, heading = key + max(key_size, 0), value + max(value_size, 0), heading + header_size
        i += 1
    said[NEXT], said[SIZE], said[KEYS], said[VALUES], said[HEADINGS] = i, at, key, value, heading
