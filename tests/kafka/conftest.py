from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.broker.client import Client
from tests.broker.fixtures import bootstrap, broker, client, proxy  # noqa: F401
from tests.kafka.helpers import Pipeline


@pytest.fixture
def leaky_client() -> Iterator[None]:
    """kafka-python leaves a socket unclosed where connecting fails; the interpreter closes it, and says so.

    Such sockets are collected with the test that made them, not in some later one, where the warning is an error.
    As in a worker (`logs.py`) the client's log is off: pytest keeps its records, and they keep the sockets.
    """
    client_log = logging.getLogger("kafka")
    level = client_log.level
    client_log.setLevel(logging.CRITICAL)
    yield
    client_log.setLevel(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def pipeline(client: Client) -> Callable[..., Pipeline]:  # noqa: F811
    """Makes input topics with an application over them."""

    def make(partitions: int = 1, **settings: Any) -> Pipeline:
        return Pipeline(client, partitions, **settings)

    return make
