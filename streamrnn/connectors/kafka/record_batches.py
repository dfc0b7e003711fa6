"""Whole batches of records, in and out, without a call of Python for each record (`kernels/record_batch.py`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.records.log import Message

Headers = Sequence[tuple[str, bytes]]


class Fetched(NamedTuple):
    """A record that was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None  # milliseconds
    key: bytes | None
    value: bytes | None
    headers: Headers


_FETCHED = partial(tuple.__new__, Fetched)
"""A record of its fields, in a third of the time: no code of Python is called for it."""


class Packed(NamedTuple):
    """Records as they lie in a batch, behind its head."""

    body: bytes
    records: int
    first_stamp: int
    last_stamp: int  # the greatest


def unpacked(
    topic: str, partition: int, body: bytes, count: int, offset: int, stamp: int, *, appended: bool
) -> list[Fetched] | None:
    """The `count` records of a batch whose first has this offset and time stamp; `appended`: all have that time stamp.

    None where `body` is not they: the client may say why.
    """
    from streamrnn.kernels import record_batch as kernels  # compiled code is loaded when it is needed

    if not 0 <= count <= len(body):
        return None
    records, place = np.zeros((count, kernels.COLUMNS), np.int64), np.zeros(1, np.int64)
    kernels.read(np.frombuffer(body or b" ", np.uint8)[: len(body)], records, place)
    if place[0] < 0:
        return None
    columns = records.T.tolist()
    keys, values = (
        [body[begin:end] if end >= 0 else None for begin, end in zip(columns[at], columns[at + 1], strict=True)]
        for at in (kernels.KEY, kernels.VALUE)
    )
    headers: Iterator[Headers] = repeat(())
    if records[:, kernels.HEADER_COUNT].any():
        begins, counts = columns[kernels.HEADERS], columns[kernels.HEADER_COUNT]
        try:
            headers = iter([_headers(body, *one) for one in zip(begins, counts, strict=True)])
        except UnicodeDecodeError:
            return None
    stamps = repeat(stamp) if appended else iter([stamp + later for later in columns[kernels.STAMP]])
    offsets = [offset + later for later in columns[kernels.OFFSET]]
    every = zip(repeat(topic), repeat(partition), offsets, stamps, keys, values, headers)
    return list(map(_FETCHED, every))


def _headers(body: bytes, at: int, count: int) -> Headers:
    """The headers that begin at `at`, whose sizes were looked at before."""
    found = []
    for _ in range(count):
        size, at = _number(body, at)
        name, at = body[at : at + size].decode(), at + size
        size, at = _number(body, at)
        found.append((name, body[at : at + size] if size >= 0 else None))
        at += max(size, 0)
    return found  # type: ignore[return-value]  # a null value is none that the protocol promises not to send


def _number(body: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    found = shift = 0
    while True:
        byte = body[at]
        found |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return (found >> 1) ^ -(found & 1), at
        shift += 7


def packed(messages: Sequence[Message], room: int) -> Iterator[Packed]:
    """The messages in batches of at most `room` bytes, or of one message; dated now where they have no date."""
    from streamrnn.kernels import record_batch as kernels

    now = int(time.time() * 1000)
    stamps = np.array([now if one.timestamp is None else one.timestamp for one in messages], np.int64)
    keys, values = [one.key for one in messages], [one.value for one in messages]
    headers = [_packed(one.headers) if one.headers else b"" for one in messages]
    columns = kernels.Columns(
        stamps, _sizes(keys), _sizes(values), _sizes(headers), _joined(keys), _joined(values), _joined(headers)
    )
    sizes = sum(len(one) for one in (columns.keys, columns.values, columns.headers))
    out = np.empty(sizes + kernels.MOST_OVERHEAD * len(messages), np.uint8)
    said = np.zeros(kernels.SAID, np.int64)
    while (first := int(said[kernels.NEXT])) < len(messages):
        kernels.write(columns, room, out, said)
        some = stamps[first : said[kernels.NEXT]]
        yield Packed(out[: said[kernels.SIZE]].tobytes(), len(some), int(some[0]), int(some.max()))


def _sizes(parts: Sequence[bytes | None]) -> npt.NDArray[np.int64]:
    return np.array([-1 if one is None else len(one) for one in parts], np.int64)


def _joined(parts: Sequence[bytes | None]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join([one for one in parts if one]) or b" ", np.uint8)


def _packed(headers: Headers) -> bytes:
    """Their count, and they."""
    parts = [_varint(len(headers))]
    for part in chain.from_iterable((name.encode(), value) for name, value in headers):
        parts += [_varint(-1)] if part is None else [_varint(len(part)), part]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    rest = (value << 1) ^ (value >> 63)
    found = bytearray()
    while rest > 127:
        found.append(128 | rest & 127)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def warm_up() -> None:
    """Compile what reads and writes batches, or load it from the cache."""
    for one in packed([Message(b"key", b"value", timestamp=0)], 100):
        unpacked("", 0, one.body, one.records, 0, 0, appended=False)
