"""The table in a text file: its delimiter, where it begins, and what its columns are called."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from streamrnn.connectors.reading import clocks
from streamrnn.connectors.reading.missing import MISSING
from streamrnn.connectors.reading.numbers import is_plain, parts_of

DELIMITERS = ("\t", ";", ",", "|")
SPACES = " "
"""As a delimiter: any number of blanks, where nothing else parts the cells."""
_RULE = re.compile(r"\(\d+ rows?\)$|\d+ rows? in set\b|[\s|+:=-]*[-=]{3}[\s|+:=-]*$|[\s|:-]*\|:?-+:?\|[\s|:-]*$")
_LOOKED_AT = 200  # lines that decide the delimiter
_MOST_CELLS = 400_000  # in the sample, so that a look at a hundred thousand columns takes no longer


class Table(NamedTuple):
    """Cells of the sample, and how they came out of the lines."""

    delimiter: str
    names: tuple[str, ...]
    unnamed: frozenset[str]  # the columns without a name in the header
    header: str | None
    rows: list[list[str]]  # of the sample, as wide as the names
    skip: int  # lines of the file before the first row
    comments: bool
    short_rows: bool
    ruled: bool
    notes: list[str]


def cells_of(line: str, delimiter: str) -> list[str]:
    """One line on its own: a broken one must not take the next into its open quotes. Raises `csv.Error`."""
    if '"' not in line:
        return line.split() if delimiter == SPACES else line.split(delimiter)
    if delimiter == SPACES:
        line = " ".join(line.split())
    elif '="' in line:
        line = _AS_TEXT.sub(r'\1"', line)
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


_AS_TEXT = re.compile(r'(^|[,;\t|])="')
"""`="0012"` keeps a spreadsheet from reading a number."""


def is_rule(line: str) -> bool:
    """Whether a line only parts header from rows, or counts them, as `psql`, `mysql` and Markdown do."""
    return _RULE.match(line) is not None


def trimmed(cells: list[str], width: int) -> list[str]:
    """Without the empty cells that follow a last delimiter."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _parsed(line: str, delimiter: str) -> list[str]:
    try:
        cells = cells_of(line, delimiter)
    except csv.Error:
        return []
    while len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def find_table(
    head: Sequence[str], later: Sequence[str], *, delimiter: str | None = None, header: bool | None = None
) -> Table | None:
    """The table of a file whose first lines are `head`, and of which `later` are lines from further on.

    None when there is no line that could be one. Lines are without their ends; blank ones count where lines count.
    """
    notes: list[str] = []
    begin = next((at for at, line in enumerate(head) if line.strip()), len(head))
    if begin < len(head) and head[begin].lower().startswith("sep=") and len(head[begin].rstrip()) <= 5:
        delimiter = delimiter or (head[begin].rstrip("\r\n")[4:5] or None)
        notes.append(f"line {begin + 1} names the delimiter")
        begin += 1
    lines = [(at, line) for at, line in enumerate(head[begin:], begin) if line.strip()]
    if not lines:
        return None
    comments = any(line.lstrip().startswith("#") for _, line in lines[1:40]) or (
        lines[0][1].startswith("#") and len(lines) > 2
    )
    if comments:
        lines = _without_comments(lines)
    ruled = any(is_rule(line) for _, line in lines[:40])
    if ruled:
        lines = [(at, line) for at, line in lines if not is_rule(line)]
        if not lines:
            return None
    lines = _with_open_quotes_closed(lines)
    if delimiter is None:
        delimiter = find_delimiter([line for _, line in lines[:_LOOKED_AT]])
    grid: list[tuple[int, list[str]]] = []
    cells = 0
    for at, line in lines:
        grid.append((at, _parsed(line, delimiter)))
        cells += len(grid[-1][1])
        if cells > _MOST_CELLS and len(grid) > 3:
            break
    width = _width([len(row) for _, row in grid])
    sizes = [
        max(len(row), len(_untrimmed(text, delimiter))) for (_, row), (_, text) in zip(grid[:100], lines, strict=False)
    ]
    wide = [i for i, size in enumerate(sizes) if size >= width and _begins(grid[i : i + 3], width)]
    usual = {width, _width(sizes)}
    exact = [i for i in wide if usual & {sizes[i], len(grid[i][1])}]
    first = next(iter(exact or wide), 0)
    if first and len(grid[first - 1][1]) == width - 1 and all(_kind(cell) == "text" for cell in grid[first - 1][1]):
        first -= 1  # the column of row names has none, as R writes it
        grid[first] = (grid[first][0], ["", *grid[first][1]])
    typed = _typed(row for _, row in grid[first + 1 :] if len(row) <= width)
    names_at = grid[first][1]
    if header is None:
        header = _is_header(names_at, typed)
    if first > 0:
        what = "the header" if header else "the first row"
        notes.append(f"line {grid[first][0] + 1} is {what}; {first} before it are none")
    texts = dict(lines)
    text = texts[grid[first][0]] if header else None
    if header:
        names, more = _names(names_at, max(width, len(names_at)))
        notes += more
        data = first + 1
        while data < len(grid) and data <= first + 3 and _is_units(_untrimmed(texts[grid[data][0]], delimiter), typed):
            notes.append(f"line {grid[data][0] + 1} is no row but units: {', '.join(filter(None, grid[data][1]))[:80]}")
            data += 1
    else:
        names = _commented_names(head[: grid[first][0]], delimiter, width) if comments else ()
        data = first
        if names:
            notes.append(f"a comment names the columns: {', '.join(names)[:80]}")
        else:
            names = tuple(f"column{number + 1}" for number in range(width))
            notes.append("no header: the columns are called column1, column2 ...")
    skip = grid[data][0] if data < len(grid) else (grid[-1][0] + 1 if grid else len(head))
    if header and data == first + 1:
        skip = grid[first][0] + 1  # blank lines behind it are passed anyway
    body = [row for _, row in grid[data:]]
    for line in later:
        if cells > _MOST_CELLS:
            break
        if line.strip() and not (comments and line.lstrip().startswith("#")):
            body.append(_parsed(line, delimiter))
            cells += len(body[-1])
    unnamed = frozenset(name for name, cell in zip(names, names_at, strict=False) if header and not cell.strip())
    repeated = None if text is None else _parsed(text, delimiter)
    body = [row for row in body if row and row != repeated and len(row) <= len(names)]
    # The last cells of a row may be empty and cut off with their delimiters: then many rows are short.
    raw = [len(trimmed(_untrimmed(line, delimiter), len(names))) for _, line in lines[-200:]]
    short = sum(1 < size < len(names) for size in raw)
    rows = [row + [""] * (len(names) - len(row)) for row in body]
    return Table(delimiter, names, unnamed, text, rows, skip, comments, short >= max(2, 0.1 * len(raw)), ruled, notes)


