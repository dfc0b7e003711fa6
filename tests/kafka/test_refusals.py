"""A broker is there and says no: topics, rights, certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.kafka.produce import produce
from streamrnn.errors import (
    AuthenticationRefused,
    BrokerUnavailable,
    ConnectorError,
    StreamRNNError,
    TopicMissing,
)
from streamrnn.records.log import Message
from tests.broker import tls
from tests.broker.artifacts import USERS, BrokerMissing
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

SASL = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "alice",
    "sasl_password": USERS["alice"],
}


def failure(config: KafkaConfig, kind: type[StreamRNNError]) -> str:
    with pytest.raises(kind) as raised:
        KafkaConnector(config, application_id="app", changelog_topic="app-changelog").open()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def settings(base: KafkaConfig, **changes: object) -> KafkaConfig:
    return KafkaConfig.model_validate({**base.model_dump(), **changes})


def test_input_topic_missing(bootstrap: str) -> None:
    message = failure(KafkaConfig(bootstrap_servers=bootstrap, input_topic="no-such-topic"), TopicMissing)
    assert message.startswith("kafka.input_topic: ")
    assert "kafka-topics.sh" in message


def test_events_are_produced_into_a_topic_that_is_there(bootstrap: str) -> None:
    config = KafkaConfig(bootstrap_servers=bootstrap, input_topic="no-such-topic")
    for topic, setting in (("no-such-topic", "kafka.input_topic"), ("no-other-topic", "--topic")):
        with pytest.raises(TopicMissing, match=f"^{setting}: .* has no topic '{topic}'; create it with: kafka-topics"):
            produce(config, topic, [Message(b"k", b"v")], None, threading.Event())


def test_other_topics_are_made_or_asked_for(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(3)
    message = failure(settings(made.config, create_topics=False), TopicMissing)
    assert message.startswith("kafka.output_topic: ")
    assert "--partitions 3" in message
    assert made.config.output_topic not in client.admin.list_topics()
    with made.connector():
        pass
    for topic in (made.config.output_topic, made.config.dead_letters, made.changelog):
        assert len(client.partitions(topic)) == 3
    with made.connector(create_topics=False):
        pass


def test_the_alerts_topic_is_asked_for_only_where_it_is_set(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(2)
    [first, _] = made.partitions
    raised = Commit(alerts={first: [Message(b"k", b"alert")]})
    with made.connector() as connector:
        take_over(connector, 2)
        connector.commit(raised)
    topic = client.unique("alerts")
    with pytest.raises(TopicMissing, match=rf"^kafka\.alerts_topic: .*--create --topic {topic} --partitions 2"):
        made.connector(create_topics=False, alerts_topic=topic).open()
    with made.connector(alerts_topic=topic) as connector:
        take_over(connector, 2)
        connector.commit(raised)
    assert [(record.partition, record.value) for record in client.read(topic)] == [(0, b"alert")]


def test_a_changelog_that_would_lose_state_is_refused(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    client.create_topic(made.changelog, 1, cleanup_policy="delete")
    with pytest.raises(ConnectorError, match=r"cleanup\.policy=delete.*kafka-configs\.sh"):
        made.connector().open()


def test_a_changelog_follows_its_input_when_that_grows(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    client.create_topic(made.changelog, 1, cleanup_policy="compact")
    client.admin.create_partitions({made.config.input_topic: 2})
    client.admin.wait_for_topics([made.config.input_topic])
    client.create_topic(made.config.output_topic, 1)
    client.create_topic(made.config.dead_letters, 1)
    with pytest.raises(ConnectorError, match=r"--alter --topic .* --partitions 2"):
        made.connector(create_topics=False).open()
    with made.connector():
        pass
    assert len(client.partitions(made.changelog)) == 2


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_the_right_password_is_accepted(
    broker: Broker, pipeline: Callable[..., Pipeline], mechanism: str, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(USERS["alice"] + "\n")
    made = pipeline(1)
    access = {**SASL, "sasl_mechanism": mechanism, "sasl_password": None, "sasl_password_file": secret}
    with made.connector(bootstrap_servers=f"127.0.0.1:{broker.sasl_port}", **access) as connector:
        assert take_over(connector)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
@pytest.mark.parametrize("wrong", [{"sasl_password": "wrong"}, {"sasl_username": "mallory"}], ids=["password", "user"])
def test_the_wrong_password_is_refused(
    broker: Broker, pipeline: Callable[..., Pipeline], mechanism: str, wrong: dict[str, str]
) -> None:
    changes = {**SASL, "sasl_mechanism": mechanism, "bootstrap_servers": f"127.0.0.1:{broker.sasl_port}", **wrong}
    message = failure(settings(pipeline(1).config, **changes), AuthenticationRefused)
    assert "kafka.sasl_password" in message
    assert "wrong" not in message
    assert USERS["alice"] not in message


def test_a_mechanism_that_the_broker_does_not_offer(broker: Broker, pipeline: Callable[..., Pipeline]) -> None:
    changes = {**SASL, "sasl_mechanism": "SCRAM-SHA-256", "bootstrap_servers": f"127.0.0.1:{broker.sasl_port}"}
    assert "kafka.sasl_mechanism" in failure(settings(pipeline(1).config, **changes), AuthenticationRefused)


def test_the_wrong_kind_of_listener(broker: Broker, pipeline: Callable[..., Pipeline]) -> None:
    config = pipeline(1).config
    message = failure(settings(config, bootstrap_servers=f"127.0.0.1:{broker.sasl_port}"), BrokerUnavailable)
    assert "kafka.security_protocol PLAINTEXT" in message
    assert "kafka.security_protocol" in failure(settings(config, **SASL), AuthenticationRefused)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Broker]:
    """A broker with a TLS listener."""
    folder = tmp_path_factory.mktemp("secure")
    try:
        certificates = tls.make(folder / "tls")
    except BrokerMissing as error:
        pytest.skip(str(error))
    with Broker(folder / "data", tls=certificates) as started:
        with Client(started.bootstrap) as client:
            client.create_topic("events", 1)
        yield started


def test_scram_over_tls(secure: Broker) -> None:
    assert secure.tls is not None
    access = KafkaConfig.model_validate(
        {**SASL, "security_protocol": "SASL_SSL", "ssl_cafile": secure.tls / "ca.pem",
         "bootstrap_servers": f"127.0.0.1:{secure.tls_port}"}
    )  # fmt: skip
    with KafkaConnector(access, application_id="app", changelog_topic="app-changelog") as connector:
        assert take_over(connector)
    assert "kafka.sasl_password" in failure(settings(access, sasl_password="wrong"), AuthenticationRefused)
    message = failure(settings(access, ssl_cafile=None), AuthenticationRefused)
    assert "self-signed certificate" in message
    assert "kafka.ssl_cafile" in message
    plaintext = settings(access, security_protocol="SASL_PLAINTEXT", broker_timeout=3.0)
    assert "kafka.security_protocol" in failure(plaintext, BrokerUnavailable)
