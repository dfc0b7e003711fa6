"""Numbers as people write them: the marks and units of a column, decided over its whole sample and never per cell."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from streamrnn.connectors.reading.layout import Decimal, NumberReading
from streamrnn.records.event_schema import LARGEST_VALUE

ENOUGH = 0.9
"""Share of the known cells that must read as numbers: some broken ones do not decide what a column is."""

_WORDS = 5
"""So many words may stand for a missing value in one column."""

TRUE, FALSE = frozenset({"true", "t", "yes", "y", "on"}), frozenset({"false", "f", "no", "n", "off"})

_SPACES = "\u00a0\u202f\u2009_"
_DASHES = str.maketrans(dict.fromkeys("–‐‑‒﹣－", "−"))
_UNIT = r"(?![^\s]*\d{3})[A-Za-z%‰°ºµμΩ²³€$£¥₹₽₩/][^\s:;,()]*"
_CURRENCY = r"(?:[A-Z]{0,2}[$€£¥₹₽₩₿]|\\|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|BRL|AUD|CAD|NZD|Fr\.|kr\.?|zł)"
_NUMBER = re.compile(
    rf"(?:(?P<before>{_CURRENCY})\s*(?=\())?(?P<open>\()?\s*(?P<sign>[-+−])?\s*(?P<prefix>{_CURRENCY})?\s*(?P<sign2>[-+−])?\s*"
    rf"(?P<core>\d[\d.,'’ ]*|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?\s*"
    rf"(?P<suffix>{_UNIT}(?: [A-Za-z$€£¥][^\s:;,()\d]*)?)?\s*"
    r"(?P<close>\))?\s*(?P<behind>[-−])?[*#†‡]?$"  # a mark of a footnote says nothing about the number
)
_MARKS: tuple[tuple[Decimal, str], ...] = (
    (".", ""),
    (".", ","),
    (",", ""),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
    (",", "'"),
)


def _shape(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = r"\d+"
    if thousands:
        # `1,23,456` is how lakhs are written.
        mark = re.escape(thousands)
        groups = rf"(?:{mark}\d{{3}})+|{mark}\d\d(?:{mark}\d\d)*{mark}\d{{3}}"
        whole = rf"(?:[1-9]\d{{0,2}}(?:{groups})|\d+)"  # `0,163` parts no thousands
    return re.compile(rf"(?:{whole}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)$")


_SHAPES = {marks: _shape(*marks) for marks in _MARKS}
_WHOLE = frozenset({"¥", "\\", "₩", "JPY", "KRW"})
"""Currencies without parts: a mark before three digits parts thousands."""
_CODED = re.compile(r"0\d+,\d+$")
"""`0231,1`: a number and a code of its quality, not one with a decimal comma."""
_THREES = re.compile(r"(?!0)\d{1,3}[.,]\d{3}$")


class Parts(NamedTuple):
    """A cell taken apart."""

    negative: bool
    core: str
    exponent: str
    unit: str


class Undecided(Exception):
    """A column that reads as numbers in two ways; `cell` is one that does."""

    def __init__(self, cell: str) -> None:
        super().__init__(cell)
        self.cell = cell


def is_plain(cell: str) -> bool:
    """Whether Python reads the same number, without any mark but a point."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def parts_of(cell: str) -> Parts | None:
    """Sign, digits with their marks, and unit; None when it is no number with at most one unit."""
    text = cell.strip()
    if not text.isascii():
        text = text.translate(_DASHES)
    for space in _SPACES:
        text = text.replace(space, " ")
    found = _NUMBER.match(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [sign for sign in (found["sign"], found["sign2"], found["behind"]) if sign]
    units = [unit for unit in (found["before"], found["prefix"], found["suffix"]) if unit]
    if len(signs) + bool(found["open"]) > 1 or len(units) > 1:
        return None
    negative = bool(found["open"]) or any(sign in "-−" for sign in signs)
    core = found["core"].strip().replace("’", "'")
    return Parts(negative, core, found["exponent"] or "", "".join(units))


def number_of(parts: Parts, decimal: str, thousands: str) -> float | None:
    """The number under these marks; None when they do not fit."""
    shape = _SHAPES.get((decimal, thousands))  # type: ignore[arg-type]
    if shape is None or not shape.match(parts.core):
        return None
    digits = parts.core.replace(thousands, "") if thousands else parts.core
    number = float(digits.replace(decimal, ".") + parts.exponent)
    return -number if parts.negative else number


def decide(cells: Sequence[str], decimal: Decimal | None = None, hint: Decimal | None = None) -> NumberReading | None:
    """How these known cells are read; None when they are no numbers.

    `decimal` is the mark that was asked for, `hint` the one that other columns of the file have. Raises `Undecided`
    when the cells read as different numbers in two ways and nothing speaks for one.
    """
    if not cells:
        return None
    plain = [cell for cell in cells if is_plain(cell)]
    if len(plain) == len(cells) and decimal != ",":
        _doubt(cells, hint, decimal)
        if hint != "," or not may_be_thousands(cells):
            return NumberReading()
    words = {cell.lower() for cell in cells}
    if words <= TRUE | FALSE:
        return NumberReading(boolean=True)
    taken = [(cell, parts) for cell, parts in ((cell, parts_of(cell)) for cell in cells) if parts is not None]
    if len(taken) < ENOUGH * len(cells):
        return None
    units = Counter(parts.unit for _, parts in taken)
    (unit, count), *_ = units.most_common(1)
    behind: Literal["", "flags", "scales"] = ""
    if len(units) > 1 and units[""] > len(taken) / 2 and all(map(_FLAG.match, units.keys() - {""})):
        unit, behind = "", "flags"
    elif len(units) > 1 and (chosen := _scaled(units)) is not None:
        unit, behind = chosen, "scales"
    elif count < ENOUGH * len(cells):
        return None
    alike = [(cell, parts) for cell, parts in taken if behind or parts.unit == unit]
    best: list[tuple[Decimal, str]] = []
    most = 0
    for marks in _MARKS:
        if decimal is not None and marks[0] != decimal:
            continue
        fit = sum(bool(_SHAPES[marks].match(parts.core)) for _, parts in alike)
        if fit > most:
            best, most = [marks], fit
        elif fit == most:
            best.append(marks)
    if most < ENOUGH * len(cells):
        return None
    if unit in _WHOLE and len(best) > 1:
        there = {mark for _, parts in alike for mark in ",." if mark in parts.core}
        best = [marks for marks in best if marks[1] in there and marks[0] not in there] or best
    marks = _chosen(best, alike, hint)
    if marks[0] == "," and sum(bool(_CODED.match(parts.core)) for _, parts in alike) > len(alike) / 2:
        return None
    return NumberReading(decimal=marks[0], thousands=marks[1], unit=unit, unit_behind=behind)


_FLAG = re.compile(r"[bcdefnprsuz]{1,2}$")
"""What statistics offices write behind a number: `p` is provisional, `e` estimated."""
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e-3, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "B": 1e9,
           "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Tsd.": 1e3, "Tsd": 1e3, "Mio.": 1e6, "Mio": 1e6,
           "Mrd.": 1e9, "Mrd": 1e9, "bn": 1e9}  # fmt: skip
