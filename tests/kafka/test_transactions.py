"""Exactly once, against the broker: what a refused, fenced, lost or half-done commit leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.kafka.hanging_transactions import _fence, end_transactions_of_the_dead
from streamrnn.connectors.kafka.internals import murmur2
from streamrnn.errors import CommitFailed, ConnectorError
from streamrnn.records.log import Message, Partition
from tests.broker.client import Client
from tests.kafka.client_inside import crash, fall_silent, lose_membership
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = pytest.mark.kafka


def half_a_commit(connector: KafkaConnector, commit: Commit) -> None:
    """Everything of a commit but its end: records written, offsets pending, the transaction open."""
    assert connector._outputs is not None
    assert connector._transactions is not None
    writer = connector._transactions
    writer._producer.begin_transaction()
    writer._write(connector._outputs.batches(commit) + connector._outputs.snapshots(commit), time.monotonic() + 30)
    offsets = {TopicPartition(*p): o for p, o in commit.offsets.items()}
    writer._producer.send_offsets_to_transaction(
        {p: _offset(o) for p, o in offsets.items()}, connector._consumer.group_metadata()
    )


def _offset(offset: int) -> object:
    return OffsetAndMetadata(offset, "", -1)


def test_readers_of_committed_records_see_all_of_a_commit_or_nothing(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(2)
    for number in range(2):
        made.feed(number, [(b"k", b"%d" % i) for i in range(10)])
    with made.connector() as connector:
        take_over(connector, 2)
        commit = echo(take(connector, 20), snapshot=b"state")
        half_a_commit(connector, commit)
        assert made.outputs() == {0: [], 1: []}
        assert {len(values) for values in made.outputs(committed=False).values()} == {10}
        assert set(client.end_offsets(made.changelog).values()) == {0}, "an open transaction holds readers back"
        assert set(client.end_offsets(made.changelog, committed=False).values()) == {1}
        assert set(client.group_offsets(made.application_id).values()) == {0}, "where both began"
        connector._transactions._producer.commit_transaction()  # type: ignore[union-attr]
        for partition in made.partitions:
            assert [message.value for message in connector.snapshots(partition)] == [b"state"]
            assert connector.committed(partition) == 10
    assert {len(values) for values in made.outputs().values()} == {10}


def test_the_marker_that_ends_a_transaction_is_no_lag(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    [partition] = made.partitions
    with made.connector() as upstream:  # writes to our input as one would that streams into it exactly once
        writer = upstream._transactions
        assert writer is not None
        writer._producer.begin_transaction()
        writer._producer.send(partition.topic, b"1", partition=0)
        writer._producer.commit_transaction()
    assert client.end_offsets(partition.topic) == {0: 2}
    with made.connector() as connector:
        take_over(connector)
        take(connector, 1)
        poll_until(connector, lambda _: connector.lag(partition) == 0)


def test_a_commit_killed_in_the_middle_is_undone_before_the_next_owner_starts(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    # With the coordinator's time-out of 60 s alone, this would take a minute.
    made = pipeline(1, broker_timeout=60.0)
    made.feed(0, [(b"k", b"%d" % i) for i in range(10)])
    [partition] = made.partitions
    dead = made.connector()
    dead.open()
    take_over(dead)
    records = take(dead, 10)
    dead.commit(echo({partition: records[partition][:4]}, snapshot=b"at 4"))
    half_a_commit(dead, echo({partition: records[partition][4:]}, snapshot=b"at 10"))
    crash(dead)
    assert len(made.outputs(committed=False)[0]) == 10
    with made.connector() as heir:
        [owned] = take_over(heir)
        assert heir.committed(owned) == 4
        assert [message.value for message in heir.snapshots(owned)] == [b"at 4"]
        again = take(heir, 6)
        assert [record.offset for record in again[owned]] == [4, 5, 6, 7, 8, 9]
        heir.commit(echo(again))
    assert made.outputs()[0] == [b"%d:%d" % (i, i) for i in range(10)]
    uncommitted = made.outputs(committed=False)[0]
    assert len(uncommitted) == 16, "the aborted six must still be in the log, or this test shows nothing"


def test_the_late_commit_of_a_worker_that_was_given_up_is_refused(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(5)])
    [partition] = made.partitions
    with made.connector() as zombie:
        take_over(zombie)
        late = echo(take(zombie, 5), snapshot=b"late")
        # The zombie's consumer falls silent; its producer, as after a long pause of the process, does not know.
        fall_silent(zombie)
        with made.connector() as heir:
            take_over(heir)
            heir.commit(echo(take(heir, 5), snapshot=b"heir"))
            with pytest.raises(CommitFailed, match="gave this worker's partitions away"):
                zombie.commit(late)
            with pytest.raises(ConnectorError, match="can only be closed"):
                zombie.commit(late)
            assert heir.committed(partition) == 5
            assert [message.value for message in heir.snapshots(partition)] == [b"heir"]
    assert made.outputs()[0] == [b"%d:%d" % (i, i) for i in range(5)]


def test_a_worker_that_knows_it_was_thrown_out_does_not_even_try(pipeline: Callable[..., Pipeline]) -> None:
    """The broker does not fence a transaction that says generation -1: the client's metadata after a lost session."""
    made = pipeline(1)
    made.feed(0, [(b"k", b"0")])
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        lose_membership(connector)
        with pytest.raises(CommitFailed, match="no member of the consumer group"):
            connector.commit(commit)
    assert made.outputs(committed=False)[0] == []


