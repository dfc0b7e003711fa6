from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrnn.app.cli import main
from streamrnn.config.loading import load
from streamrnn.evaluation import nab
from streamrnn.evaluation.nab_jobs import LabelledJob, score_file
from tests.commands import SMALL

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labelled series with a spike each, one of them at the window's first row."""
    windows = {}
    for number, group in enumerate(("loud", "quiet")):
        random = np.random.default_rng(number)
        times = np.datetime64("2014-01-01T00:00:00") + np.arange(900) * np.timedelta64(5, "m")
        values = 10 + np.sin(np.arange(900) / 20) + 0.1 * random.normal(size=900)
        values[600] += 40
        texts = [str(time).replace("T", " ") for time in times]
        (tmp_path / "data" / group).mkdir(parents=True)
        rows = "".join(f"{text},{value}\n" for text, value in zip(texts, values, strict=True))
        (tmp_path / "data" / group / "spike.csv").write_text("timestamp,value\n" + rows)
        windows[f"{group}/spike.csv"] = [[texts[600 - 20 * number], texts[640]]]
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    return tmp_path


def test_scores_are_the_products_own(folder: Path, tmp_path: Path) -> None:
    file = nab.load(folder)[0]
    path, output = folder / "data" / file.name, tmp_path / "out.jsonl"
    scored = score_file(LabelledJob(path, len(file.values), load(None, {}, {})), lambda events: None)
    with pytest.raises(SystemExit):
        main(["run", "--input", str(path), "--output", str(output), "--quiet", "--set", "anomaly.explain=true"])
    anomalies = [json.loads(line)["anomaly"] for line in output.read_text().splitlines()]
    np.testing.assert_array_equal(scored.strength, [anomaly["strength"] for anomaly in anomalies])
    alerts = np.array([anomaly.get("alert", 0) for anomaly in anomalies])
    np.testing.assert_array_equal(scored.alert, nab.first_events(alerts))
    assert all(anomaly["is_anomaly"] == ("alert" in anomaly) for anomaly in anomalies)
    assert scored.alert.any()


def test_document(folder: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate("--nab", folder, "--json", "--jobs", 1)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    assert (found["files"], found["rows"], found["windows"]) == (2, 1800, 2)
    assert set(found["scores"]) == {"alerts", "threshold", "blind"}
    for scores in found["scores"].values():
        assert set(scores) == {"standard", "low-FP", "low-FN"}
    assert found["scores"]["threshold"]["standard"] > 50
    assert sorted(found["folders"]) == ["loud", "quiet"]
    assert sum(part["alerts"] for part in found["folders"].values()) > 0


def test_table(folder: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = evaluate("--nab", folder, "--jobs", 1)
    assert code == 0, err
    for word in ("alerts as published", "best single threshold", "blind", "loud", "low-FN"):
        assert word in out


def test_a_folder_without_windows(tmp_path: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate("--nab", tmp_path, *SMALL)
    assert (code, out) == (2, "")
    assert "no windows.json" in err
