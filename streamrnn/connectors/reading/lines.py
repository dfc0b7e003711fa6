"""Lines of a file or a pipe, each with the position behind it, without ever waiting longer than asked."""

from __future__ import annotations

import hashlib
import io
import os
import select
import sys
from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, TextIO

import orjson

from streamrnn.errors import ConfigurationError, ConnectorError, StateError

BLOCK = 1 << 20
_PLACES = 12
"""So many parts of a file, behind its first rows, are looked into."""
LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"
_MANY = 10  # lines that two files do not share by their headers

Found = list[tuple[bytes, int]]
"""Lines without their ends, and positions after them."""


class Looked(NamedTuple):
    """Lines for a look."""

    head: list[bytes]
    later: list[bytes]


def json_line(value: Any, **how: Any) -> bytes:
    """A row as a line of JSON.

    A copy: what orjson returns keeps the 4 kB that it was written into, and many rows wait at once.
    """
    return bytes(memoryview(orjson.dumps(value, **how)))


class LineReader:
    """Lines as they become available; `opener` gives the bytes of a file that are not as they stand on the disk.

    With `hold_back` a last line without an end is no line: it may go on. It stays to be read by a later run.
    """

    def __init__(
        self, path: Path | None, *, opener: Callable[[], IO[bytes]] | None = None, hold_back: bool = False
    ) -> None:
        self.name = str(path) if path is not None else "standard input"
        try:
            if path is None:
                self._file: IO[bytes] = standard(sys.stdin, "input")
            else:
                self._file = opener() if opener is not None else path.open("rb")
        except OSError as error:
            raise ConnectorError(f"cannot read {path}: {error.strerror or error}") from error
        self._path = path
        self._plain = opener is None  # bytes as they are on the disk
        self._pipe = not self._is_regular()
        self._parts: list[bytes] = []  # of a line whose end has not come
        self._held = 0  # bytes in them
        self._skip_bom = True
        self.hold_back = hold_back
        self.between = False
        """A file has ended, and another one follows (`FileSequence`)."""
        self.position = 0  # of the first byte of the rest
        self.at_end = False

    def _is_regular(self) -> bool:
        try:
            return self._file.seekable()
        except ValueError:
            return False

    def lines(self, timeout: float) -> Found:
        """Whatever lines one read brings; empty after the time-out, and where a block ends no line."""
        if self.at_end or (self._pipe and not select.select([self._file], [], [], timeout)[0]):
            return []
        block = self._read()
        if not block:
            return self._ended(timeout)
        if self._skip_bom:
            self._skip_bom = False
            if block.startswith(_BOM) and self.position == 0:
                block, self.position = block[len(_BOM) :], len(_BOM)
        if b"\n" not in block:
            self._keep(block)
            return []
        if self._parts:
            block = b"".join((*self._parts, block))
        return self._split(block)

    def _read(self) -> bytes:
        try:
            return os.read(self._file.fileno(), BLOCK) if self._pipe else self._file.read(BLOCK)
        except (OSError, EOFError, ValueError) as error:  # the latter two: a compressed file that is cut or damaged
            raise ConnectorError(f"cannot read {self.name}: {getattr(error, 'strerror', None) or error}") from error

    def _keep(self, block: bytes) -> None:
        self._parts.append(block)
        self._held += len(block)
        if self._held > LONGEST_LINE:
            raise ConnectorError(f"{self.name} has a line of over {LONGEST_LINE >> 20} MiB: is it a text file?")

    def _split(self, data: bytes) -> Found:
        *whole, rest = data.split(b"\n")
        self._parts, self._held = [], 0
        if rest:
            self._keep(rest)
        _, *positions = accumulate([len(line) + 1 for line in whole], initial=self.position)
        self.position = positions[-1]
        if b"\r" in data:
            whole = [line.rstrip(b"\r") for line in whole]
        return list(zip(whole, positions, strict=True))

    def _ended(self, timeout: float) -> Found:
        self.at_end = True
        return [] if self.hold_back else self.last_line()

    def last_line(self) -> Found:
        """The line that has no end."""
        last = b"".join(self._parts)
        self._parts, self._held = [], 0
        self.position += len(last)
        return [(last.rstrip(b"\r"), self.position)] if last else []

    @property
    def unterminated(self) -> int:
        """Bytes behind the last line end."""
        return self._held

    def seek(self, position: int) -> None:
        """Go to an absolute position (not of a pipe)."""
        try:
            self._file.seek(position)
        except (OSError, EOFError, ValueError) as error:
            raise ConnectorError(f"cannot read {self.name}: {error}") from error
        self.position, self._parts, self._held = position, [], 0
        self.at_end, self._skip_bom = False, position == 0

    def choose(self, table: str) -> None:
        """Read the table at this place of a JSON document. Raises `ConfigurationError` where there are none."""
        raise ConfigurationError(f"--table {table} is for a JSON document with several tables, and {self.name} is none")

    def notes(self) -> list[str]:
        """What is to be said of how it is read."""
        return []

    def look(self, rows: int = 2000, size: int = 1 << 20) -> Looked:
        """The first lines, and some from all over a plain file; then the file stands at its beginning again."""
        self.seek(0)
        head: list[bytes] = []
        taken = known = 0
        begin = 0  # where what was not taken begins
        while not self.at_end and (taken < size or known < 3) and known < rows:
            for line, behind in self.lines(60):
                if known < rows and (taken < size or known < 3):
                    head.append(line)
                    begin = behind
                    known += bool(line.strip())
                    taken += min(len(line), size // 8)  # one that is absurdly long does not stand for the others
        apart = max(0, self.size() - begin) // _PLACES if self._plain else 0
        later: list[bytes] = []
        for number in range(_PLACES) if apart else ():
            self._file.seek(begin + apart * number)
            _, *whole, _ = [*self._file.read(min(apart, 1 << 16)).split(b"\n"), b"", b""]
            later += [line.rstrip(b"\r") for line in whole[:40] if line]
        self.seek(0)
        return Looked(head, later)

    def fingerprint(self, length: int) -> str:
        """Digest of the first `length` bytes, to notice that another file took this one's place."""
        here = self._file.tell()
        self._file.seek(0)
        start = self._file.read(length)
        self._file.seek(here)
        return hashlib.blake2b(start, digest_size=16).hexdigest()

    def before(self, position: int) -> str:
        """Digest of the last bytes before `position`, to notice that the file's end was exchanged."""
        here = self._file.tell()
        first = max(0, position - 4096)
        self._file.seek(first)
        end = self._file.read(position - first)
        self._file.seek(here)
        return hashlib.blake2b(end, digest_size=16).hexdigest()

    def fingerprint_length(self, position: int) -> int:
        """How much of the file to take the fingerprint of, where rows up to `position` were read."""
        return min(4096, position)

    def facts(self, position: int) -> dict[str, object]:
        """What finds `position` again, as it is stored."""
        length = self.fingerprint_length(position)
        return {
            "input_position": position,
            "fingerprint": self.fingerprint(length),
            "fingerprint_length": length,
            "before": self.before(position),
            "reader": type(self).__name__,
        }

    def fits(self, facts: Mapping[str, Any], *, whole: bool = False) -> bool:
        """Whether `facts` were taken of this file; `whole`: with nothing behind that position."""
        position = int(facts["input_position"])
        if facts.get("reader", type(self).__name__) != type(self).__name__:
            return False
        if self.grows and (self.size() < position or (whole and self.size() != position)):
            return False
        same = self.fingerprint(int(facts["fingerprint_length"])) == facts["fingerprint"]
        return same and facts.get("before") in (None, self.before(position))

    def resembles(self, facts: Mapping[str, Any]) -> bool:
        """Whether it begins or ends as the file of `facts` did: then it is that file with other rows, not the next one.

        A beginning tells it only where it holds some lines: the headers of several files may be the same.
        """
        if type(self) is not LineReader or not self.grows or self.size() == 0:
            return False
        length = int(facts["fingerprint_length"])
        here = self._file.tell()
        self._file.seek(0)
        lines = self._file.read(length).count(b"\n")
        self._file.seek(here)
        if lines >= _MANY and self.fingerprint(length) == facts["fingerprint"]:
            return True
        return facts.get("before") == self.before(self.size())

    def resume(self, facts: Mapping[str, Any]) -> str | None:
        """Go to where `facts` were taken; returns what a person should hear of it. Raises `StateError`."""
        if not self.fits(facts):
            raise another_file(self.name)
        self.seek(int(facts["input_position"]))
        return None

    def size(self) -> int:
        """Bytes in the file, as they are on the disk."""
        return os.fstat(self._file.fileno()).st_size if self._path is None else self._path.stat().st_size

    def read_so_far(self) -> int:
        """Bytes of those that were read."""
        return self.position

    @property
    def read_to(self) -> int:
        """The position behind the last byte that was read, be it of a line or not yet."""
        return self.position + self._held

    def stat(self) -> os.stat_result:
        """Of the open file, whatever its name is by now."""
        return os.fstat(self._file.fileno())

    @property
    def grows(self) -> bool:
        """Whether positions are those on the disk, so that the file may grow and be read on."""
        return self._plain

    @property
    def seekable(self) -> bool:
        """Whether this is no pipe."""
        return not self._pipe

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._path is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def another_file(name: str, more: str = "") -> StateError:
    """The error of a state that was made from another file."""
    return StateError(
        f"{name} is not the file that the state was made from{more}. Give the same input, or start again with "
        "`streamrnn reset --state DIR`"
    )


def standard(stream: TextIO | None, name: str) -> IO[bytes]:
    """The bytes of a standard stream."""
    if stream is None:
        raise ConnectorError(f"standard {name} is closed")
    return stream.buffer


class Forward(io.RawIOBase):
    """A stream that can only be read forward, made seekable: back is from the beginning again."""

    def __init__(self, opener: Callable[[], IO[bytes]]) -> None:
        self._opener = opener
        self._stream = opener()
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`."""
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """See `io.RawIOBase`; from the beginning only."""
        if position < self._at:
            self._stream.close()
            self._stream, self._at = self._opener(), 0
        while self._at < position and self.read(min(BLOCK, position - self._at)):
            pass
        return self._at

    def close(self) -> None:
        """See `io.RawIOBase`."""
        self._stream.close()
        super().close()
