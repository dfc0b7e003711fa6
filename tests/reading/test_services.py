"""Answers of services and dumps of brokers are read as the series that are in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading.runs import events
from tests.reading.services import FIRST, ROWS, SECOND, SECONDS, Series, every


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
