"""Which series lives in which row, and which ones wait outside the memory.

Memory is bounded: when a batch brings series for which there is no room, the rows of those unseen for longest move to a
local store, all of them in one go, and the rows that the batch needs come back from it, byte for byte. Which series are
in memory therefore never changes an output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from streamrnn.state.arrays import (
    RowBytes,
    ask_for_memory,
    clear_rows,
    get_block,
    get_rows,
    put_block,
    put_rows,
    row_bytes,
)
from streamrnn.state.memory import BUDGET, Budget, Reserve
from streamrnn.state.row_store import RowStore

Tree = TypeVar("Tree", bound=tuple[Any, ...])
Int64 = npt.NDArray[np.int64]

ROWS_AT_ONCE = 200
"""Rows to copy together: enough that numpy does the work, few enough to fit the processor's cache or nearly."""
_BYTES_AT_ONCE = 2 << 20
"""Of rows to copy for a snapshot that is read little by little."""
_FIRST_ROWS = 16
_ROWS_AHEAD = 500
"""How far beyond the last row memory is asked for: far enough that it is there before the rows are."""
_FREE = np.iinfo(np.int64).max


@dataclass(slots=True)
class _Due:
    """Of a snapshot under way: which series it has not read yet, each in one place."""

    rows: npt.NDArray[np.bool_]  # (rows,) in memory, unchanged since it began
    stored: dict[str, None]  # in the store, likewise
    kept: dict[str, bytes]  # what was copied, as it was then

    def left(self) -> bool:
        return bool(self.kept or self.stored or self.rows.any())


