"""The rows in one JSON document, wherever they stand: what monitoring, databases and market services answer.

A table is a list of objects, a list of pairs of time and value, lists side by side, names beside a list of rows, or
values by their times. Tables of one shape are one series each; their key is what is said around them and differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from streamrnn.connectors.reading.clocks import by_size, recognises, says_time
from streamrnn.connectors.reading.sample import at_path, flattened

Row = dict[str, Any]
_DEEPEST = 12
_LABELS = ("target", "label", "metric", "name", "scope", "series", "expression", "host", "instance")
"""Names of what tells series apart, the likeliest first."""
_NAMES, _ROWS = ("columns", "names", "fields", "headers"), ("values", "data", "rows")


class Table(NamedTuple):
    """Rows that stand together."""

    path: tuple[str, ...]
    """Where: `*` for every list on the way."""
    labels: Mapping[str, str]
    """What is said around them."""
    rows: Sequence[Row]


def rows_of(document: Any) -> Iterator[Row]:
    """The rows of the largest table, or of the tables of one shape that are largest together."""
    if _is_rows(document):
        yield from _listed(document)
        return
    if isinstance(document, list) and all(isinstance(one, list) for one in document):
        for states in document:
            yield from _history(states)
        return
    result = at_path(document, "data.result") if isinstance(document, dict) else None
    if isinstance(result, list) and result and all(isinstance(one, dict) and "metric" in one for one in result):
        yield from _prometheus(result)
        return
    groups: dict[tuple[object, ...], list[Table]] = {}
    for table in tables(document):
        in_a_list = table.path[-1:] == ("*",)
        groups.setdefault(table.path if in_a_list else (table.path[:-1], *table.rows[0]), []).append(table)
    if not groups:
        yield from [document] if isinstance(document, dict) else []
        return
    largest = max(groups.values(), key=lambda group: sum(len(table.rows) for table in group))
    if len(largest) == 1:
        yield from largest[0].rows
        return
    for key, table in zip(_keys(largest), largest, strict=True):
        for row in table.rows:
            yield {"key" if "key" not in row else "series": key, **row}


def has_tables(document: Any) -> bool:
    """Whether there are rows with times in it."""
    return any(len(table.rows) > 1 and _has_time(table.rows) for table in tables(document))


def _has_time(rows: Sequence[Row]) -> bool:
    flat = dict(flattened(rows[0]))
    return any(says_time(name) or (isinstance(value, str) and recognises(value)) for name, value in flat.items())


def _keys(group: Sequence[Table]) -> list[str]:
    """A name for each of these tables: one thing that is said around them, all that differs, or where they stand."""
    common = [name for name in group[0].labels if all(name in table.labels for table in group)]
    differing = [name for name in common if len({table.labels[name] for table in group}) > 1]
    ranked = sorted(differing, key=lambda name: next((at for at, one in enumerate(_LABELS) if one in name.lower()), 99))
    for name in ranked:
        if len({table.labels[name] for table in group}) == len(group):
            return [table.labels[name] for table in group]
    together = ["/".join(table.labels[name] for name in differing) for table in group]
    if len(set(together)) == len(group):
        return together
    ends = [table.path[-1] for table in group]
    return ends if len(set(ends)) == len(group) else [str(number) for number in range(len(group))]


def tables(value: Any, path: tuple[str, ...] = (), labels: Mapping[str, str] | None = None) -> Iterator[Table]:
    """Every table in a document, none inside of another."""
    labels = labels or {}
    if len(path) > _DEEPEST:
        return
    if isinstance(value, list):
        inner = [table for one in value if isinstance(one, dict | list) for table in tables(one, (*path, "*"), labels)]
        if value and all(isinstance(one, dict) for one in value):
            if sum(len(table.rows) for table in inner) <= len(value):
                yield Table(path, labels, value)
                return
        elif (pairs := _time_pairs(value)) is not None:
            yield Table(path, labels, pairs)
            return
        yield from inner
    elif isinstance(value, dict):
        said = {name: str(one) for name, one in flattened(value) if isinstance(one, str | int | float)}
        labels = {**labels, **said, **_labels_of_fields(value)}
        found = (
            _rows_under_names(value)
            or _frame(value)
            or _by_row_number(value)
            or _by_time(value)
            or _side_by_side(value)
        )
        if found:
            yield Table(path, labels, found)
            return
        for name, one in value.items():
            if isinstance(one, dict | list):
                yield from tables(one, (*path, name), labels)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_scalars(one) for one in value)


def _is_scalars(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not any(isinstance(one, list | dict) for one in value)


def _time_pairs(value: list[Any]) -> list[Row] | None:
    """`[[1.5, 1711324800], ...]`."""
    if not _is_rows(value) or {len(one) for one in value} != {2}:
        return None
    rows = list(_listed(value))
    return rows if "time" in rows[0] else None


def _listed(rows: list[list[Any]]) -> Iterator[Row]:
    """Rows without names; of two columns of which one can only be a time, that is `time` and the other `value`."""
    names = [f"column{at}" for at in range(1, max(map(len, rows)) + 1)]
    if len(names) == 2:
        late = [all(_is_time(row[at]) for row in rows if len(row) == 2) for at in range(2)]
        if late in ([True, False], [False, True]):
            names = ["time", "value"] if late[0] else ["value", "time"]
    for row in rows:
        yield dict(zip(names, row, strict=False))


def _is_time(value: Any) -> bool:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return recognises(value)
    try:
        return float(value) > 1e8
    except (TypeError, ValueError):
        return False


def _rows_under_names(value: Mapping[str, Any]) -> list[Row] | None:
    """`{"columns": ["time", "mean"], "values": [[...], ...]}`, names as text or as objects with a name."""
    names = next((value[name] for name in _NAMES if isinstance(value.get(name), list) and value[name]), None)
    rows = next((value[name] for name in _ROWS if isinstance(value.get(name), list) and value[name]), None)
    if names is None or rows is None or not all(isinstance(row, list) for row in rows):
        return None
    said = [one.get("name") or one.get("text") if isinstance(one, dict) else one for one in names]
    if any(len(row) > len(said) for row in rows):
        return None
    return [dict(zip(map(str, said), row, strict=False)) for row in rows]


def _labels_of_fields(value: Mapping[str, Any]) -> dict[str, str]:
    fields = at_path(value, "schema.fields")
    labels = [one.get("labels") for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
    return {name: str(text) for one in labels if isinstance(one, dict) for name, text in one.items()}


def _frame(value: Mapping[str, Any]) -> list[Row] | None:
    """A data frame of Grafana: the fields of its schema, and a list of values for each."""
    fields, columns = at_path(value, "schema.fields"), at_path(value, "data.values")
    if not isinstance(fields, list) or not isinstance(columns, list) or len(fields) != len(columns):
        return None
    names = [str(field.get("name", at)) for at, field in enumerate(fields) if isinstance(field, dict)]
    if len(names) != len(columns) or len({len(one) for one in columns if isinstance(one, list)}) != 1:
        return None
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _by_row_number(value: Mapping[str, Any]) -> list[Row] | None:
    """What `to_json` of pandas writes: columns, and in each the cells by the number of their row."""
    columns = [*value.values()]
    if len(columns) < 2 or not all(isinstance(one, dict) for one in columns):
        return None
    numbers = [*columns[0]]
    if len(numbers) < 2 or not all([*one] == numbers for one in columns) or not all(row.isdigit() for row in numbers):
        return None
    return [{name: one[row] for name, one in value.items()} for row in numbers]


def _by_time(value: Mapping[str, Any]) -> list[Row] | None:
    """Values, or objects, by their times."""
    names = [*value]
    if len(names) < 2 or not (all(map(recognises, names[:200])) or by_size("time", _in_order(names)) is not None):
        return None
    cells = [*value.values()]
    plain = all(isinstance(one, int | float | str | None) for one in cells)
    if not plain and not all(isinstance(one, dict) for one in cells):
        return None
    return [{"time": name, **(one if isinstance(one, dict) else {"value": one})} for name, one in value.items()]


def _in_order(names: Sequence[str]) -> list[str]:
    """These numbers, of which two would not do to tell a time."""
    if not all(name.isdigit() for name in names):
        return []
    ordered = sorted(names, key=int)
    return [*ordered, str(2 * int(ordered[-1]) - int(ordered[-2]))] if len(ordered) > 1 else []


def _side_by_side(value: Mapping[str, Any]) -> list[Row] | None:
    """Lists of one length, of which one has times where others stand deeper."""
    here = {name: one for name, one in value.items() if _is_scalars(one) and len(one) > 1}
    size = max(map(len, here.values()), default=0)
    columns = {name: one for name, one in here.items() if len(one) == size}
    timed = any(says_time(name) or all(map(_is_time, one)) for name, one in columns.items())
    if timed:
        for name, one in _lists(value):
            if len(one) == size:
                columns.setdefault(name, one)
    if len(columns) < 2 or (len(here) > len(columns) and not timed):
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _lists(value: Any, depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Lists of scalars in objects, and in lists of one object, by their names."""
    inside = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(inside, dict) or depth > 4:
        return
    for name, one in inside.items():
        if _is_scalars(one):
            yield name, one
        else:
            yield from _lists(one, depth + 1)


def _history(states: list[Any]) -> Iterator[Row]:
    """States of one entity of Home Assistant, of which all but the first may be short."""
    entity = None
    for state in states:
        if isinstance(state, dict):
            entity = state.get("entity_id", entity)
            yield {"entity_id": entity, "state": state.get("state"), "last_changed": state.get("last_changed")}


def _prometheus(result: list[Row]) -> Iterator[Row]:
    """A series is its labels; its samples are pairs of seconds and text."""
    for one in result:
        labels = one["metric"]
        name = labels.get("__name__", "")
        inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "__name__")
        key = f"{name}{{{inside}}}" if inside else name or "{}"
        for second, value in one.get("values") or ([one["value"]] if "value" in one else []):
            yield {"key": key, "time": second, "value": value}
