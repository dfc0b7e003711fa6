"""How a file begins that is read behind another one: with the same header, with a row, or as a file of another kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from streamrnn.connectors.reading.encodings import text_of_line
from streamrnn.connectors.reading.layout import Layout
from streamrnn.connectors.reading.rows import RowReader
from streamrnn.connectors.reading.wide import WideRows
from streamrnn.errors import ConfigurationError, ConnectorError, EventInvalid
from streamrnn.records.events import format_times

_NAMED = 5  # files


class FilesBegin:
    """Files that are read with the layout of the first one."""

    def __init__(self, layout: Layout, rows: RowReader) -> None:
        self._layout, self._rows = layout, rows
        self._header = None if layout.header is None else layout.header.encode(layout.encoding, "replace").strip()
        self.lines = max(1, layout.skip)
        """Lines that tell how a file begins."""

    def passed(self, name: str, lines: Sequence[bytes]) -> int:
        """How many of a file's first lines are no rows. Raises `ConnectorError` for another header."""
        wide = self._layout.wide is not None and self._layout.wide.kind == "csv"
        if self._layout.kind != "csv" and not wide:
            return 0
        for at, line in enumerate(lines[: self.lines + 20]):
            if line.strip().removeprefix(b"\xef\xbb\xbf") == self._header:
                return at + 1 + (0 if wide else self._units(lines[at + 1 :]))
        first = next((line for line in lines if line.strip()), b"")
        if wide:
            raise self._other(name, first, "its columns are times, and only a header says which")
        if self._layout.comments and first.lstrip().startswith(b"#"):
            return 0
        try:
            _, time, numbers = self._rows.read(first)
        except (EventInvalid, ConnectorError) as error:  # the latter: names of other columns
            raise self._other(name, first, str(error)) from None
        if (time is None) != (self._layout.time is None) or all(number != number for number in numbers):
            raise self._other(name, first, "it is no row")
        return 0

    def _units(self, lines: Sequence[bytes]) -> int:
        """Lines under the header that are no rows, where the first file may have had such."""
        for at, line in enumerate(lines[: min(self._layout.skip - 1, 3)]):
            if line.strip() and self._is_row(line):
                return at
        return 0

    def _is_row(self, line: bytes) -> bool:
        try:
            _, time, numbers = self._rows.read(line)
        except EventInvalid:
            return False
        return time is not None or any(number == number for number in numbers)

    def _other(self, name: str, first: bytes, why: str) -> ConnectorError:
        text = text_of_line(first, self._layout.encoding)
        return ConnectorError(
            f"{name} begins with {text!r:.120}, neither the header of the file before it "
            f"({self._layout.header!r:.120}) nor a row ({why}): files that are read together have the same columns"
        )

    def notes(self, firsts: Iterable[tuple[Path, Sequence[bytes]]], *, by_time: bool) -> list[str]:
        """One line that says in which order the files are read.

        Raises `ConfigurationError` where that goes back in time and no key tells the series apart.
        """
        begun: list[tuple[Path, int | None]] = []
        for at, (path, lines) in enumerate(firsts):
            skip = self._layout.skip if at == 0 else self.passed(str(path), lines)
            rows = [line for line in lines[skip:] if line.strip()]
            if self._layout.wide is not None:
                rows = [row for row, _ in WideRows(self._layout.wide)([(line, 0) for line in rows])]
            times = map(self._rows.time_of, rows)
            begun.append((path, next((time for time in times if time is not None), None)))
        names = ", ".join(path.name for path, _ in begun[:_NAMED])
        names += f" and {len(begun) - _NAMED} more" if len(begun) > _NAMED else ""
        if by_time:
            return [f"{len(begun)} files, all rows in the order of their times: {names}"]
        known = [(path, time) for path, time in begun if time is not None]
        for (before, one), (path, other) in itertools.pairwise(known):
            if other <= one and not self._layout.keys:
                first, second = format_times(np.array([one, other], np.int64))
                raise ConfigurationError(
                    f"{path.name} begins at {second}, and {before.name}, which is read before it, at {first}. Is it "
                    "one series? --sort reads all rows in the order of their times. Are they several? --name-is-key "
                    "takes each file as a series, --key names a column that says which"
                )
        return [f"{len(begun)} files, one after the other: {names} (by time: --sort)"]
