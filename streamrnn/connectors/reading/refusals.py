"""Tables that would be learned wrong, and are refused: on their side, or several series without a time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from streamrnn.connectors.reading import clocks, key_choice, numbers
from streamrnn.connectors.reading.month_names import MONTHS
from streamrnn.connectors.reading.sample import Sample
from streamrnn.errors import ConfigurationError

_MONTHS = 12
_LEAST_YEARS = 3
YEAR_NAME = re.compile(r"[Yy]?((?:1[789]|20|21)\d\d)(?:\s*\[.*\]|F|p|e)?\s*$")
HOUR_NAME = re.compile(r"(?:h|hh|hr|hour|he|hora)[ _]?\d{1,2}$", re.IGNORECASE)
_SPAN = re.compile(r"(?P<begin>\d{1,2}[:.h]\d\d)\s*(?:-|–|to|bis|a)\s*\d")
_NUMBERED = re.compile(r"(.*?)(\d+)$")
_HOURS = 20
_HOURS_OF_A_DAY, _DAY = 24, 86_400
_ONE_LINE = 20


def refuse_times_as_columns(sample: Sample, names: Sequence[str], *, dated: bool) -> None:
    """A table that lies on its side: a row for each series, or year, or day, and a column for each time.

    `dated` says that a time was found among the other columns.
    """
    numeric = [name for name in names if _mostly_numbers(sample.known(name))]
    if sample.rows == 1 and len(numeric) > _ONE_LINE and names[0] == "column1":
        raise ConfigurationError(f"one line holds all {len(numeric)} numbers: write each on a line of its own")
    least = _MONTHS if dated else _LEAST_YEARS
    if len(numeric) < least:
        return
    times = [name for name in numeric if is_named_by_time(name)]
    if clocks.counts_years([found[1] for name in numeric if (found := YEAR_NAME.match(name))]):
        times = times or [name for name in numeric if YEAR_NAME.match(name)]
    of_day = [name for name in numeric if clocks.is_clock([begin_of_span(name)]) or HOUR_NAME.match(name.strip())]
    if len(of_day) >= _HOURS:
        times = of_day
    months = {name.strip().lower().rstrip(".") for name in times} & MONTHS.keys()
    if len(times) >= max(least, 0.8 * len(numeric)) or len({MONTHS[name] for name in months}) == _MONTHS:
        raise ConfigurationError(
            f"the columns are times ({times[0]!r}, {times[1]!r} ...): a row for each time is needed, with the time in "
            "a column, as pandas' melt or transpose make it (or name the columns to forecast with --target)"
        )
    numbered = [found for name in numeric if (found := _NUMBERED.match(name))]
    texts = [name for name in names if name not in numeric and len(set(sample.cells(name))) == sample.rows]
    if not dated and texts and len(numbered) == len(numeric) >= _MONTHS and len({one[1] for one in numbered}) == 1:
        raise ConfigurationError(
            f"every row has a name of its own in {texts[0]!r} and no time: if a row is a series, turn the table round "
            "(pandas: melt or transpose); if it is an event, leave that column out with --exclude"
        )


def refuse_rows_of_a_day(sample: Sample, names: Sequence[str], seconds: Sequence[float | None]) -> None:
    """Without names of columns: a year and its twelve months in a row, or a day and its hours."""
    if sample.names[:1] != ("column1",) or sample.rows < 3:
        return
    numeric = [name for name in names if sample.known(name) and all(map(numbers.is_plain, sample.known(name)))]
    known = [second for second in seconds[: sample.head] if second is not None]
    daily = len(known) > 2 and all(b - a >= _DAY and (b - a) % _DAY == 0 for a, b in itertools.pairwise(known))
    years = clocks.counts_years(sample.cells(sample.names[0])[: sample.head])
    months = years and len(numeric) in (_MONTHS, _MONTHS + 1)
    if months or (daily and len(numeric) >= _HOURS_OF_A_DAY):
        of = "months of a year" if months else "hours of a day"
        raise ConfigurationError(
            f"{len(numeric) - months} numbers stand in a row, as the {of} do: a row for each time is needed, as "
            "pandas' melt makes it. If they are columns, name them in a first line (or name the ones to forecast with "
            "--target)"
        )


def begin_of_span(name: str) -> str:
    """`00:15` of `00:15-00:30`."""
    found = _SPAN.match(name.strip())
    return name.strip() if found is None else found["begin"]


def is_named_by_time(name: str) -> bool:
    """Whether a column is called by a date, a month or seconds since 1970."""
    plain = name.strip()
    if plain.isdigit():
        return len(plain) in (10, 13) and clocks.unit_of_this_century(int(plain), int(plain)) is not None
    return plain.lower() in MONTHS or clocks.recognises(plain)


def _mostly_numbers(cells: Sequence[str]) -> bool:
    return not cells or sum(numbers.parts_of(cell) is not None for cell in cells) > len(cells) / 2


def refuse_mixed_series(sample: Sample, free: Sequence[str]) -> None:
    """Names of series without a time: nobody can tell whether their rows are one series."""
    for name in free:
        cells = sample.known(name)
        names = set(cells)
        headless = name == "column1" and not any(numbers.is_plain(cell) for cell in names)
        if not (headless or key_choice.is_id_name(name)) or len(cells) < sample.rows or len(cells) < 8:
            continue
        if 1 < len(names) <= len(cells) / 4:
            raise ConfigurationError(
                f"no time column, and {name!r} has {len(names)} names ({cells[0]!r:.40} ...): --key '{name}' takes "
                f"each as a series, --exclude '{name}' takes all rows as one"
            )
