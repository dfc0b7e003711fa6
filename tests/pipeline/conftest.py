from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker.client import Client
from tests.broker.fixtures import bootstrap, broker, client  # noqa: F401
from tests.pipeline.workers import Application


@pytest.fixture
def application(client: Client, tmp_path: Path) -> Iterator[Callable[..., Application]]:  # noqa: F811
    """Makes applications; their processes end with the test."""
    made: list[Application] = []

    def make(partitions: int = 4, **settings: Any) -> Application:
        folder = tmp_path / f"application-{len(made)}"
        folder.mkdir()
        made.append(Application(client, folder, partitions, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
