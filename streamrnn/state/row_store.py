"""Rows of series that are not in memory: a file of slots of equal size, and which series is in which.

The file is never the truth (the changelog can rebuild it) and belongs to one process: it has no name, so nobody else
can open it and a process that is killed leaves nothing behind. Slots of rows that came back are used again. What is
kept in memory per row is its key and `INDEX` bytes or so.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamrnn.errors import StateError
from streamrnn.state.arrays import Block

INDEX = 200
"""Bytes of memory per row here, besides its key."""
_FOLDERS = ("/var/lib/streamrnn", "/var/tmp")
_IN_MEMORY = {"tmpfs", "ramfs"}
_NEVER = np.iinfo(np.int64).max

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]


def store_folder(named: Path | None, state: Path | None) -> Path:
    """Where idle series go: the folder that `state.store` names, else a state folder's, else one on a disk."""
    if named is not None:
        return named
    if state is not None:
        return state / "rows"
    for folder in map(Path, (*_FOLDERS, tempfile.gettempdir())):
        if os.access(folder, os.W_OK | os.X_OK) and not _in_memory(folder):
            return folder
    return Path(tempfile.gettempdir())


def _in_memory(folder: Path) -> bool:
    """Whether files there take memory, not disk."""
    best, kind = -1, ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            place, name = line.split()[1:3]
            if folder.resolve().is_relative_to(place) and len(place) > best:
                best, kind = len(place), name
    return kind in _IN_MEMORY


class RowStore:
    """A key-value store of rows on local disk, gone with its owner. The file is made when the first row comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index_bytes = 0
        """Of memory, for what is where."""
        self._file = -1
        self._size = 0  # bytes per row
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._dirty: Bool = np.zeros(64, np.bool_)
        self._times: Int64 = np.full(64, _NEVER)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, series: object) -> bool:
        return series in self._slots

    def series(self) -> Iterator[str]:
        """Every series here."""
        return iter(self._slots)

    @property
    def dirty_rows(self) -> int:
        """How many of them changed since the last snapshot."""
        return int(np.count_nonzero(self._dirty))

    def put(self, series: Sequence[str], block: Block, dirty: Bool, times: Int64) -> None:
        """Keep rows of series that are not here: `block` is (series, bytes per row), `times` their newest events'."""
        if self._file < 0:
            self._open()
            self._size = block.shape[1]
        slots = self._take_slots(len(series))
        first = 0
        while first < len(slots):  # neighbors in one go
            last = first + 1
            while last < len(slots) and slots[last] == slots[last - 1] + 1:
                last += 1
            self._write(block[first:last], slots[first])
            first = last
        self._dirty[slots] = dirty
        self._times[slots] = times
        self._slots.update(zip(series, slots, strict=True))
        self.index_bytes += sum(map(len, series)) + INDEX * len(series)

    def _take_slots(self, count: int) -> list[int]:
        reused = self._free[-count:] if count else []
        del self._free[len(self._free) - len(reused) :]
        end = len(self._slots) + len(self._free) + len(reused)
        slots = sorted(reused) + list(range(end, end + count - len(reused)))
        if slots and slots[-1] >= len(self._dirty):
            more = max(len(self._dirty), slots[-1] + 1 - len(self._dirty))
            self._dirty = np.concatenate([self._dirty, np.zeros(more, np.bool_)])
            self._times = np.concatenate([self._times, np.full(more, _NEVER)])
        return slots

    def get(self, series: Sequence[str]) -> Block:
        """Their rows, (series, bytes per row). Raises KeyError where one is not here."""
        block = np.empty((len(series), self._size), np.uint8)
        order = sorted(range(len(series)), key=lambda i: self._slots[series[i]])
        for i in order:
            self._read(block[i], self._slots[series[i]])
        return block

    def take(self, series: Sequence[str]) -> tuple[Block, Bool]:
        """Their rows and which of them changed since the last snapshot; they are here no longer."""
        block = self.get(series)
        slots = [self._slots[one] for one in series]
        dirty = self._dirty[slots]
        self.delete(series)
        return block, dirty

    def delete(self, series: Sequence[str]) -> None:
        """Forget rows that are here."""
        slots = [self._slots.pop(one) for one in series]
        self._dirty[slots], self._times[slots] = False, _NEVER
        self._free += slots
        self.index_bytes -= sum(map(len, series)) + INDEX * len(series)

    def older_than(self, time: int) -> list[str]:
        """Series whose newest event is older."""
        old = self._times < time
        return [series for series, slot in self._slots.items() if old[slot]] if old.any() else []

    def dirty(self) -> list[str]:
        """Series that changed since the last snapshot."""
        return [series for series, slot in self._slots.items() if self._dirty[slot]] if self.dirty_rows else []

    def saved(self) -> None:
        """A snapshot has been taken of all."""
        self._dirty[:] = False

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(prefix="streamrnn-rows-", dir=self.folder) as file:
                self._file = os.dup(file.fileno())
        except OSError as error:
            raise StateError(
                f"cannot keep idle series in {self.folder} (state.store): {error.strerror}; name a folder on a disk"
            ) from error

    def _write(self, block: Block, slot: int) -> None:
        data = np.ascontiguousarray(block).data.cast("B")
        place = slot * self._size
        try:
            while data:
                written = os.pwrite(self._file, data, place)
                data, place = data[written:], place + written
        except OSError as error:
            raise StateError(
                f"cannot keep {len(self._slots):,} idle series in {self.folder} (state.store): {error.strerror}; name "
                "a folder with more room, or let state.forget_after forget what has been silent for long"
            ) from error

    def _read(self, row: npt.NDArray[np.uint8], slot: int) -> None:
        data, place = row.data, slot * self._size
        try:
            while data:
                count = os.preadv(self._file, [data], place)
                if count == 0:
                    raise StateError(f"the file of idle series in {self.folder} (state.store) was cut")
                data, place = data[count:], place + count
        except OSError as error:
            raise StateError(f"cannot read idle series from {self.folder} (state.store): {error.strerror}") from error

    def close(self) -> None:
        """Delete it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._slots.clear()
