from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import datasets

from streamrnn.app.cli import main


@pytest.fixture
def airline(tmp_path: Path) -> Path:
    path = tmp_path / "airline.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["month", "passengers"])
        rows.writerows([x["month"].date(), y] for x, y in datasets.AirlinePassengers())
    return path


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Two series, interleaved at random, with gaps, two targets, and rows that are no events."""
    random = np.random.default_rng(7)
    path = tmp_path / "fleet.jsonl"
    with path.open("w") as file:
        levels = {"a": 5.0, "b": 5000.0}
        for i in range(400):
            key = "ab"[random.integers(2)]
            levels[key] *= 1 + 0.01 * random.normal()
            heat: float | None = levels[key] + random.normal()
            event = {"key": key, "time": 1_700_000_000 + 60 * i, "flow": levels[key], "heat": heat}
            if random.random() < 0.1:
                event["heat"] = None
            file.write("no event\n" if i in (0, 50, 399) else json.dumps(event) + "\n")
    return path


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: its exit code and what it printed."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def document(evaluate: Callable[..., tuple[int, str, str]]) -> Callable[..., dict[str, Any]]:
    """Run the command with --json: the document."""

    def run(*arguments: object) -> dict[str, Any]:
        code, out, err = evaluate("--json", *arguments)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out, parse_constant=_not_json)
        return found

    return run


def _not_json(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
