"""Topics and brokers that refuse what is written: named in a sentence, and afterwards every record is there once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from streamrnn.errors import CommitFailed, ConnectorError
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, echo, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def change(client: Client, topic: str, **settings: str) -> None:
    configs = {name.replace("_", "."): value for name, value in settings.items()}
    client.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])


def test_a_topic_that_takes_no_record_without_a_key_is_named(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline()
    client.create_topic(made.config.output_topic, cleanup_policy="compact")
    made.feed(0, [(None, b"0")])
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        with pytest.raises(
            ConnectorError, match=f"refuses records for {made.config.output_topic}: .*takes no record without a key"
        ):
            connector.commit(commit)
    change(client, made.config.output_topic, cleanup_policy="delete")
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 1)))
    assert made.outputs()[0] == [b"0:0"]


def test_a_limit_that_is_lowered_while_running_is_named_and_a_restart_adapts(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline()
    first, second = [(b"k", b"x" * 500)] * 40, [(b"k", b"y" * 500)] * 40
    made.feed(0, first)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 40)))
        change(client, made.config.output_topic, max_message_bytes="3000")
        made.feed(0, second)
        commit = echo(take(connector, 40))
        with pytest.raises(ConnectorError, match=f"{made.config.output_topic} is longer .*a restart is enough"):
            connector.commit(commit)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 40)))
    outputs = [value.partition(b":")[2] for value in made.outputs()[0] if value is not None]
    assert outputs == [value for _, value in first + second]


def test_a_worker_that_was_idle_for_longer_than_its_producer_is_remembered(tmp_path: Path) -> None:
    """The broker forgets transactional ids after a week, and who comes back is told so once."""
    settings = {
        "transactional.id.expiration.ms": "6000",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "250",
        "producer.id.expiration.ms": "6000",
        "producer.id.expiration.check.interval.ms": "250",
    }
    with Broker(tmp_path / "broker", settings=settings) as forgetful, Client(forgetful.bootstrap) as client:
        made = Pipeline(client)
        made.feed(0, [(b"k", b"0")])
        with made.connector() as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1), b"state"))
            time.sleep(8.0)
            made.feed(0, [(b"k", b"1")])
            commit = echo(take(connector, 1), b"state")
            with pytest.raises(CommitFailed, match=r"forgotten this producer.*transactional\.id\.expiration\.ms"):
                connector.commit(commit)
        with made.connector() as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1), b"state"))
        assert made.outputs()[0] == [b"0:0", b"1:1"]
