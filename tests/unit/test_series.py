from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.errors import StateError
from streamrnn.state import row_store
from streamrnn.state.memory import Budget
from streamrnn.state.row_store import RowStore, store_folder
from streamrnn.state.series_store import SeriesTable


class Rows(NamedTuple):
    total: npt.NDArray[np.int64]
    pair: npt.NDArray[np.float64]


Table = SeriesTable[Rows]


def table(limit: int | None = None, budget: int = 1 << 30, shared: Budget | None = None) -> Table:
    rows = Rows(np.zeros(1, np.int64), np.zeros((1, 2)))
    return SeriesTable(rows, RowStore(store_folder(None, None)), limit=limit, budget=budget, shared=shared or Budget())


def add(series: Table, keys: list[str]) -> None:
    """What a fold does: change the row of every event."""
    for part, rows in series.batches(keys):
        assert len(rows) == len(keys[part])
        for row in rows.tolist():
            series.arrays.total[row] += 1
            series.arrays.pair[row] += 0.5


def totals(series: Table) -> dict[str, int]:
    return {key: int(np.frombuffer(series.data(key), np.int64, 1)[0]) for key in all_keys(series)}


def all_keys(series: Table) -> list[str]:
    return sorted(series.all_keys())


KEYS = st.sampled_from(["a", "b", "c", "", "ключ", "nul\0l", "nul\0m", "a/b", "😀", "é", "e\u0301", "x" * 1000])
ACTIONS = st.lists(st.lists(KEYS, max_size=30) | st.just("snapshot") | st.tuples(KEYS), max_size=12)


@given(actions=ACTIONS, limit=st.none() | st.integers(1, 5))
def test_a_bounded_table_is_a_dictionary(actions: list[list[str] | str | tuple[str]], limit: int | None) -> None:
    series = table(limit)
    expected: dict[str, int] = {}
    saved: dict[str, int] = {}
    try:
        for action in actions:
            if action == "snapshot":
                for key, data in series.take_dirty():
                    assert data is not None
                    saved[key] = int(np.frombuffer(data, np.int64, 1)[0])
                assert saved == expected
                assert not list(series.take_dirty())
            elif isinstance(action, list):
                add(series, action)
                for key in action:
                    expected[key] = expected.get(key, 0) + 1
            elif limit is not None and isinstance(action, tuple) and series.row_of(action[0]) is not None:
                series.store_away([action[0]])
                assert series.row_of(action[0]) is None
            assert totals(series) == expected
            assert len(series) == len(expected)
            assert limit is None or series.in_memory <= limit
            assert all_keys(series) == sorted(expected)
    finally:
        series.close()


@given(
    rows=st.dictionaries(KEYS, st.integers(1, 99)), again=st.dictionaries(KEYS, st.none() | st.integers(1, 99)),
    limit=st.none() | st.integers(1, 4),
)  # fmt: skip
def test_restoring_is_putting_rows_the_last_one_wins(
    rows: dict[str, int], again: dict[str, int | None], limit: int | None
) -> None:
    series = table(limit)
    expected: dict[str, int] = {}
    try:
        for part in (rows, again):
            for key, total in part.items():
                if total is None:
                    expected.pop(key, None)
                    series.put({key: None})
                else:
                    expected[key] = total
                    series.put({key: np.array([total], np.int64).tobytes() + bytes(16)})
        assert totals(series) == expected
        assert len(series) == len(expected)
        assert not list(series.take_dirty())  # what was read is not written again
        add(series, ["new", *expected])
        assert totals(series) == {key: total + 1 for key, total in expected.items()} | {"new": 1}
        assert {key for key, _ in series.take_dirty()} == {"new", *expected}
    finally:
        series.close()


def test_a_deleted_series_is_a_new_one_when_it_returns() -> None:
    series = table()
    add(series, ["a", "b", "a"])
    series.put({"a": None})
    add(series, ["c", "a"])
    assert totals(series) == {"a": 1, "b": 1, "c": 1}
    assert len(series.arrays.total) == 16


def test_a_row_of_another_length_is_refused() -> None:
    series = table()
    with pytest.raises(ValueError, match="24 bytes, not 3"):
        series.put({"a": b"abc"})


def test_unknown_series_have_no_data() -> None:
    for limit in (None, 2):
        series = table(limit)
        with pytest.raises(KeyError):
            series.data("a")
        series.close()


def test_memory_grows_with_the_series_and_never_beyond_the_limit() -> None:
    series = table()
    add(series, [str(i) for i in range(100)])
    assert 100 <= len(series.arrays.total) <= 128
    bounded = table(20)
    add(bounded, [str(i) for i in range(100)])
    assert len(bounded.arrays.total) == 20
    assert totals(bounded) == totals(series)
    bounded.close()


def test_growing_copies_nothing() -> None:
    series = table()
    add(series, ["a"])
    before = series.arrays.total.ctypes.data
    add(series, [str(i) for i in range(10_000)])
    assert series.arrays.total.ctypes.data == before
    assert totals(series)["a"] == 1


