"""How much memory series may take, and arrays that grow without a copy.

An array is reserved at its greatest length at once. The system provides its pages when they are written to, so what is
not used costs nothing, and growing is a longer view of the same memory.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import resource
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from streamrnn.errors import StateError
from streamrnn.state.arrays import Array, fields, map_arrays, row_bytes

Tree = TypeVar("Tree", bound=tuple[Any, ...])

PROCESS = 256 << 20
"""Bytes that a process needs besides its series."""
SHARE = 4
"""Of the rest one part is for series, one and a quarter for the snapshot being taken (their rows, and those that
left the memory since the last one), the others for what comes and goes: with three parts 2 GiB were nearly full."""
LEAST = 32 << 20
_LARGE = 32 << 20
"""Bytes from which on an array is given large pages: what their rounding up wastes is then little."""
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0  # MAP_NORESERVE
_LARGE_PAGES, _NO_LARGE_PAGES = 14, 15  # MADV_HUGEPAGE, MADV_NOHUGEPAGE: Linux, elsewhere refused


class Ceiling(NamedTuple):
    """How much memory this process can have at most."""

    bytes: int
    whose: str


def ceiling(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Ceiling:
    """The least of the machine's memory, the container's limit and the process's own."""
    found = [Ceiling(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "machine")]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            found.append(Ceiling(soft, "process (ulimit)"))
    found += [Ceiling(limit, "container") for limit in _group_limits(root, own)]
    return min(found)


def _group_limits(root: Path, own: Path) -> Iterator[int]:
    """Limits of the control group and of those around it, version 2 and 1."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    places = {root / "memory.max", root / "memory" / "memory.limit_in_bytes"}
    for line in lines:
        _, kinds, path = line.split(":", 2)
        base, name = (root, "memory.max") if not kinds else (root / "memory", "memory.limit_in_bytes")
        if not kinds or "memory" in kinds.split(","):
            inner = base / path.lstrip("/")
            places |= {folder / name for folder in (inner, *inner.parents) if folder.is_relative_to(base)}
    for place in sorted(places):
        with contextlib.suppress(OSError, ValueError):
            limit = int(place.read_text())
            if limit < 1 << 60:  # version 1 says so where there is none
                yield limit


def default_budget(most: int | None = None) -> int:
    """Bytes for series where `state.max_memory` says nothing."""
    most = ceiling().bytes if most is None else most
    return max(LEAST, (most - PROCESS) // SHARE)


def described(budget: int | None) -> str:
    """In words: how much memory series may take, and why."""
    if budget is not None:
        return f"{size(budget)} of memory for series (state.max_memory)"
    most = ceiling()
    return (
        f"{size(default_budget())} of memory for series (state.max_memory is not set: a quarter of the {most.whose}'s "
        f"{size(most.bytes)} less {size(PROCESS)})"
    )


def size(count: int) -> str:
    """`1.5 GiB`."""
    unit, name = next(
        ((unit, name) for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")) if count >= unit),
        (1, "bytes"),
    )
    return f"{count / unit:.3g} {name}" if count < 1000 * unit else f"{count / unit:,.0f} {name}"


class Sharer(Protocol):
    """A table of series that takes part in a budget."""

    def limit_to(self, bytes_: int) -> None:
        """Take no more than this from now on."""


class Budget:
    """The memory of all series of one process, the same for each partition."""

    def __init__(self) -> None:
        self._sharers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._bytes: dict[int, int] = {}

    def join(self, sharer: Sharer, all_bytes: int) -> None:
        """One more partition; the others make room for it."""
        self._sharers.add(sharer)
        self._bytes[id(sharer)] = all_bytes
        self._divide()

    def leave(self, sharer: Sharer) -> None:
        """One partition less."""
        self._sharers.discard(sharer)
        self._bytes.pop(id(sharer), None)
        self._divide()

    def _divide(self) -> None:
        count = len(self._sharers)
        for sharer in self._sharers:
            sharer.limit_to(self._bytes[id(sharer)] // count)


BUDGET = Budget()
"""Of this process: memory is the one thing that all partitions of a process share."""


class Reserve(Generic[Tree]):
    """Address space for `rows` rows of the arrays of `tree`, or for fewer where the system does not give that much."""

    def __init__(self, tree: Tree, rows: int) -> None:
        self.rows = rows
        while (made := self._made(tree)) is None:
            if self.rows <= 64:
                size = self.rows * row_bytes(tree)
                raise StateError(f"the system does not give {size:,} bytes of address space for {self.rows} series")
            self.rows //= 2
        self._all: Tree = made

    def _made(self, tree: Tree) -> Tree | None:
        try:
            return map_arrays(tree, lambda array: _reserved(array, self.rows))
        except (OSError, ValueError, MemoryError):
            return None

    def view(self, rows: int) -> Tree:
        """The first `rows` rows."""
        for _, array in fields(self._all):
            _large_pages(array, rows)
        return map_arrays(self._all, lambda array: array[:rows])

    def give_back(self, first: int) -> None:
        """Return the memory of row `first` and those after it: they are zero again."""
        for _, array in fields(self._all):
            if array.nbytes:
                base = _memory_of(array)
                begin = first * (array.nbytes // len(array))
                whole = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
                flat = array.reshape(-1).view(np.uint8)
                flat[begin : min(whole, array.nbytes)] = 0
                if whole < len(base):
                    base.madvise(mmap.MADV_DONTNEED, whole, len(base) - whole)


def _reserved(like: Array, rows: int) -> Array:
    shape = (rows, *like.shape[1:])
    size = like.dtype.itemsize * math.prod(shape)
    if size == 0:
        return np.zeros(shape, like.dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    with contextlib.suppress(OSError):
        memory.madvise(_NO_LARGE_PAGES)  # where they are given unasked, each array would begin with 2 MiB
    return np.frombuffer(memory, like.dtype).reshape(shape)


def _large_pages(array: Array, rows: int) -> None:
    """Large arrays are walked faster in large pages."""
    if rows * (array.nbytes // max(1, len(array))) >= _LARGE:
        with contextlib.suppress(OSError):
            _memory_of(array).madvise(_LARGE_PAGES)


def _memory_of(array: Array) -> mmap.mmap:
    base: Any = array
    while not isinstance(base, mmap.mmap):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base
