"""What a look at a file decides: everything that is needed to read any of its rows, and nothing that depends on others.

A layout is part of the stored state of a run, so a restarted run reads on as the first one did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from streamrnn.config.values import Section

Decimal = Literal[".", ","]


class NumberReading(Section):
    """How the cells of one column become numbers."""

    decimal: Decimal = "."
    thousands: str = ""
    """The mark between groups of three digits; a space stands for every kind of space."""
    unit: str = ""
    """What stands before or behind every number and is taken off: `kW`, `%`, `$`."""
    unit_behind: Literal["", "flags", "scales"] = ""
    """What differs from cell to cell: a letter that says something of the number (`1.5 p`), or a thousand (`1.5k`)."""
    boolean: bool = False
    """true, yes and on are 1; false, no and off are 0."""


class TimeReading(Section):
    """How the cells of one column, or of several together, become the event time."""

    columns: tuple[str, ...]
    form: str
    """`iso`; `YMD`, `DMY`, `MDY`, `yMD` (which number is what); `epoch`, `mixed epoch`, `digits`, `short digits`,
    `digits DMY`, `digits MDY`, `week`, `year`, `excel`, `datenum`, `julian`, `mjd`, `of day`; or a strptime format."""
    unit: Literal["s", "ms", "us", "ns", "min", "h", "d"] = "s"
    """Of an epoch, or of a time since the start."""
    zone: str = ""
    """What the column's name says of times that name none themselves: `Europe/Berlin`, `+01:00`; else they are UTC."""
    parts: Literal[
        "whole", "date and time", "date and hour", "date and period", "date and part",
        "fields", "year and day", "year and week", "year and week of Sundays", "year and quarter",
    ] = "whole"  # fmt: skip
    """What the columns hold."""
    periods: int = 0
    """Into how many equal parts the second column counts a day: from 1, or from 0 (`date and part`)."""


class TableReading(Section):
    """How the rows of a table are parted into cells, before events are made of them."""

    kind: Literal["csv", "json"]
    encoding: str = "utf-8"
    delimiter: str = ","
    names: tuple[str, ...] = ()
    """The columns as they stand in the file (CSV)."""
    short_rows: bool = False
    spans: tuple[tuple[int, int], ...] = ()


class LongReading(TableReading):
    """How rows of one metric each become events of several targets."""

    metric: str
    value: str
    times: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """Those that are targets or features."""
    chosen: bool = False
    """They were named, so others are left out; else others are refused."""

    @property
    def shared(self) -> tuple[str, ...]:
        """What the rows of an event have in common."""
        return (*self.times, *self.keys)


class WideReading(TableReading):
    """How a row with a column for each time becomes an event for each of these."""

    times: tuple[tuple[str, str], ...]
    """Columns, in the order of the times, and what each says of its time."""
    before: tuple[str, ...] = ()
    """Columns that say the rest of it, such as the date or the year."""
    between: str = " "
    """What is written between the two."""
    time: str
    """What the times are called from here on; the numbers are `value`."""
    others: tuple[str, ...] = ()
    """Columns that every event of the row has."""


class Layout(Section):
    """How the rows of a file are read."""

    kind: Literal["csv", "json", "line protocol", "scrape", "logfmt", "topics"]
    encoding: str = "utf-8"
    delimiter: str = ","
    names: tuple[str, ...] = ()
    """The columns, in order (CSV)."""
    header: str | None = None
    """The header line; where it comes again it is no row."""
    comments: bool = False
    """Lines that begin with # are no rows."""
    long: LongReading | None = None
    """Rows of one metric each are joined."""
    wide: WideReading | None = None
    """A row has a column for each time."""
    points: str | None = None
    """Every object in this list of a message is a row (JSON)."""
    ruled: bool = False
    """Lines of dashes, bars and pluses alone are no rows."""
    short_rows: bool = False
    """Rows may end before their last columns."""
    spans: tuple[tuple[int, int], ...] = ()
    """From where to where the cells of each column stand, where blanks part them and some may be missing."""
    skip: int = 0
    """Lines before the first row: blank ones, preamble, header, units."""
    time: TimeReading | None = None
    """None: no time column, rows count as one second apart."""
    keys: tuple[str, ...] = ()
    """Columns that together are the series key."""
    targets: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    numbers: Mapping[str, NumberReading] = {}
    """Of the columns whose numbers are not plain."""

    def __hash__(self) -> int:  # a dictionary has none
        return hash((self.kind, self.names, self.time, self.keys, self.targets))