@given(
    batches=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=20), min_size=1, max_size=20),
    changes=st.lists(st.integers(1, 60), min_size=1, max_size=20),
)
def test_a_limit_may_change_at_any_time(batches: list[list[int]], changes: list[int]) -> None:
    series = table(budget=60 * 24)
    expected: dict[str, int] = {}
    try:
        for batch, rows in zip(batches, changes, strict=False):
            add(series, [str(key) for key in batch])
            for key in batch:
                expected[str(key)] = expected.get(str(key), 0) + 1
            series.limit_to(rows * 24)
            assert series.in_memory <= rows
            assert totals(series) == expected
            assert not series.arrays.total[
                [row for row in range(len(series.arrays.total)) if row not in series._rows.values()]
            ].any()
        assert {key for key, _ in series.take_dirty()} == expected.keys()
    finally:
        series.close()


STEPS = st.lists(
    st.tuples(st.just("add"), st.lists(st.integers(0, 12), min_size=1, max_size=6))
    | st.tuples(st.sampled_from(["read", "limit", "forget", "away", "anew"]), st.integers(1, 14)),
    max_size=40,
)


@given(steps=STEPS)
def test_a_snapshot_read_little_by_little_is_of_the_moment_it_began(steps: list[tuple[str, Any]]) -> None:
    rows = Rows(np.zeros(1, np.int64), np.zeros((1, 2)))
    series: Table = SeriesTable(
        rows, RowStore(store_folder(None, None)), limit=None, budget=60 * 24, newest=lambda arrays: arrays.total
    )
    saved: dict[str, int] = {}
    begun = totals(series)
    reading = series.take_dirty()

    def read(most: int) -> None:
        nonlocal begun, reading
        some = list(itertools.islice(reading, most))
        for key, data in some:
            if data is None:
                saved.pop(key, None)
            else:
                saved[key] = int(np.frombuffer(data, np.int64, 1)[0])
        if len(some) < most:  # read to its end
            assert saved == begun
            begun, reading = totals(series), series.take_dirty()

    try:
        for what, how in [*steps, ("read", 1000), ("read", 1000)]:
            if what == "add":
                add(series, [str(key) for key in how])
            elif what == "read":
                read(how)
            elif what == "limit":
                series.limit_to(how * 24)
            elif what == "forget":
                series.forget(how // 4)
            elif (row := series.row_of(str(how))) is not None:
                if what == "away":
                    series.store_away([str(how)])
                else:
                    series.renew(np.array([row]))
                    add(series, [str(how)])
        assert saved == totals(series)
    finally:
        series.close()


def test_partitions_of_a_process_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_store, "INDEX", 0)  # these rows are smaller
    shared = Budget()
    one = table(budget=24 * 100, shared=shared)
    add(one, [str(i) for i in range(80)])
    assert one.in_memory == 80
    other = table(budget=24 * 100, shared=shared)
    assert one.in_memory == 50
    add(other, [str(i) for i in range(80)])
    assert other.in_memory == 50
    other.close()
    add(one, [str(i) for i in range(80)])
    assert one.in_memory == 80
    assert set(totals(one).values()) == {2}
    one.close()


def test_forgotten_series_are_gone_and_the_snapshot_says_so() -> None:
    rows = Rows(np.zeros(1, np.int64), np.zeros((1, 2)))
    series: Table = SeriesTable(
        rows, RowStore(store_folder(None, None)), limit=3, budget=1 << 30, newest=lambda arrays: arrays.total
    )
    add(series, ["a", "b", "c", "d", "e", "a", "e"])
    assert len(dict(series.take_dirty())) == 5
    series.forget(2)
    assert totals(series) == {"a": 2, "e": 2}
    add(series, ["b"])
    assert {key: data is None for key, data in series.take_dirty()} == {"c": True, "d": True, "b": False}
    assert totals(series) == {"a": 2, "e": 2, "b": 1}
    series.close()


def block(*rows: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)


def put(store: RowStore, *series: str) -> None:
    count = len(series)
    data = block(*(key.ljust(8).encode() for key in series))
    store.put(series, data, np.zeros(count, np.bool_), np.zeros(count, np.int64))


def test_the_store_leaves_nothing_behind(tmp_path: Path) -> None:
    store, other = RowStore(tmp_path / "rows"), RowStore(tmp_path / "rows")
    assert not (tmp_path / "rows").exists(), "nothing is made before it is needed"
    put(store, "a", "b", "c")
    put(other, "a")
    assert not list((tmp_path / "rows").iterdir()), "it would stay there for ever after a SIGKILL"
    assert store.get(["c", "a"]).tobytes() == b"c       a       "
    taken, _ = store.take(["b"])
    assert taken.tobytes() == b"b       "
    put(store, "d", "e")
    assert store.get(["a", "c", "d", "e"]).tobytes() == b"a       c       d       e       "
    assert os.fstat(store._file).st_size == 4 * 8, "the slot of b is used again"
    assert (list(store.series()), len(store), len(other)) == (["a", "c", "d", "e"], 4, 1)
    store.close()
    other.close()


def test_a_store_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"cannot keep idle series in .*state\.store"):
        put(RowStore(tmp_path / "file"), "a")


def test_a_full_disk_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RowStore(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StateError, match=r"No space left on device.*state\.forget_after"):
        put(store, "a")
    store.close()
