"""The header of a table: which line names the columns, where the rows begin, and what is neither."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

from streamrnn.connectors.reading import clocks
from streamrnn.connectors.reading.missing import MISSING
from streamrnn.connectors.reading.numbers import is_plain, parts_of
from streamrnn.errors import ConfigurationError

_BLANK = " \t\ufeff"
_DIGITS = re.compile(r"\d")
_ABOUT = 5  # rows of a table above that is none to read
_FEW_YEARS = 3
_PREAMBLE = 20  # lines with as many cells as rows have, before the first of them


def kind_of_cell(cell: str) -> str:
    """`missing`, `number`, `time` or `text`."""
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


def typed_columns(rows: object) -> dict[int, str]:
    """Columns whose cells are nearly all numbers or times, by number."""
    counts: dict[int, Counter[str]] = {}
    epochs: Counter[int] = Counter()  # digits alone, as many as in seconds to nanoseconds since 1970
    for row in list(rows)[:100]:  # type: ignore[call-overload]
        for at, cell in enumerate(row[:2000]):
            counts.setdefault(at, Counter())[kind_of_cell(cell)] += 1
            epochs[at] += len(cell.strip()) in (10, 13, 16, 19) and cell.strip().isdigit()
    typed = {}
    for at, found in counts.items():
        known = sum(found.values()) - found["missing"]
        kind = max(("number", "time", "text"), key=lambda name: found[name])
        if known and kind != "text" and found[kind] >= 0.75 * known:
            typed[at] = "time" if kind == "number" and epochs[at] == known else kind
    return typed


def with_all_names(above: Sequence[str], rows: Sequence[Sequence[str]], width: int, delimiter: str) -> list[str] | None:
    """The names in the line above the first row, where it has fewer than the rows have cells; None: they are none.

    Raises `ConfigurationError` where nobody can tell which name is lacking.
    """
    if delimiter == " " and (at := _clock_of_two(above, rows)) is not None:
        return [*above[: at + 1], f"{above[at]} (time of day)", *above[at + 1 :]]  # one is over a date and its clock
    if delimiter == " " and (at := _clock_of_two(["index", *above], rows)) is not None:
        names = ["", *above]  # nor has the column of row names one, as R and pandas print it
        return [*names[: at + 1], f"{names[at] or 'index'} (time of day)", *names[at + 1 :]]
    if _lacks_row_names(above, width) and not _names_its_first(above, rows):
        return ["", *above]  # the column of row names has none, as R writes it
    _refuse_short_header(above, rows, width, delimiter)
    return None


def _lacks_row_names(cells: Sequence[str], width: int) -> bool:
    """Whether names lack the one of the first column: words of which none is a comment or a sentence."""
    return len(cells) == width - 1 and all(
        kind_of_cell(cell) == "text" and cell[:1] not in "%;/!*" and (width > 2 or " " not in cell.strip())
        for cell in cells
    )


def _clock_of_two(above: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """Which name is over a date and a time of day that blanks part, in a line with one name fewer than cells."""
    if not rows or len(above) != len(rows[0]) - 1:
        return None
    if any(kind_of_cell(cell) != "text" for cell in above):
        return None
    for at in range(len(above)):
        dates, clocks_behind = [row[at] for row in rows[:50]], [row[at + 1] for row in rows[:50]]
        if all(map(clocks.recognises, dates)) and clocks.is_clock(clocks_behind) and not any(map(is_plain, dates)):
            return at
    return None


def _names_its_first(above: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first name is that of the times in the first column, so that a name lacks elsewhere."""
    cells = [row[0].strip() for row in rows[:50]]
    return bool(above) and _calls_it_time(above[0]) and bool(cells) and all(map(clocks.recognises, cells))


def _refuse_short_header(above: Sequence[str], rows: Sequence[Sequence[str]], width: int, delimiter: str) -> None:
    """A header with fewer names than the rows have cells: a comma that parts cells may be the decimal mark, too."""
    named = [cell for cell in above if cell.strip()]
    if not 1 < len(named) == len(above) < width or not rows or not all(kind_of_cell(cell) == "text" for cell in above):
        return
    if not _names_its_first(above, rows):
        return
    pieces = all(cell.strip().isdigit() for row in rows[:50] for cell in row[2:] if cell.strip())
    why = "numbers with a decimal comma must be in quotes, or parted by ;" if delimiter == "," and pieces else ""
    raise ConfigurationError(
        f"the header has {len(above)} names ({', '.join(above)[:60]}) and the rows have {width} cells"
        f" ({delimiter.join(rows[0])[:80]}): " + (why or "write a name for each column, or --set file.header=false")
    )


def another_header(
    grid: Sequence[tuple[int, list[str]]], data: int, typed: dict[int, str], header: Sequence[str]
) -> int | None:
    """A line in the middle that names columns as the header does not, where what stands above it are a few rows.

    They say what the file is about. Raises `ConfigurationError` where another table of many rows begins.
    """
    timed = [at for at, kind in typed.items() if kind == "time"]
    if not timed:
        return None
    known = [cell.strip(_BLANK) for cell in header]
    for row, (number, cells) in enumerate(grid[data:]):
        if [cell.strip(_BLANK) for cell in cells] == known:
            continue
        texts = [cells[at].strip(_BLANK) if at < len(cells) else "" for at in typed]
        names = bool(texts) and all(kind_of_cell(text) == "text" for text in texts) and len(set(texts)) == len(texts)
        if names and len(texts) > 1 and _calls_it_time(cells[timed[0]]):
            if row < _ABOUT and len(grid) - data > 4 * _ABOUT:
                return number
            raise ConfigurationError(
                f"line {number + 1} begins another table ({', '.join(cells)[:80]}): a file holds one. Write each into "
                "a file of its own"
            )
    return None


