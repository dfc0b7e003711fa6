"""CONTRIBUTING.md, word for word: a cell, an expert, a metric and an output field in a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.commands import ROOT, SMALL, Streamrnn
from tests.contributing.walkthrough import follow

pytestmark = pytest.mark.thorough

FILES = {"A cell": 2, "An expert": 2, "A metric": 2, "An output field": 3}
"""How many files each walk touches."""


class Copy:
    """A copy of the package and its tests, changed as CONTRIBUTING.md says."""

    def __init__(self, folder: Path) -> None:
        for name in ("streamrnn", "tests"):
            left_out = shutil.ignore_patterns("__pycache__", "_tmp*")
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        for name in ("pyproject.toml", "CONTRIBUTING.md"):
            shutil.copy(ROOT / name, folder / name)
        self.folder = folder
        self.touched = {title: follow(title, folder) for title in FILES}
        self.environment = {"PYTHONPATH": str(folder), "STREAMRNN_CACHE": str(folder / "cache")}

    def pytest(self, *arguments: str) -> str:
        """What pytest prints at the end, run in the copy."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def records(copy: Copy) -> tuple[list[Any], Any]:
    """The output of a run with the toy cell, and of an evaluation, both in the copy."""
    rows = "".join(f"{hour},{hour % 7 + (hour % 24) / 3}\n" for hour in range(300))
    (copy.folder / "in.csv").write_text("time,value\n" + rows)
    command = Streamrnn(copy.folder)
    flags = (*SMALL, "--set", "model.cell=leaky")
    done = command("run", "--input", "in.csv", "--output", "-", *flags, environment=copy.environment)
    assert done.code == 0, done.err
    scored = command("evaluate", "in.csv", "--json", *flags, environment=copy.environment)
    assert scored.code == 0, scored.err
    return [orjson.loads(line) for line in done.out.splitlines()], orjson.loads(scored.out)


@pytest.mark.parametrize("title", FILES)
def test_a_walk_touches_as_many_files_as_it_says(copy: Copy, title: str) -> None:
    assert len(copy.touched[title]) == FILES[title]


@pytest.mark.parametrize("check", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)])
def test_lint_and_types_accept_what_was_written(copy: Copy, check: tuple[str, ...]) -> None:
    files = sorted({path for paths in copy.touched.values() for path in paths})
    command = [sys.executable, "-m", *check, *files]
    done = subprocess.run(command, cwd=copy.folder, env=os.environ | copy.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cell_forecasts_and_the_field_is_in_every_record(records: tuple[list[Any], Any]) -> None:
    assert [record["event_count"] for record in records[0]] == list(range(1, 301))
    assert all(record["targets"]["value"]["forecast"][0]["mean"] is not None for record in records[0])


def test_the_metric_is_in_the_evaluation(records: tuple[list[Any], Any]) -> None:
    found = str(records[1])
    assert "'tail': " in found


def test_a_wrong_cell_is_answered_with_the_toy_among_the_names(copy: Copy) -> None:
    done = Streamrnn(copy.folder)("check", "--set", "model.cell=nothing", environment=copy.environment)
    assert done.code == 2
    assert "leaky" in done.err


def test_gradients_of_the_cell_are_checked_by_themselves(copy: Copy) -> None:
    assert "2 passed" in copy.pytest("tests/cells/test_gradients.py", "-k", "exact and leaky and squared")


def test_the_expert_is_checked_by_itself(copy: Copy) -> None:
    assert "4 passed" in copy.pytest("tests/forecasting/test_experts.py", "-k", "momentum")


def test_a_changed_state_asks_for_a_new_version(copy: Copy) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "tests/state/test_layouts.py", "-k", "new_version and forecaster"]
    done = subprocess.run(command, cwd=copy.folder, env=os.environ | copy.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "add a line to CHANGES" in done.stdout
