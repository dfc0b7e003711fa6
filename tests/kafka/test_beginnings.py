"""Nothing is skipped between two starts: partitions that are restarted, added, killed before their first commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from streamrnn.connectors.base import Connector
from streamrnn.connectors.kafka import connector as connectors
from streamrnn.records.log import Partition
from tests.broker.client import Client
from tests.kafka.client_inside import crash
from tests.kafka.helpers import Pipeline, echo, poll_until, take

pytestmark = pytest.mark.kafka

MINUTE = 60_000
BASE = 1_700_000_000_000  # milliseconds


@pytest.fixture(autouse=True)
def _noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors, "METADATA_AGE", 0.5)


def begin(connector: Connector, count: int) -> dict[Partition, int]:
    """As recovery does without state: start each where it was committed or begins; returns where."""
    begun: dict[Partition, int] = {}
    deadline = time.monotonic() + 40
    while len(begun) < count:
        assert time.monotonic() < deadline, f"only {begun} were assigned"
        for partition in connector.poll(0.25).assigned:
            at = connector.committed(partition)
            begun[partition] = connector.beginning(partition) if at is None else at
            connector.start(partition, begun[partition])
    return begun


def grow(client: Client, topic: str, partitions: int) -> None:
    client.admin.create_partitions({topic: partitions})
    client.admin.wait_for_topics([topic])
    client.producer.close()
    client._producer = None  # the next one knows the new partitions


def values(number: int, count: int) -> list[tuple[bytes, bytes]]:
    return [(b"k", b"%d-%d" % (number, i)) for i in range(count)]


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("start", ["earliest", "latest", "time"])
def test_what_comes_before_the_first_commit_is_not_skipped(
    client: Client, pipeline: Callable[..., Pipeline], start: str, clean: bool
) -> None:
    """Live, gone before any commit, records, an added partition with records, back again."""
    moment = datetime.fromtimestamp((BASE + 2 * MINUTE) / 1000, UTC)
    made = pipeline(2, start=moment if start == "time" else start)
    for number in range(2):
        for minute in range(4):
            made.feed(number, [(b"k", b"old-%d" % minute)], timestamp_ms=BASE + minute * MINUTE)
    first = made.connector()
    first.open()
    began = {"earliest": 0, "latest": 4, "time": 2}[start]
    assert begin(first, 2) == dict.fromkeys(made.partitions, began)
    assert set(client.group_offsets(made.application_id).values()) == {began}
    first.close(5) if clean else crash(first)

    for number in range(2):
        made.feed(number, [(b"k", b"between")], timestamp_ms=BASE)
    grow(client, made.config.input_topic, 3)
    made.partitions.append(Partition(made.config.input_topic, 2))
    made.feed(2, [(b"k", b"added")], timestamp_ms=BASE)  # older than the time to start at: nobody has seen it

    with made.connector() as again:
        assert begin(again, 3) == {made.partitions[0]: began, made.partitions[1]: began, made.partitions[2]: 0}
        expected = 2 * (5 - began) + 1
        found = take(again, expected)
        again.commit(echo(found))
    assert [record.value for record in found[made.partitions[0]]][-1] == b"between"
    assert [record.value for record in found[made.partitions[2]]] == [b"added"]
    with made.connector() as last:
        assert begin(last, 3) == {made.partitions[0]: 5, made.partitions[1]: 5, made.partitions[2]: 1}


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_partition_added_while_running_is_taken_over_from_its_first_record(
    client: Client, pipeline: Callable[..., Pipeline], start: str
) -> None:
    made = pipeline(1, start=start)
    made.feed(0, values(0, 3))
    with made.connector() as running:
        begin(running, 1)
        grow(client, made.config.input_topic, 2)
        made.feed(0, values(0, 1))
        [added] = made.partitions[1:] = [Partition(made.config.input_topic, 1)]
        made.feed(1, values(1, 3))
        at: dict[Partition, int] = {}
        found = {}
        deadline = time.monotonic() + 40
        while len(found.get(added, [])) < 3:
            assert time.monotonic() < deadline
            polled = running.poll(0.25)
            for partition in polled.assigned:
                assert running.committed(partition) is None or partition != added
                at[partition] = running.committed(partition) or running.beginning(partition)
                running.start(partition, at[partition])
            for partition, records in polled.records.items():
                found.setdefault(partition, []).extend(records)
        assert at[added] == 0
        running.commit(echo(found, snapshot=b"state"))
        assert [message.value for message in running.snapshots(added)] == [b"state"]
    assert len(client.partitions(made.changelog)) == 2


def test_the_first_start_of_two_workers_begins_nothing_at_the_first_record(
    client: Client, pipeline: Callable[..., Pipeline]
) -> None:
    """The second worker finds the first one's offset, and no reason to take its own partition for an added one."""
    made = pipeline(2, start="latest")
    for number in range(2):
        made.feed(number, values(number, 3))
    with made.connector() as one:
        [first, second] = sorted(poll_until(one, lambda polled: bool(polled.assigned))[-1].assigned)
        assert one.committed(first) is None
        one.start(first, one.beginning(first))
        made.feed(0, values(0, 1))
        one.commit(echo(take(one, 1)))
        assert one.committed(second) is None
        assert one.beginning(second) == 3


@pytest.fixture
def topics(client: Client) -> tuple[str, str]:
    stem = client.unique("plant")
    return client.create_topic(f"{stem}.a", 2), client.create_topic(f"{stem}.b", 1)


@pytest.mark.parametrize("how", ["list", "pattern"])
def test_several_topics_are_one_group_with_a_state_each(
    client: Client, pipeline: Callable[..., Pipeline], topics: tuple[str, str], how: str
) -> None:
    a, b = topics
    stem = a.removesuffix(".a")
    inputs = {"input_topics": topics} if how == "list" else {"input_pattern": stem.replace(".", r"\.") + r"\.[a-z]"}
    made = pipeline(1, start="latest", **inputs)
    made.partitions = [Partition(a, 0), Partition(a, 1), Partition(b, 0)]
    for number, partition in enumerate(made.partitions):
        client.produce(partition.topic, [(partition.number, b"k", b"old-%d" % number)])
    with made.connector() as connector:
        assert begin(connector, 3) == dict.fromkeys(made.partitions, 1)
        for number, partition in enumerate(made.partitions):
            client.produce(partition.topic, [(partition.number, b"k", b"%d" % number)])
        found = take(connector, 3)
        commit = echo(found)
        for partition in found:
            commit.snapshots[partition] = [message._replace(key=b"state") for message in commit.outputs[partition]]
        connector.commit(commit)
        for number, partition in enumerate(made.partitions):
            assert [message.value for message in connector.snapshots(partition)] == [b"1:%d" % number]
            assert connector.committed(partition) == 2
        if how == "pattern":  # a topic that comes later is one whose first record nobody has seen
            c = client.create_topic(f"{stem}.c", 1)
            client.produce(c, [(0, b"k", b"first")])
            assert begin(connector, 1) == {Partition(c, 0): 0}
            connector.commit(echo(take(connector, 1)))
    assert {topic for topic in client.admin.list_topics() if topic.startswith(made.changelog)} >= {
        f"{made.changelog}-{a}", f"{made.changelog}-{b}",
    }  # fmt: skip
    assert len(client.partitions(f"{made.changelog}-{a}")) == 2
    assert len(client.partitions(f"{made.changelog}-{b}")) == 1
    written = sorted(record.value or b"" for record in client.read(made.config.output_topic))
    assert written == [b"0:first"] * (how == "pattern") + [b"1:0", b"1:1", b"1:2"]