MULTIPLES = 0.1
"""Of the cells, at least, where others have no unit."""
_TOO_SHORT = {"m", "n", "µ", "μ"}
"""Alone they are no thousandths: `5 m` are meters, or minutes, or millions."""


def _factor(unit: str, of: str) -> float | None:
    """How many of one unit another is, where both are multiples of one: 1024 of `GiB` in `MiB`; else None."""
    if unit == of:
        return 1.0
    bases = [unit[at:] for at in range(len(unit) + 1) if of.endswith(unit[at:])]
    for base in bases:
        scales = [1.0 if one == base else _SCALES.get(one.removesuffix(base)) for one in (unit, of)]
        if base[:1] != "i" and None not in scales and (base or not _TOO_SHORT & {unit, of}):
            return scales[0] / scales[1]  # type: ignore[operator]
    return None


def _scaled(units: Counter[str]) -> str | None:
    """The unit of cells whose units are multiples of one another, as a dashboard writes them; None: they are not.

    A letter behind few of many plain numbers is a mark (`0.1 T`: a trace) and no multiple.
    """
    if 0 < units.total() - units[""] < MULTIPLES * units.total() and units[""]:
        return None
    chosen = "" if "" in units else units.most_common(1)[0][0]
    return chosen if all(_factor(unit, chosen) is not None for unit in units) else None


def has_digit(cell: str) -> bool:
    """Whether there is a digit anywhere in it."""
    return any(character.isdigit() for character in cell)


def has_digit_first(cell: str) -> bool:
    """Whether it begins as a number does, and not as a name."""
    return cell.lstrip("-+−.,").strip()[:1].isdigit()


