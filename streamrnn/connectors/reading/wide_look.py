"""The look at a wide table: whether its columns are plainly times one after the other, and what events come of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading import clocks, key_choice, numbers
from streamrnn.connectors.reading.layout import WideReading
from streamrnn.connectors.reading.month_names import MONTHS
from streamrnn.connectors.reading.refusals import HOUR_NAME, YEAR_NAME, begin_of_span, is_named_by_time
from streamrnn.connectors.reading.sample import Reshaped, Sample, columns_of
from streamrnn.connectors.reading.wide import VALUE, WideRows
from streamrnn.errors import ConfigurationError

Times = tuple[tuple[str, str], ...]

_FEWEST, _FEWEST_NUMBERED = 3, 12
_PARTS_OF_A_DAY = (24, 48, 96, 144, 288)
_MINUTES = 1440
_MOST_KEYS = 3
_MOST_EVENTS, _MOST_ROWS = 4000, 400  # of the sample
_LEAST_COLUMNS = 24
_QUARTER = re.compile(
    r"(?:q|qtr|quarter|t|trim)[ _.]?([1-4])$|([1-4])\.?\s?(?:q|qtr|quartal|quarter|trim)\.?$", re.IGNORECASE
)
_DAY_OR_WEEK = re.compile(r"(?P<of>d|day|w|wk|week)[ _]?(?P<number>\d{1,5})$", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[789]|20|21)\d\d$")
_CLOCK_OR_COUNT = re.compile(r"\d{1,2}[:.h]\d\d|\d{1,3}$")
_LAST_NUMBER = re.compile(r"\d+$")


class _Plan(NamedTuple):
    """What the columns are."""

    times: Times
    said: str
    before: str | None = None  # the column that says the day or the year; None: each row is a series


def look(
    sample: Sample,
    base: dict[str, Any],
    event: EventConfig,
    file: FileConfig,
    missing: frozenset[str],
    notes: list[str],
) -> Reshaped | None:
    """The sample with a row for each cell, what reads the file so, and the configuration that decides about those.

    None where the columns are no times one after the other, or some of them were named. Raises `ConfigurationError`.
    """
    named = {*event.targets, *event.features}
    if len(sample.names) <= _FEWEST or not sample.rows or named & {*sample.names}:
        return None
    keys = file.keys or ((event.key,) if event.key in sample.names else ())
    asked = event.time if "time" in event.model_fields_set and event.time in sample.names else None
    free = [name for name in sample.names if name not in (*keys, *file.exclude, asked)]
    plan = _plan(sample, free, asked, event)
    if plan is None or (asked is not None and asked != plan.before):
        return None
    columns = {name for name, _ in plan.times}
    beside = [name for name in sample.names if name not in columns and name != plan.before and name not in file.exclude]
    names = [name for name in beside if name in keys or _names_something(sample, name)]
    if plan.before is None:
        if any(_moves(sample, name) for name in names if name not in keys):
            return None  # rows have times, too: nobody can tell which are meant
        keys = keys or _keys(sample, names, plan)
        names = list(keys)
        file = file.model_copy(update={"keys": keys})
    time = plan.before or "time"
    if {time, VALUE} & {*names} or time == VALUE:
        return None
    how = WideReading(
        **{
            name: base[name]
            for name in ("kind", "encoding", "delimiter", "names", "short_rows", "spans")
            if name in base
        },
        times=plan.times,
        before=() if plan.before is None else (plan.before,),
        between="-" if plan.said.startswith(("months", "quarters")) else " ",
        time=time,
        others=tuple(names),
    )
    melted, head = _melted(sample, how)
    notes.append(f"the columns {plan.times[0][0]} to {plan.times[-1][0]} are {plan.said}: each cell is an event")
    left = [name for name in beside if name not in names]
    if left:
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""
        notes.append(f"left out beside them: {', '.join(left[:10])}{more}")
    if plan.before is None and keys:
        notes.append(f"key: {' and '.join(keys)} (another: --key)")
    known, table = columns_of([{**dict.fromkeys((*names, time, VALUE)), **one} for one in melted])
    keep: dict[str, Any] = {
        name: base[name] for name in ("skip", "comments", "ruled", "header", "encoding") if name in base
    }
    event = event.model_copy(update={"time": time, "time_format": _with_clock(event.time_format, plan)})
    event.model_fields_set.add("time")
    file = file.model_copy(update={"exclude": tuple(name for name in file.exclude if name in known)})
    return Sample(known, table, head, missing), {**keep, "kind": "json", "wide": how}, event, file


def _with_clock(form: str | None, plan: _Plan) -> str | None:
    """The format of a day and the time of day behind it; times that are names of columns have been read already."""
    if form is None or plan.before is None or plan.said.startswith(("months", "quarters")):
        return None
    return form if "%H" in form else f"{form} %H:%M"


def _melted(sample: Sample, how: WideReading) -> tuple[list[dict[str, Any]], int]:
    """Events of the sample, and how many of them come of its head: all of the first row, some columns of the others."""
    rows = min(sample.rows, _MOST_ROWS)
    most = max(_LEAST_COLUMNS, _MOST_EVENTS // rows)
    if how.before:
        most = max(most, len(how.times))
    apart = WideRows(how)
    columns = {name: sample.cells(name) for name in (*how.others, *how.before, *(name for name, _ in how.times))}
    events: list[dict[str, Any]] = []
    head = 0
    for at in range(rows):
        row = {name: cells[at] for name, cells in columns.items()}
        events += apart.of(row, 0, _MOST_EVENTS if at == 0 else most)
        head = len(events) if at < sample.head else head
    return events, head


def _plan(sample: Sample, free: Sequence[str], asked: str | None, event: EventConfig) -> _Plan | None:
    if sum(_may_be_time(name) for name in free) < _FEWEST:
        return None  # as of most files: their cells need no look
    numeric = [name for name in free if _mostly_numbers(sample.known(name))]
    for of_year, said in ((_months, "months"), (_quarters, "quarters")):
        times = of_year(numeric)
        if times:
            year = next((name for name in ([asked] if asked else free) if _holds_years(sample, name)), None)
            return None if year is None else _Plan(times, f"{said} of the year in {year}", year)
    times = _times_of_day(numeric)
    if times:
        columns = {name for name, _ in times}
        days = [name for name in ([asked] if asked else free) if name not in columns and _holds_days(sample, name)]
        return _Plan(times, f"times of the day in {days[0]}", days[0]) if days else None
    return _years(numeric) or _dates(numeric, event) or _numbered(numeric)


def _may_be_time(name: str) -> bool:
    plain = name.strip()
    if not any(map(str.isdigit, plain)):
        return plain.lower().rstrip(".") in MONTHS
    return any(form.match(plain) for form in (_QUARTER, _DAY_OR_WEEK, YEAR_NAME, HOUR_NAME, _CLOCK_OR_COUNT)) or (
        is_named_by_time(plain)
    )


def _months(numeric: Sequence[str]) -> Times | None:
    found = [(name, MONTHS.get(name.strip().lower().rstrip("."))) for name in numeric]
    of_year = [(name, month) for name, month in found if month is not None]
    if [month for _, month in of_year] != list(range(1, 13)):
        return None
    return tuple((name, f"{month:02}-01") for name, month in of_year)


def _quarters(numeric: Sequence[str]) -> Times | None:
    found = [(name, match) for name in numeric if (match := _QUARTER.match(name.strip()))]
    if [int(match[1] or match[2]) for _, match in found] != [1, 2, 3, 4]:
        return None
    return tuple((name, f"{3 * at + 1:02}-01") for at, (name, _) in enumerate(found))


def _times_of_day(numeric: Sequence[str]) -> Times | None:
    """Columns for the parts of a day, all of them: by the clock, or counted."""
    on_clock = [(name, begin_of_span(name)) for name in numeric if clocks.is_clock([begin_of_span(name)])]
    if len(on_clock) in _PARTS_OF_A_DAY:
        step = _MINUTES // len(on_clock)
        minutes = [_minutes(text) for _, text in on_clock]
        if minutes[0] == step and minutes[-1] == 0:
            minutes[-1] = _MINUTES  # the midnight that ends the day
        whole = minutes[0] in (0, step) and minutes == list(range(minutes[0], minutes[0] + _MINUTES, step))
        return _at(minutes, [name for name, _ in on_clock]) if whole else None
    counted = [
        (name, int(found[0])) for name in numeric
        if (name.strip().isdigit() or HOUR_NAME.match(name.strip())) and (found := _LAST_NUMBER.search(name.strip()))
    ]  # fmt: skip
    first = counted[0][1] if counted else -1
    if len(counted) not in _PARTS_OF_A_DAY or first not in (0, 1):
        return None
    if [number for _, number in counted] != list(range(first, first + len(counted))):
        return None
    step = _MINUTES // len(counted)
    return _at(range(0, _MINUTES, step), [name for name, _ in counted])


def _at(minutes: Iterable[int], names: Sequence[str]) -> Times:
    return tuple((name, f"{minute // 60:02}:{minute % 60:02}") for name, minute in zip(names, minutes, strict=True))


def _minutes(text: str) -> int:
    found = re.match(r"(\d{1,2})[:.h](\d\d)(?::00)?$", text.strip())
    return -1 if found is None else 60 * int(found[1]) + int(found[2])


def _years(numeric: Sequence[str]) -> _Plan | None:
    found = [(int(match[1]), name) for name in numeric if (match := YEAR_NAME.match(name))]
    years = [year for year, _ in found]
    steps = {b - a for a, b in itertools.pairwise(years)}
    if len(found) < _FEWEST or len(found) < 0.8 * len(numeric) or steps not in ({1}, {-1}, {5}, {10}, {-5}, {-10}):
        return None
    return _Plan(tuple((name, f"{year}-01-01") for year, name in sorted(found)), "years")


def _dates(numeric: Sequence[str], event: EventConfig) -> _Plan | None:
    names = [name for name in numeric if is_named_by_time(name) and name.strip().lower() not in MONTHS]
    if len(names) < _FEWEST or len(names) < 0.8 * len(numeric):
        return None
    try:
        clock = clocks.recognise("time", [name.strip() for name in names], form=event.time_format, named=True)
    except clocks.Ambiguous as both:
        raise ConfigurationError(
            f"the columns are times, and is it day or month first in {both.cell!r}? Say so: --time-format '%d/%m/%Y' "
            "or --time-format '%m/%d/%Y'"
        ) from None
    if clock is None:
        return None
    found = [(second, name) for second, name in zip(clock.seconds, names, strict=True) if second is not None]
    ordered = [second for second, _ in found]
    if len(found) < len(names) or (ordered != sorted(ordered) and ordered != sorted(ordered, reverse=True)):
        return None
    if len({*ordered}) < len(ordered):
        return None
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    whole = all(second % 86_400 == 0 for second in ordered)
    form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"
    return _Plan(
        tuple((name, f"{begin + timedelta(seconds=second):{form}}") for second, name in sorted(found)),
        "times" if whole is False else "days" if _daily(ordered) else "dates",
    )


def _daily(ordered: Sequence[float]) -> bool:
    return {abs(b - a) for a, b in itertools.pairwise(ordered)} == {86_400.0}


def _numbered(numeric: Sequence[str]) -> _Plan | None:
    """`d_1`, `d_2` ... or `W0`, `W1` ..., counted from 1970."""
    found = [(name, match) for name in numeric if (match := _DAY_OR_WEEK.match(name.strip()))]
    counted = [int(match["number"]) for _, match in found]
    kinds = {match["of"].lower() for _, match in found}
    if len(found) < _FEWEST_NUMBERED or len(kinds) > 1 or counted[0] not in (0, 1):
        return None
    if counted != list(range(counted[0], counted[0] + len(counted))):
        return None
    days, said = (1, "days") if kinds <= {"d", "day"} else (7, "weeks")
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    times = tuple(
        (name, f"{begin + timedelta(days=days * number):%Y-%m-%d}")
        for (name, _), number in zip(found, counted, strict=True)
    )
    return _Plan(times, f"{said}, counted from 1970")


def _keys(sample: Sample, names: Sequence[str], plan: _Plan) -> tuple[str, ...]:
    """The fewest columns of which every row has other cells. Raises `ConfigurationError` where there are none."""
    ordered = sorted(names, key=lambda name: (key_choice.rank(name), not key_choice.is_id_name(name)))[:12]
    for size in range(1, _MOST_KEYS + 1):
        for some in itertools.combinations(ordered, size):
            rows = list(zip(*(sample.cells(name) for name in some), strict=True))
            if len({*rows}) == len(rows) and (size > 1 or all(cell for (cell,) in rows)):
                return tuple(sorted(some, key=sample.names.index))
    if sample.rows == 1:
        return ()
    raise ConfigurationError(
        f"the columns {plan.times[0][0]} to {plan.times[-1][0]} are {plan.said}, and nothing beside them tells the "
        "rows apart: name what does with --key"
    )


def _names_something(sample: Sample, name: str) -> bool:
    cells = sample.known(name)
    return bool(cells) and (key_choice.is_id_name(name) or not _mostly_numbers(cells))


def _moves(sample: Sample, name: str) -> bool:
    """Whether a column has times that differ from row to row."""
    cells = sample.known(name)
    timed = sum(_is_time(cell) for cell in cells[:200]) >= clocks.ENOUGH * len(cells[:200])
    return timed and len({*cells}) > 1


def _is_time(cell: str) -> bool:
    return (
        cell.lower().rstrip(".") in MONTHS
        or clocks.is_clock([cell])
        or (clocks.recognises(cell) and not cell.isdigit())
    )


def _holds_years(sample: Sample, name: str) -> bool:
    cells = sample.known(name)
    years = bool(cells) and sum(bool(_YEAR.match(cell)) for cell in cells) >= 0.9 * len(cells)
    return years and (len({*cells}) > 1 or clocks.says_time(name) or sample.rows == 1)


def _holds_days(sample: Sample, name: str) -> bool:
    """Whether a column has dates without times of day."""
    cells = sample.known(name)
    try:
        clock = clocks.recognise(name, cells, named=clocks.says_time(name))
    except clocks.Ambiguous:
        return True  # which of the two is asked later
    if (
        clock is None
        or clock.since_start
        or clock.how.form in ("epoch", "mixed epoch", "excel", "datenum", "mjd", "julian")
    ):
        return False
    return all(second is None or second % 86_400 == 0 for second in clock.seconds)


def _mostly_numbers(cells: Sequence[str]) -> bool:
    return not cells or sum(numbers.parts_of(cell) is not None for cell in cells) > len(cells) / 2
