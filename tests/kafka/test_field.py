"""Trouble of the field on a real broker: each ends well, or in one sentence that says what to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streamrnn.errors import ConnectorError, TopicMissing
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.thorough,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def test_an_input_that_is_deleted_while_it_is_read_is_named(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(broker_timeout=3.0)
    made.feed(0, [(b"k", b"1")])
    with made.connector() as connector:
        take_over(connector)
        take(connector, 1)
        client.admin.delete_topics([made.config.input_topic])
        with pytest.raises(
            TopicMissing, match=f"topic '{made.config.input_topic}' was deleted while .*streamrnn reset"
        ):
            poll_until(connector, lambda _: False)


@pytest.mark.parametrize("which", ["output", "changelog"])
def test_an_output_that_is_deleted_while_it_is_written_is_named(
    client: Client, pipeline: Callable[..., Pipeline], which: str
) -> None:
    made = pipeline(broker_timeout=3.0)
    made.feed(0, [(b"k", b"1")])
    topic, mend = {
        "output": (made.config.output_topic, "a restart does"),
        "changelog": (made.changelog, "streamrnn reset"),
    }[which]
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 1), b"state"))
        client.admin.delete_topics([topic])
        made.feed(0, [(b"k", b"2")])
        with pytest.raises(TopicMissing, match=f"topic '{topic}' was deleted while this worker ran: .*{mend}"):
            connector.commit(echo(take(connector, 1), b"state"))


def test_an_open_transaction_of_somebody_else_is_named_once(
    client: Client, pipeline: Callable[..., Pipeline], caplog: pytest.LogCaptureFixture
) -> None:
    """Readers of committed records stand still behind it, and everything else looks well."""
    made = pipeline(broker_timeout=2.0)
    made.feed(0, [(b"k", b"0")])
    with closing(KafkaProducer(bootstrap_servers=client.bootstrap, transactional_id="somebody-else")) as other:
        other.init_transactions()
        with made.connector() as connector:
            take_over(connector)
            connector.commit(echo(take(connector, 1)))
            other.begin_transaction()
            other.send(made.config.input_topic, b"held").get(30)
            made.feed(0, [(b"k", b"behind")])
            poll_until(connector, lambda _: bool(caplog.records))
            [warning] = caplog.records
            said = f"{made.config.input_topic}[0]: 2 offsets wait behind a transaction that somebody has left open at "
            assert f"{said}offset 1" in warning.getMessage()
            polls = iter(range(20))  # five seconds without a second warning
            poll_until(connector, lambda _: next(polls, None) is None)
            assert len(caplog.records) == 1
            other.abort_transaction()
            [record] = take(connector, 1)[made.partitions[0]]
            assert record.value == b"behind"


def test_a_group_that_another_application_uses_is_named(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline()
    # The topic is new: a member that joins before it knows the topic has no partition until it asks again, if it does.
    other = KafkaConsumer(bootstrap_servers=client.bootstrap, group_id=made.application_id, metadata_max_age_ms=500)
    deadline = time.monotonic() + 30
    while not other.partitions_for_topic(made.config.input_topic):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    other.subscribe([made.config.input_topic])
    stop, joined = threading.Event(), threading.Event()

    def consume() -> None:
        while not stop.is_set():
            other.poll(timeout_ms=100)
            if other.assignment():
                joined.set()

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        assert joined.wait(30)
        with (
            made.connector() as connector,
            pytest.raises(ConnectorError, match="application_id has members of another"),
        ):
            poll_until(connector, lambda _: False)
    finally:
        stop.set()
        thread.join()
        other.close()


def test_a_broker_that_allows_no_such_transaction_is_named(tmp_path: Path) -> None:
    short = Broker(tmp_path / "broker", settings={"transaction.max.timeout.ms": "5000"}).start()
    try:
        with Client(short.bootstrap) as client:
            made = Pipeline(client, broker_timeout=20.0)
            with pytest.raises(
                ConnectorError, match=r"no transaction of 20 s \(kafka.broker_timeout\): .*transaction.max"
            ):
                made.connector().open()
    finally:
        short.kill()


def test_a_broker_that_limits_groups_is_named(tmp_path: Path) -> None:
    limits = {"group.max.session.timeout.ms": "10000", "group.max.size": "1"}
    with Broker(tmp_path / "broker", settings=limits) as strict, Client(strict.bootstrap) as client:
        made = Pipeline(client, 2, session_timeout=6.0)
        with (
            made.connector(session_timeout=45.0) as connector,
            pytest.raises(
                ConnectorError, match=r"no kafka\.session_timeout of 45 s: .*group\.max\.session\.timeout\.ms"
            ),
        ):
            poll_until(connector, lambda _: False)
        with made.connector() as first, made.connector() as second:
            take_over(first, 2)
            with pytest.raises(ConnectorError, match=r"group .* is full: .*group\.max\.size"):
                poll_until(second, lambda _: False)


def test_a_broker_that_takes_no_mark_beside_an_offset_is_named(tmp_path: Path) -> None:
    narrow = Broker(tmp_path / "broker", settings={"offset.metadata.max.bytes": "10"})
    with narrow, Client(narrow.bootstrap) as client:
        made = Pipeline(client)
        with (
            made.connector() as connector,
            pytest.raises(ConnectorError, match=r"raise its offset\.metadata\.max\.bytes"),
        ):
            take_over(connector)
