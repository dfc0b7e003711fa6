"""A log that is not the one that was read: cut, made anew, or with time stamps that a broker does not take.

A log is cut as an unclean leader election or a restored disk cuts it: the broker comes back with fewer records than it
had acknowledged, and goes on in another epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from streamrnn.connectors.base import Connector
from streamrnn.errors import ConnectorError, StateError, StreamRNNError, TopicMissing
from streamrnn.records.log import Message
from streamrnn.runtime.recovery import check
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.thorough,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

KEPT, READ = 4, 10


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Broker]:
    # Every record in a batch of its own, and written through: the test cuts the file between two of them.
    with Broker(tmp_path / "broker", settings={"log.flush.interval.messages": "1"}) as started:
        yield started


def one_by_one(made: Pipeline, first: int, last: int) -> None:
    for number in range(first, last):
        made.feed(0, [(b"k", b"%d" % number)])


def read_and_commit(made: Pipeline) -> None:
    """A worker reads so many records, commits, and ends."""
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, READ), b"state"))


def cut(broker: Broker, topic: str, records: int) -> None:
    """Take the broker away, and give it back with so many records in the topic's log."""
    broker.kill()
    folder = broker.data / "logs" / f"{topic}-0"
    [log] = folder.glob("*.log")
    content = log.read_bytes()
    end = 0
    for _ in range(records):  # a batch: its first offset, its length, and so many bytes
        end += 12 + int.from_bytes(content[end + 8 : end + 12], "big")
    assert 0 < end < len(content)
    log.write_bytes(content[:end])
    for index in [*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]:
        index.unlink()
    broker.start()


def ends_by_name(connector: Connector, said: str) -> None:
    with pytest.raises(StreamRNNError, match=said):
        poll_until(connector, lambda polled: bool(polled.records))


@pytest.mark.parametrize("more", [0, READ + 5], ids=["and stays short", "and grows past what was read"])
def test_a_log_that_is_cut_while_it_is_read_stops_the_worker(mortal: Broker, more: int) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, broker_timeout=60.0, session_timeout=60.0)
        one_by_one(made, 0, READ)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, READ), b"state"))
        cut(mortal, made.partitions[0].topic, KEPT)
        with Client(mortal.bootstrap) as client:
            made.client = client
            one_by_one(made, 100, 100 + more)
        ends_by_name(connector, "no longer in the broker's log|does not hold what is asked for")


def test_a_log_that_was_cut_while_nobody_read_and_grew_again_stops_the_next_worker(mortal: Broker) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, broker_timeout=60.0, session_timeout=6.0)
        one_by_one(made, 0, READ)
    read_and_commit(made)
    cut(mortal, made.partitions[0].topic, KEPT)
    with Client(mortal.bootstrap) as client:
        made.client = client
        one_by_one(made, 100, 100 + READ)
        with made.connector() as connector:
            [partition] = take_over(connector)
            assert connector.committed(partition) == READ < connector.bounds(partition)[1]  # nothing to be seen there
            ends_by_name(connector, "was cut at offset 4 .*streamrnn reset")
        assert made.outputs()[0] == [b"%d:%d" % (n, n) for n in range(READ)]


def test_a_log_that_ends_before_the_committed_offset_is_refused(mortal: Broker) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, session_timeout=6.0)
        one_by_one(made, 0, READ)
    read_and_commit(made)
    cut(mortal, made.partitions[0].topic, KEPT)
    with made.connector() as connector:
        [partition] = [p for polled in poll_until(connector, lambda polled: polled.assigned) for p in polled.assigned]
        committed, (first, end) = connector.committed(partition), connector.bounds(partition)
        with pytest.raises(StateError, match=r"offset 10 is committed, but the log ends at 4 .*unclean.*reset"):
            check(partition, committed, committed, first, end)


