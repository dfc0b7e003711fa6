"""What the Kafka tests share: settings, a connector that is gone in the middle of things, a worker's bare loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.base import Commit, Connector, Polled
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.records.log import Message, Partition, Record, offsets_after
from tests.broker.client import Client

# Lower than any real broker allows by default: ours is told to take it, one that was named has to be asked politely.
SESSION = 6.0 if os.environ.get("STREAMRNN_TEST_BOOTSTRAP") else 2.0


class Pipeline:
    """An input topic of its own, and connectors of one application over it."""

    def __init__(self, client: Client, partitions: int = 1, **settings: Any) -> None:
        self.client = client
        self.application_id = client.unique("app")
        input_topic = client.create_topic(client.unique("events"), partitions, max_message_bytes=str(8 << 20))
        self.partitions = [Partition(input_topic, number) for number in range(partitions)]
        self.config = KafkaConfig.model_validate(
            {
                "bootstrap_servers": client.bootstrap,
                "input_topic": input_topic,
                "output_topic": client.unique("forecasts"),
                "session_timeout": SESSION,
                "broker_timeout": 20.0,
                **settings,
            }
        )
        self.changelog = f"{self.application_id}-changelog"

    def connector(self, **changes: Any) -> KafkaConnector:
        config = KafkaConfig.model_validate({**self.config.model_dump(), **changes})
        return KafkaConnector(config, application_id=self.application_id, changelog_topic=self.changelog)

    def feed(self, number: int, records: Sequence[tuple[bytes | None, bytes | None]], **options: Any) -> None:
        topic = self.partitions[number].topic
        self.client.produce(topic, [(number, key, value) for key, value in records], **options)

    def outputs(self, *, committed: bool = True) -> dict[int, list[bytes | None]]:
        found: dict[int, list[bytes | None]] = {partition.number: [] for partition in self.partitions}
        for record in self.client.read(self.config.output_topic, committed=committed):
            found[record.partition].append(record.value)
        return found


def poll_until(connector: Connector, done: Callable[[Polled], bool], seconds: float = 40.0) -> list[Polled]:
    """All polls up to the first for which `done`; fails after `seconds`."""
    polls = []
    deadline = time.monotonic() + seconds
    while True:
        polls.append(connector.poll(0.25))
        if done(polls[-1]):
            return polls
        assert time.monotonic() < deadline, f"nothing of the kind in {len(polls)} polls of {seconds} s"


def take_over(connector: Connector, count: int = 1) -> list[Partition]:
    """Poll until `count` partitions are assigned, start each where it was committed."""
    owned: list[Partition] = []
    deadline = time.monotonic() + 40
    while len(owned) < count:
        assert time.monotonic() < deadline, f"only {owned} were assigned"
        polled = connector.poll(0.25)
        owned = [partition for partition in owned if partition not in polled.revoked]
        owned += polled.assigned
        for partition in polled.assigned:
            connector.start(partition, connector.committed(partition) or 0)
    return owned


def take(connector: Connector, count: int) -> dict[Partition, list[Record]]:
    """At least `count` records."""
    found: dict[Partition, list[Record]] = {}
    deadline = time.monotonic() + 40
    while sum(map(len, found.values())) < count:
        assert time.monotonic() < deadline, f"only {sum(map(len, found.values()))} of {count} records came"
        for partition, records in connector.poll(0.25).records.items():
            found.setdefault(partition, []).extend(records)
    return found


def echo(records: dict[Partition, list[Record]], snapshot: bytes | None = None) -> Commit:
    """A commit that answers each record with its own value and offset."""
    commit = Commit()
    for partition, found in records.items():
        commit.offsets[partition] = offsets_after(found)
        commit.outputs[partition] = [Message(one.key, b"%d:%b" % (one.offset, one.value or b"")) for one in found]
        if snapshot is not None:
            commit.snapshots[partition] = [Message(b"state", snapshot)]
    return commit
