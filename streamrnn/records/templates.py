"""Records as templates: the document once, with slots for what differs from event to event.

A template is made from an example of the document, so that its fields and their order are read where they are written;
the JSON library writes the example's text and all numbers, and `kernels/json_text.py` puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from streamrnn.records.events import Float64, Int64

_KINDS = ("number", "key", "time", "offset", "due", "extra")
NUMBER, KEY, TIME, OFFSET, DUE, EXTRA = (f"\0slot:{kind}" for kind in _KINDS)
"""Values that stand for a slot in the example. EXTRA is a name, with any value: its text may add fields there."""

_SLOTS = dict(enumerate((NUMBER, KEY, TIME, OFFSET, DUE, EXTRA)))
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
        self.parts = [part for piece in pieces for part in (piece, b"")]
        """Text and slots in turns."""
        self.places = {
            name: [2 * at + 1 for at, one in enumerate(kinds) if one == kind] for kind, name in _SLOTS.items()
        }
        """Where the slots of each kind are among the parts."""
        self.text = np.frombuffer(b"".join(pieces), np.uint8)
        self.ends = np.cumsum([len(piece) for piece in pieces])
        self.kinds = np.array(kinds, np.int64)
        self.extras = kinds.count(_KINDS.index("extra"))


class Extras(NamedTuple):
    """The texts of the EXTRA slots."""

    usual: Sequence[bytes]  # (EXTRA slots) of an event
    others: Mapping[int, bytes]  # those that differ, by event x EXTRA slots + slot

    def joined(self, events: int) -> tuple[bytes, Int64]:
        """All texts of so many events, and where each ends, `(events, EXTRA slots)`."""
        if not self.others:  # nearly always
            lengths = np.tile(np.array([len(one) for one in self.usual], np.int64), events)
            return b"".join(self.usual) * events, lengths.cumsum().reshape(events, len(self.usual))
        texts = self.of(events)
        return b"".join(texts), np.cumsum([len(one) for one in texts]).reshape(events, len(self.usual))

    def of(self, events: int) -> list[bytes]:
        """The texts of so many events."""
        texts = [*self.usual] * events
        for place, text in self.others.items():
            texts[place] = text
        return texts


class Contents(NamedTuple):
    """What goes into the slots, in the order of the slots where there are several of a kind."""

    keys: Sequence[str]
    times: Int64  # (events,) microseconds since 1970
    offsets: Int64  # (events,)
    due: Int64  # (events, DUE slots), the smallest integer where it is not known
    numbers: Float64  # (events, NUMBER slots), null where not finite
    extras: Extras
    skip: npt.NDArray[np.bool_]  # (events,) without a record


def fill(template: Template, contents: Contents) -> list[bytes]:
    """The documents of all events that are not skipped."""
    from streamrnn.kernels import json_text  # compiled code is loaded when it is needed

    events = len(contents.times)
    numbers = orjson.dumps(np.ascontiguousarray(contents.numbers), option=orjson.OPT_SERIALIZE_NUMPY)
    keys = orjson.dumps(contents.keys)
    extra, extra_ends = contents.extras.joined(events)
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
            extra_ends,
            contents.skip,
        ),
        out,
        ends,
    )
    whole = out[: ends[-1] if events else 0].tobytes()
    bounds = ends[~contents.skip].tolist()  # those that are skipped end where the one before them does
    return [whole[start:end] for start, end in pairwise([0, *bounds])]


def fill_one(
    template: Template, key: str, time: int, offset: int, due: Iterable[int], numbers: Sequence[float], extras: Extras
) -> bytes:
    """The document of one event, whose few texts are joined before compiled code has its arrays; as `Contents`."""
    parts, places = [*template.parts], template.places
    for at, text in zip(places[NUMBER], orjson.dumps(numbers)[1:-1].split(b","), strict=True):
        parts[at] = text
    for at, moment in zip(places[DUE], due, strict=True):
        parts[at] = time_text(moment)
    for at, text in zip(places[EXTRA], extras.of(1), strict=True):
        parts[at] = text
    for kind, text in ((KEY, orjson.dumps(key)), (TIME, time_text(time)), (OFFSET, b"%d" % offset)):
        for at in places[kind]:
            parts[at] = text
    return b"".join(parts)


@lru_cache(1 << 12)  # a time comes again: as that of other series, and when the step that it was of is there
def time_text(time: int) -> bytes:
    """RFC 3339 in UTC, with a fraction only where there is one."""
    if time == _UNKNOWN:
        return b"null"
    return f'"{(_EPOCH + timedelta(microseconds=time)).isoformat()}Z"'.encode()
