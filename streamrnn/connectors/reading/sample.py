"""The rows that were looked at, as columns of text: where every decision starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.records.feedback import FIELD, VERDICTS

_DEEPEST = 6
_LONGEST = 200  # characters of a cell that are looked at


class Sample:
    """Columns of the sample; `head` of its rows stand one behind the other at the file's beginning."""

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str]], head: int, missing: frozenset[str]) -> None:
        self.names = tuple(names)
        self.rows = len(rows)
        self.head = min(head, self.rows)
        self._columns = {name: [row[at][:_LONGEST].strip() for row in rows] for at, name in enumerate(names)}
        self._missing = missing
        self.units: dict[str, str] = {}
        """What stands in the row of units under each name, where there is one."""

    def cells(self, name: str) -> list[str]:
        """Every cell of a column."""
        return self._columns[name]

    def known(self, name: str) -> list[str]:
        """The cells that are not missing."""
        return [cell for cell in self._columns[name] if cell.lower() not in self._missing]

    def joined(self, names: Sequence[str]) -> list[str]:
        """Cells of several columns together, where all are known."""
        rows = zip(*(self._columns[name] for name in names), strict=True)
        return [" ".join(row) for row in rows if not any(cell.lower() in self._missing for cell in row)]


Reshaped = tuple[Sample, dict[str, Any], EventConfig, FileConfig]
"""A sample in rows of another shape, what reads the file so, and the configuration that decides about those."""


def flattened(value: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Every value that is no object, by its path: `{"a": {"b": 1}}` is a.b."""
    for name, inner in value.items():
        path = f"{before}{name}"
        if isinstance(inner, dict) and depth < _DEEPEST:
            yield from flattened(inner, path + ".", depth + 1)
        else:
            yield path, inner


def at_path(value: Mapping[str, Any], path: str) -> Any:
    """What stands at a path; None where nothing does."""
    if path in value:
        return value[path]
    name, dot, rest = path.partition(".")
    while dot:
        inner = value.get(name)
        if isinstance(inner, dict) and (found := at_path(inner, rest)) is not None:
            return found
        more, dot, rest = rest.partition(".")
        name = f"{name}.{more}"
    return None


def text_of(value: Any) -> str:
    """A JSON value as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    return orjson.dumps(value).decode()[:200]


def objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The JSON objects among these lines."""
    found = []
    for line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict) and not ("alert" in value and value.get(FIELD) in VERDICTS):  # no columns
            found.append(value)
    return found


def columns_of(values: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Names and rows of these objects."""
    flat = [dict(flattened(value)) for value in values]
    names = list(dict.fromkeys(name for one in flat for name in one))
    return names, [[text_of(one.get(name)) for name in names] for one in flat]
