"""The look before a run: a sample of a file in, its layout out, with a line for everything that was found out.

`run`, `evaluate`, `produce` and `check` look with this and read with what it decides.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading import clocks, long_look, numbers, wide_look
from streamrnn.connectors.reading import roles as deciding
from streamrnn.connectors.reading.encodings import checked_encoding, find_encoding, text_of_line
from streamrnn.connectors.reading.layout import Layout, TimeReading
from streamrnn.connectors.reading.missing import MISSING, spellings
from streamrnn.connectors.reading.point_lines import KINDS, SPOKEN, kind_of
from streamrnn.connectors.reading.points import find_points, points
from streamrnn.connectors.reading.roles import Roles
from streamrnn.connectors.reading.sample import Sample, columns_of, objects
from streamrnn.connectors.reading.tables import find_table
from streamrnn.errors import ConfigurationError

_MOST_ROWS = 4000


class Lines(NamedTuple):
    """Lines of a file: its first ones, and some from further on (none where it is short, or cannot be sought)."""

    head: Sequence[bytes]
    later: Sequence[bytes] = ()


@dataclass
class Findings:
    """What `streamrnn check FILE` prints beside the layout."""

    rows: int = 0  # that were looked at
    series: int = 1
    interval: float | None = None  # seconds, the usual step of a series
    late: int = 0  # rows older than one before them of the same series
    disordered: int = 0  # the same, without regard to single rows that are newer than their neighbors
    falling: int = 0
    rising: int = 0
    doubled: int = 0  # rows whose key and time came before
    set_back: str | None = None  # the first time that came again because clocks were put back
    missing: dict[str, int] = field(default_factory=dict)  # spelling: cells
    sentinels: dict[str, str] = field(default_factory=dict)  # column: value that is repeated at its end
    constant: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


class Look(NamedTuple):
    """How a file is read."""

    layout: Layout
    event: EventConfig  # with time, key, targets and features as decided
    notes: list[str]
    findings: Findings


def look(
    lines: Lines, event: EventConfig, file: FileConfig, *, labelled: bool = False, json: bool | None = None
) -> Look:
    """Decide how a file is read; `json` says whether its lines are JSON objects, where that is known.

    Raises `ConfigurationError`, which names the first offending cell and the flag that mends it.
    """
    first = next((line for line in lines.head if line.strip()), b"")
    if json is None:
        json = first.lstrip().startswith(b"{")
    notes: list[str] = []
    values: list[dict[str, Any]] | None = None
    base: dict[str, Any] = {"kind": "json"}
    if json:
        values = objects([*lines.head, *lines.later][:_MOST_ROWS])
        head = len(objects(lines.head[:_MOST_ROWS]))
        path = event.array or find_points(values)
        if path is not None:
            more = [[*points(value, path)] or [value] for value in values]
            head = sum(map(len, more[:head]))
            values, base = [one for some in more for one in some][:_MOST_ROWS], {"kind": "json", "points": path}
            notes.append(f"every object in {path} is a row, with the other fields of its message")
    elif (kind := kind_of(lines.head)) is not None:
        parse = KINDS[kind]
        values = [one for line in [*lines.head, *lines.later][:_MOST_ROWS] if (one := parse(line)) is not None]
        head, base = len(lines.head), {"kind": kind, "comments": True}
        notes.append(SPOKEN[kind])
    missing = spellings(file.missing)
    unnamed: frozenset[str] = frozenset()
    if values is not None:
        names, rows = columns_of(values)
        sample = Sample(names, rows, head, missing)
    else:
        sample, unnamed, base = _tabular(lines, file, missing, notes)
    asked = event, file
    if file.metric is not None:
        sample, base, event, file = long_look.look(sample, base, event, file, missing, notes)
        unnamed, values = frozenset(), []
    elif not labelled and (wide := wide_look.look(sample, base, event, file, missing, notes)) is not None:
        sample, base, event, file = wide
        unnamed, values = frozenset(), []
    roles = deciding.decide(sample, event, file, labelled=labelled, unnamed=unnamed, typed=values is not None)
    event, file = asked
    findings = _findings(sample, roles, missing)
    findings.set_back = _set_back(sample, roles, findings)
    if findings.falling > 3 and not findings.rising and not file.sort:
        raise ConfigurationError("the newest row comes first: forecasts need the oldest first. Sort it with --sort")
    if findings.disordered > max(3, 0.5 * findings.rows) and not labelled and not file.sort:
        raise ConfigurationError(
            f"{findings.disordered} of the first {findings.rows} rows are older than one before them: --sort puts them "
            "in order; where several series stand one behind the other, --key names the column that tells them apart"
        )
    notes += roles.notes + _remarks(findings, file)
    layout = Layout(
        **base,
        time=roles.clock.how if roles.clock is not None else None,
        keys=roles.keys,
        targets=roles.targets,
        features=roles.features,
        numbers=roles.numbers,
    )
    return Look(layout, decided(event, layout), notes, findings)


def decided(event: EventConfig, layout: Layout) -> EventConfig:
    """The configuration of events with what the layout found out."""
    changes: dict[str, Any] = {"targets": layout.targets if layout.targets != ("value",) else event.targets}
    if layout.time is not None:
        changes["time"] = layout.time.columns[0]
    elif "time" not in event.model_fields_set and event.time in {*layout.targets, *layout.features, *layout.keys}:
        changes["time"] = "(no time)"
    if layout.keys:
        changes["key"] = layout.keys[0]
    elif event.key in {*layout.targets, *layout.features}:
        changes["key"] = "(no key)"
    return event.model_copy(update=changes)


def _tabular(
    lines: Lines, file: FileConfig, missing: frozenset[str], notes: list[str]
) -> tuple[Sample, frozenset[str], dict[str, Any]]:
    encoding = checked_encoding(file.encoding) if file.encoding is not None else _encoding(lines)
    if encoding != "utf-8" and file.encoding is None:
        spoken = "Latin-1 (cp1252)" if encoding == "cp1252" else encoding
        notes.append(f"encoding: {spoken}, by its letters (another one: --encoding cp1250)")
    head = [text_of_line(line, encoding) for line in lines.head]
    later = [text_of_line(line, encoding) for line in lines.later[:_MOST_ROWS]]
    found = find_table(head, later, delimiter=file.delimiter, header=file.header)
    if found is None:
        return Sample((), [], 0, missing), frozenset(), {"kind": "csv"}
    notes += found.notes
    if found.delimiter != ",":
        mark = {"\t": "tab", " ": "spaces"}.get(found.delimiter, found.delimiter)
        notes.append(f"delimiter: {mark}")
    names = found.names
    rows = found.rows[:_MOST_ROWS]
    if found.header is None and names[:1] == ("column1",):
        names = _headless(names, rows, missing)
    sample = Sample(names, rows, len(head), missing)
    sample.units = found.units
    base = {
        "kind": "csv",
        "encoding": encoding,
        "delimiter": found.delimiter,
        "names": names,
        "header": found.header,
        "comments": found.comments,
        "ruled": found.ruled,
        "short_rows": found.short_rows,
        "spans": found.spans,
        "skip": found.skip,
    }
    return sample, found.unnamed, base


_FIELDS = (("year", 1700, 2200), ("month", 1, 12), ("day", 1, 31), ("hour", 0, 24))


def _headless(names: tuple[str, ...], rows: list[list[str]], missing: frozenset[str]) -> tuple[str, ...]:
    """Names for a file without a header: one time and one column of numbers are `time` and `value`.

    First columns of whole numbers that rise together as year, month, day and hour do are called so.
    """
    fields = _fields_in_front(rows)
    if len(fields) > 1:
        return (*fields, *names[len(fields) :])
    kinds = []
    for at in range(len(names)):
        cells = [cell for row in rows if (cell := row[at].strip()).lower() not in missing]
        if any(not numbers.is_plain(cell) for cell in cells) and all(clocks.recognises(cell) for cell in cells[:200]):
            kinds.append("time")
        elif cells and all(numbers.is_plain(cell) for cell in cells[:200]):
            kinds.append("time" if clocks.by_size("time", cells) is not None else "value")
        else:
            kinds.append("text")
    return tuple(
        kind if kind != "text" and kinds.count(kind) == 1 else name for kind, name in zip(kinds, names, strict=True)
    )


def _fields_in_front(rows: list[list[str]]) -> list[str]:
    found: list[str] = []
    rows = [row for row in rows if len(row) > 1 and row[1].strip()]  # not what ends a file
    for name, least, most in _FIELDS:
        cells = [row[len(found)].strip() for row in rows if len(row) > len(found)]
        if not cells or not all(cell.isdigit() and least <= int(cell) <= most for cell in cells):
            break
        found.append(name)
    while len(found) > 1:
        values = [[int(cell) for cell in row[: len(found)]] for row in rows]
        rising = sum(b >= a for a, b in itertools.pairwise(values))
        changing = sum(b > a for a, b in itertools.pairwise([one[1:] for one in values]))
        if rising >= 0.95 * (len(values) - 1) and changing > len(values) / 4:
            return found
        found.pop()
    return []


def _encoding(lines: Lines) -> str:
    good = bad = 0
    for line in (*lines.head, *lines.later):
        if line.isascii():
            continue
        try:
            line.decode()
            good += 1
        except UnicodeDecodeError:
            bad += 1
    # A header alone may have other letters than English ones.
    above = (
        not good and any(not line.isascii() for line in lines.head[:20]) and all(map(bytes.isascii, lines.head[20:]))
    )
    if bad > max(1, good) or (bad and above):
        return find_encoding([*lines.head, *lines.later])
    return "utf-8"


def _findings(sample: Sample, roles: Roles, missing: frozenset[str]) -> Findings:
    found = Findings(rows=sample.rows, left_out=dict(roles.left_out))
    columns = [sample.cells(name) for name in roles.keys]
    newest: dict[tuple[str, ...], float] = {}
    reached: dict[tuple[str, ...], float] = {}  # by two rows in a row
    last: dict[tuple[str, ...], float] = {}
    seen: set[tuple[tuple[str, ...], float]] = set()
    steps: list[float] = []
    for row in range(sample.rows):
        second = roles.seconds[row] if row < len(roles.seconds) else None
        key = tuple(column[row] for column in columns)
        if second is None:
            continue
        if row < sample.head:
            if key in last:
                step = second - last[key]
                if step:
                    steps.append(step)
                found.late += second < newest[key]
                found.disordered += second < reached.get(key, second)
                reached[key] = max(min(last[key], second), reached.get(key, -math.inf))
            last[key] = second
            newest[key] = max(second, newest.get(key, second))
            found.doubled += (key, second) in seen
        seen.add((key, second))
    found.series = max(1, len({key for key, _ in seen}))
    found.falling, found.rising = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    sizes = [abs(step) for step in steps]
    found.interval = _interval(sizes) if sizes else None
    spellings_found = Counter(
        cell for name in (*roles.targets, *roles.features) if name in sample.names
        for cell in sample.cells(name) if cell and cell.lower() in missing
    )  # fmt: skip
    found.missing = dict(spellings_found)
    for name in (*roles.targets, *roles.features):
        if name in sample.names:
            _ends(sample.known(name), name, found)
    return found


def _set_back(sample: Sample, roles: Roles, found: Findings) -> str | None:
    """The time of the first row of an hour that comes twice, all else being in order: summer time ends."""
    how = roles.clock.how if roles.clock is not None else None
    if how is None or how.form in ("epoch", "mixed epoch") or not found.doubled or found.interval not in _SUB_HOURS:
        return None
    columns = [sample.cells(name) for name in roles.keys]
    last: dict[tuple[str, ...], float] = {}
    steps = []
    for row, second in enumerate(roles.seconds[: sample.head]):
        key = tuple(column[row] for column in columns)
        if second is not None and key in last and second <= last[key]:
            steps.append((second - last[key], second))
        if second is not None:
            last[key] = second
    back = found.interval - 3600
    if not steps or any(step != back or not 0 <= second % 86_400 <= 3 * 3600 for step, second in steps):
        return None
    return f"{datetime.fromtimestamp(steps[0][1], UTC):%Y-%m-%d %H:%M}"


_SUB_HOURS = (300.0, 600.0, 900.0, 1800.0, 3600.0)


def _interval(steps: list[float]) -> float:
    """The usual step; where clocks are too coarse for it, the mean of the usual ones.

    Steps without a usual size, as of trades, tell no more than the order of it: whole seconds.
    """
    usual = median(steps)
    ordered = sorted(steps)
    if usual < 10 and len(steps) > 8 and ordered[len(steps) * 3 // 4] > 4 * ordered[len(steps) // 4]:
        return max(1.0, float(round(usual)))
    near = [step for step in steps if usual / 2 <= step <= usual * 2]
    even = sum(step == usual for step in steps) > len(steps) / 2
    return usual if even or usual >= 1 else sum(near) / len(near)


def _ends(cells: list[str], name: str, found: Findings) -> None:
    """A constant column, and an extreme value that comes again and again far from all others."""
    if len(cells) < 3:
        return
    if len(set(cells)) == 1:
        found.constant.append(name)
        return
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return
    distinct = sorted(set(values))
    if len(distinct) > 5 and distinct[0] < 0 <= distinct[1] and values.count(distinct[0]) >= max(3, len(values) // 50):
        found.sentinels[name] = cells[values.index(distinct[0])]  # the one number below zero, again and again
    for end, inner in ((distinct[0], distinct[1:]), (distinct[-1], distinct[:-1])):
        others = inner[-1] - inner[0]
        gap = min(abs(end - value) for value in (inner[0], inner[-1]))
        if values.count(end) >= 3 and len(inner) > 5 and gap > 3 * others and abs(end) >= 99:
            found.sentinels[name] = cells[values.index(end)]


def _remarks(found: Findings, file: FileConfig) -> list[str]:
    said = []
    if found.left_out:
        listed = ", ".join(f"{name} ({why})" for name, why in list(found.left_out.items())[:20])
        more = len(found.left_out) - 20
        said.append(f"left out: {listed}" + (f" and {more} more" if more > 0 else ""))
    for name, value in found.sentinels.items():
        said.append(f"{value} in {name} comes often and lies far from the others: if it means missing, --na {value}")
    if found.set_back is not None:
        said.append(
            f"clocks were put back at {found.set_back}: the hour comes twice. Rows are taken as they stand in the file "
            "(where the hour matters write offsets into the times)"
        )
        return said
    if found.late and not file.sort:
        said.append(f"{found.late} of the first rows are older than one before them (--sort puts them in order)")
    if found.doubled:
        said.append(f"{found.doubled} of the first rows have the time of one before them of the same series")
    return said


__all__ = ["MISSING", "Findings", "Layout", "Lines", "Look", "TimeReading", "look"]
