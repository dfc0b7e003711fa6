"""The rows in one JSON document, wherever they stand: what monitoring, databases and market services answer.

A table is a list of objects, a list of pairs of time and value, lists side by side, names beside a list of rows, or
values by their times. Tables of one shape are one series each; their key is what is said around them and differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from streamrnn.connectors.reading.clocks import by_size, counts_years, recognises, says_time
from streamrnn.connectors.reading.json_kinds import is_senml, json_stat, named_elsewhere, names_in, rrdtool, senml
from streamrnn.connectors.reading.sample import at_path, flattened
from streamrnn.errors import ConfigurationError

Row = dict[str, Any]
_DEEPEST = 12
_LONG = 10  # items of a list that is no detail
_LABELS = ("target", "label", "metric", "name", "scope", "series", "expression", "host", "instance")
"""Names of what tells series apart, the likeliest first."""
_NAMES, _ROWS = ("columns", "names", "fields", "headers", "meta", "Columns"), ("values", "data", "rows")


class Table(NamedTuple):
    """Rows that stand together."""

    path: tuple[str, ...]
    """Where: `*` for every list on the way."""
    labels: Mapping[str, str]
    """What is said around them."""
    rows: Sequence[Row]


def rows_of(document: Any, table: str | None = None) -> Iterator[Row]:
    """The rows of one table, or of the tables of one shape that stand at one place: `table`, or the largest with times.

    Raises `ConfigurationError` where there is no such table, or none at all.
    """
    if is_senml(document):
        yield from senml(document)
        return
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
    groups = _groups(document)
    if not groups:
        _refuse_what_is_not_understood(document)
        yield from [document] if isinstance(document, dict) else []
        return
    chosen = _chosen(groups, table)
    if len(chosen) == 1:
        yield from map(_without_lists_of_one, chosen[0].rows)
        return
    for key, one in zip(_keys(chosen), chosen, strict=True):
        for row in one.rows:
            # In a bucket of Elasticsearch `key` is its time again.
            named = "series" if "key" in row and "key_as_string" not in row else "key"
            yield {**_without_lists_of_one(row), named: key}


def _groups(document: Any) -> dict[str, list[Table]]:
    """The tables of a document by the place where those of one shape stand."""
    shapes: dict[tuple[object, ...], list[Table]] = {}
    for table in tables(document):
        in_a_list = table.path[-1:] == ("*",)
        shapes.setdefault(table.path if in_a_list else (table.path[:-1], *table.rows[0]), []).append(table)
    named: dict[str, list[Table]] = {}
    for group in shapes.values():
        path = group[0].path if len(group) == 1 else group[0].path[:-1]
        place = ".".join(part for part in path if part != "*")
        while place in named:
            place += "'"
        named[place] = group
    return named


def _chosen(groups: Mapping[str, list[Table]], place: str | None) -> list[Table]:
    if place is None:
        return max(groups.values(), key=_size)
    if place in groups:
        return groups[place]
    single = [one for group in groups.values() for one in group if ".".join(one.path) == place]
    if single:
        return single
    raise ConfigurationError(f"no table {place!r} for --table; there are: {', '.join(groups)[:300]}")


def _size(group: Sequence[Table]) -> tuple[bool, int]:
    rows = sum(len(table.rows) for table in group)
    return rows > 1 and _has_time(group[0].rows), rows


def others_than(document: Any, table: str | None) -> str | None:
    """What is to be said where a document has several tables with times: which is read, and how another one is."""
    if not isinstance(document, dict):
        return None
    groups = {place: group for place, group in _groups(document).items() if _size(group)[0]}
    if len(groups) < 2:
        return None
    read = table if table is not None else max(groups, key=lambda place: _size(groups[place]))
    told = [
        f"{place or 'the outermost'} ({_size(group)[1]:,} rows)" for place, group in groups.items() if place != read
    ]
    other = next(place for place in groups if place != read)
    return (
        f"this document has several tables: {read or 'the outermost'} is read, not {', '.join(told)} (--table {other})"
    )


def _refuse_what_is_not_understood(document: Any) -> None:
    """A document with long lists that are no table must not be taken as one row."""
    for name, one in flattened(document) if isinstance(document, dict) else ():
        if isinstance(one, list) and len(one) >= _LONG:
            raise ConfigurationError(
                f"this JSON document has a list at {name!r} ({len(one):,} items), and nothing says what its columns "
                "are: write a JSON object for each row"
            )


def _without_lists_of_one(row: Row) -> Row:
    """Lists of one object as that object."""
    if not any(isinstance(one, list) for one in row.values()):
        return row
    return {
        name: one[0] if isinstance(one, list) and len(one) == 1 and isinstance(one[0], dict) else one
        for name, one in row.items()
    }


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
            json_stat(value)
            or rrdtool(value)
            or _rows_under_names(value)
            or named_elsewhere(value)
            or _cells_in_objects(value)
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
    """`[[1.5, 1711324800], ...]`, and longer rows of which one cell can only be a time."""
    if not _is_rows(value) or len({len(one) for one in value}) != 1 or len(value[0]) < 2:
        return None
    rows = list(_listed(value))
    if len(value[0]) == 2:
        return rows if "time" in rows[0] else None
    timed = [_are_times(cells) for cells in zip(*value, strict=True)] if len(value) > 2 else []
    return rows if any(timed) else None


def _listed(rows: list[list[Any]]) -> Iterator[Row]:
    """Rows without names; of two columns of which one can only be a time, that is `time` and the other `value`."""
    names = [f"column{at}" for at in range(1, max(map(len, rows)) + 1)]
    if _names_the_rest(rows):
        names, rows = rows[0], rows[1:]
    elif len(names) == 2:
        late = [all(_is_time(row[at]) for row in rows if len(row) == 2) for at in range(2)]
        if late == [True, True]:  # one of them is large, the other one rises
            late = [_rises([row[at] for row in rows if len(row) == 2]) for at in range(2)]
        if late in ([True, False], [False, True]):
            names = ["time", "value"] if late[0] else ["value", "time"]
    for row in rows:
        yield dict(zip(names, row, strict=False))


def _names_the_rest(rows: list[list[Any]]) -> bool:
    """Whether the first row has a name for every column, and others have numbers and times."""
    named = len(rows) > 2 and len(set(map(str, rows[0]))) == len(rows[0]) >= len(rows[1])
    texts = named and all(
        isinstance(one, str) and one and not one[:1].isdigit() and not recognises(one) for one in rows[0]
    )
    return texts and any(not isinstance(one, str) or _is_time(one) for one in rows[1])


def _rises(values: Sequence[Any]) -> bool:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return False
    return all(b > a for a, b in itertools.pairwise(numbers))


def _is_time(value: Any) -> bool:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return recognises(value)
    try:
        return float(value) > 1e8
    except (TypeError, ValueError):
        return False


def _rows_under_names(value: Mapping[str, Any]) -> list[Row] | None:
    """`{"columns": ["time", "mean"], "values": [[...], ...]}`, names as text or as objects with a name."""
    names = next((value[name] for name in _names_in(value)), None)
    rows = next((one for name, one in value.items() if name.lower() in _ROWS and isinstance(one, list) and one), None)
    if names is None or rows is None or not all(isinstance(row, list) for row in rows):
        return None
    said = [
        one.get("name") or one.get("text") or one.get("ColumnName") if isinstance(one, dict) else one for one in names
    ]
    if any(len(row) > len(said) for row in rows):
        return None
    found = [dict(zip(map(str, said), row, strict=False)) for row in rows]
    index = value.get("index")
    if isinstance(index, list) and len(index) == len(rows) and "index" not in found[0] and _are_times(index):
        return [{"index": time, **row} for time, row in zip(index, found, strict=True)]  # pandas, `split`
    return found


def _names_in(value: Mapping[str, Any]) -> Iterator[str]:
    """The lists beside the rows that may name their columns: those of the usual names, then `labels`, `columnNames`."""
    lists = [name for name, one in value.items() if isinstance(one, list) and one]
    yield from (name for name in _NAMES if name in lists)
    for name in lists:
        texts = value[name]
        named = "name" in name.lower() or name == "labels" or name.lower() in _NAMES
        if named and all(isinstance(one, str) for one in texts) and len(set(texts)) == len(texts):
            yield name


def _cells_in_objects(value: Mapping[str, Any]) -> list[Row] | None:
    """Rows whose cells are objects of one value: `{"rows": [{"f": [{"v": "1.5"}, ...]}]}` of BigQuery, and Athena's."""
    for inner in value.values():
        if (
            not isinstance(inner, list)
            or len(inner) < 2
            or not all(isinstance(one, dict) and len(one) == 1 for one in inner)
        ):
            continue
        lists = [next(iter(one.values())) for one in inner]
        if not all(
            isinstance(one, list) and one and all(isinstance(c, dict) and len(c) < 2 for c in one) for one in lists
        ):
            continue
        rows = [[next(iter(cell.values()), None) for cell in one] for one in lists]
        names = names_in(value, len(rows[0]))
        if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1 and (names or _names_the_rest(rows)):
            return [dict(zip(names, row, strict=True)) for row in rows] if names else list(_listed(rows))
    return None


