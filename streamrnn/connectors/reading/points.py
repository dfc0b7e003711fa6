"""Messages of several points: `{"device": "a", "points": [{"time": 1, "value": 2}, ...]}` is a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from streamrnn.connectors.reading.clocks import says_time
from streamrnn.connectors.reading.lines import Found
from streamrnn.connectors.reading.sample import at_path, flattened

_MOST = 0.9  # of the messages have the list


def find_points(values: Sequence[Mapping[str, Any]]) -> str | None:
    """The path of the one list of objects that have times, in messages that are no events themselves.

    A message with a time and numbers of its own may be an event that has details: a person decides (`event.array`).
    """
    lists = {path for value in values[:20] for path, inner in flattened(value) if _is_list(inner)}
    for path in lists if len(lists) == 1 else ():
        found = [value for value in values if _is_list(at_path(value, path))]
        own = any(_is_event(value, path) for value in values)
        timed = all(any(says_time(name) for name in at_path(value, path)[0]) for value in found)
        if len(found) >= _MOST * len(values) and timed and not own:
            return path
    return None


def _is_event(value: Mapping[str, Any], path: str) -> bool:
    """Whether a message has a time and a number of its own."""
    fields = [(name, inner) for name, inner in flattened(value) if name != path]
    numbers = any(type(inner) in (int, float) and not says_time(name) for name, inner in fields)
    return numbers and any(says_time(name) for name, _ in fields)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def points(value: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    """The points of a message, each with what the message says of all of them."""
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
        some = [orjson.dumps(one) for one in points(value, path)] if isinstance(value, dict) else []
        found += [(one, position) for one in some or [line]]
    return found
