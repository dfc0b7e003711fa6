"""The table in a text file: its delimiter, where it begins, and what its columns are called."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from streamrnn.connectors.reading.headers import (
    another_header,
    first_row,
    header_above,
    is_header,
    is_units,
    kind_of_cell,
    names_of,
    typed_columns,
    with_all_names,
)
from streamrnn.errors import ConfigurationError

DELIMITERS = ("\t", ";", ",", "|")
_RARE = ("\x01", "\x1f", "^", "~", "¦")
"""Looked for where none of the usual ones parts the cells."""
SPACES = " "
"""As a delimiter: any number of blanks, where nothing else parts the cells."""
_RULE = re.compile(r"\(\d+ rows?\)$|\d+ rows? in set\b|[\s|+:=-]*[-=]{3}[\s|+:=-]*$|[\s|:-]*\|:?-+:?\|[\s|:-]*$")
_LOOKED_AT = 200  # lines that decide the delimiter
_MOST_CELLS = 400_000  # in the sample, so that a look at a hundred thousand columns takes no longer


Spans = tuple[tuple[int, int], ...]
_WORD = re.compile(r"\S+")
_TOO_NARROW = re.compile(r"(?:.*[;,\t|])?\s*\"?#{4,}\"?\s*[;,\t|]\s*\"?[\d.,-]")


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
    spans: Spans
    """Where the cells of each column stand, where blanks part them and some are missing."""
    notes: list[str]
    units: dict[str, str]  # by the names of the columns


def cells_of(line: str, delimiter: str) -> list[str]:
    """One line on its own: a broken one must not take the next into its open quotes. Raises `csv.Error`."""
    if '"' not in line:
        return line.split() if delimiter == SPACES else line.split(delimiter)
    if delimiter == SPACES:
        line = " ".join(line.split())
    elif '="' in line:
        line = _AS_TEXT.sub(r'\1"', line)
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


_OPENS = re.compile(r'(?:^|[,;\t| ~^])\s*"')
"""A quote that begins a cell; in `5" pipe` it opens nothing."""
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
    return trimmed(_untrimmed(line, delimiter), 1)


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
    )  # further down, where hardly any line does, and the rows begin otherwise
    if any(_TOO_NARROW.match(line) for _, line in lines):
        raise ConfigurationError(
            "a cell is ########: a spreadsheet writes that where a column is too narrow for its dates. Make it wider, "
            "and write the file again"
        )
    comments |= 0 < sum(line.startswith("#") for _, line in lines[40:]) < 0.05 * len(lines)
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
    # Last cells may be empty in every row: then the header is wider than what is in them, and no wider than they are.
    usual = range(width, max(width, _width(sizes)) + 1)
    wide = [
        i for i, size in enumerate(sizes)
        if size >= width and (_begins(grid[i : i + 3], width) or sizes[i + 1 : i + 2] == [usual[-1]])
    ]  # fmt: skip
    exact = [i for i in wide if sizes[i] in usual or len(grid[i][1]) in usual]
    first = next(iter(exact or wide), 0)
    typed = typed_columns(row for _, row in grid[first + 1 :] if len(row) <= usual[-1])
    if first and header is not False and not is_header(grid[first][1], typed):
        number, titles = grid[first - 1]
        whole = with_all_names(titles, [row for _, row in grid[first:] if len(row) == width], width, delimiter)
        if whole is not None:
            first -= 1
            grid[first] = (number, whole)
    data = first_row(grid, first, typed) if header is not False else first
    if header is not False and data > first + 1:
        first = header_above(grid, first, data, typed)
    names_at = grid[first][1]
    if header is None:
        header = is_header(names_at, typed)
    if first > 0:
        what = "the header" if header else "the first row"
        notes.append(f"line {grid[first][0] + 1} is {what}; {first} before it are none")
    texts = dict(lines)
    text = texts[grid[first][0]] if header else None
    units: dict[str, str] = {}
    if header:
        names, more = names_of(names_at, max(width, len(names_at)))
        notes += more
        begin = first + 1
        while begin < len(grid):
            cells_there = _untrimmed(texts[grid[begin][0]], delimiter)
            above = begin < data and len(cells_there) > max(typed, default=0)  # with fewer cells it is a broken row
            if not above and not (begin <= first + 3 and is_units(cells_there, typed)):
                break
            notes.append(
                f"line {grid[begin][0] + 1} is no row but units: {', '.join(filter(None, grid[begin][1]))[:80]}"
            )
            for name, cell in zip(names, cells_there, strict=False):
                if cell.strip():
                    units.setdefault(name, cell.strip())
            begin += 1
        data = begin
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
        skip = grid[first][0] + 1 + texts[grid[first][0]].count("\n")  # blank lines behind it are passed anyway
    if header and (begins := another_header(grid, data, typed, names_at)) is not None:
        return find_table([""] * begins + [*head[begins:]], later, delimiter=delimiter, header=header)
    # What has one cell where others have several is refused, be it a remark behind the rows: it says nothing of them.
    one = len(names) == 1
    body = [row for at, row in grid[data:] if one or len(row) > 1 or len(_untrimmed(texts[at], delimiter)) > 1]
    for line in later:
        if cells > _MOST_CELLS:
            break
        if line.strip() and not (comments and line.lstrip().startswith("#")):
            row = _parsed(line, delimiter)
            if one or len(row) > 1 or len(_untrimmed(line, delimiter)) > 1:
                body.append(row)
                cells += len(row)
    unnamed = frozenset(name for name, cell in zip(names, names_at, strict=False) if header and not cell.strip())
    repeated = None if text is None else _parsed(text, delimiter)
    body = [row for row in body if row and row != repeated and len(row) <= len(names)]
    # The last cells of a row may be empty and cut off with their delimiters: then many rows are short.
    raw = [len(trimmed(_untrimmed(line, delimiter), len(names))) for _, line in lines[-200:]]
    short = sum(1 < size < len(names) for size in raw)
    shortened = short >= max(2, 0.1 * len(raw))
    spans = _spans([texts[at] for at, row in grid[data:] if len(row) == len(names)], len(names)) if shortened else ()
    if delimiter == SPACES:
        # Any of the cells may be missing: only where they stand tells which.
        shortened = bool(spans)
        body = (
            [_placed(texts[at], spans) for at, _ in grid[data:]] if spans else [r for r in body if len(r) == len(names)]
        )
        if spans:
            notes.append("rows with fewer cells are read by where the cells stand in the line")
    rows = [row + [""] * (len(names) - len(row)) for row in body if row]
    return Table(delimiter, names, unnamed, text, rows, skip, comments, shortened, ruled, spans, notes, units)


def _spans(lines: Sequence[str], width: int) -> Spans:
    """From where to where the cells of each column stand in these whole lines; nothing where columns overlap."""
    found = [[(one.start(), one.end()) for one in _WORD.finditer(line)] for line in lines]
    columns = list(zip(*[row for row in found if len(row) == width], strict=True))
    spans = tuple((min(begin for begin, _ in column), max(end for _, end in column)) for column in columns)
    return spans if all(a[1] <= b[0] for a, b in itertools.pairwise(spans)) else ()


def placed(line: str, spans: Spans) -> list[str]:
    """The cells of a line in the columns in which they stand. Raises `ValueError` where that is unclear."""
    cells = [""] * len(spans)
    for word in _WORD.finditer(line):
        there = [at for at, (begin, end) in enumerate(spans) if word.start() < end and begin < word.end()]
        if len(there) != 1 or cells[there[0]]:
            raise ValueError(f"{word[0]!r:.40} stands under no column alone")
        cells[there[0]] = word[0]
    return cells


def _placed(line: str, spans: Spans) -> list[str]:
    try:
        return placed(line, spans)
    except ValueError:
        return []


def _commented_names(lines: Sequence[str], delimiter: str, width: int) -> tuple[str, ...]:
    """Names in a comment above the rows that has as many words as they have cells, as numpy and NOAA write them."""
    for line in lines:
        cells = [cell.strip().strip("(),") for cell in _untrimmed(line.strip().lstrip("#").strip(), delimiter)]
        named = all(kind_of_cell(cell) == "text" and len(cell) < 40 for cell in cells)
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
        if text.count('"') % 2 and _OPENS.search(text):
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
        # The line above the first row is the header: with a wrong delimiter it has another size.
        first = next(
            (
                at
                for at, line in enumerate(lines[:50])
                if sizes[at] == size and _typing([line], delimiter, size, empty=False) > 0.2
            ),
            0,
        )
        whole = (size, len(_untrimmed(lines[first], delimiter)))
        other_above = (
            first and sizes[first - 1] not in whole and len(_untrimmed(lines[first - 1], delimiter)) not in whole
        )
        score = alike - (0.5 if other_above else 0.0)
        if (score, _typing(lines, delimiter, size)) > best:
            best, choice = (score, _typing(lines, delimiter, size)), delimiter
    if parted < 0.5:
        # The last cell may be empty in nearly every row.
        for delimiter in DELIMITERS:
            sizes = [len(_untrimmed(line, delimiter)) for line in lines]
            if sizes.count(2) > 0.9 * len(sizes) and not any(
                _untrimmed(line, delimiter)[1:] == [""] for line in lines[:1]
            ):
                return delimiter
        for delimiter in _RARE:
            sizes = [len(_parsed(line, delimiter)) for line in lines]
            size = _width(sizes)
            if size > 1 and sizes.count(size) > 0.9 * len(sizes) and _typing(lines, delimiter, size) > 0.3:
                return delimiter
        sizes = [len(_parsed(line, SPACES)) for line in lines]
        size = _width(sizes)
        alike = sum(one == size for one in sizes) / max(len(sizes), 1)
        if size > 1 and alike > 0.75 and _typing(lines, SPACES, size) > 0.3:
            return SPACES
    return choice


def _typing(lines: Sequence[str], delimiter: str, size: int, *, empty: bool = True) -> float:
    """Share of cells of the last lines that read as numbers or times, or have nothing in them (`empty`)."""
    rows = [row for line in lines[-30:] if len(row := _parsed(line, delimiter)) == size]
    kinds = [kind_of_cell(cell.strip()) for row in rows for cell in row[:50]]
    others = ("text",) if empty else ("text", "missing")  # a header may lack the name of its first column
    return sum(kind not in others for kind in kinds) / max(len(kinds), 1)


def _width(sizes: Sequence[int]) -> int:
    """The usual number of cells; of two that are as frequent the larger."""
    counts = Counter(size for size in sizes if size)
    return max(counts, key=lambda size: (counts[size], size), default=1)


def _begins(rows: Sequence[tuple[int, list[str]]], width: int) -> bool:
    return len(rows) < 2 or abs(len(rows[1][1]) - width) <= 1 or len(rows[0][1]) in (width, len(rows[1][1]))
