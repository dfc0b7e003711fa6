"""Fixtures that every folder shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.commands import Streamrnn
from tests.inside import Inside

# Kernels compile on first use and machines differ: a deadline would assert on the speed of the machine.
# A run that lands is repeatable, so the everyday examples are always the same; the thorough ones are new each time.
settings.register_profile(
    "everyday",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=25,
    print_blob=True,
)
settings.register_profile("thorough", settings.get_profile("everyday"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("STREAMRNN_TEST_PROFILE", "everyday"))


HERE = Path(__file__).parent
THOROUGH = ("chaos", "contributing", "deploy", "evaluation", "frames", "hostile", "law", "monitor", "pipeline", "river")
"""Folders whose tests are not of the everyday loop (`make test-fast`); `make test` runs them all."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The everyday loop does not even import those folders: river's data sets alone take seconds."""
    everyday = "not thorough" in config.option.markexpr
    return True if everyday and collection_path.parent == HERE and collection_path.name in THOROUGH else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts other processes, compiles afresh or takes long as `thorough`."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in THOROUGH or "streamrnn" in getattr(item, "fixturenames", ()):
            item.add_marker("thorough")


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    """The command, run as a user runs it; whatever is still running at the end of the test is killed."""
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


@pytest.fixture
def inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Inside:
    """The command, run inside this process."""
    return Inside(tmp_path, capsys)


@pytest.fixture(autouse=True)
def _no_ambient_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STREAMRNN__")]:
        monkeypatch.delenv(name)