def test_a_leader_that_changes_is_no_cut(mortal: Broker) -> None:
    with Client(mortal.bootstrap) as client:
        made = Pipeline(client, broker_timeout=60.0, session_timeout=60.0)
        one_by_one(made, 0, READ)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, READ), b"state"))
        mortal.kill()
        mortal.start()
        with Client(mortal.bootstrap) as client:
            made.client = client
            one_by_one(made, READ, READ + 2)
        poll_until(connector, lambda polled: bool(polled.records))
    with made.connector() as connector:
        [partition] = take_over(connector)
        assert connector.committed(partition) == READ
        take(connector, 2)


@pytest.mark.parametrize("more", [0, 3, 20])
def test_an_input_that_is_made_anew_while_it_is_read_stops_the_worker(
    client: Client, pipeline: Callable[..., Pipeline], more: int
) -> None:
    made = pipeline(broker_timeout=20.0)
    one_by_one(made, 0, 5)
    topic = made.config.input_topic
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 5), b"state"))
        client.admin.delete_topics([topic])
        until_it_is_there(client, topic)
        one_by_one(made, 100, 100 + more)
        with pytest.raises((TopicMissing, ConnectorError, StateError), match=r"made anew|was deleted while"):
            poll_until(connector, lambda _: False)


def test_an_input_that_was_made_anew_while_nobody_read_is_refused(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline()
    one_by_one(made, 0, 5)
    topic = made.config.input_topic
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 5), b"state"))
    client.admin.delete_topics([topic])
    until_it_is_there(client, topic)
    one_by_one(made, 100, 120)
    with made.connector() as connector:
        [partition] = [p for polled in poll_until(connector, lambda polled: polled.assigned) for p in polled.assigned]
        committed, (first, end) = connector.committed(partition), connector.bounds(partition)
        assert [message.value for message in connector.snapshots(partition)] == [b"state"]
        assert committed is None  # the broker forgets the offsets of a topic with it
        with pytest.raises(StateError, match=r"no committed offset .*made anew.*streamrnn reset"):
            check(partition, 5, committed, first, end, connector.why_uncommitted(partition))


def until_it_is_there(client: Client, topic: str) -> None:
    """A topic of the name of one that was just deleted."""
    deadline = time.monotonic() + 30
    while True:
        try:
            client.create_topic(topic)
            return
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)


# -- time stamps -------------------------------------------------------------------------------------------------------

YEAR = 365 * 86_400_000


@pytest.mark.parametrize("ahead", [-30 * YEAR, -60_000, 0, 59 * 60_000, 2 * 3_600_000, 70 * YEAR])
def test_time_stamps_of_a_clock_that_is_wrong_are_read_and_written(
    client: Client, pipeline: Callable[..., Pipeline], ahead: int
) -> None:
    made = pipeline()
    stamp = int(time.time() * 1000) + ahead
    allowed = str(100 * YEAR)
    topic = made.config.input_topic
    settings = {f"message.timestamp.{side}.max.ms": allowed for side in ("after", "before")}
    client.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    made.feed(0, [(b"k", b"1")], timestamp_ms=stamp)
    with made.connector() as connector:
        take_over(connector)
        records = take(connector, 1)
        [[record]] = records.values()
        assert record.timestamp == stamp
        commit = echo(records, b"state")
        commit.outputs[made.partitions[0]] = [Message(b"k", b"answer", (), stamp)]
        connector.commit(commit)
    assert made.outputs()[0] == [b"answer"]


def test_time_stamps_that_a_topic_does_not_take_are_named(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline()
    made.feed(0, [(b"k", b"1")])
    client.create_topic(made.config.output_topic, message_timestamp_before_max_ms="3600000")
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        commit.outputs[made.partitions[0]] = [Message(b"k", b"answer", (), int(time.time() * 1000) - YEAR)]
        with pytest.raises(ConnectorError, match=r"time stamps .*kafka\.record_time: processing"):
            connector.commit(commit)
    with made.connector(record_time="processing") as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        commit.outputs[made.partitions[0]] = [Message(b"k", b"answer", (), int(time.time() * 1000) - YEAR)]
        connector.commit(commit)
    assert made.outputs()[0] == [b"answer"]
