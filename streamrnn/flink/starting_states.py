"""What a worker has learned, for the tasks of a job: the state of every series, in a file that is shipped with the job.

A task looks a series up at its first event, when Flink has no state of it yet. From then on its state is Flink's.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zipfile
from collections.abc import Iterable
from pathlib import Path

from streamrnn.errors import StateError
from streamrnn.flink.fold import KeyedStates

FOLDER, NAME = "starting", "states"
"""Where Flink puts it: below the folder that a task's Python works in."""


def write_states(archive: Path, states: Iterable[tuple[str, bytes]]) -> str:
    """Make an archive of (series, state) pairs; returns a digest of them, in whatever order they came.

    Raises `StateError` for a series that comes twice.
    """
    table = archive.with_name(NAME)
    total = 0
    with sqlite3.connect(table) as connection:
        connection.execute("CREATE TABLE states (series TEXT PRIMARY KEY, state BLOB) WITHOUT ROWID")
        for series, state in states:
            try:
                connection.execute("INSERT INTO states VALUES (?, ?)", (series, state))
            except sqlite3.IntegrityError:
                raise StateError(f"series {series!r} has two states, in two partitions: on Flink it has one") from None
            total ^= int.from_bytes(hashlib.blake2b(state, digest_size=8).digest(), "big")
    connection.close()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        packed.write(table, NAME)
    table.unlink()
    return f"{total:016x}"


class StartingStates:
    """Flink's managed states of a task, and for a series that has none there what the job began with."""

    def __init__(self, managed: KeyedStates, folder: Path = Path(FOLDER)) -> None:
        table = folder / NAME
        if not table.exists():
            raise StateError(f"{table.absolute()} is not there: the job was submitted with --state, and Flink lost it")
        self._managed = managed
        self._begun = sqlite3.connect(f"{table.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    def get(self, key: str) -> bytes | None:
        """See `KeyedStates`."""
        found = self._managed.get(key)
        if found is not None:
            return found
        row = self._begun.execute("SELECT state FROM states WHERE series = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, state: bytes) -> None:
        """See `KeyedStates`."""
        self._managed.put(key, state)

    def close(self) -> None:
        """Close the file."""
        self._begun.close()
