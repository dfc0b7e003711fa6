"""JSON documents that say in words of their own where their rows stand: JSON-stat, SenML, rrdtool, Socrata."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streamrnn.connectors.reading.sample import at_path

Row = dict[str, Any]
_SENML = {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"}
"""The names of fields that RFC 8428 knows; without others and with some of these an object is a record."""
_SINCE_NOW = 2**28  # seconds: smaller times of SenML count from when it was sent
_NAMES = ("columns", "fields", "headers", "names")
_DEEPEST = 5


def is_senml(value: Any) -> bool:
    """Whether these are records of SenML."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return False
    named = any(name in one for one in value for name in ("n", "bn"))
    return named and all(one.keys() <= _SENML and one.keys() & {"v", "vs", "vb", "s", "bn"} for one in value)


def begins_senml(text: bytes) -> bool:
    """Whether an array of records of SenML begins here."""
    return re.match(rb'\[\s*\{[^{}]*"(?:bn|bt|n|bver)"\s*:[^{}]*\}', text) is not None and b'"v"' in text[:2000]


def senml(records: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """What is measured, each with its full name as key: base name, time, unit and value hold for all that follow."""
    name, unit, time, value = "", None, 0.0, 0.0
    for one in records:
        name, unit = str(one.get("bn", name)), one.get("bu", unit)
        time, value = float(one.get("bt", time)), float(one.get("bv", value))
        if one.keys() & {"v", "s"}:
            number = one["v"] + value if isinstance(one.get("v"), int | float) else one.get("v", one.get("s"))
            yield {"key": f"{name}{one.get('n', '')}", "time": time + float(one.get("t", 0.0)), "value": number,
                   "unit": one.get("u", unit)}  # fmt: skip


def json_stat(value: Mapping[str, Any]) -> list[Row] | None:
    """A cube of a statistics office: a row for each cell, with a column for each dimension."""
    ids, sizes = (
        value.get("id") or at_path(value, "dimension.id"),
        value.get("size") or at_path(value, "dimension.size"),
    )
    dimensions, cells = value.get("dimension"), value.get("value")
    if not (isinstance(ids, list) and isinstance(sizes, list) and isinstance(dimensions, dict) and cells):
        return None
    if len(ids) != len(sizes) or not all(type(size) is int for size in sizes):
        return None
    codes = [_codes(dimensions.get(name)) for name in ids]
    if [len(one) for one in codes] != sizes or not isinstance(cells, list | dict):
        return None
    order = [at for at, name in enumerate(ids) if not _is_time(name)] + [
        at for at, name in enumerate(ids) if _is_time(name)
    ]
    strides = [math.prod(sizes[at + 1 :]) for at in range(len(sizes))]
    rows = []
    known = cells if isinstance(cells, dict) else {str(at): cell for at, cell in enumerate(cells)}
    for places in itertools.product(*(range(sizes[at]) for at in order)):
        number = sum(place * strides[at] for at, place in zip(order, places, strict=True))
        row = {str(ids[at]): codes[at][place] for at, place in zip(order, places, strict=True)}
        rows.append({**row, "value": known.get(str(number))})
    return rows


def _is_time(name: object) -> bool:
    return str(name).lower() in ("time", "time_period", "tid", "year", "month", "date", "period")


def _codes(dimension: Any) -> list[str]:
    """The codes of a dimension, in order."""
    index = at_path(dimension, "category.index") if isinstance(dimension, dict) else None
    if isinstance(index, dict):
        return sorted(index, key=lambda code: index[code])
    if isinstance(index, list):
        return [str(code) for code in index]
    labels = at_path(dimension, "category.label") if isinstance(dimension, dict) else None
    return list(labels) if isinstance(labels, dict) else []


def rrdtool(value: Mapping[str, Any]) -> list[Row] | None:
    """`rrdtool xport --json`: rows of numbers, and beside them when the first begins and how long each is."""
    meta, data = value.get("meta"), value.get("data")
    if not isinstance(meta, dict) or not isinstance(data, list) or not {"start", "step", "legend"} <= meta.keys():
        return None
    names, start, step = meta["legend"], meta["start"], meta["step"]
    fit = isinstance(names, list) and all(isinstance(row, list) and len(row) == len(names) for row in data)
    if not fit or not isinstance(start, int) or not isinstance(step, int):
        return None
    return [{"time": start + at * step, **dict(zip(map(str, names), row, strict=True))} for at, row in enumerate(data)]


def named_elsewhere(value: Mapping[str, Any]) -> list[Row] | None:
    """Rows in `data`, whose columns are named deeper in the document, as Socrata does."""
    data = value.get("data")
    if not isinstance(data, list) or not data or not all(isinstance(row, list) and row for row in data):
        return None
    widths = {len(row) for row in data}
    if len(widths) != 1 or any(isinstance(cell, dict) for cell in data[0]):
        return None
    names = names_in(value, widths.pop())
    return None if names is None else [dict(zip(names, row, strict=True)) for row in data]


def names_in(value: Any, width: int, depth: int = 0) -> list[str] | None:
    """So many names of columns that stand in one list, however deep; None where there is none."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for name, inner in value.items():
        if name in _NAMES and isinstance(inner, list) and len(inner) == width:
            said = [one.get("name") or one.get("fieldName") if isinstance(one, dict) else one for one in inner]
            if all(isinstance(one, str) for one in said) and len(set(said)) == width:
                return [str(one) for one in said]
        if (found := names_in(inner, width, depth + 1)) is not None:
            return found
    return None
