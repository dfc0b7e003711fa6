from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.errors import StateError
from streamrnn.state.series_store import RowStore, SeriesTable


class Rows(NamedTuple):
    total: npt.NDArray[np.int64]
    pair: npt.NDArray[np.float64]


Table = SeriesTable[Rows]


def table(limit: int | None = None, stored: bool = False) -> Table:
    return SeriesTable(Rows(np.zeros(1, np.int64), np.zeros((1, 2))), limit, RowStore(None) if stored else None)


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


@given(actions=ACTIONS, limit=st.none() | st.integers(1, 5), stored=st.booleans())
def test_a_bounded_table_is_a_dictionary(
    actions: list[list[str] | str | tuple[str]], limit: int | None, stored: bool
) -> None:
    series = table(limit, stored or limit is not None)
    expected: dict[str, int] = {}
    saved: dict[str, int] = {}
    try:
        for action in actions:
            if action == "snapshot":
                for key, data in series.take_dirty():
                    saved[key] = int(np.frombuffer(data, np.int64, 1)[0])
                assert saved == expected
                assert not list(series.take_dirty())
            elif isinstance(action, list):
                add(series, action)
                for key in action:
                    expected[key] = expected.get(key, 0) + 1
            elif limit is not None and isinstance(action, tuple) and series.row_of(action[0]) is not None:
                series.store_away(action[0])
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
    series = table(limit, limit is not None)
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
    for stored in (False, True):
        series = table(2 if stored else None, stored)
        with pytest.raises(KeyError):
            series.data("a")
        series.close()


def test_memory_grows_with_the_series_and_never_beyond_the_limit() -> None:
    series = table()
    add(series, [str(i) for i in range(100)])
    assert len(series.arrays.total) == 128
    bounded = table(20, stored=True)
    add(bounded, [str(i) for i in range(100)])
    assert len(bounded.arrays.total) == 20
    assert totals(bounded) == totals(series)
    bounded.close()


def test_the_store_leaves_nothing_behind(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "rows")
    other = RowStore(tmp_path / "rows")
    store.put("a", b"1")
    other.put("a", b"2")
    assert (store.get("a"), other.get("a"), store.get("b")) == (b"1", b"2", None)
    assert (list(store.series()), len(store)) == (["a"], 1)
    store.delete("a")
    assert len(store) == 0
    store.close()
    other.close()
    assert not list((tmp_path / "rows").iterdir())


def test_a_killed_process_leaves_no_store_behind(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    store.put("a", b"1" * 1000)
    assert store.get("a") == b"1" * 1000
    assert not list(tmp_path.iterdir()), "it would stay there for ever after a SIGKILL"
    store.close()


def test_a_store_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot keep idle series in"):
        RowStore(tmp_path / "file")


def test_a_store_that_fails_is_a_named_error() -> None:
    store = RowStore(None)
    store.close()
    with pytest.raises(StateError, match="local store of idle series failed"):
        store.put("a", b"1")
