"""Batches written and read by the thousand hold the bytes and the records of the client's own, one at a time."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import KafkaProducer, TopicPartition

from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka.record_batches import Fetched, packed, unpacked
from streamrnn.records.log import Message
from tests.broker.client import Client
from tests.kafka.client_inside import client_batches, client_records
from tests.kafka.helpers import Pipeline, take_over

BYTES = st.none() | st.binary(max_size=200)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3)
STAMP = st.integers(0, 4_000_000_000_000)
MESSAGES = st.lists(st.builds(Message, BYTES, BYTES, HEADERS, STAMP), min_size=1, max_size=30)
HEAD = 61
"""Bytes of a batch before its records."""


def read(body: bytes, count: int, stamp: int) -> list[Fetched] | None:
    return unpacked("t", 3, body, count, 100, stamp, appended=False)


@given(MESSAGES, st.sampled_from([80, 300, 5000]))
def test_the_bytes_are_those_of_the_client(messages: list[Message], size: int) -> None:
    ours = list(packed(messages, size - HEAD))
    theirs = client_batches(messages, size)
    assert [one.body for one in ours] == [bytes(buffer[HEAD:]) for buffer in theirs]
    assert sum(one.records for one in ours) == len(messages)


@given(MESSAGES)
def test_the_records_are_those_of_the_client(messages: list[Message]) -> None:
    (buffer,) = client_batches(messages, 1 << 20)
    found = read(bytes(buffer[HEAD:]), len(messages), messages[0].timestamp or 0)
    assert found is not None
    said = [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in found]
    assert said == [
        (100 + one.offset, one.timestamp, one.key, one.value, one.headers) for one in client_records(buffer)
    ]
    assert {(one.topic, one.partition) for one in found} == {("t", 3)}


def test_a_time_stamp_of_the_broker_is_that_of_all() -> None:
    (one,) = packed([Message(None, b"a", timestamp=5), Message(None, b"b", timestamp=9)], 1000)
    found = unpacked("t", 0, one.body, 2, 0, 77, appended=True)
    assert found is not None
    assert [record.timestamp for record in found] == [77, 77]
    assert (one.first_stamp, one.last_stamp) == (5, 9)


def test_what_has_no_time_is_dated_now() -> None:
    (one,) = packed([Message(b"a", None)], 1000)
    assert one.first_stamp > 1_700_000_000_000


@settings(max_examples=300)
@given(MESSAGES, st.integers(0, 1 << 32), st.sampled_from(["cut", "longer", "changed", "more", "fewer"]))
def test_a_damaged_batch_is_left_to_the_client(messages: list[Message], seed: int, damage: str) -> None:
    """Or the client reads the same of it: no byte is read that is not there, and nothing is made up."""
    (one,) = packed(messages, 1 << 20)
    body, count, chance = one.body, one.records, random.Random(seed)
    if damage == "cut":
        body = body[: chance.randrange(len(body))]
    elif damage == "longer":
        body += b"\0"
    elif damage == "changed":
        at = chance.randrange(len(body))
        body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    else:
        count += 1 if damage == "more" else -1
    (buffer,) = client_batches(messages, 1 << 20)
    whole = bytes(buffer[:57]) + count.to_bytes(4, "big") + body
    found = read(body, count, one.first_stamp)
    if found is None:
        return
    theirs = client_records(whole)
    assert [(r.offset - 100, r.timestamp, r.key, r.value, list(r.headers)) for r in found] == [
        (r.offset, r.timestamp, r.key, r.value, r.headers) for r in theirs
    ]


@pytest.mark.parametrize("count", [-1, 1 << 31])
def test_an_absurd_count_is_left_to_the_client(count: int) -> None:
    assert read(b"abc", count, 0) is None


@pytest.mark.kafka
@pytest.mark.usefixtures("leaky_client")
@pytest.mark.parametrize("at_once", [3, 1000])
def test_polls_bring_what_the_client_itself_reads(client: Client, at_once: int) -> None:
    """Committed, aborted and plain records, some alone and some in long batches, cut by polls of any size."""
    made = Pipeline(client, max_poll_records=at_once)
    topic, written = (
        made.config.input_topic,
        KafkaProducer(bootstrap_servers=client.bootstrap, transactional_id=client.unique("writer"), linger_ms=50),
    )
    written.init_transactions()
    for number, size in enumerate((40, 1, 25, 3, 60, 2, 30)):
        written.begin_transaction()
        for at in range(size):
            headers = [("a", b"x"), ("é", b"")] if at % 7 == 3 else None
            key = None if at % 5 == 0 else b"%d" % at
            written.send(topic, b"%d of %d" % (at, number), key, headers, timestamp_ms=1_700_000_000_000 - 999 * at)
        written.flush()
        written.abort_transaction() if number % 2 else written.commit_transaction()
    written.close()
    client.produce(topic, [(0, b"plain", b"%d" % at) for at in range(50)])
    reader = client.consumer()
    reader.assign([TopicPartition(topic, 0)])
    reader.seek_to_beginning()
    wanted: list[Any] = []
    while len(wanted) < 205:
        wanted += [one for some in reader.poll(timeout_ms=250).values() for one in some]
    reader.close()
    found: list[Any] = []
    with made.connector() as connector:
        [partition] = take_over(connector)
        while len(found) < len(wanted):
            some = connector.poll(0.25).records.get(partition, ())
            assert len(some) <= at_once
            found += some
            if some:
                connector.commit(Commit(offsets={partition: some[-1].offset + 1}))
        assert connector.lag(partition) in (0, 1)  # at most the mark of a transaction's end
    assert all(isinstance(one, Fetched) for one in found)  # none went the client's own way
    assert [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in found] == [
        (one.offset, one.timestamp, one.key, one.value, one.headers) for one in wanted
    ]