class SeriesTable(Generic[Tree]):
    """series -> row of `arrays`, at most `limit` of them; those unseen for longest make room and go to the store.

    `budget` are bytes for all partitions of this process together; `newest` gives every row's newest event time.
    """

    def __init__(
        self,
        arrays: Tree,
        store: RowStore,
        *,
        limit: int | None = None,
        budget: int,
        newest: Callable[[Tree], Int64] | None = None,
        shared: Budget = BUDGET,
    ) -> None:
        self._row_bytes = row_bytes(arrays)
        self._most = limit
        self._budget = budget
        self._newest = newest
        self._reserve = Reserve(arrays, self._rows_for(budget))
        self._capacity = 0  # rows of the view
        self.arrays: Tree = self._reserve.view(0)
        self._used = 0  # rows that were ever in use
        self._free: list[int] = []  # of those; zero
        self._limit = self._reserve.rows
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []  # of the used rows
        self.dirty: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._due = _Due(np.zeros(0, np.bool_), {}, {})
        self._seen: Int64 = np.zeros(0, np.int64)  # the tick of a row's last use
        self._tick = 0
        self._store = store
        self._forgotten: dict[str, None] = {}
        self._grow(min(_FIRST_ROWS, self._limit))
        self._shared = shared
        shared.join(self, budget)

    def __len__(self) -> int:
        """Every series there is, in memory or stored."""
        return len(self._rows) + len(self._store)

    def __contains__(self, key: str) -> bool:
        """Whether there is this series, in memory or stored."""
        return key in self._rows or key in self._store

    @property
    def in_memory(self) -> int:
        """Series that have a row."""
        return len(self._rows)

    @property
    def memory(self) -> int:
        """Of memory that rows take, and the index of those that are stored."""
        return self._used * self._row_bytes + self._store.index_bytes

    @property
    def much_left(self) -> bool:
        """Whether what left the memory since the last snapshot has come to a quarter of what may be in it."""
        return self._store.dirty_rows * self._row_bytes > self._budget // 4

    def all_keys(self) -> list[str]:
        """Every series there is, in memory or stored."""
        return [*self._rows, *self._store.series()]

    def _rows_for(self, budget: int) -> int:
        rows = max(1, budget // max(1, self._row_bytes))
        return rows if self._most is None else min(rows, self._most)

    def limit_to(self, bytes_: int) -> None:
        """Take no more memory than this from now on."""
        self._budget = bytes_
        self._shrink()

    def _shrink(self) -> None:
        """Keep to the budget, of which the store's index is a part."""
        limit = min(self._reserve.rows, self._rows_for(max(self._budget - self._store.index_bytes, self._budget // 4)))
        if self._limit - self._limit // 32 < limit < self._limit:
            return  # in steps: each one moves rows
        self._limit = limit
        if len(self._rows) > limit:
            self._clear(self._store_away(self._longest_unseen(len(self._rows) - limit)))
        if self._used > limit:
            self._compact(limit)

    def _compact(self, limit: int) -> None:
        """Move rows from beyond `limit` into free ones below, and return the memory behind."""
        beyond = [row for row in self._rows.values() if row >= limit]
        room = sorted(row for row in self._free if row < limit)[: len(beyond)]
        for start in range(0, len(beyond), ROWS_AT_ONCE):
            old, new = beyond[start : start + ROWS_AT_ONCE], room[start : start + ROWS_AT_ONCE]
            put_block(self.arrays, new, get_block(self.arrays, old))
            self.dirty[new], self._seen[new] = self.dirty[old], self._seen[old]
            self._due.rows[new] = self._due.rows[old]
            for source, target in zip(old, new, strict=True):
                key = self._keys[target] = self._keys[source]
                self._rows[key] = target
        taken = set(room)
        self._free = [row for row in self._free if row < limit and row not in taken]
        self._used, self._keys = limit, self._keys[:limit]
        self._reserve.give_back(limit)
        self._capacity = limit
        self.arrays = self._reserve.view(limit)
        self.dirty, self._seen = self.dirty[:limit].copy(), self._seen[:limit].copy()
        self._due.rows = self._due.rows[:limit].copy()

    def batches(self, keys: Sequence[str]) -> Iterator[tuple[slice, Int64]]:
        """Cut `keys` (one per event) into slices whose series fit in memory together, with each event's row."""
        start = 0
        while start < len(keys):
            if len(self._store):
                self._shrink()
            stop = self._fitting(keys, start)
            part = keys[start:stop]
            self._tick += 1
            rows = self._rows_of(part)
            self._seen[rows] = self._tick
            self._keep(rows)
            self.dirty[rows] = True
            yield slice(start, stop), rows
            start = stop

    def _rows_of(self, keys: Sequence[str]) -> Int64:
        found = list(map(self._rows.get, keys))
        if None in found:
            # None of this slice's own series may be moved out to make room for another.
            self._seen[[row for row in found if row is not None]] = self._tick
            self._bring_in([key for key in dict.fromkeys(keys) if key not in self._rows])
            found = list(map(self._rows.get, keys))
        return np.array(found, np.int64)

    def _fitting(self, keys: Sequence[str], start: int) -> int:
        if len(keys) - start <= self._limit:
            return len(keys)
        distinct: set[str] = set()
        for stop in range(start, len(keys)):
            distinct.add(keys[stop])
            if len(distinct) > self._limit:
                return stop
        return len(keys)

    def _bring_in(self, keys: Sequence[str]) -> None:
        """Give series rows that have none: what the store has of them, else zeros."""
        stored = [key for key in keys if key in self._store] if len(self._store) else []
        known = set(stored)
        fresh = [key for key in keys if key not in known] if stored else keys
        zero, used = self._room_for(len(keys))
        # What returns overwrites its row: it takes one that was just left.
        rows = used[: len(stored)]
        rows += zero[: len(stored) - len(rows)]
        rest = used[len(stored) :] if len(used) > len(stored) else []
        others = zero[max(0, len(stored) - len(used)) :]
        for start in range(0, len(stored), ROWS_AT_ONCE):
            some, places = stored[start : start + ROWS_AT_ONCE], rows[start : start + ROWS_AT_ONCE]
            self._keep_stored(some)
            block, self.dirty[places] = self._store.take(some)
            put_block(self.arrays, places, block)
        if rest:
            clear_rows(self.arrays, rest)
        self._place(stored, rows)
        self._place(fresh, [*others, *rest])
        for key in self._forgotten.keys() & set(fresh) if self._forgotten else ():
            del self._forgotten[key]  # its new row will replace what the last snapshot has

    def _place(self, keys: Sequence[str], rows: Sequence[int]) -> None:
        for key, row in zip(keys, rows, strict=True):
            self._rows[key] = row
            self._keys[row] = key
            self._seen[row] = self._tick

    def _room_for(self, count: int) -> tuple[list[int], list[int]]:
        """`count` rows: those that are zero, and those that series have just left."""
        zero = self._free[-count:] if count else []
        del self._free[len(self._free) - len(zero) :]
        more = min(count - len(zero), self._limit - self._used)
        if more > 0:
            zero += range(self._used, self._used + more)
            self._used += more
            self._keys += [""] * more
            self._grow(self._used)
        missing = count - len(zero)
        return zero, self._store_away(self._longest_unseen(missing)) if missing > 0 else []

    def _longest_unseen(self, count: int) -> list[int]:
        seen = self._seen[: self._used]
        rows: list[int] = np.sort(np.argpartition(seen, count - 1)[:count]).tolist()
        return rows

    def _grow(self, rows: int) -> None:
        """Longer views of the same memory."""
        if rows > self._capacity:
            self._capacity = min(self._limit, max(rows, self._capacity + max(_FIRST_ROWS, self._capacity // 8)))
            self.arrays = self._reserve.view(self._capacity)
            more = self._capacity - len(self.dirty)
            self.dirty = np.concatenate([self.dirty, np.zeros(more, np.bool_)])
            self._due.rows = np.concatenate([self._due.rows, np.zeros(more, np.bool_)])
            self._seen = np.concatenate([self._seen, np.full(more, _FREE)])

    def reserve(self, rows: int) -> None:
        """Make room for so many series in memory. The system gives pages of memory as they are written to."""
        self._grow(min(rows, self._limit))

    def ask_for_memory(self) -> None:
        """Have memory provided for rows that will soon be filled, from another thread than the one that fills them."""
        first = self._used + _ROWS_AHEAD
        ask_for_memory(self.arrays, first, min(first + ROWS_AT_ONCE, self._limit))

    def store_away(self, keys: Sequence[str]) -> None:
        """Move series out of memory."""
        self._clear(self._store_away([self._rows[key] for key in keys]))

    def _store_away(self, rows: Sequence[int]) -> list[int]:
        """Move series out of memory; their rows, which still hold what they held."""
        self._keep(np.array(rows, np.int64))
        newest = self._newest(self.arrays) if self._newest is not None else np.zeros(self._capacity, np.int64)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            keys = [self._keys[row] for row in some]
            self._store.put(keys, get_block(self.arrays, some), self.dirty[some], newest[some])
        self._leave(rows)
        return [*rows]

    def _leave(self, rows: Sequence[int]) -> None:
        for row in rows:
            del self._rows[self._keys[row]]
        self.dirty[rows], self._seen[rows] = False, _FREE

    def _clear(self, rows: Sequence[int]) -> None:
        """Rows that nobody has any more."""
        if rows:
            clear_rows(self.arrays, rows)
            self._free += rows

    def idle(self, before: int) -> list[str]:
        """Series in memory whose newest event is older than `before`."""
        assert self._newest is not None
        rows = np.flatnonzero((self._newest(self.arrays)[: self._used] < before) & (self._seen[: self._used] != _FREE))
        return [self._keys[row] for row in rows.tolist()]

    def forget(self, before: int) -> None:
        """Forget every series whose newest event is older than `before`, for good; the next snapshot says so."""
        rows = [self._rows[key] for key in self.idle(before)]
        stored = self._store.older_than(before)
        self._keep(np.array(rows, np.int64))
        self._keep_stored(stored)
        self._forgotten.update(dict.fromkeys([self._keys[row] for row in rows] + stored))
        self._store.delete(stored)
        self._leave(rows)
        self._clear(rows)

    def renew(self, rows: Int64) -> None:
        """Series in memory that begin anew: nothing of what was learned is left."""
        if len(rows):
            self._keep(rows)
            clear_rows(self.arrays, rows.tolist())

    def row_of(self, key: str) -> int | None:
        """The series' row, None if it is not in memory."""
        return self._rows.get(key)

    def in_rows(self, rows: Int64) -> list[str]:
        """The series that these used rows belong to."""
        return [self._keys[row] for row in rows.tolist()]

    def put(self, pairs: Mapping[str, RowBytes | None]) -> None:
        """Restore series by their rows' bytes; None deletes one. Raises ValueError when a row's length differs."""
        if len(pairs) > self._limit:  # one may have to make room for the next
            for key, data in pairs.items():
                self.put({key: data})
            return
        for data in pairs.values():
            if data is not None and len(data) != self._row_bytes:
                raise ValueError(f"a row has {self._row_bytes} bytes, not {len(data)}")
        self._store.delete([key for key in pairs if key in self._store])
        gone = [self._rows[key] for key, data in pairs.items() if data is None and key in self._rows]
        self._leave(gone)
        self._clear(gone)
        rows = {key: data for key, data in pairs.items() if data is not None}
        if rows:
            self._tick += 1
            places = self._rows_of(list(rows)).tolist()
            put_rows(self.arrays, places, list(rows.values()))
            self._seen[places], self.dirty[places] = self._tick, False

    def data(self, key: str) -> bytes:
        """The series' row, wherever it is."""
        row = self._rows.get(key)
        if row is not None:
            return get_rows(self.arrays, [row])[0]
        return bytes(self._store.get([key])[0])

    def take_dirty(self) -> Iterator[tuple[str, bytes | None]]:
        """Every series changed since the last call, with its row as it is now; None of those that were forgotten.

        May be read little by little while events are folded in: a row that is about to change is copied first. The next
        call comes when all has been read.
        """
        due = self._due
        assert not due.left(), "the last ones have not been read to the end"
        forgotten = [*self._forgotten]
        self._forgotten.clear()
        due.stored.update(dict.fromkeys(self._store.dirty()))
        self._store.saved()
        due.rows[:] = self.dirty
        self.dirty[:] = False
        return self._take_due(forgotten)

    def _take_due(self, forgotten: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        yield from ((key, None) for key in forgotten)
        due, most = self._due, max(1, min(ROWS_AT_ONCE, _BYTES_AT_ONCE // max(1, self._row_bytes)))
        while due.left():
            while due.kept:  # first, for the memory
                yield due.kept.popitem()
            if some := [*islice(due.stored, most)]:
                block = self._store.get(some)
                for key in some:
                    del due.stored[key]
                yield from zip(some, (row.tobytes() for row in block), strict=True)
            elif rows := np.flatnonzero(due.rows)[:most].tolist():
                due.rows[rows] = False
                yield from zip([self._keys[row] for row in rows], get_rows(self.arrays, rows), strict=True)

    def _keep(self, rows: Int64) -> None:
        """Before these rows change or are left: copy those that a snapshot under way has not read yet."""
        wanted = rows[self._due.rows[rows]] if len(rows) else rows
        if len(wanted):
            some = np.unique(wanted).tolist()
            self._due.rows[some] = False
            self._due.kept.update(zip([self._keys[row] for row in some], get_rows(self.arrays, some), strict=True))

    def _keep_stored(self, keys: Sequence[str]) -> None:
        """The same of rows that leave the store."""
        some = [key for key in keys if key in self._due.stored] if self._due.stored else []
        if some:
            for key in some:
                del self._due.stored[key]
            self._due.kept.update(zip(some, (row.tobytes() for row in self._store.get(some)), strict=True))

    def close(self) -> None:
        """Delete the local store and leave the memory to others."""
        self._store.close()
        self._shared.leave(self)
