"""`--sort`: the rows of a file in the order of their times; where memory is short, runs on the disk are merged."""

from __future__ import annotations

import hashlib
import heapq
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from streamrnn.connectors.reading.lines import BLOCK, Found, LineReader

RUN = 64 << 20  # bytes of rows that are sorted in memory at once
_HEAD = struct.Struct("<qqI")  # time, number of the row, bytes of the row


class _Row(NamedTuple):
    time: int
    number: int
    line: bytes


class SortedRows(LineReader):
    """Rows by time, those of one time as they came; a position counts the bytes of the sorted rows before it."""

    def __init__(self, source: LineReader, rows: Iterable[bytes], time_of: Callable[[bytes], int | None]) -> None:
        """`time_of` gives the time of a row, None where it has none: such a row stays behind the one before it."""
        self._sorted = _sorted(rows, time_of)
        super().__init__(Path(source.name), opener=lambda: self._sorted)
        self.name = source.name
        self._size = self._sorted.seek(0, 2)
        self._sorted.seek(0)

    def lines(self, timeout: float) -> Found:
        """See `LineReader.lines`."""
        found: Found = []
        taken = 0
        while taken < BLOCK:
            row = _read(self._sorted)
            if row is None:
                self.at_end = not found
                break
            self.position += _HEAD.size + len(row.line)
            taken += len(row.line)
            found.append((row.line, self.position))
        return found

    def fingerprint(self, length: int) -> str:
        """See `LineReader.fingerprint`: of all rows before the position `length`, since new ones may come between."""
        here = self._sorted.tell()
        self._sorted.seek(0)
        digest = hashlib.blake2b(digest_size=16)
        while length > 0 and (data := self._sorted.read(min(BLOCK, length))):
            digest.update(data)
            length -= len(data)
        self._sorted.seek(here)
        return digest.hexdigest()

    def fingerprint_length(self, position: int) -> int:
        """See `LineReader.fingerprint_length`."""
        return position

    def size(self) -> int:
        """Bytes of the sorted rows."""
        return self._size


def _sorted(rows: Iterable[bytes], time_of: Callable[[bytes], int | None]) -> IO[bytes]:
    runs = [_written(run) for run in _runs(rows, time_of)]
    if len(runs) == 1:
        return runs[0]
    whole = _written(heapq.merge(*map(_all, runs)))
    for run in runs:
        run.close()
    return whole


def _runs(rows: Iterable[bytes], time_of: Callable[[bytes], int | None]) -> Iterator[list[_Row]]:
    run: list[_Row] = []
    size, last = 0, -(1 << 62)
    for number, line in enumerate(rows):
        time = time_of(line)
        last = last if time is None else time
        run.append(_Row(last, number, line))
        size += len(line) + 150  # what Python keeps of a row
        if size > RUN:
            yield sorted(run)
            run, size = [], 0
    if run:
        yield sorted(run)


def _written(rows: Iterable[_Row]) -> IO[bytes]:
    file: IO[bytes] = tempfile.TemporaryFile(prefix="streamrnn-sort-")  # noqa: SIM115
    for row in rows:
        file.write(_HEAD.pack(row.time, row.number, len(row.line)) + row.line)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> _Row | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    time, number, size = _HEAD.unpack(head)
    return _Row(time, number, file.read(size))


def _all(file: IO[bytes]) -> Iterator[_Row]:
    while (row := _read(file)) is not None:
        yield row
