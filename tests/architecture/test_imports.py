"""The arrows of the design point one way, and nobody waits for what is not needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "streamrnn"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_tmp" not in path.name)
HEAVY = ("kafka", "numba", "pandas", "river", "scipy", "starlette", "uvicorn", "sklearn", "torch", "matplotlib")

NUMERICS = {"kernels", "cells", "learning", "anomaly", "forecasting"}
BOTTOM = {"errors", "__init__"}
LINES = {"labelled.linear", "labelled.regression", "labelled.classification"}
TASKS = {"anomaly", "forecasting", "labelled"}
MAY_IMPORT = {
    "errors": set(),
    "config": BOTTOM | {"cells.catalog"},
    "kernels": BOTTOM,
    "cells": BOTTOM | {"kernels"},
    "records": BOTTOM | {"config", "kernels.json_scan", "kernels.json_text"},
    "state": BOTTOM | {"config", "records"},
    "connectors": BOTTOM | {"config", "records", "state.snapshot_folder"},
    "connectors.kafka.record_batches": BOTTOM | {"records", "kernels.record_batch"},
    "learning": BOTTOM | {"kernels", "cells"},
    "anomaly": BOTTOM | {"kernels"},
    "forecasting.model": BOTTOM | {"config", "records", "state"} | NUMERICS,
    "forecasting.key_rules": BOTTOM | {"anomaly", "config"},
    "forecasting.scorecard": BOTTOM | {"records"} | NUMERICS,
    "forecasting": BOTTOM | NUMERICS,
    "labelled": BOTTOM | {"config", "records", "state", "kernels", "cells", "learning"},
    "runtime.task": BOTTOM | TASKS | {"config", "records", "state"},
    "runtime.stepper": BOTTOM | {"config", "records", "state"},
    "runtime": BOTTOM | {"config", "records", "state", "connectors.base"},
    "frames": BOTTOM | {"config", "forecasting", "kernels.jit", "records", "state"},
    "estimators": BOTTOM | NUMERICS | LINES | {"state.arrays"},
    "notify": BOTTOM | {"config", "records", "connectors.base", "connectors.requests"},
    "flink": BOTTOM | {"config", "records", "runtime"},
    "evaluation": BOTTOM
    | {"config", "records", "state", "connectors", "forecasting", "labelled", "runtime", "anomaly"},
    "monitor": BOTTOM
    | {"config", "records", "state", "connectors.base", "runtime", "anomaly", "forecasting", "labelled"},
}
"""One line per room, from the lowest: what it may import of streamrnn besides itself. `app` may import anything."""


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


@cache
def imports(file: Path) -> set[str]:
    """Every module imported anywhere in the file, except for type checking only."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            below = {f"{module}.{alias.name}" for alias in node.names if is_module(f"{module}.{alias.name}")}
            found |= below or {module}
    return found


@cache
def is_module(name: str) -> bool:
    path = PACKAGE.parent / Path(*name.split("."))
    return name.startswith("streamrnn.") and (path.with_suffix(".py").exists() or path.is_dir())


