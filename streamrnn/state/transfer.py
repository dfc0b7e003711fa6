"""A stored state taken out of where it is kept: some of its series, or all, to be read or put elsewhere.

Rows go as they were stored, whatever version of their layout; only what says whose state it is, for which offset and of
how many series is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from streamrnn.errors import SnapshotCorrupt
from streamrnn.records.log import Message
from streamrnn.state.snapshot import Manifest, Owner, SnapshotReader, resealed, series_in


class Taken(NamedTuple):
    """A whole state: the last record of every key, and what its manifest says."""

    records: dict[bytes, bytes]
    manifest: Manifest
    series: frozenset[str]


def take(messages: Iterable[Message]) -> Taken | None:
    """Verify the records of a state and keep the last one of every key; None if there are none.

    Raises `SnapshotCorrupt` or `SnapshotVersion`.
    """
    records: dict[bytes, bytes] = {}

    def noted() -> Iterator[Message]:
        for message in messages:
            key = message.key or b""
            if message.value is None:
                records.pop(key, None)
            else:
                records[key] = message.value
            yield message

    reader = SnapshotReader()
    series: set[str] = set()
    for key, row in reader.read(noted()):
        (series.discard if row is None else series.add)(key)
    found = reader.finish()
    if found is None:
        return None
    manifest = found[0]
    if manifest.series != len(series):
        raise SnapshotCorrupt(f"the snapshot says {manifest.series} series, but {len(series)} are stored")
    return Taken(records, manifest, frozenset(series))


def give(
    taken: Taken, wanted: Callable[[str], bool] | None = None, *, offset: int | None = None, owner: Owner | None = None
) -> Iterator[Message]:
    """The records of a state of the `wanted` series alone, for `offset` and `owner`; by default as it was."""
    offset = taken.manifest.offset if offset is None else offset
    chosen = {key for key in taken.series if wanted is None or wanted(key)}
    for key, value in sorted(taken.records.items()):
        series = series_in(key)
        if series is not None:
            if series in chosen:
                yield Message(key, value)
        elif key != b"manifest":
            yield Message(key, resealed(key, value, offset))
    manifest = taken.manifest._replace(offset=offset, series=len(chosen), owner=owner or taken.manifest.owner)
    document = manifest._asdict() | {"owner": manifest.owner and manifest.owner._asdict()}
    yield Message(b"manifest", resealed(b"manifest", taken.records[b"manifest"], offset, json.dumps(document).encode()))
