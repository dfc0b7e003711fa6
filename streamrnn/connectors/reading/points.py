"""Messages of several points: `{"device": "a", "points": [{"time": 1, "value": 2}, ...]}` is a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from streamrnn.connectors.reading.clocks import recognises, says_time, unit_of_this_century
from streamrnn.connectors.reading.lines import Found, json_line
from streamrnn.connectors.reading.sample import at_path, flattened

_MOST = 0.9  # of the messages have the list
_AND = " + "
"""Between the names of lists that stand side by side, as VictoriaMetrics exports a series."""


def find_points(values: Sequence[Mapping[str, Any]]) -> str | None:
    """The path of the one list of objects that have times, in messages that are no events themselves.

    A message with a time and numbers of its own may be an event that has details: a person decides (`event.array`).
    """
    if (beside := _side_by_side(values)) is not None:
        return beside
    lists = {path for value in values[:20] for path, inner in flattened(value) if _is_list(inner)}
    for path in lists if len(lists) == 1 else ():
        found = [value for value in values if _is_list(at_path(value, path))]
        own = any(_is_event(value, path) for value in values)
        timed = all(any(says_time(name) for name in at_path(value, path)[0]) for value in found)
        if len(found) >= _MOST * len(values) and timed and not own:
            return path
    return None


def _side_by_side(values: Sequence[Mapping[str, Any]]) -> str | None:
    """Names of the lists of one length, of which one has times, in messages of nothing else that is a number."""
    found = {_AND.join(name for name, one in value.items() if _is_long(one)) for value in values[:20]}
    path = found.pop() if len(found) == 1 else ""
    names = path.split(_AND)
    if len(names) < 2 or any(type(one) in (int, float) for value in values[:20] for one in value.values()):
        return None
    first = [values[0][name] for name in names]
    timed = any(unit_of_this_century(min(one), max(one)) if _is_counted(one) else _are_dates(one) for one in first)
    return path if timed and len({len(one) for one in first}) == 1 else None


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and not any(isinstance(one, list | dict) for one in value)


def _is_counted(values: Sequence[Any]) -> bool:
    return all(type(one) in (int, float) for one in values)


def _are_dates(values: Sequence[Any]) -> bool:
    return all(isinstance(one, str) and recognises(one) for one in values)


def _is_event(value: Mapping[str, Any], path: str) -> bool:
    """Whether a message has a time and a number of its own."""
    fields = [(name, inner) for name, inner in flattened(value) if name != path]
    numbers = any(type(inner) in (int, float) and not says_time(name) for name, inner in fields)
    return numbers and any(says_time(name) for name, _ in fields)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def points(value: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    """The points of a message, each with what the message says of all of them."""
    if _AND in path:
        names = path.split(_AND)
        lists = [value.get(name) for name in names]
        if all(map(_is_long, lists)) and len(set(map(len, lists))) == 1:  # type: ignore[arg-type]
            others = {name: inner for name, inner in value.items() if name not in names}
            yield from ({**others, **dict(zip(names, row, strict=True))} for row in zip(*lists, strict=True))
        return
    found = at_path(value, path)
    if not isinstance(found, list):
        return
    top = path.partition(".")[0] if path not in value else path
    common = {name: inner for name, inner in value.items() if name != top}
    for one in found:
        yield {**common, **one} if isinstance(one, dict) else {**common, path: one}


def expanded(lines: Found, path: str) -> Found:
    """Each point as a line of its own, all of a message before the same position. What has none stays as it is."""
    found: Found = []
    for line, position in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        some = [json_line(one) for one in points(value, path)] if isinstance(value, dict) else []
        found += [(one, position) for one in some or [line]]
    return found
