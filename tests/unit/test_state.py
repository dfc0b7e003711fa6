from __future__ import annotations

import mmap
import sys
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.state.arrays import (
    OneRow,
    ask_for_memory,
    clear_rows,
    fields,
    get_rows,
    layout,
    put_arrays,
    put_rows,
    row_bytes,
    total_bytes,
    with_rows,
)


class Inner(NamedTuple):
    counts: npt.NDArray[np.int64]
    rate: float


class Tree(NamedTuple):
    first: npt.NDArray[np.float64]
    inner: Inner
    small: npt.NDArray[np.float32]


def tree(rows: int = 3) -> Tree:
    random = np.random.Generator(np.random.Philox(key=rows))
    return Tree(
        random.normal(size=(rows, 2, 3)),
        Inner(random.integers(100, size=rows), 0.5),
        random.normal(size=(rows, 1)).astype(np.float32),
    )


def test_every_array_has_its_dotted_name() -> None:
    assert [name for name, _ in fields(tree())] == ["first", "inner.counts", "small"]


def test_bytes_are_counted() -> None:
    assert row_bytes(tree()) == 48 + 8 + 4
    assert total_bytes(tree()) == 3 * 60
    assert row_bytes(with_rows(tree(), 0)) == 0


@given(rows=st.integers(0, 6), more=st.integers(0, 6))
def test_growing_keeps_rows_and_adds_zeros(rows: int, more: int) -> None:
    small = tree(rows)
    grown = with_rows(small, rows + more)
    assert grown.inner.rate == 0.5
    assert with_rows(grown, rows).first.tobytes() == small.first.tobytes()
    for _, array in fields(grown):
        assert len(array) == rows + more
        assert not array[rows:].any()


def test_a_row_can_be_moved_and_cleared() -> None:
    one, other = tree(), with_rows(tree(), 3)
    clear_rows(other, [1])
    assert get_rows(other, [1]) == [bytes(60)]
    put_rows(other, [1], get_rows(one, [2]))
    assert get_rows(other, [1]) == get_rows(one, [2])
    assert get_rows(other, [0]) == get_rows(one, [0])


@pytest.mark.parametrize("size", [0, 59, 61])
def test_a_row_of_another_length_is_refused(size: int) -> None:
    target = tree()
    before = get_rows(target, [0])
    with pytest.raises(ValueError, match=f"60 bytes, not {size}"):
        put_rows(target, [0], [bytes(size)])
    assert get_rows(target, [0]) == before


def test_arrays_of_other_names_shapes_or_types_are_refused() -> None:
    good = dict(fields(tree()))
    for wrong, words in (
        ({**good, "more": np.zeros(1)}, "more"),
        ({"first": good["first"]}, "inner.counts"),
        ({**good, "small": np.zeros((3, 2), np.float32)}, "small is float32"),
        ({**good, "small": np.zeros((3, 1))}, "small is float64"),
    ):
        with pytest.raises(ValueError, match=words):
            put_arrays(tree(), wrong)
    target = with_rows(tree(), 3)
    clear_rows(target, [0])
    put_arrays(target, good)
    assert get_rows(target, [0]) == get_rows(tree(), [0])


def test_the_layout_does_not_depend_on_the_number_of_rows() -> None:
    assert layout(tree(2)) == layout(tree(5))
    assert layout(tree())[0] == ("first", "<f8", (2, 3))


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True))
def test_many_rows_move_like_one_after_the_other(rows: list[int]) -> None:
    one, other = tree(9), with_rows(tree(2), 9)
    data = get_rows(one, rows)
    assert data == [get_rows(one, [row])[0] for row in rows]
    put_rows(other, rows, data)
    assert get_rows(other, rows) == data
    untouched = sorted({*range(2, 9)} - {*rows})
    assert not untouched or set(get_rows(other, untouched)) == {bytes(60)}


@given(
    widths=st.lists(st.sampled_from([0, 1, 4, 511, 512, 700]), min_size=1, max_size=5),
    rows=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
)
def test_rows_of_wide_and_narrow_arrays_move(widths: list[int], rows: list[int]) -> None:
    random = np.random.Generator(np.random.Philox(key=1))
    one = tuple(random.normal(size=(5, width)) for width in widths)
    other = with_rows(tuple(array[:0] for array in one), 5)
    put_rows(other, rows, [memoryview(row) for row in get_rows(one, rows)] if sum(widths) else [b""] * len(rows))
    for array, moved in zip(one, other, strict=True):
        assert moved[rows].tobytes() == array[rows].tobytes()
        assert not np.delete(moved, rows, axis=0).any()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory comes when it is written to")
def test_memory_that_is_asked_for_is_there_and_holds_what_it_held() -> None:
    megabyte = 1 << 20
    # A mapping of its own: what numpy gives may be memory that an earlier test has left.
    rows = np.frombuffer(mmap.mmap(-1, 64 * megabyte), np.uint8).reshape(64, megabyte)
    rows[3] = 7
    process = psutil.Process()
    before = process.memory_info().rss
    ask_for_memory((rows,), 32, 64)
    assert 24 * megabyte < process.memory_info().rss - before < 40 * megabyte
    ask_for_memory((rows,), 0, 1000)
    ask_for_memory((rows,), 64, 128)
    assert rows[3].all()
    assert rows.sum() == 7 * megabyte


KINDS = st.tuples(st.sampled_from(["<f8", "<f4", "<i8", "|i1", "|b1"]), st.integers(0, 5))


@given(kinds=st.lists(KINDS, max_size=9), data=st.data())
def test_a_row_in_one_piece_is_the_row_of_its_arrays(kinds: list[tuple[str, int]], data: st.DataObject) -> None:
    tree = (np.ones((1, 1)), *(np.ones((1, width), kind) for kind, width in kinds))
    one = OneRow(tree)
    assert one.get() == get_rows(tree, [0])[0]
    size = row_bytes(tree)
    content = data.draw(st.binary(min_size=size, max_size=size))
    one.put(content)
    assert one.get() == get_rows(one.arrays, [0])[0] == content
    for _, array in fields(one.arrays):
        assert array.flags.aligned
        assert array.flags.c_contiguous
        array.view(np.uint8)[...] = 7
    assert one.get() == bytes([7]) * size
    with pytest.raises(ValueError, match=f"a row has {size} bytes"):
        one.put(content + b"x")
