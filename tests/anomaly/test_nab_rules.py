"""The benchmark's scoring rules on cases worked by hand."""

from __future__ import annotations

import json
from math import exp
from pathlib import Path

import numpy as np
import pytest

from streamrnn.anomaly.alerts import AlertConfig
from streamrnn.errors import ConfigurationError
from streamrnn.evaluation import nab

ROWS = 1000  # the first 150 are not scored
WINDOW = (400, 499)  # 100 rows


def labelled(*windows: tuple[int, int]) -> nab.LabelledFile:
    return nab.LabelledFile("group/file.csv", np.arange(ROWS), np.zeros(ROWS), windows)


def at(*rows: int) -> np.ndarray:
    mask = np.zeros(ROWS, dtype=bool)
    mask[list(rows)] = True
    return mask


def s(y: float) -> float:
    return 2 / (1 + exp(5 * y)) - 1


def score(*rows: int, windows: tuple[tuple[int, int], ...] = (WINDOW,)) -> dict[str, float]:
    return nab.score([labelled(*windows)], [at(*rows)])


def test_nothing_detected_is_zero() -> None:
    assert score() == {"standard": 0, "low-FP": 0, "low-FN": 0}


def test_every_window_at_its_first_row_and_nothing_else_is_a_hundred() -> None:
    both = score(400, 700, windows=(WINDOW, (700, 799)))
    assert both == {"standard": 100, "low-FP": 100, "low-FN": 100}


def test_one_late_hit() -> None:
    # The last row: y = -(499 - 499 + 1) / 100. Missing costs 1 (2), so a hit is worth its pay plus that.
    pay = s(-0.01) / s(-1)
    expected = {"standard": (pay + 1) / 2, "low-FP": (pay + 1) / 2, "low-FN": (pay + 2) / 3}
    assert score(499) == pytest.approx({name: 100 * value for name, value in expected.items()})


def test_only_the_earliest_hit_of_a_window_pays() -> None:
    assert score(420, 430, 450, 499) == score(420)


def test_repeated_false_positives() -> None:
    # Before any window each costs its profile's weight in full; the perfect hit of one window spans 2 (3).
    assert score(200, 201, 202, 400) == pytest.approx(
        {"standard": 100 * (1 - 0.33 / 2), "low-FP": 100 * (1 - 0.66 / 2), "low-FN": 100 * (1 - 0.33 / 3)}
    )


def test_a_false_positive_just_after_a_window_costs_little_and_far_after_all() -> None:
    near, far = s(5 / 99), -1.0
    assert score(400, 504)["standard"] == pytest.approx(100 + 50 * 0.11 * near)
    assert score(400, 499 + 298)["standard"] == pytest.approx(100 + 50 * 0.11 * far)


def test_the_first_rows_are_not_scored() -> None:
    assert score(0, 149, 400)["standard"] == 100
    assert score(150, 400)["standard"] < 100
    long = nab.LabelledFile("group/long.csv", np.arange(9000), np.zeros(9000), ())
    assert long.probation == 750


def test_windows_are_counted_over_all_files() -> None:
    files = [labelled(WINDOW), labelled(WINDOW), labelled()]
    assert nab.score(files, [at(400), at(), at()])["standard"] == pytest.approx(50)


def test_an_alert_is_detected_once_at_its_first_event() -> None:
    assert np.flatnonzero(nab.first_events(np.array([0, 1, 1, 0, 1, 2, 2, 0, 3]))).tolist() == [1, 5, 8]


def test_replaying_alerts_rests_and_sweeps() -> None:
    file = labelled(WINDOW)
    strengths = np.zeros(ROWS)
    strengths[[200, 210, 405]] = 2.0, 3.0, 4.0
    assert np.flatnonzero(nab.replay(strengths, AlertConfig(), 1.9)).tolist() == [200, 405]
    found = nab.alert_sweep([file], [strengths])
    assert 3 < found["standard"][0] <= 4
    assert found["standard"][1] == pytest.approx(score(405)["standard"])


def test_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    rows = [f"2026-01-01 00:{minute:02d}:00,{minute * 0.5}" for minute in range(30)]
    (tmp_path / "group" / "a.csv").write_text("timestamp,value\n" + "\n".join(rows) + "\n")
    windows = {
        "group/a.csv": [["2026-01-01 00:10:00.000000", "2026-01-01 00:14:00.000000"]],
        "group/not there.csv": [],
    }
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    (file,) = nab.load(tmp_path)
    assert file.windows == ((10, 14),)
    assert file.values[3] == 1.5
    assert file.times[1] - file.times[0] == 60_000_000


def test_a_folder_without_labels_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no windows.json"):
        nab.load(tmp_path)
