"""Where outputs go, how they are dated, and what goes with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from streamrnn.config.tree import Config
from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka.internals import murmur2
from streamrnn.errors import EventAhead
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.events import Decoded
from streamrnn.records.log import Message, Partition, headers_of
from streamrnn.runtime.task import task_of
from tests.broker.client import Client
from tests.kafka.helpers import Pipeline, take, take_over

pytestmark = pytest.mark.kafka

TIME = 1_750_000_000_000  # milliseconds
TRACE = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("empty", b"")]


def event(key: str, time: int) -> bytes:
    return json.dumps({"key": key, "time": time / 1000, "value": 1.0}).encode()


def answer(partition: Partition, decoded: Decoded, i: int) -> Message:
    """As `forecasts.encode` makes one, without a model: that would compile in the middle of a session."""
    document = {"key": decoded.keys[i], "source": {"partition": partition.number}}
    stamp = int(decoded.times[i]) // 1000
    return Message(decoded.keys[i].encode(), json.dumps(document).encode(), headers_of(decoded.records[i]), stamp)


def processed(pipeline: Pipeline, changes: dict[str, Any]) -> None:
    """What a worker makes of two partitions, one commit."""
    config = Config()
    with pipeline.connector(**changes) as connector:
        take_over(connector, len(pipeline.partitions))
        commit = Commit()
        for partition, records in take(connector, 5).items():
            decoded = task_of(config).decoder().decode(records)
            commit.outputs[partition] = [answer(partition, decoded, i) for i in range(len(decoded.keys))]
            commit.dead_letters[partition] = [dead_letter(partition, *one) for one in decoded.rejected]
            commit.offsets[partition] = records[-1].offset + 1
        connector.commit(commit)


@pytest.mark.parametrize("placement", ["input", "key"])
@pytest.mark.parametrize("dated", ["event", "processing"])
def test_outputs_are_placed_and_dated_as_configured_and_keep_the_headers(
    client: Client, pipeline: Callable[..., Pipeline], placement: str, dated: str
) -> None:
    made = pipeline(2)
    for number, key in ((0, "a"), (0, "b"), (1, "a"), (1, "c")):
        made.feed(number, [(None, event(key, TIME))], headers=TRACE, timestamp_ms=TIME + 60_000)
    made.feed(1, [(b"raw", b"no event")], headers=TRACE, timestamp_ms=TIME)
    before = int(datetime.now(UTC).timestamp() * 1000)
    processed(made, {"placement": placement, "record_time": dated})
    found = read(client, made.config.output_topic)
    assert len(found) == 4
    for record in found:
        document = json.loads(record.value)
        source = document["source"]["partition"]
        expected = source if placement == "input" else (murmur2(record.key) & 0x7FFFFFFF) % 2
        assert record.partition == expected
        assert record.headers == TRACE
        assert record.timestamp == TIME if dated == "event" else record.timestamp >= before
        assert record.key == document["key"].encode()
    [letter] = read(client, made.config.dead_letters)
    assert (letter.key, letter.value) == (b"raw", b"no event")
    assert letter.headers[:2] == TRACE
    assert {name for name, _ in letter.headers[2:]} >= {"streamrnn.error.class", "streamrnn.error.offset"}
    assert letter.partition == (1 if placement == "input" else (murmur2(b"raw") & 0x7FFFFFFF) % 2)


def read(client: Client, topic: str) -> list[Any]:
    consumer = client.consumer()
    try:
        partitions = client.partitions(topic)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        return found
    finally:
        consumer.close()


def test_an_event_from_the_future_is_a_dead_letter_and_moves_nothing(pipeline: Callable[..., Pipeline]) -> None:
    made = pipeline(1)
    [partition] = made.partitions
    day = 86_400_000
    made.feed(0, [(b"k", event("a", TIME))], timestamp_ms=TIME)
    made.feed(0, [(b"k", event("a", TIME + day + 1000))], timestamp_ms=TIME)
    made.feed(0, [(b"k", event("a", TIME + day))], timestamp_ms=TIME)  # just so
    made.feed(0, [(b"k", event("a", TIME - 30 * day))], timestamp_ms=TIME)  # the past is for `event.late`
    with made.connector() as connector:
        take_over(connector)
        records = take(connector, 4)[partition]
    config = Config()
    decoded = task_of(config).decoder().decode(records)
    assert decoded.times.tolist() == [TIME * 1000, (TIME + day) * 1000, (TIME - 30 * day) * 1000]
    [(refused, error)] = decoded.rejected
    assert refused.offset == 1
    assert isinstance(error, EventAhead)
    assert "event.max_ahead" in str(error)
    trusting = config.model_copy(update={"event": config.event.model_copy(update={"max_ahead": None})})
    assert not task_of(trusting).decoder().decode(records).rejected


def test_what_has_no_timestamp_of_its_own_is_believed() -> None:
    from streamrnn.connectors.memory import MemoryRecord

    record = MemoryRecord(0, None, None, event("a", 4_000_000_000_000))
    assert not task_of(Config()).decoder().decode([record]).rejected
    assert dead_letter(Partition("t", 0), record, EventAhead("why")) == Message(
        None, record.value, dead_letter(Partition("t", 0), record, EventAhead("why")).headers
    )


def test_headers_that_leave_no_room_are_left_out_and_say_so(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    """Else one record that its input took would stop the pipeline for ever."""
    made = pipeline(1)
    client.create_topic(made.config.dead_letters, 1, max_message_bytes="20000")
    made.feed(0, [(None, event("a", TIME))], headers=TRACE, timestamp_ms=TIME)
    for value in (event("b", TIME), b"no event"):
        forged = [("streamrnn.error.class", b"mine"), *TRACE]
        made.feed(0, [(None, value)], headers=[*forged, *(("h", bytes(2000)) for _ in range(1000))], timestamp_ms=TIME)
    made.feed(0, [(None, event("c", TIME)), (None, event("d", TIME))], headers=TRACE, timestamp_ms=TIME)
    processed(made, {})
    first, heavy, *others = read(client, made.config.output_topic)
    assert first.headers == others[0].headers == TRACE
    assert json.loads(heavy.value)["key"] == "b"
    [(name, said)] = heavy.headers
    assert name == "streamrnn.truncated"
    assert said.startswith(b"headers 20")
    [letter] = read(client, made.config.dead_letters)
    assert letter.value == b"no event"
    names = [name for name, _ in letter.headers]
    assert names[-1] == "streamrnn.truncated"
    assert len(names) == len(set(names)) == 7
    assert dict(letter.headers)["streamrnn.error.class"] == b"EventInvalid"
