"""Rows of a table whose quoted cells hold line ends: several lines, one row."""

from __future__ import annotations

import csv

from streamrnn.connectors.reading.lines import Found

_MOST_LINES = 50
_MOST_BYTES = 1 << 20


class QuotedRows:
    """Joins lines while a quote is open, if what comes out has as many cells as a row; else leaves them as they are."""

    def __init__(self, width: int, delimiter: str) -> None:
        self._width = width
        self._delimiter = delimiter
        self._open: Found = []  # lines since one that left a quote open

    def rows(self, lines: Found, *, ended: bool) -> Found:
        """Rows as far as these lines complete them; `ended` says that no more will come."""
        if not self._open and not any(b'"' in line for line, _ in lines):
            return lines
        found: Found = []
        waiting = [*self._open, *lines]
        self._open = []
        at = 0
        while at < len(waiting):
            line, _ = waiting[at]
            if b'"' not in line or line.count(b'"') % 2 == 0:
                found.append(waiting[at])
                at += 1
                continue
            taken = self._row(waiting, at)
            if taken is None and not ended and self._may_go_on(waiting, at):
                self._open = waiting[at:]
                break
            if taken is None:
                found.append(waiting[at])
                at += 1
            else:
                found.append((b"\n".join(one for one, _ in waiting[at : at + taken]), waiting[at + taken - 1][1]))
                at += taken
        return found

    @property
    def waiting(self) -> int:
        """Lines that wait for the end of a quote."""
        return len(self._open)

    def _row(self, waiting: Found, at: int) -> int | None:
        """How many lines from here on are one row; None when the quote does not close to a row in time."""
        quotes = size = 0
        for count, (line, _) in enumerate(waiting[at : at + _MOST_LINES], 1):
            quotes += line.count(b'"')
            size += len(line)
            if size > _MOST_BYTES:
                return None
            if quotes % 2 == 0:
                text = b"\n".join(one for one, _ in waiting[at : at + count]).decode(errors="replace")
                return count if self._is_row(text) else None
        return None

    def _may_go_on(self, waiting: Found, at: int) -> bool:
        rest = waiting[at:]
        quotes = 0
        for line, _ in rest:
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                return False  # it closed, and was no row
        return len(rest) < _MOST_LINES and sum(len(line) for line, _ in rest) <= _MOST_BYTES

    def _is_row(self, text: str) -> bool:
        try:
            rows = list(csv.reader(text.splitlines(keepends=True), delimiter=self._delimiter, skipinitialspace=True))
        except csv.Error:
            return False
        return len(rows) == 1 and len(rows[0]) == self._width
