"""Fixtures for tests that need Kafka; `from tests.broker.fixtures import *` in a conftest, or as a plugin.

One broker serves the whole session, whichever conftest asks first. STREAMRNN_TEST_BOOTSTRAP names one that runs
already; then tests that kill, pause or authenticate against it are skipped.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.artifacts import BrokerMissing
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.proxy import Proxy

__all__ = ["bootstrap", "broker", "client", "proxy"]


@functools.cache
def shared_broker() -> Broker | str:
    """The session's broker, or why there is none."""
    folder = Path(tempfile.mkdtemp(prefix="streamrnn-broker-"))
    started = Broker(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.kill)
    try:
        return started.start()
    except BrokerMissing as error:
        return str(error)


@pytest.fixture(scope="session")
def broker() -> Broker:
    """The broker as a process, with all its listeners."""
    if os.environ.get("STREAMRNN_TEST_BOOTSTRAP"):
        pytest.skip("needs a broker of its own, unset STREAMRNN_TEST_BOOTSTRAP")
    found = shared_broker()
    if isinstance(found, str):
        pytest.skip(f"no Kafka broker for the tests: {found}")
    return found


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """host:port of a broker."""
    named = os.environ.get("STREAMRNN_TEST_BOOTSTRAP")
    if named:
        return named
    found: Broker = request.getfixturevalue("broker")
    return found.bootstrap


@pytest.fixture(scope="session")
def client(bootstrap: str) -> Iterator[Client]:
    """Topics, records and offsets of that broker."""
    with Client(bootstrap) as opened:
        yield opened


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    """Between a connector and the session's broker, both ways: the broker sends clients of this listener back here."""
    with Proxy(broker.proxy_port, ("127.0.0.1", broker.proxied_port)) as between:
        yield between
