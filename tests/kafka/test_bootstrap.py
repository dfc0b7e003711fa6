"""One server of the list that hangs, has vanished or is gone keeps no worker from starting."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.errors import BrokerUnavailable
from tests.broker.client import Client
from tests.broker.process import Broker, Cluster, free_ports
from tests.kafka.helpers import Pipeline, echo, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@contextmanager
def hung() -> Iterator[str]:
    """Connections are accepted by the kernel and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def vanished() -> Iterator[str]:
    """As behind a firewall that drops: with a full backlog the kernel does not even answer a SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def gone() -> Iterator[str]:
    yield f"127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", [hung, vanished, gone])
def test_a_worker_starts_past_a_server_that_does_not_answer(
    pipeline: Callable[..., Pipeline], kind: Callable[[], Iterator[str]], place: int
) -> None:
    made = pipeline(1, broker_timeout=10.0)
    made.feed(0, [(b"k", b"1")])
    with kind() as dead, kind() as other:  # type: ignore[attr-defined]
        servers = [dead, other]
        servers.insert(place, made.config.bootstrap_servers)
        started = time.monotonic()
        with made.connector(bootstrap_servers=",".join(servers)) as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1)))
        assert time.monotonic() - started < 10.0, "less than one broker_timeout for everything"
    assert made.outputs() == {0: [b"0:1"]}


def test_all_servers_hang(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    with hung() as one, hung() as two, pytest.raises(BrokerUnavailable, match="says nothing"):
        made.connector(bootstrap_servers=f"{one},{two}", broker_timeout=2.0).open()


@pytest.fixture
def cluster(tmp_path: Path, broker: Broker) -> Iterator[Cluster]:
    with Cluster(tmp_path) as started:
        yield started


def test_a_stopped_broker_of_three_keeps_no_worker_from_starting(cluster: Cluster) -> None:
    """SIGSTOP, so that the kernel goes on accepting connections for it; each place in the list."""
    with Client(cluster.bootstrap) as client:
        made = Pipeline(client, 3, broker_timeout=30.0)
        for number in range(3):
            made.feed(number, [(b"k", b"%d" % i) for i in range(4)])
        with made.connector() as connector:  # the coordinators and their topics are there
            take_over(connector, 3)
            connector.commit(echo(take(connector, 12)))
        for victim in cluster:
            victim.pause()
            try:
                for attempt in range(3):  # the cluster needs some seconds to notice, and a supervisor starts again
                    with suppress(BrokerUnavailable), made.connector() as connector:
                        owned = take_over(connector, 3)
                        assert {connector.committed(partition) for partition in owned} == {4}
                        break
                    assert attempt < 2
            finally:
                victim.resume()
                victim.wait_serving()


def test_an_advertised_address_that_cannot_be_reached_is_named(tmp_path: Path, broker: Broker) -> None:
    """What a broker in a container advertises to its neighbors, seen from outside."""
    asked = free_ports(1)[0]
    settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{asked},CONTROLLER://127.0.0.1:{{controller}}",
        "advertised.listeners": "PLAINTEXT://kafka.invalid:9092",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    started = Broker(tmp_path, port=asked)
    settings["listeners"] = settings["listeners"].format(controller=started.controller_port)
    started.settings = settings
    with started:
        config = KafkaConfig(bootstrap_servers=f"127.0.0.1:{asked}", broker_timeout=10.0)
        with pytest.raises(BrokerUnavailable) as raised:
            KafkaConnector(config, application_id="app", changelog_topic="app-changelog").open()
    message = str(raised.value)
    assert f"the broker at 127.0.0.1:{asked} (kafka.bootstrap_servers) answers" in message
    assert "come back at kafka.invalid:9092" in message
    assert "advertised.listeners" in message