def rule_of(module: str) -> str | None:
    """The most special entry of the table for this module."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in MAY_IMPORT), None)


ROOMS = sorted({module_of(file).split(".")[0] for file in FILES})


def files_of(room: str) -> list[Path]:
    return [file for file in FILES if module_of(file).split(".")[0] == room]


@pytest.mark.parametrize("room", ROOMS)
def test_the_arrows_point_one_way(room: str) -> None:
    wrong = []
    for file in files_of(room):
        rule = rule_of(module_of(file))
        if rule is None:
            continue
        allowed = MAY_IMPORT[rule] | {room}
        for name in imports(file):
            if name == "streamrnn" or name.startswith("streamrnn."):
                inside = name.removeprefix("streamrnn").removeprefix(".") or "__init__"
                parts = inside.split(".")
                prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
                if not prefixes & allowed:
                    wrong.append(f"{module_of(file)} imports {name}; it may import {sorted(allowed)}")
    assert not wrong


def test_every_room_but_the_app_has_a_rule() -> None:
    assert {room for room in ROOMS if rule_of(room) is None} == {"app", "__init__", "__main__"}


@pytest.mark.parametrize("room", ROOMS)
def test_the_files_that_docstrings_and_comments_name_are_there(room: str) -> None:
    root = PACKAGE.parent
    there = {
        str(path.relative_to(root))
        for part in ("streamrnn", "tests", "benchmarks")
        for path in root.glob(f"{part}/**/*.py")
    }
    foreign = {"sweeper.py"}  # NAB's own
    gone = [
        f"{module_of(file)}: {name}"
        for file in files_of(room)
        for name in re.findall(r"[\w/]+\.py\b", file.read_text(encoding="utf-8"))
        if name not in foreign and not any(f"/{path}".endswith(f"/{name}") for path in there)
    ]
    assert not gone


@pytest.mark.parametrize("room", ROOMS)
def test_only_the_kafka_connector_knows_the_client(room: str) -> None:
    wrong = {
        module_of(file): foreign
        for file in files_of(room)
        if not module_of(file).startswith("connectors.kafka")
        and (foreign := {name for name in imports(file) if name.split(".")[0] == "kafka"})
    }
    assert not wrong


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_up_to_the_worker_knows_a_particular_connector(room: str) -> None:
    particular = ("streamrnn.connectors.kafka", "streamrnn.connectors.files")
    wrong = {
        module_of(file): foreign
        for file in files_of(room)
        if rule_of(module_of(file)) not in (None, "connectors", "evaluation")
        and (foreign := {name for name in imports(file) if name.startswith(particular)})
    }
    assert not wrong


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_pickled(room: str) -> None:
    pickles = {"pickle", "shelve", "marshal", "dill", "cloudpickle"}
    wrong = {
        module_of(file): foreign
        for file in files_of(room)
        if (foreign := {name.split(".")[0] for name in imports(file)} & pickles)
    }
    assert not wrong


def test_the_checks_see_what_they_look_for(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text("import pickle\ndef late():\n    from streamrnn.connectors import kafka\n    import kafka.admin\n")
    assert imports(file) == {"pickle", "streamrnn.connectors.kafka", "kafka.admin"}


SHELL = {
    "kernels/announcer.py",
    "kernels/cache_files.py",
    "kernels/jit.py",
    "kernels/pipeline.py",
    "forecasting/model.py",
}
"""What compiles kernels and calls them: it may know the machine."""


@pytest.mark.parametrize("folder", sorted(NUMERICS))
def test_the_numerics_know_no_clock_no_files_and_no_ambient_randomness(folder: str) -> None:
    for file in (PACKAGE / folder).rglob("*.py"):
        if str(file.relative_to(PACKAGE)) in SHELL:
            continue
        foreign = {name.split(".")[0] for name in imports(file)} & {"time", "random", "os", "io", "json", "threading"}
        assert not foreign, f"{file.name} imports {foreign}"
        text = file.read_text(encoding="utf-8")
        for ambient in (
            "np.random.rand",
            "np.random.seed",
            "np.random.normal",
            "default_rng()",
            "prange",
            "parallel=True",
        ):
            assert ambient not in text, f"{file.name} uses {ambient}"


def loaded_after(code: str) -> set[str]:
    """Top-level modules in memory after `code` ran in a fresh process."""
    script = f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "code",
    [
        "import streamrnn",
        "from streamrnn.app.cli import main; main(['--help'])",
        "from streamrnn.app.cli import main; main(['run', '--help'])",
        "from streamrnn.app.cli import main; main(['--version'])",
    ],
)
def test_what_must_answer_at_once_loads_nothing_heavy(code: str) -> None:
    assert not loaded_after(code) & {*HEAVY, "numpy", "pydantic", "rich"}


@pytest.mark.thorough
def test_checking_a_configuration_loads_no_kernels() -> None:
    assert not loaded_after("from streamrnn.app.cli import main; main(['check'])") & set(HEAVY)


@pytest.mark.thorough
def test_a_run_over_a_file_loads_no_client_and_no_server() -> None:
    loaded = loaded_after("import streamrnn.app.run, streamrnn.forecasting.model, streamrnn.runtime.worker")
    assert not loaded & (set(HEAVY) - {"numba", "scipy", "sklearn"})


def test_kernels_called_from_other_files_are_in_the_digest_that_names_their_cache() -> None:
    """numba notices a change in the file of the kernel that was called first, not in those of its callees."""
    from streamrnn.kernels.jit import _KERNELS

    digested = {path for place in _KERNELS for path in PACKAGE.glob(place)}
    kernels = {
        f"streamrnn.{module_of(file)}": file for file in FILES if "\n@kernel\n" in file.read_text(encoding="utf-8")
    }
    called = {name for file in kernels.values() for name in imports(file) if name in kernels}
    assert "streamrnn.labelled.linear" in called
    assert {kernels[name] for name in called} <= digested