def first_row(grid: Sequence[tuple[int, list[str]]], first: int, typed: dict[int, str]) -> int:
    """The first line from `first` on whose cells are times and numbers where nearly all others have them.

    `first` itself where the lines above it do not speak against it.
    """
    timed = [at for at, kind in typed.items() if kind == "time"][:1]
    for number in range(first, min(len(grid), first + _PREAMBLE)):
        kinds = {at: kind_of_cell(cell) for at, cell in enumerate(grid[number][1]) if at in typed}
        others = {kind for at, kind in kinds.items() if at not in timed}
        if (
            timed
            and _is_time_like(grid[number][1], timed[0], kinds)
            and others != {"text"}
            and set(kinds.values()) - {"text", "missing"}
        ):
            return number
        if timed and _has_its_numbers(grid[number][1], timed[0], kinds, typed):
            return number  # its date is written in a way that is not known
        if not timed and typed and all(kinds.get(at, "missing") in (kind, "missing") for at, kind in typed.items()):
            return number
    return first


def _has_its_numbers(cells: Sequence[str], at: int, kinds: dict[int, str], typed: dict[int, str]) -> bool:
    """Whether a line has digits for the time and numbers under all columns of numbers."""
    others = [kinds.get(one) for one, kind in typed.items() if kind == "number"]
    return bool(others) and set(others) == {"number"} and at < len(cells) and len(_DIGITS.findall(cells[at])) > 2


def _is_time_like(cells: Sequence[str], at: int, kinds: dict[int, str]) -> bool:
    return kinds.get(at) in ("time", "missing") or (at < len(cells) and cells[at].strip().isdigit())


def header_above(grid: Sequence[tuple[int, list[str]]], first: int, data: int, typed: dict[int, str]) -> int:
    """Which of the lines above the first row names the columns: the one that calls the times so, else the first.

    Lines with a blank one below them are a preamble.
    """
    timed = next((at for at, kind in typed.items() if kind == "time"), None)

    def names_over(number: int) -> int:
        return sum(at < len(grid[number][1]) and kind_of_cell(grid[number][1][at]) == "text" for at in typed)

    if grid[0][1][:1] in (["TOA5"], ["TOACI1"]) and data > 1:
        return 1  # a logger of Campbell: units and how it was made of them stand below
    for number in range(data - 1, first, -1):
        cells = grid[number][1]
        above = [cells[at].strip() if at < len(cells) else "" for at in typed]
        words = sum(kind_of_cell(cell) == "text" for cell in above)
        if timed is None and number == data - 1 and words == len(typed):
            return number
        if (
            timed is not None
            and timed < len(cells)
            and _calls_it_time(cells[timed])
            and words > 1
            and words >= len(typed) / 2
        ):
            return number
    begin = first
    for number in range(first + 1, data):
        if grid[number][0] > grid[number - 1][0] + 1:
            begin = number
    if names_over(begin) < 2:  # a sentence; the time may have no name
        begin = max(range(begin, data), key=lambda number: (names_over(number), -number))
    return begin


def _calls_it_time(cell: str) -> bool:
    plain = cell.strip().lower()
    return clocks.says_time(plain) or plain.endswith(("date", "time", "datum", "stamp"))


def is_header(cells: Sequence[str], typed: dict[int, str]) -> bool:
    """Whether a first line names columns. What stands over numbers or times and is none is a name."""
    kinds = {at: kind_of_cell(cell) for at, cell in enumerate(cells[:2000])}
    if not typed:
        # Nothing to compare with: a line with a time or of numbers alone is a row.
        known = [kind for kind in kinds.values() if kind != "missing"]
        return not known or ("time" not in known and set(known) != {"number"})
    years = [int(cell) for cell in cells if cell.strip().isdigit() and 1700 <= int(cell) <= 2100]
    if len(years) > 1 and len(years) >= len(cells) - 8 and _are_in_order(years):
        return all(
            kind_of_cell(cell) in ("text", "missing") for cell in cells if not cell.strip().isdigit()
        )  # one per year
    named = [at for at in typed if kinds.get(at) == "text" and parts_of(cells[at]) is None]
    if named:
        return True
    return not any(kinds.get(at) in (kind, "number") for at, kind in typed.items())


def _are_in_order(years: Sequence[int]) -> bool:
    """One year after the other, or the newest first, or each fifth or tenth."""
    steps = {b - a for a, b in itertools.pairwise(years)}
    return steps in ({1}, {-1}) or (len(years) > _FEW_YEARS and steps in ({5}, {10}, {-5}, {-10}))


def is_units(cells: Sequence[str], typed: dict[int, str]) -> bool:
    """Whether a row under the header is none: text or nothing where the others have numbers and times."""
    kinds = [kind_of_cell(cells[at]) if at < len(cells) else "missing" for at in typed]
    texts = sum(kind == "text" for kind in kinds)
    if typed and len(typed) > 1 and len(cells) > 1 and all(kind_of_cell(cell) == "text" for cell in cells):
        return True  # where blanks part the cells those without a unit are none
    if not typed or len(cells) <= max(typed):
        return False  # a broken row
    return texts > 0 and all(kind in ("text", "missing") for kind in kinds)


def names_of(cells: Sequence[str], width: int) -> tuple[tuple[str, ...], list[str]]:
    """Names for so many columns, each of its own, and what to say of those that had none of their own."""
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
