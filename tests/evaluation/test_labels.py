"""Alerts held against labels: what counts as hit, the areas, the labels' file, the command with its page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from streamrnn.app.cli import cli
from streamrnn.errors import ConfigurationError
from streamrnn.evaluation.alert_labels import Label, check_series, labelled, read_labels
from streamrnn.evaluation.alert_scores import Judged, area, event_scores, match, point_scores, windows_of

MINUTE = 60_000_000


def judged(opened: list[int], windows: list[tuple[int, int]], count: int = 200) -> Judged:
    flags = np.zeros(count, bool)
    flags[opened] = True
    nothing = np.zeros(count)
    times = MINUTE * np.arange(count)
    return Judged("s", times, nothing, nothing, nothing, nothing, flags * 5.0, flags, windows)


def test_a_window_counts_once_and_an_alert_just_before_it_hits_it() -> None:
    series = judged([10, 47, 60, 62, 150], [(50, 70), (148, 160), (190, 195)])
    assert match(series).first == [47, 150, None]
    assert match(series).false == [10]
    found = event_scores([series])
    assert (found["hit"], found["missed"], found["false"], found["alerts"]) == (2, 1, 1, 5)
    assert (found["precision"], found["recall"]) == (2 / 3, 2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert (found["median_delay_events"], found["median_delay_seconds"]) == (1, 60)
    assert found["alerts_per_1000_events"] == 25
    assert found["alerts_per_day"] == pytest.approx(5 / (199 / 1440))


def test_nothing_labelled_and_nothing_raised_have_no_scores() -> None:
    found = event_scores([judged([], [])])
    assert (found["precision"], found["recall"], found["f1"], found["median_delay_events"]) == (None,) * 4
    assert point_scores([judged([], [])]) == {"auc_pr": None, "vus_pr": None}


def test_windows_are_runs_of_labelled_events() -> None:
    assert windows_of(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 1), (3, 3), (6, 6)]
    assert windows_of(np.zeros(3, bool)) == []


def test_the_area_is_average_precision() -> None:
    label = np.array([1.0, 0, 1, 0, 0])
    assert area(np.array([5.0, 4, 3, 2, 1]), label) == pytest.approx((1 + 2 / 3) / 2)
    assert area(np.ones(5), label) == pytest.approx(2 / 5)  # one threshold takes all
    assert area(np.array([5.0, 1, 4, 2, 1]), label) == 1


def test_the_volume_forgives_what_is_near() -> None:
    windows = [(100, 110)]
    exact, near, far = (point_scores([judged([at], windows)]) for at in (105, 95, 20))
    assert near["auc_pr"] == pytest.approx(far["auc_pr"], rel=0.2)
    assert exact["vus_pr"] > near["vus_pr"] > far["vus_pr"]  # type: ignore[operator]


def test_labels_are_points_or_windows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("time,key\n2026-01-01T00:01:00Z,a\n2026-01-01 00:02:00,a\n")
    base = 1_767_225_600_000_000
    times = base + MINUTE * np.arange(5)
    assert labelled(read_labels(path), "f", "a", times).tolist() == [False, True, True, False, False]
    assert not labelled(read_labels(path), "f", "b", times).any()
    path.write_text("start,end\n2026-01-01T00:01:00Z,2026-01-01T00:03:00Z\n")
    assert read_labels(path) == [Label(None, None, base + MINUTE, base + 3 * MINUTE)]
    assert labelled(read_labels(path), "f", "b", times).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when\n1\n", "wants columns time,key or start,end,key; it has when"),
        ("time\nnoon\n", "line 2: 'noon' is no time"),
        ("start,end\n2026-01-02,2026-01-01\n", "line 2: ends before it starts"),
    ],
)
def test_what_is_no_label_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_labels(path)
    with pytest.raises(ConfigurationError, match="no series 'b'"):
        check_series(path, [Label(None, "b", 0, 1)], {("f", "a")})


def test_the_command_scores_alerts_and_draws_misses(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal(1500)
    values[1000] += 30
    values[1300] -= 30
    lines = [f"{1_767_225_600 + 60 * i},{value:.4f}" for i, value in enumerate(values)]
    (tmp_path / "x.csv").write_text("time,value\n" + "\n".join(lines) + "\n")
    (tmp_path / "labels.csv").write_text(
        "start,end\n2026-01-01T16:39:00Z,2026-01-01T16:45:00Z\n2026-01-01T05:00:00Z,2026-01-01T05:05:00Z\n"
    )
    page = tmp_path / "misses.html"
    done = CliRunner().invoke(
        cli,
        f"evaluate {tmp_path}/x.csv --labels {tmp_path}/labels.csv --json --jobs 1 "
        f"--plot {page} --set model.preset=lite",
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["labels"]["windows"], found["labels"]["hit"], found["labels"]["missed"]) == (2, 1, 1)
    assert found["labels"]["false"] >= 1
    assert found["labels"]["auc_pr"] > 0
    assert found["series"][0]["key"] == "default"
    drawn = page.read_text()
    assert drawn.count("<figure>") == found["labels"]["missed"] + found["labels"]["false"]
    assert "missed" in drawn
    assert "false alert" in drawn
