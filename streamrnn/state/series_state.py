"""The state of one series as bytes that stand alone: for whoever keeps state by key in a store of their own.

    header            the record header of a snapshot: format, checksum, versions of the layout (`snapshot.py`)
    settings          JSON: those that give the state its meaning and are not the default (`settings.py`)
    key               of the series, UTF-8
    row               its bytes through all arrays

So bytes of another layout, of other settings, of another series or of a damaged store are refused by name. Rows of an
older layout are migrated where a snapshot's would be.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from streamrnn.errors import SnapshotCorrupt, SnapshotMismatch
from streamrnn.state.arrays import RowBytes
from streamrnn.state.migrations import Reader, Versions
from streamrnn.state.settings import Settings, differences
from streamrnn.state.snapshot import open_record, seal

_NAME = b"state"
_SIZES = struct.Struct("<HH")  # bytes of the settings, of the key


class SeriesStates:
    """Writes and reads the states of one configuration."""

    def __init__(self, settings: Settings, known: Mapping[str, Any], layouts: Reader, row_bytes: int) -> None:
        """`known` are the settings' values where a state does not name them, `row_bytes` the size of a row."""
        self._settings, self._known = settings, known
        self._layouts, self._row_bytes = layouts, row_bytes
        said = {name: value for name, value in settings.items() if known.get(name) != value}
        self._said = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()

    def encode(self, key: str, row: RowBytes) -> bytes:
        """A state."""
        return seal(_NAME, b"".join((self._about(key), row)), self._layouts.versions)

    def _about(self, key: str) -> bytes:
        """What stands before the row."""
        name = key.encode()
        return b"".join((_SIZES.pack(len(self._said), len(name)), self._said, name))

    def decode(self, key: str, state: bytes) -> RowBytes:
        """The row that `encode` was given, in the present layout.

        Raises `SnapshotCorrupt` for what is no state or damaged, `SnapshotVersion` for a layout that this streamrnn
        does not read, `SnapshotMismatch` for the state of another series or of other settings, naming what differs.
        """
        part, about = open_record(_NAME, state), self._about(key)
        if part.payload[: len(about)] == about:
            return self._row(key, part.versions, part.payload[len(about) :])
        try:
            settings, name = _SIZES.unpack_from(part.payload)
            at = _SIZES.size
            said, at = bytes(part.payload[at : at + settings]), at + settings
            owner, at = bytes(part.payload[at : at + name]).decode(), at + name
            stored = json.loads(said) if said != self._said else None
        except (struct.error, ValueError) as error:
            raise SnapshotCorrupt(f"these {len(state)} bytes are no state of a series: {error}") from error
        if stored is not None:
            differ = differences(stored, self._settings, self._known)
            if differ:
                raise SnapshotMismatch(
                    f"the state of series {owner!r} was learned with other settings: {'; '.join(differ)}. Restore the "
                    "settings, or begin the series anew (no state)"
                )
        if owner != key:
            raise SnapshotMismatch(f"this is the state of series {owner!r}, and the event is of series {key!r}")
        return self._row(key, part.versions, part.payload[at:])

    def _row(self, key: str, versions: Versions, data: RowBytes) -> RowBytes:
        """The row in the present layout."""
        try:
            row = self._layouts.row(versions, data)
            if len(row) != self._row_bytes:
                raise ValueError(f"a row has {self._row_bytes} bytes, not {len(row)}")
        except ValueError as error:
            raise SnapshotMismatch(f"the state of series {key!r} has another layout: {error}") from error
        return row
