"""State is arrays: nested NamedTuples of numpy arrays, handled here without knowing what they mean.

Arrays of a `series` tuple have one row per series as their first axis. A row of zeros is a new series, so growing,
evicting, snapshotting and restoring a series are plain copies of its row through all arrays.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

_WIDE = 4096  # bytes per row from which on numpy copies one row as fast as many together
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, Linux 5.14

Array = npt.NDArray[Any]
Block = npt.NDArray[np.uint8]
"""(rows, bytes per row)"""
RowBytes = bytes | memoryview
"""A series' bytes through all arrays."""
Tree = TypeVar("Tree", bound=tuple[Any, ...])


def fields(tree: tuple[Any, ...], prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Every array of the tree with its dotted name, in order."""
    names: tuple[str, ...] = getattr(tree, "_fields", tuple(str(i) for i in range(len(tree))))
    for name, value in zip(names, tree, strict=True):
        if isinstance(value, tuple):
            yield from fields(value, f"{prefix}{name}.")
        elif isinstance(value, np.ndarray):
            yield prefix + name, value


def map_arrays(tree: Tree, change: Callable[[Array], Array]) -> Tree:
    """The same tree with other arrays."""
    values = [
        map_arrays(v, change) if isinstance(v, tuple) else change(v) if isinstance(v, np.ndarray) else v for v in tree
    ]
    if hasattr(tree, "_make"):
        made: Tree = tree._make(values)
        return made
    return type(tree)(values)


def with_rows(tree: Tree, rows: int) -> Tree:
    """The same tree with `rows` rows; rows beyond the present ones are zero."""

    def resize(value: Array) -> Array:
        resized = np.zeros((rows, *value.shape[1:]), value.dtype)
        kept = min(rows, len(value))
        resized[:kept] = value[:kept]
        return resized

    return map_arrays(tree, resize)


def row_bytes(tree: tuple[Any, ...]) -> int:
    """Bytes of state per series."""
    return sum(array[:1].nbytes if len(array) else 0 for _, array in fields(tree))


def total_bytes(tree: tuple[Any, ...]) -> int:
    """Bytes of all arrays."""
    return sum(array.nbytes for _, array in fields(tree))


def get_block(tree: tuple[Any, ...], rows: Sequence[int]) -> Block:
    """(rows, bytes per row) the bytes of each row through all arrays, in field order."""
    at = _selection(rows)
    return np.concatenate([span.array[at] for span in _spans(tree)], axis=1)


def get_rows(tree: tuple[Any, ...], rows: Sequence[int]) -> list[bytes]:
    """The bytes of each row through all arrays, in field order."""
    return [row.tobytes() for row in get_block(tree, rows)]


def put_block(tree: tuple[Any, ...], rows: Sequence[int], block: Block) -> None:
    """Write what `get_block` gave, each row named once."""
    at = _selection(rows)
    for array, begin, end in _spans(tree):
        array[at] = block[:, begin:end]


def put_rows(tree: tuple[Any, ...], rows: Sequence[int], data: Sequence[RowBytes]) -> None:
    """Write what `get_rows` gave, each row named once. Raises ValueError when a length differs."""
    size = row_bytes(tree)
    for one in data:
        if len(one) != size:
            raise ValueError(f"a row has {size} bytes, not {len(one)}")
    at = _selection(rows)
    for wide, group in groupby(_spans(tree), lambda span: span.end - span.begin >= _WIDE):
        if wide:
            for array, begin, end in group:
                for row, one in zip(rows, data, strict=True):
                    array[row] = np.frombuffer(one, np.uint8, end - begin, begin)
        else:
            spans = list(group)
            first = spans[0].begin
            block = np.frombuffer(b"".join([one[first : spans[-1].end] for one in data]), np.uint8)
            for array, begin, end in spans:
                array[at] = block.reshape(len(rows), -1)[:, begin - first : end - first]


class OneRow(Generic[Tree]):
    """The arrays of one series in one piece of memory, so that its bytes go in and out as one copy.

    `arrays` are those of a tree with one row, with their values. They lie as `get_rows` orders them. Where an array
    would not begin at a multiple of its item's size, compiled code could not read it: there a new piece begins.
    """

    def __init__(self, tree: Tree) -> None:
        spans = list(_spans(tree))
        begins = [0]
        for (_, array), span in zip(((name, one) for name, one in fields(tree) if one.size), spans, strict=True):
            if (span.begin - begins[-1]) % array.itemsize:
                begins.append(span.begin)
        self._size = spans[-1].end if spans else 0
        ends = [*begins[1:], self._size]
        self._pieces = [np.zeros(end - begin, np.uint8) for begin, end in zip(begins, ends, strict=True)]
        views = [piece.data for piece in self._pieces]  # to write to these takes a third of the time
        self._parts = [(view, slice(begin, end)) for view, begin, end in zip(views, begins, ends, strict=True)]
        self._piece, self._at = 0, 0
        self.arrays = map_arrays(tree, self._placed)
        self.put(get_rows(tree, [0])[0])

    def _placed(self, array: Array) -> Array:
        if not array.size:
            return np.zeros_like(array)
        if self._at == len(self._pieces[self._piece]):
            self._piece, self._at = self._piece + 1, 0
        begin, self._at = self._at, self._at + array.nbytes
        return np.ndarray(array.shape, array.dtype, self._pieces[self._piece], begin)

    def put(self, data: RowBytes) -> None:
        """Write what `get` gave. Raises ValueError when its length differs."""
        if len(data) != self._size:
            raise ValueError(f"a row has {self._size} bytes, not {len(data)}")
        content = memoryview(data)
        for view, part in self._parts:
            view[:] = content[part]

    def get(self) -> bytes:
        """The row's bytes, as `get_rows` gives them."""
        return b"".join([view for view, _ in self._parts])


class _Span(NamedTuple):
    array: npt.NDArray[np.uint8]  # as bytes, (rows, bytes per row)
    begin: int  # of its bytes within a row's
    end: int


def _spans(tree: tuple[Any, ...]) -> Iterator[_Span]:
    end = 0
    for _, array in fields(tree):
        if array.size:
            view = array.reshape(len(array), -1).view(np.uint8)
            begin, end = end, end + view.shape[1]
            yield _Span(view, begin, end)


def _selection(rows: Sequence[int]) -> slice | list[int]:
    """Rows as an index; a slice where they follow each other, which numpy copies at the speed of memory."""
    first, last = rows[0], rows[-1]
    if len(rows) == last - first + 1 and all(row == first + i for i, row in enumerate(rows)):
        return slice(first, last + 1)
    return list(rows)


def ask_for_memory(tree: tuple[Any, ...], first: int, last: int) -> None:
    """Have the system provide the memory of rows `first` to `last`, which it does for new arrays when they are used.

    Changes no content and may fail: then the rows get their memory when they are written to. Without the GIL.
    """
    if sys.platform != "linux":
        return
    for _, array in fields(tree):
        rows = array[first:last]
        begin = -(-rows.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
        size = (rows.ctypes.data + rows.nbytes - begin) // mmap.PAGESIZE * mmap.PAGESIZE
        if size > 0:
            _libc().madvise(ctypes.c_void_p(begin), ctypes.c_size_t(size), _POPULATE_WRITE)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def clear_rows(tree: tuple[Any, ...], rows: Sequence[int]) -> None:
    """Make each row a new series."""
    at = _selection(rows)
    for _, array in fields(tree):
        array[at] = 0


def put_arrays(tree: tuple[Any, ...], arrays: Mapping[str, Array]) -> None:
    """Write named arrays into the tree. Raises ValueError when names, shapes or types differ."""
    present = dict(fields(tree))
    if present.keys() != arrays.keys():
        raise ValueError(f"arrays {sorted(present.keys() ^ arrays.keys())} are in the state or the model, not in both")
    for name, array in present.items():
        given = arrays[name]
        if given.shape != array.shape or given.dtype != array.dtype:
            raise ValueError(f"{name} is {given.dtype}{given.shape}, not {array.dtype}{array.shape}")
        array[...] = given


def layout(tree: tuple[Any, ...]) -> list[tuple[str, str, tuple[int, ...]]]:
    """(name, type, shape of one row) of every array: two states with equal layouts have interchangeable rows."""
    return [(name, array.dtype.str, array.shape[1:]) for name, array in fields(tree)]