def test_a_producer_whose_name_was_taken_is_fenced(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"0")])
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        half_a_commit(connector, replace(commit, offsets={}))
        _fence(made.config, "somebody", connector._transactional_id)
        assert connector._transactions is not None
        with pytest.raises(CommitFailed, match="refused"):
            connector._transactions.commit([], {}, None)
    assert made.outputs()[0] == []


def test_only_transactions_of_the_dead_are_ended(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(5)])

    def end() -> list[str]:
        return end_transactions_of_the_dead(made.config, made.application_id, "tester", own="nobody")

    assert end() == []
    with made.connector() as living:
        take_over(living)
        half_a_commit(living, echo(take(living, 5)))
        assert end() == []
        living._transactions._producer.commit_transaction()  # type: ignore[union-attr]
    dying = made.connector()
    dying.open()
    take_over(dying)
    half_a_commit(
        dying, Commit(outputs={made.partitions[0]: [Message(b"k", b"never")]}, offsets={made.partitions[0]: 5})
    )
    crash(dying)
    deadline = time.monotonic() + 30
    while not (ended := end()):  # a dead member belongs to its group until its session has timed out
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert ended == [dying._transactional_id]
    assert end() == []
    assert made.outputs()[0] == [b"%d:%d" % (i, i) for i in range(5)]


def test_a_record_that_is_too_long_leaves_nothing_of_its_commit(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"0")])
    [partition] = made.partitions
    with made.connector() as connector:
        take_over(connector)
        commit = echo(take(connector, 1))
        commit.outputs[partition] = [Message(b"k", b"small"), Message(b"k", b"x" * 3_000_000)]
        with pytest.raises(ConnectorError, match=r"longer than the topic's max\.message\.bytes"):
            connector.commit(commit)
    assert made.outputs()[0] == []
    assert set(client.group_offsets(made.application_id).values()) == {0}, "where it began"


def test_a_snapshot_record_over_the_limit_is_an_error_before_anything_is_written(
    pipeline: Callable[..., Pipeline],
) -> None:
    made = pipeline(1)
    with made.connector() as connector:
        take_over(connector)
        with pytest.raises(ConnectorError, match=r"a snapshot record of .* has 900006 bytes"):
            connector.commit(Commit(snapshots={made.partitions[0]: [Message(b"state/", bytes(900_000))]}))


