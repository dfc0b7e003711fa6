"""Records as templates: the document once, with slots for what differs from event to event.

A template is made from an example of the document, so that its fields and their order are read where they are written;
the JSON library writes the example's text and all numbers, and `kernels/json_text.py` puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from streamrnn.records.events import Float64, Int64

_KINDS = ("number", "key", "time", "offset", "due", "extra")
NUMBER, KEY, TIME, OFFSET, DUE, EXTRA = (f"\0slot:{kind}" for kind in _KINDS)
"""Values that stand for a slot in the example. EXTRA is a name, with any value: its text may add fields there."""

_SLOTS = dict(enumerate((NUMBER, KEY, TIME, OFFSET, DUE, EXTRA)))
_FEW_SLOTS = 100
_EPOCH = datetime(1970, 1, 1)
_UNKNOWN = int(np.iinfo(np.int64).min)

_MARK = re.compile(rb'"\\u0000slot:(\w+)"')
_EXTRA_FIELD = re.compile(rb',?"\\u0000slot:extra\d*":null')


class Template:
    """The text of a document with its slots."""

    def __init__(self, example: dict[str, Any]) -> None:
        text = _EXTRA_FIELD.sub(b'"\\\\u0000slot:extra"', orjson.dumps(example))
        pieces: list[bytes] = []
        kinds: list[int] = []
        start = 0
        for mark in _MARK.finditer(text):
            pieces.append(text[start : mark.start()])
            kinds.append(_KINDS.index(mark[1].decode()))
            start = mark.end()
        pieces.append(text[start:])
        kinds.append(len(_KINDS))
        self.pieces = list(zip(pieces, (_SLOTS.get(kind, "") for kind in kinds), strict=True))
        """Text, and what comes after it."""
        self.text = np.frombuffer(b"".join(pieces), np.uint8)
        self.ends = np.cumsum([len(piece) for piece in pieces])
        self.kinds = np.array(kinds, np.int64)
        self.extras = kinds.count(_KINDS.index("extra"))


class Contents(NamedTuple):
    """What goes into the slots, in the order of the slots where there are several of a kind."""

    keys: Sequence[str]
    times: Int64  # (events,) microseconds since 1970
    offsets: Int64  # (events,)
    due: Int64  # (events, DUE slots), the smallest integer where it is not known
    numbers: Float64  # (events, NUMBER slots), null where not finite
    extras: Sequence[bytes]  # (events x EXTRA slots)
    skip: npt.NDArray[np.bool_]  # (events,) without a record


def fill(template: Template, contents: Contents) -> list[bytes]:
    """The documents of all events that are not skipped."""
    from streamrnn.kernels import json_text  # compiled code is loaded when it is needed

    events = len(contents.times)
    if events == 1 and len(template.pieces) < _FEW_SLOTS:
        return [] if contents.skip[0] else [_fill_one(template, contents)]
    numbers = orjson.dumps(np.ascontiguousarray(contents.numbers), option=orjson.OPT_SERIALIZE_NUMPY)
    keys = orjson.dumps(contents.keys)
    extra = b"".join(contents.extras)
    lengths = np.fromiter(map(len, contents.extras), np.int64, len(contents.extras))
    times = json_text.LONGEST_TIME * (1 + contents.due.shape[1]) + json_text.LONGEST_INTEGER
    out = np.empty(events * (len(template.text) + times) + len(numbers) + len(keys) + len(extra), np.uint8)
    ends = np.empty(events, np.int64)
    json_text.write(
        json_text.Slots(template.text, template.ends, template.kinds),
        json_text.Contents(
            np.frombuffer(numbers, np.uint8),
            np.frombuffer(keys, np.uint8),
            contents.times,
            contents.offsets,
            contents.due,
            np.frombuffer(extra or b" ", np.uint8),
            lengths.cumsum().reshape(events, template.extras),
            contents.skip,
        ),
        out,
        ends,
    )
    whole = out[: ends[-1] if events else 0].tobytes()
    bounds = ends.tolist()
    skip = contents.skip.tolist()
    return [whole[start:end] for start, end, left in zip([0, *bounds], bounds, skip, strict=False) if not left]


def _fill_one(template: Template, contents: Contents) -> bytes:
    """The document of one event, whose few texts are joined before compiled code has its arrays."""
    numbers = orjson.dumps(np.ascontiguousarray(contents.numbers[0]), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    slots = {
        NUMBER: iter(numbers.split(b",")),
        KEY: iter([orjson.dumps(contents.keys[0])]),
        TIME: iter([_time_text(contents.times.item(0))]),
        OFFSET: iter([b"%d" % contents.offsets[0]]),
        DUE: map(_time_text, contents.due[0].tolist()),
        EXTRA: iter(contents.extras),
        "": iter([b""]),
    }
    return b"".join([text for piece, slot in template.pieces for text in (piece, next(slots[slot]))])


def _time_text(time: int) -> bytes:
    """RFC 3339 in UTC, with a fraction only where there is one."""
    if time == _UNKNOWN:
        return b"null"
    return f'"{(_EPOCH + timedelta(microseconds=time)).isoformat()}Z"'.encode()