def without_words(cells: Sequence[str]) -> list[str]:
    """These cells without words like `M` or `Trace`, where they are few in kind and the numbers are most of them.

    Such words say why there is no number. A cell with a digit in it is a number of another form, and no such word.
    """
    words = [cell for cell in cells if not has_digit(cell)]
    if not words or len(set(words)) > _WORDS or len(words) > len(cells) / 2:
        return list(cells)
    return [cell for cell in cells if has_digit(cell)]


def _chosen(
    best: Sequence[tuple[Decimal, str]], alike: Sequence[tuple[str, Parts]], hint: Decimal | None
) -> tuple[Decimal, str]:
    """One of the marks that fit best. They differ only where every marked cell is like 1,234."""
    first = best[0]
    doubtful = [cell for cell, parts in alike if len({number_of(parts, *marks) for marks in best} - {None}) > 1]
    if not doubtful:
        return first
    if hint is not None and (fitting := [marks for marks in best if marks[0] == hint]):
        return fitting[0]
    # Most numbers have no mark and none of those has over three digits: the mark parts thousands, since decimal
    # places would hardly always be three or none.
    bare = [parts.core for _, parts in alike if parts.core.isdigit()]
    marked = [parts.core for _, parts in alike if not parts.core.isdigit()]
    if len(bare) >= len(marked) and all(len(core) <= 3 for core in bare):
        mark = next(character for core in marked for character in core if not character.isdigit())
        parted = [marks for marks in best if marks[1] == mark]
        if parted:
            return parted[0]
    raise Undecided(doubtful[0])


def may_be_thousands(cells: Sequence[str]) -> bool:
    """Whether points stand where marks of thousands would, in all cells that have one."""
    return any("." in cell for cell in cells) and all(_THREES.match(cell.lstrip("-+")) for cell in cells if "." in cell)


def _doubt(cells: Sequence[str], hint: Decimal | None, decimal: Decimal | None) -> None:
    """1.234 among whole numbers below a thousand may be a thousand: raises `Undecided`."""
    if decimal is not None or hint == "," or not may_be_thousands(cells):
        return
    bare = [cell for cell in cells if "." not in cell]
    marked = [cell for cell in cells if "." in cell]
    if len(bare) >= 2 * len(marked) and len(bare) >= 4 and all(len(cell.lstrip("-+")) <= 3 for cell in bare):
        raise Undecided(marked[0])


def reader(
    how: NumberReading | None, missing: frozenset[str], sentinels: frozenset[float]
) -> Callable[[str], float | None]:
    """What reads one cell: a number, None where it is missing; raises `ValueError` for anything else."""
    how = how or NumberReading()
    if how.boolean:
        return lambda cell: _boolean(cell, missing)
    if how != NumberReading():
        marks, unit, behind = (how.decimal, how.thousands), how.unit, how.unit_behind

        def marked(cell: str) -> float | None:
            if cell.strip().lower() in missing:
                return None
            parts = parts_of(cell)
            if parts is None or parts.unit == unit:
                return _checked(cell, None if parts is None else number_of(parts, *marks), sentinels)
            if behind == "flags" and _FLAG.match(parts.unit):
                return _checked(cell, number_of(parts, *marks), sentinels)
            factor = _factor(parts.unit, unit) if behind == "scales" else None
            number = None if factor is None else number_of(parts, *marks)
            return _checked(cell, None if number is None or factor is None else number * factor, sentinels)

        return marked

    def plain(cell: str) -> float | None:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if -LARGEST_VALUE <= number <= LARGEST_VALUE and number not in sentinels:
            return number
        if cell.strip().lower() in missing or number in sentinels:
            return None
        if number == number:
            raise ValueError(f"{cell.strip()!r:.60} is too large")
        parts = parts_of(cell)
        # 1,234.5 is read wherever it comes: no other reading fits it. 1,234 alone is not.
        whole = None if parts is None or parts.unit or "." not in parts.core else number_of(parts, ".", ",")
        return _checked(cell, whole, sentinels)

    return plain


def _boolean(cell: str, missing: frozenset[str]) -> float | None:
    word = cell.strip().lower()
    if word in TRUE or word in FALSE:
        return float(word in TRUE)
    if word in missing:
        return None
    raise ValueError(f"{cell.strip()!r:.60} is neither true nor false")


def _checked(cell: str, number: float | None, sentinels: frozenset[float]) -> float | None:
    if number is None:
        raise ValueError(f"{cell.strip()!r:.60} is no number")
    if number in sentinels:
        return None
    if not -LARGEST_VALUE <= number <= LARGEST_VALUE:
        raise ValueError(f"{cell.strip()!r:.60} is too large")
    return number
