"""Which series lives in which row, and which ones wait outside the memory.

With `max_series` or `series_ttl` the rows of idle series move to a local store (an SQLite file that is never the
truth: the changelog can rebuild it) and come back, byte for byte, with the series' next event. Which series are in
memory therefore never changes an output.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from streamrnn.errors import StateError
from streamrnn.state.arrays import RowBytes, ask_for_memory, clear_row, get_rows, put_rows, with_rows

Tree = TypeVar("Tree", bound=tuple[Any, ...])

_FIRST_ROWS = 16
ROWS_AT_ONCE = 200
"""Rows to copy together: enough that numpy does the work, few enough to fit the processor's cache or nearly."""
_ROWS_AHEAD = 500
"""How far beyond the last row memory is asked for: far enough that it is there before the rows are."""


class RowStore:
    """A key-value store of rows on local disk, gone with its owner."""

    def __init__(self, folder: Path | None) -> None:
        self._place = folder or Path(tempfile.gettempdir())
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            # Deleted while open: it belongs to this process alone, and a process that is killed leaves nothing behind.
            with tempfile.TemporaryDirectory(prefix="streamrnn-rows-", dir=folder) as own:
                self._database = sqlite3.connect(Path(own) / "rows.sqlite", isolation_level=None)
                self._database.execute("PRAGMA journal_mode = OFF")
                self._database.execute("PRAGMA synchronous = OFF")
                self._database.execute("CREATE TABLE rows (series TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"cannot keep idle series in {self._place}: {error}") from error

    def put(self, series: str, data: bytes) -> None:
        """Keep one row."""
        self._execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", series, data)

    def get(self, series: str) -> bytes | None:
        """The row, if it is here."""
        found = self._execute("SELECT data FROM rows WHERE series = ?", series).fetchone()
        return None if found is None else bytes(found[0])

    def delete(self, series: str) -> None:
        """Forget one row."""
        self._execute("DELETE FROM rows WHERE series = ?", series)

    def series(self) -> Iterator[str]:
        """Every series here."""
        return (name for (name,) in self._execute("SELECT series FROM rows ORDER BY series"))

    def __len__(self) -> int:
        return int(self._execute("SELECT count(*) FROM rows").fetchone()[0])

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StateError(f"the local store of idle series failed (in {self._place}): {error}") from error

    def close(self) -> None:
        """Delete it."""
        self._database.close()


class SeriesTable(Generic[Tree]):
    """series -> row of `arrays`, growing by doubling up to `limit` rows; beyond it idle series are stored away."""

    def __init__(self, arrays: Tree, limit: int | None, store: RowStore | None) -> None:
        self.arrays = with_rows(arrays, min(_FIRST_ROWS, limit or _FIRST_ROWS))
        self.dirty: npt.NDArray[np.bool_] = np.zeros(self._capacity(), np.bool_)
        self._limit = limit
        self._store = store
        self._rows: dict[str, int] = {}  # in order of last use when a store exists
        self._free: list[int] = []
        self._dirty_stored: dict[str, None] = {}

    def _capacity(self) -> int:
        tree: Any = self.arrays
        while isinstance(tree, tuple):
            tree = tree[0]
        return len(tree)

    def __len__(self) -> int:
        """Every series ever seen, in memory or stored."""
        return len(self._rows) + (len(self._store) if self._store is not None else 0)

    @property
    def in_memory(self) -> int:
        """Series that have a row."""
        return len(self._rows)

    def all_keys(self) -> list[str]:
        """Every series ever seen, in memory or stored."""
        return [*self._rows, *(self._store.series() if self._store is not None else ())]

    def batches(self, keys: Sequence[str]) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
        """Cut `keys` (one per event) into slices whose series fit in memory together, with each event's row."""
        start = 0
        while start < len(keys):
            stop = self._fitting(keys, start)
            part = keys[start:stop]
            if self._store is not None:
                # Reserve first: none of this slice's own series may be moved out to make room for another.
                for key in dict.fromkeys(part):
                    if (row := self._rows.pop(key, None)) is not None:
                        self._rows[key] = row
            for key in dict.fromkeys(part):
                if key not in self._rows:
                    self._bring_in(key)
            rows = np.fromiter(map(self._rows.__getitem__, part), np.int64, len(part))
            self.dirty[rows] = True
            yield slice(start, stop), rows
            start = stop

    def _fitting(self, keys: Sequence[str], start: int) -> int:
        if self._limit is None or len(keys) - start <= self._limit:
            return len(keys)
        distinct: set[str] = set()
        for stop in range(start, len(keys)):
            distinct.add(keys[stop])
            if len(distinct) > self._limit:
                return stop
        return len(keys)

    def _bring_in(self, key: str) -> None:
        row = self._free_row()
        self._rows[key] = row
        stored = self._store.get(key) if self._store is not None else None
        if stored is not None and self._store is not None:
            put_rows(self.arrays, [row], [stored])
            self._store.delete(key)
            self.dirty[row] = key in self._dirty_stored
            self._dirty_stored.pop(key, None)

    def _free_row(self) -> int:
        if not self._free and self._limit is not None and len(self._rows) >= self._limit:
            self.store_away(next(iter(self._rows)))
        if self._free:
            return self._free.pop()
        if len(self._rows) == len(self.dirty):
            self.reserve(2 * len(self.dirty))
        return len(self._rows)

    def reserve(self, rows: int) -> None:
        """Make room for so many series in memory. The system gives pages of memory as they are written to."""
        rows = min(rows, self._limit or rows)
        if rows > len(self.dirty):
            self.arrays = with_rows(self.arrays, rows)
            self.dirty = np.concatenate([self.dirty, np.zeros(rows - len(self.dirty), np.bool_)])

    def ask_for_memory(self) -> None:
        """Have memory provided for rows that will soon be filled, from another thread than the one that fills them."""
        first = len(self._rows) + _ROWS_AHEAD
        ask_for_memory(self.arrays, first, first + ROWS_AT_ONCE)

    def store_away(self, key: str) -> None:
        """Move one series out of memory."""
        assert self._store is not None
        row = self._rows.pop(key)
        self._store.put(key, get_rows(self.arrays, [row])[0])
        if self.dirty[row]:
            self._dirty_stored[key] = None
        self._release(row)

    def _release(self, row: int) -> None:
        clear_row(self.arrays, row)
        self.dirty[row] = False
        self._free.append(row)

    def oldest(self) -> str | None:
        """The least recently used series in memory (known only when a store exists)."""
        return next(iter(self._rows), None)

    def row_of(self, key: str) -> int | None:
        """The series' row, None if it is not in memory."""
        return self._rows.get(key)

    def put(self, pairs: Mapping[str, RowBytes | None]) -> None:
        """Restore series by their rows' bytes; None deletes one. Raises ValueError when a row's length differs."""
        if self._limit is not None and len(pairs) > 1:
            for key, data in pairs.items():  # one may have to make room for the next
                self.put({key: data})
            return
        rows: dict[int, RowBytes] = {}
        for key, data in pairs.items():
            if self._store is not None:
                self._store.delete(key)
            row = self._rows.get(key)
            if data is not None:
                if row is None:
                    row = self._rows[key] = self._free_row()
                rows[row] = data
            elif row is not None:
                del self._rows[key]
                self._release(row)
        if rows:
            put_rows(self.arrays, list(rows), list(rows.values()))

    def data(self, key: str) -> bytes:
        """The series' row, wherever it is."""
        row = self._rows.get(key)
        if row is not None:
            return get_rows(self.arrays, [row])[0]
        stored = self._store.get(key) if self._store is not None else None
        if stored is None:
            raise KeyError(key)
        return stored

    def take_dirty(self) -> Iterator[tuple[str, bytes]]:
        """Every series changed since the last call, with its row."""
        if self._store is not None:
            for key in self._dirty_stored:
                yield key, self.data(key)
            self._dirty_stored.clear()
        changed = [(key, row) for key, row in self._rows.items() if self.dirty[row]]
        for start in range(0, len(changed), ROWS_AT_ONCE):
            keys, rows = zip(*changed[start : start + ROWS_AT_ONCE], strict=True)
            yield from zip(keys, get_rows(self.arrays, rows), strict=True)
        self.dirty[:] = False

    def close(self) -> None:
        """Delete the local store."""
        if self._store is not None:
            self._store.close()
