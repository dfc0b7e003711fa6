"""Answers of services and dumps of brokers are read as the series that are in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamrnn.errors import ConfigurationError
from tests.reading.runs import events
from tests.reading.services import FIRST, ISO, ROWS, SECOND, SECONDS, Series, every


@pytest.mark.parametrize("series", [*every()], ids=lambda series: series.name)
def test_every_series_is_found_under_its_own_name(series: Series, tmp_path: Path) -> None:
    path = tmp_path / series.name
    path.write_text(series.content)
    found, keys, times, values, refused = events(path)
    assert set(keys) == set(series.keys), found
    target = next(iter(column for name, column in values.items() if name not in ("1", "_score", "qos")))
    for key, expected in zip(series.keys, (FIRST, SECOND), strict=False):
        rows = [row for row, one in enumerate(keys) if one == key]
        assert len(rows) == ROWS
        assert [times[row] // 1_000_000 for row in rows] == SECONDS
        assert [target[row] for row in rows] == expected
    assert refused == 0


def test_of_several_tables_one_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    daily = {"time": ["2024-03-25", "2024-03-26", "2024-03-27"], "most": [7.5, 8.5, 9.5]}
    path.write_text(json.dumps({"hourly": {"time": ISO, "load": FIRST}, "daily": daily}))
    found, _, _, values, _ = events(path)
    assert values == {"load": FIRST}
    assert "this document has several tables: hourly is read, not daily (3 rows) (--table daily)" in found.notes
    assert events(path, "--table", "daily")[3] == {"most": [7.5, 8.5, 9.5]}
    assert events(path, "--table", "hourly")[3] == {"load": FIRST}
    with pytest.raises(ConfigurationError, match="no table 'weekly' for --table; there are: hourly, daily"):
        events(path, "--table", "weekly")


def test_of_tables_of_one_shape_one_may_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    sizes = [value * 1e6 for value in FIRST]  # which might be seconds since 1970
    both = {
        name: [[1000 * s, v] for s, v in zip(SECONDS, of, strict=True)] for name, of in (("p", FIRST), ("q", sizes))
    }
    path.write_text(json.dumps(both))
    _, keys, _, values, _ = events(path)
    assert (set(keys), values) == ({"p", "q"}, {"value": FIRST + sizes})
    assert events(path, "--table", "q")[3] == {"value": sizes}


def test_a_table_is_for_documents(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(ConfigurationError, match="--table a is for a JSON document with several tables"):
        events(path, "--table", "a")


def test_a_document_whose_rows_are_not_understood_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"from": 1, "step": 60, "numbers": FIRST}, indent=1))
    with pytest.raises(ConfigurationError, match=r"a list at 'numbers' \(72 items\)"):
        events(path)
