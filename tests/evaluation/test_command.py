from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import SMALL, Streamrnn

Evaluate = Callable[..., tuple[int, str, str]]
Document = Callable[..., dict[str, Any]]


def test_table_names_models_and_metrics(airline: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = evaluate(airline, "--set", "model.horizon=3", "--baselines", "seasonal,holt-winters")
    assert code == 0
    for word in (
        "MAE",
        "RMSE",
        "MASE",
        "MSE skill",
        "coverage",
        "Winkler",
        "season: 1 year",
        "streamrnn",
        "persistence",
        "holt-winters",
    ):
        assert word in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_number_of_processes_changes_no_byte(airline: Path, fleet: Path, streamrnn: Streamrnn) -> None:
    arguments = ("evaluate", airline, fleet, "--baselines", "seasonal,holt-winters", "--json", *SMALL)
    one = streamrnn(*arguments, "--jobs", "1")
    two = streamrnn(*arguments, "--jobs", "2")
    assert one.code == two.code == 0, one.err + two.err
    assert one.out == two.out
    assert [Path(file["file"]).name for file in json.loads(one.out)["files"]] == ["airline.csv", "fleet.jsonl"]


def test_total_of_series(fleet: Path, document: Document) -> None:
    found = document(fleet, *SMALL, "--baselines", "none")["files"][0]
    total = found["targets"]["flow"]["models"]["streamrnn"]["steps"][0]
    parts = [series["targets"]["flow"]["models"]["streamrnn"]["steps"][0] for series in found["series"]]
    assert total["count"] == sum(part["count"] for part in parts)
    assert total["mae"] == pytest.approx(sum(part["count"] * part["mae"] for part in parts) / total["count"])
    assert total["mase"] == pytest.approx(sum(part["count"] * part["mase"] for part in parts) / total["count"])


def test_several_series_and_files_are_listed(airline: Path, fleet: Path, evaluate: Evaluate) -> None:
    code, out, _ = evaluate(airline, fleet, *SMALL, "--baselines", "seasonal", "--jobs", 1)
    assert code == 0
    assert "better than persistence:" in out
    assert "streamrnn has the smaller MAE than: persistence" in out


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 1, "No such file"),
        (b"", 1, "no events"),
        (b"time,value\n", 1, "no rows after its header"),
        (b"time,value\n2026-01-01,1\n", 1, "too short"),
        (b"time,value\n2026-01-01,\n2026-01-02,3\n", 1, "too short"),
        (b"time,value\n2026-01-01,x\n2026-01-02,y\n", 2, "column 'value' has text, not numbers: 'x' in row 0"),
        (b"time,value\nnever,1\n2026-13-01,2\n", 2, "looks like the time, but 'never' is not read as one"),
        (b"time,name\n2026-01-01,x\n2026-01-02,y\n", 2, "no numeric column"),
        (b"\xff\xfe\x00\n\x01\x02", 1, "has no rows after its header"),
    ],
)
def test_unusable_files(tmp_path: Path, evaluate: Evaluate, content: bytes | None, code: int, message: str) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    ended, out, err = evaluate(path, *SMALL, "--baselines", "none")
    assert (ended, out) == (code, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("streamrnn: ")
    assert message in last
    assert "bad.csv" in last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one FILE"),
        (("{file}", "--baselines", "prophet"), "there are: persistence, seasonal"),
        (("{file}", "--target", "flow"), "no column 'flow'"),
        (("{file}", "--set", "model.horizn=3"), "did you mean model.horizon"),
        (("{file}", "--nab", "."), "--nab goes with"),
        (("--nab", "/nowhere"), "no such folder"),
        (("{file}", "--limit", "0"), "--limit"),
        (("{file}", "--holdout", "--plot", "x.html"), "leave out --baselines and --plot"),
    ],
)
def test_wrong_usage(airline: Path, evaluate: Evaluate, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = evaluate(*(argument.format(file=airline) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err


def test_help_has_examples(evaluate: Evaluate) -> None:
    code, out, _ = evaluate("--help")
    assert code == 0
    assert "streamrnn evaluate x.csv" in out
    assert "--nab" in out


def test_missing_deep_river_is_a_note(airline: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "streamrnn.evaluation.baselines.unavailable", lambda name: "away" if name == "deep-river" else None
    )
    code, out, err = evaluate(airline, *SMALL, "--json", "--baselines", "deep-river,seasonal", "--jobs", 1)
    assert code == 0
    assert json.loads(out)["skipped"] == ["deep-river is left out: away"]
    assert "deep-river is left out: away" in err


def test_an_error_in_another_process_is_one_line(airline: Path, tmp_path: Path, streamrnn: Streamrnn) -> None:
    short = tmp_path / "short.csv"
    short.write_text("time,value\n2026-01-01,1\n")
    done = streamrnn("evaluate", short, airline, *SMALL, "--jobs", "2", "--baselines", "seasonal")
    assert done.code == 1
    assert "too short" in done.err.strip().splitlines()[-1]
    assert "Traceback" not in done.err
