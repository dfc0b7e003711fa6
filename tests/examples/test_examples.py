"""The examples run, and show what they promise."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.thorough
FOLDER = Path(__file__).parent.parent.parent / "examples"


def example(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_example_is_listed_and_tested() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    tested = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for name in names:
        assert f"[{name}.py]({name}.py)" in listed
        assert f'"{name}"' in tested


@pytest.mark.parametrize("name", ["energy_load", "fleet", "fraud", "tracked_objects", "web_traffic"])
def test_every_example_is_drawn_from_the_command_line(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib; pip install matplotlib")
    path = tmp_path / "picture.svg"
    environment = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(FOLDER.parent)}
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--plot", str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "</svg>" in path.read_text(encoding="utf-8")
    assert (FOLDER.parent / "docs" / "images" / "examples" / f"{name}.png").is_file()


def test_web_traffic_finds_the_outage() -> None:
    module = example("web_traffic")
    frame, faults = module.traffic()
    alerts = module.found(frame)
    for begin, end in faults.values():
        assert ((alerts["time"] >= begin) & (alerts["time"] < end)).any()


def test_the_fleet_finds_its_two_faults() -> None:
    module = example("fleet")
    frame = module.pressures()
    alerts = module.alerts(frame)
    times = frame["time"].drop_duplicates().reset_index(drop=True)
    for key, minute in (module.STUCK, module.LEAK):
        found = alerts[(alerts["key"] == key) & (alerts["time"] >= times[minute])]
        assert len(found), key


def test_the_temperature_does_not_harm() -> None:
    module = example("energy_load")
    frame = module.load(days=60)
    assert module.mean_squared_errors(frame, ("temperature",))[0] < 1.1 * module.mean_squared_errors(frame)[0]


def test_the_temperature_helps_where_it_is_known_ahead() -> None:
    module = example("energy_load")
    frame = module.load()
    one, twelve = module.mean_squared_errors(frame)
    known_one, known_twelve = module.mean_squared_errors(frame, future=("temperature",))
    assert known_one < one
    assert known_twelve < 0.7 * twelve


def test_most_frauds_are_called() -> None:
    module = example("fraud")
    stream = module.payments()
    recall, precision = module.judge(stream, module.suspicions(stream))
    assert recall > 0.5
    assert precision > 0.4


def test_tracked_objects_are_expected_nearer_than_by_rules_of_thumb() -> None:
    module = example("tracked_objects")
    table = module.errors(module.tracks(), preset="lite")
    assert (table["streamrnn"] < table["stays"]).all()
    assert (table["streamrnn"].iloc[1:] < 1.1 * table["straight on"].iloc[1:]).all()