def _commented_names(lines: Sequence[str], delimiter: str, width: int) -> tuple[str, ...]:
    """Names in a comment above the rows that has as many words as they have cells, as numpy and NOAA write them."""
    for line in lines:
        cells = [cell.strip() for cell in _untrimmed(line.strip().lstrip("#").strip(), delimiter)]
        named = all(_kind(cell) == "text" and len(cell) < 40 for cell in cells)
        if line.lstrip().startswith("#") and len(cells) == width == len(set(cells)) and named:
            return tuple(cells)
    return ()


def _untrimmed(line: str, delimiter: str) -> list[str]:
    try:
        return cells_of(line, delimiter)
    except csv.Error:
        return []


def _with_open_quotes_closed(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Lines that a quote leaves open, together with those up to where it closes."""
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(lines):
        number, text = lines[at]
        at += 1
        if text.count('"') % 2:
            for more in range(at, min(at + 20, len(lines))):
                if lines[more][1].count('"') % 2:
                    text = "\n".join([text, *(line for _, line in lines[at : more + 1])])
                    at = more + 1
                    break
        found.append((number, text))
    return found


def _without_comments(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(at, line) for at, line in lines if not line.lstrip().startswith("#")] or lines


def find_delimiter(lines: Sequence[str]) -> str:
    """What parts the cells of most lines into the same number of cells, outside of quotes."""
    best, choice = (0.0, 0.0), ","
    parted = 0.0
    for delimiter in DELIMITERS:
        sizes = [len(_parsed(line, delimiter)) for line in lines]
        size = _width(sizes)
        if size < 2:
            continue
        alike = sum(one == size for one in sizes) / len(sizes)
        parted = max(parted, alike)
        # The last line that stands apart at the top is the header: with a wrong delimiter it has another size.
        top = max((at for at, one in enumerate(sizes[:50]) if one != size), default=-1)
        score = alike - (0.5 if top == 0 else 0.0)
        if (score, _typing(lines, delimiter, size)) > best:
            best, choice = (score, _typing(lines, delimiter, size)), delimiter
    if parted < 0.5:
        sizes = [len(line.split()) for line in lines]
        size = _width(sizes)
        alike = sum(one == size for one in sizes) / max(len(sizes), 1)
        if size > 1 and alike > 0.75 and _typing(lines, SPACES, size) > 0.3:
            return SPACES
    return choice


def _typing(lines: Sequence[str], delimiter: str, size: int) -> float:
    """Share of cells of the last lines that read as numbers or times."""
    rows = [row for line in lines[-30:] if len(row := _parsed(line, delimiter)) == size]
    cells = [cell.strip() for row in rows for cell in row[:50]]
    return sum(_kind(cell) != "text" for cell in cells) / max(len(cells), 1)


def _width(sizes: Sequence[int]) -> int:
    """The usual number of cells; of two that are as frequent the larger."""
    counts = Counter(size for size in sizes if size)
    return max(counts, key=lambda size: (counts[size], size), default=1)


def _begins(rows: Sequence[tuple[int, list[str]]], width: int) -> bool:
    return len(rows) < 2 or abs(len(rows[1][1]) - width) <= 1 or len(rows[0][1]) == width


def _kind(cell: str) -> str:
    text = cell.strip()
    if text.lower() in MISSING:
        return "missing"
    if is_plain(text):
        return "number"
    if len(text) > 60:
        return "text"
    if clocks.is_clock([text]) or clocks.recognises(text):
        return "time"
    return "number" if parts_of(text) is not None else "text"


def _typed(rows: object) -> dict[int, str]:
    """Columns whose cells are nearly all numbers or times, by number."""
    counts: dict[int, Counter[str]] = {}
    for row in list(rows)[:100]:  # type: ignore[call-overload]
        for at, cell in enumerate(row[:2000]):
            counts.setdefault(at, Counter())[_kind(cell)] += 1
    typed = {}
    for at, found in counts.items():
        known = sum(found.values()) - found["missing"]
        kind = max(("number", "time", "text"), key=lambda name: found[name])
        if known and kind != "text" and found[kind] >= 0.75 * known:
            typed[at] = kind
    return typed


def _is_header(cells: Sequence[str], typed: dict[int, str]) -> bool:
    """Whether a first line names columns. What stands over numbers or times and is none is a name."""
    kinds = {at: _kind(cell) for at, cell in enumerate(cells[:2000])}
    if not typed:
        # Nothing to compare with: a line with a time or of numbers alone is a row.
        known = [kind for kind in kinds.values() if kind != "missing"]
        return not known or ("time" not in known and set(known) != {"number"})
    years = [int(cell) for cell in cells if cell.strip().isdigit() and 1900 <= int(cell) <= 2100]
    if len(years) > 1 and len(years) >= len(cells) - 2 and years == list(range(years[0], years[0] + len(years))):
        return True  # a column per year
    named = [at for at in typed if kinds.get(at) == "text" and parts_of(cells[at]) is None]
    if named:
        return True
    return not any(kinds.get(at) == kind for at, kind in typed.items())


def _is_units(cells: Sequence[str], typed: dict[int, str]) -> bool:
    """Whether a row under the header is none: text or nothing where the others have numbers and times."""
    kinds = [_kind(cells[at]) if at < len(cells) else "missing" for at in typed]
    texts = sum(kind == "text" for kind in kinds)
    if not typed or len(cells) <= max(typed):
        return False  # a broken row
    return texts > 0 and all(kind in ("text", "missing") for kind in kinds)


def _names(cells: Sequence[str], width: int) -> tuple[tuple[str, ...], list[str]]:
    names: list[str] = []
    notes: list[str] = []
    taken = {cell.strip() for cell in cells}
    given: set[str] = set()
    for cell in [*cells, *[""] * (width - len(cells))]:
        name = cell.strip().lstrip("\ufeff")
        if not name:
            name = f"column{len(names) + 1}" if f"column{len(names) + 1}" not in taken else ""
        elif name in given:
            number = 1
            while f"{name}.{number}" in given or f"{name}.{number}" in taken:
                number += 1
            notes.append(f"two columns are called {name}: the later one is {name}.{number} here")
            name = f"{name}.{number}"
        names.append(name)
        given.add(name)
    return tuple(names), notes