def test_a_dead_letter_that_no_topic_takes_is_cut_and_says_so(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(1)
    client.create_topic(made.config.dead_letters, 1, max_message_bytes="20000")
    [partition] = made.partitions
    with made.connector() as connector:
        take_over(connector)
        letters = [Message(b"k", bytes(100_000), (("streamrnn.error.class", b"E"),)), Message(bytes(100_000), None)]
        connector.commit(Commit(dead_letters={partition: letters}))
    first, second = client.read(made.config.dead_letters)
    assert first.key == b"k"
    assert first.value is not None
    assert 15_000 < len(first.value) < 20_000
    assert dict(first.headers)["streamrnn.truncated"] == b"key 1 bytes, value 100000 bytes"
    assert dict(first.headers)["streamrnn.error.class"] == b"E"
    assert second.value is None
    assert second.key is not None
    assert dict(second.headers)["streamrnn.truncated"] == b"key 100000 bytes, value 0 bytes"


def test_more_than_fits_into_one_batch_arrives_in_order(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(2, compression="gzip")
    with made.connector() as connector:
        take_over(connector, 2)
        outputs = {p: [Message(b"k%d" % (i % 7), b"%d" % i * 300) for i in range(3000)] for p in made.partitions}
        connector.commit(Commit(outputs=outputs))
    for values in made.outputs().values():
        assert values == [b"%d" % i * 300 for i in range(3000)]


def test_with_other_numbers_of_partitions_the_key_decides(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(2)
    client.create_topic(made.config.output_topic, 3)
    keys = [b"pump-%d" % i for i in range(20)]
    with made.connector() as connector:
        take_over(connector, 2)
        outputs = {p: [Message(key, b"%d" % p.number) for key in keys] for p in made.partitions}
        connector.commit(Commit(outputs=outputs))
    records = client.read(made.config.output_topic)
    assert len(records) == 40
    for record in records:
        assert record.key is not None
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % 3


def test_times_that_a_broker_refuses_are_left_out(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    future, past = 4_000_000_000_000, -1_000
    with made.connector() as connector:
        take_over(connector)
        messages = [Message(b"k", b"%d" % time, timestamp=time) for time in (future, past, 1_700_000_000_000)]
        connector.commit(Commit(outputs={made.partitions[0]: messages}))
    assert len(made.outputs()[0]) == 3


def test_at_least_once_shows_outputs_at_once_and_keeps_state_and_offset_together(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(1, delivery="at-least-once")
    made.feed(0, [(b"k", b"%d" % i) for i in range(6)])
    [partition] = made.partitions
    with made.connector() as connector:
        take_over(connector)
        records = take(connector, 6)[partition]
        connector.commit(echo({partition: records[:3]}, snapshot=b"at 3"))
        connector.commit(echo({partition: records[3:5]}))
        assert connector.committed(partition) == 5
    assert made.outputs(committed=False)[0] == [b"%d:%d" % (i, i) for i in range(5)]
    with made.connector() as connector:
        take_over(connector)
        assert [message.value for message in connector.snapshots(partition)] == [b"at 3"]
        assert [record.offset for record in take(connector, 1)[partition]] == [5]


def test_at_least_once_refuses_the_offsets_of_a_worker_that_was_given_up(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1, delivery="at-least-once")
    made.feed(0, [(b"k", b"%d" % i) for i in range(5)])
    [partition] = made.partitions
    with made.connector() as zombie:
        take_over(zombie)
        late = echo(take(zombie, 5))
        fall_silent(zombie)
        with made.connector() as heir:
            take_over(heir)
            with pytest.raises(CommitFailed):
                zombie.commit(late)
            assert heir.committed(partition) is None


def test_a_log_that_was_cut_off_below_the_position_is_an_error(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"%d" % i) for i in range(10)])
    [partition] = made.partitions
    client.admin.delete_records({TopicPartition(*partition): 6})
    with made.connector() as connector:
        poll_until(connector, lambda polled: bool(polled.assigned))
        assert connector.bounds(partition) == (6, 10)
        with pytest.raises(ConnectorError, match="does not hold"):
            list(connector.replay(partition, 2, 8))
        connector.start(partition, 2)
        with pytest.raises(ConnectorError, match="does not hold"):
            poll_until(connector, lambda polled: bool(polled.records))


def test_markers_aborted_records_and_compaction_do_not_stop_a_read_at_its_end(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    """The last offsets of a partition may hold nothing that a reader ever gets."""
    made = pipeline(1)
    topic = made.config.input_topic
    upstream = Pipeline(client, 1, output_topic=topic)  # another application writes our input in transactions
    upstream.feed(0, [(b"k", b"x")])
    [source] = upstream.partitions
    with upstream.connector() as writer:
        take_over(writer)
        take(writer, 1)
        writer.commit(Commit(outputs={source: [Message(b"k", b"a"), Message(b"k", b"b")]}))
        half_a_commit(writer, Commit(outputs={source: [Message(b"k", b"aborted")] * 3}, offsets={source: 1}))
        writer._transactions._producer.abort_transaction()  # type: ignore[union-attr]
    with made.connector() as connector:
        partition = Partition(topic, 0)
        take_over(connector)
        end = connector.bounds(partition)[1]
        assert end == 7  # two records, a marker, three aborted, a marker
        for start in range(end + 1):
            found = [record.value for records in connector.replay(partition, start, end) for record in records]
            assert found == [b"a", b"b"][start:]
