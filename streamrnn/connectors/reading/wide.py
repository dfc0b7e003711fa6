"""Wide tables: a row for each series, year or day, and a column for each time. Every cell is an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamrnn.connectors.reading.layout import WideReading
from streamrnn.connectors.reading.lines import Found, json_line
from streamrnn.connectors.reading.long import RowsByName
from streamrnn.connectors.reading.sample import at_path, text_of

VALUE = "value"


class WideRows:
    """Turns each row into an object for each of its times."""

    def __init__(self, how: WideReading) -> None:
        self._how = how
        self._row = RowsByName(how)

    def __call__(self, lines: Found) -> Found:
        """An object for each time, all of a row before the same position; what is no row stays, to be refused."""
        found: Found = []
        for line, position in lines:
            row = self._row(line)
            if row is None:
                found.append((line, position))
            else:
                found += [(json_line(one), position) for one in self.of(row)]
        return found

    def of(self, row: Mapping[str, Any], first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
        """The events of one row, or those of some columns.

        Cells without anything before the first value and behind the last one are none: a series may begin later than
        others, and the year that runs has months to come.
        """
        how = self._how
        cells = [(text, cell) for name, text in how.times[first:last] for cell in (text_of(at_path(row, name)),)]
        known = [at for at, (_, cell) in enumerate(cells) if cell]
        if not known:
            return []
        others = {name: at_path(row, name) for name in how.others}
        begin = "".join(text_of(at_path(row, name)).strip() + how.between for name in how.before)
        return [
            {**others, how.time: begin + text, VALUE: cell or None} for text, cell in cells[known[0] : known[-1] + 1]
        ]
