"""The numbers are those of `run --input`, on the same events for every model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrnn.app.cli import main
from streamrnn.config.loading import load
from streamrnn.evaluation import prequential
from streamrnn.evaluation.prequential import MODEL, Job, perform

Document = Callable[..., dict[str, Any]]
SETTINGS = ("--set", "model.horizon=3", "--set", "model.hidden_size=4")


def run(source: Path, *arguments: str) -> list[dict[str, Any]]:
    output = source.with_suffix(".out.jsonl")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--input", str(source), "--output", str(output), "--quiet", *arguments])
    assert ended.value.code == 0
    return [json.loads(line) for line in output.read_text().splitlines()]


def scores_of(records: list[dict[str, Any]], target: str, step: int) -> dict[str, float]:
    """MAE, RMSE, coverage and width of one step, from the published records alone."""
    errors, absolute, inside, widths = [], [], [], []
    waiting: dict[str, list[dict[str, Any]]] = {}
    last: dict[str, float] = {}
    for record in records:
        key, found = record["key"], record["targets"][target]
        made = waiting.setdefault(key, [])
        observed = found["observed"]
        if observed is not None and len(made) >= step and made[-step]["known"]:
            forecast = made[-step]["forecast"][step - 1]
            errors.append(observed - forecast["mean"])
            absolute.append(abs(observed - forecast["median"]))
            inside.append(forecast["lower"] <= observed <= forecast["upper"])
            widths.append(forecast["upper"] - forecast["lower"])
        if observed is not None:
            last[key] = observed
        made.append({"forecast": found["forecast"], "known": key in last})
    error = np.array(errors)
    return {
        "count": len(error),
        "mae": float(np.mean(absolute)),
        "mse": float((error**2).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "coverage": float(np.mean(inside)),
        "width": float(np.mean(widths)),
    }


@pytest.mark.parametrize("levels", ["[0.9]", "[0.8, 0.5, 0.95]"])
def test_the_numbers_are_those_of_run(fleet: Path, document: Document, levels: str) -> None:
    settings = (*SETTINGS, "--set", f"model.levels={levels}")
    records = run(fleet, *settings)
    found = document(fleet, *settings, "--baselines", "none")["files"][0]
    assert found["events"] == len(records) == 397
    assert found["dead_letters"] == 3
    assert found["anomalies"] == sum(record["anomaly"]["is_anomaly"] for record in records)
    for key in (None, "a", "b"):
        chosen = [record for record in records if key in (None, record["key"])]
        part = found if key is None else next(one for one in found["series"] if one["key"] == key)
        for target in ("flow", "heat"):
            for step in (1, 2, 3):
                own = part["targets"][target]["models"][MODEL]["steps"][step - 1]
                interval = part["targets"][target]["intervals"][0]["steps"][step - 1]
                for name, value in scores_of(chosen, target, step).items():
                    assert {**own, **interval}[name] == pytest.approx(value, rel=1e-12), (key, target, step, name)


def test_every_forecast_is_the_published_one_to_the_bit(airline: Path) -> None:
    records = run(airline)
    outcome = perform(Job(airline, MODEL, load(None, {}, {}), trace=True), lambda events: None)
    trace = outcome.series["default"].trace
    assert trace is not None
    for name in ("expected", "lower", "upper"):
        published = [record["targets"]["passengers"][name] for record in records]
        np.testing.assert_array_equal(getattr(trace.columns(), name)[:, 0], np.array(published, float))


def test_one_step_scores_are_those_run_prints(airline: Path, document: Document) -> None:
    outcome = perform(Job(airline, MODEL, load(None, {}, {})), lambda events: None)
    models = document(airline, "--baselines", "none")["files"][0]["targets"]["passengers"]["models"]
    assert outcome.scorecard is not None
    assert models[MODEL]["mae"] == pytest.approx(outcome.scorecard.mae[0], rel=1e-12)
    assert models[MODEL]["skill"] == pytest.approx(outcome.scorecard.skill[0], rel=1e-12)


def test_scores_by_age_add_up_to_all(fleet: Path, document: Document) -> None:
    found = document(fleet, *SETTINGS, "--baselines", "none")["files"][0]
    for part in (found, *found["series"]):
        flow = part["targets"]["flow"]
        ages, steps = flow["ages"], flow["models"][MODEL]["steps"]
        assert [(age["from"], age["to"]) for age in ages] == [(1, 20), (21, 50), (51, 200), (201, 1000)][: len(ages)]
        count = sum(step["count"] for step in steps)
        assert sum(age["count"] for age in ages) == count
        for name in ("mae", "mse"):
            pooled = sum(step["count"] * step[name] for step in steps) / count
            assert sum(age["count"] * age[name] for age in ages) / count == pytest.approx(pooled)
        covered = [step["coverage"] for step in flow["intervals"][0]["steps"]]
        inside = sum(step["count"] * share for step, share in zip(steps, covered, strict=True))
        assert sum(age["count"] * age["coverage"]["0.9"] for age in ages) == pytest.approx(inside)
    young = found["series"][0]["targets"]["flow"]["ages"][0]
    assert young["count"] == 3 * 20, "three steps are forecast at each of the first twenty ages"


def test_the_season_is_named(airline: Path, document: Document) -> None:
    found = document(airline, *SETTINGS, "--baselines", "none")["files"][0]
    assert found["seasons"] == [{"seasons": "1 year", "series": 1}]
    assert found["series"][0]["seasons"] == ["1 year"]


def test_wider_levels_cover_more(airline: Path, document: Document) -> None:
    found = document(airline, "--baselines", "none", "--set", "model.levels=[0.5, 0.9, 0.99]")["files"][0]
    coverage = [interval["coverage"] for interval in found["targets"]["passengers"]["intervals"]]
    assert coverage == sorted(coverage)
    assert coverage[0] < 0.7 < coverage[2]


def test_every_model_is_scored_on_the_same_events(fleet: Path, document: Document) -> None:
    found = document(fleet, *SETTINGS, "--baselines", "persistence,seasonal,holt-winters,snarimax")["files"][0]
    for part in (found, *found["series"]):
        for target in part["targets"].values():
            counts = {tuple(step["count"] for step in model["steps"]) for model in target["models"].values()}
            assert len(counts) == 1
            assert list(target["models"]) == [MODEL, "persistence", "seasonal", "holt-winters", "snarimax"]
            assert all(step["mae"] is not None for model in target["models"].values() for step in model["steps"])


def test_block_size_changes_no_number(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(None, {"model.horizon": 3, "model.hidden_size": 4}, {})
    for name in (MODEL, "seasonal"):
        whole = perform(Job(fleet, name, config), lambda events: None)
        with monkeypatch.context() as patch:
            patch.setattr(prequential, "_VALUES_PER_BLOCK", 100)
            parts = perform(Job(fleet, name, config), lambda events: None)
        for key, series in whole.series.items():
            np.testing.assert_array_equal(series.points.count, parts.series[key].points.count)
            np.testing.assert_allclose(series.points.absolute, parts.series[key].points.absolute, rtol=1e-12)


@pytest.mark.parametrize("late", ["drop", "process"])
def test_late_events_are_left_out_where_the_model_leaves_them_out(
    tmp_path: Path, document: Document, late: str
) -> None:
    path = tmp_path / "late.csv"
    times = [1, 2, 3, 5, 4, 6, 7, 9, 8, 10]
    path.write_text("time,value\n" + "".join(f"{1_700_000_000 + 60 * t},{t}\n" for t in times))
    found = document(path, "--set", f"event.late={late}", "--baselines", "seasonal")["files"][0]
    expected = 8 if late == "drop" else 10
    assert (found["events"], found["late"]) == (expected, 10 - expected if late == "drop" else 0)
    models = found["targets"]["value"]["models"]
    assert {models[name]["steps"][0]["count"] for name in models} == {expected - 1}


def test_errors_of_ignored_events_are_not_scored(tmp_path: Path, document: Document) -> None:
    path, begin, end = tmp_path / "deployed.csv", 1_700_000_000 + 60 * 50, 1_700_000_000 + 60 * 60
    ranges = f"event.ignore=[{{from: {begin}, to: {end}}}]"
    found = []
    for garbage in ("1e9", "-5"):
        rows = [f"{1_700_000_000 + 60 * i},{garbage if 50 <= i < 60 else i % 7}" for i in range(100)]
        path.write_text("time,value\n" + "\n".join(rows) + "\n")
        found.append(document(path, "--set", ranges, "--baselines", "seasonal")["files"][0]["targets"]["value"])
    assert found[0] == found[1]
    models = found[0]["models"]
    assert {models[name]["steps"][0]["count"] for name in models} == {89}
    assert models["persistence"]["mae"] < 10


def test_progress_counts_every_row_once(fleet: Path) -> None:
    config = load(None, {"model.hidden_size": 4}, {})
    for name in (MODEL, "seasonal"):
        seen: list[int] = []
        perform(Job(fleet, name, config), seen.append)
        assert sum(seen) == 400


def test_limit(airline: Path, document: Document) -> None:
    found = document(airline, "--limit", 40, "--baselines", "seasonal")["files"][0]
    assert found["events"] == 40
