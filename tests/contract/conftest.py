from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.contract.harness import FileHarness, Harness, KafkaHarness, MemoryHarness


@pytest.fixture(params=["memory", "files", pytest.param("kafka", marks=pytest.mark.kafka)])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    """Each connector in turn."""
    if request.param == "memory":
        return MemoryHarness()
    if request.param == "files":
        return FileHarness(tmp_path)
    return KafkaHarness(request.getfixturevalue("client"))