def _are_times(values: Sequence[Any]) -> bool:
    """Whether these can hardly be anything but times."""
    texts = [str(one) for one in values]
    return all(map(recognises, texts)) or (len(texts) > 2 and by_size("time", texts) is not None)


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
    if len(columns) > 1 and [*value] == [str(at) for at in range(len(columns))]:
        return columns if all(isinstance(one, dict) and one for one in columns) else None  # rows by their number
    if len(columns) < 2 or not all(isinstance(one, dict) for one in columns):
        return None
    numbers = [*columns[0]]
    if len(numbers) < 2 or not all([*one] == numbers for one in columns):
        return None
    years = counts_years(numbers)
    if years or _are_times(numbers):
        index = "year" if years else "index"
        return [{index: row, **{name: one[row] for name, one in value.items()}} for row in numbers]
    if not all(row.isdigit() for row in numbers):
        return None
    return [{name: one[row] for name, one in value.items()} for row in numbers]


def _by_time(value: Mapping[str, Any]) -> list[Row] | None:
    """Values, or objects, by their times."""
    names = [*value]
    years = counts_years(names)
    if len(names) < 2 or not (
        years or all(map(recognises, names[:200])) or by_size("time", _in_order(names)) is not None
    ):
        return None
    cells = [*value.values()]
    if all(_is_scalars(one) for one in cells) and len({len(one) for one in cells}) == 1:
        return [{"time": name, **{f"value{at}": cell for at, cell in enumerate(one, 1)}} for name, one in value.items()]
    plain = all(isinstance(one, int | float | str | None) for one in cells)
    if not plain and not all(isinstance(one, dict) for one in cells):
        return None
    return [
        {"year" if years else "time": name, **(one if isinstance(one, dict) else {"value": one})}
        for name, one in value.items()
    ]


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
