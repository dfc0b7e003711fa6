"""A worker whose broker is stopped, seen through its health endpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.connectors.base import Connector
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.runtime.task import make_model
from tests.broker.artifacts import BrokerMissing
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.monitor.stage import Stage, configured, until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.chaos,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # of connections that the stop cut off
]

STALL = 8.0
READY = 0.5 * STALL
ASKED = 5.0  # seconds until a quiet worker asks the brokers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker")
    try:
        made.start()
    except BrokerMissing as error:
        pytest.skip(f"no Kafka broker for the tests: {error}")
    yield made
    made.kill()


class KafkaStage(Stage):
    """The pipeline between topics of a broker."""

    def _connect(self) -> Connector:
        kafka, changelog = self.config.kafka, self.config.changelog
        connector = KafkaConnector(kafka, application_id=self.config.application_id, changelog_topic=changelog)
        return self.monitor.watch(connector)


def test_ready_and_then_alive_turn_red_and_green_again(broker: Broker) -> None:
    config = configured(
        monitor__stall_timeout=STALL,
        kafka__bootstrap_servers=broker.bootstrap,
        kafka__broker_timeout="120s",
        kafka__replication_factor=1,
    )
    make_model(config).warm_up()
    with Client(broker.bootstrap) as client:
        topic = client.create_topic("events", 1)
        with KafkaStage(config) as stage:
            until(lambda: stage.get("/readyz").status == 200, 60)
            client.produce(topic, [(0, b"pump", b'{"value": %d}' % number) for number in range(100)])
            until(lambda: "streamrnn_events_total{" in stage.get("/metrics").text, 60)
            until(lambda: 'streamrnn_lag_events{partition="0",topic="events"} 0.0' in stage.get("/metrics").text, 60)
            assert stage.get("/livez").status == 200

            broker.stop()
            stopped = time.monotonic()
            until(lambda: stage.get("/readyz").status == 503, READY + ASKED + 5)
            not_ready = time.monotonic() - stopped
            assert stage.get("/livez").status == 200, "readiness goes first"
            until(lambda: stage.get("/livez").status == 503, STALL + ASKED + 5)
            not_alive = time.monotonic() - stopped
            assert not_ready < READY + ASKED + 2
            assert not_alive < STALL + ASKED + 2
            assert "the log has not answered" in stage.get("/livez").text
            assert stage.alive

            broker.start()
            until(lambda: stage.get("/livez").status == 200, 60)
            until(lambda: stage.get("/readyz").status == 200, 60)
            print(f"\nnot ready after {not_ready:.1f} s, not alive after {not_alive:.1f} s, back again")
