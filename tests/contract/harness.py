"""One way to drive each connector from outside: what goes in, what came out, and a crash in between."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from streamrnn.connectors.base import Connector
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.records.log import Message, Partition
from tests.broker.client import Client
from tests.kafka.client_inside import crash
from tests.kafka.helpers import Pipeline

Pairs = list[tuple[bytes | None, bytes | None]]


class Harness(ABC):
    """A log that outlives its connectors."""

    partitions: list[Partition]
    has_keys = True  # input records have keys, null values and line ends
    knows_lag = True
    replays = True  # a commit without a snapshot is kept over a crash, and replayed

    @abstractmethod
    def feed(self, number: int, records: Pairs) -> None:
        """Append to the input."""

    @abstractmethod
    def connect(self) -> Connector:
        """A connector that owns all partitions before long; not entered yet."""

    @abstractmethod
    def crash(self, connector: Connector) -> None:
        """The connector's process dies: nothing is said to anybody."""

    @abstractmethod
    def outputs(self, partition: Partition) -> Pairs:
        """(key, value) of what is visible to readers."""

    @abstractmethod
    def alerts(self, partition: Partition) -> Pairs:
        """(key, value) of what is visible to readers."""

    @abstractmethod
    def dead_letters(self, partition: Partition) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        """(key, value, headers) of what is visible to readers."""


class MemoryHarness(Harness):
    def __init__(self) -> None:
        self.log = MemoryLog("events", partitions=2)
        self.partitions = self.log.partitions

    def feed(self, number: int, records: Pairs) -> None:
        for key, value in records:
            self.log.append(number, Message(key, value, timestamp=1_700_000_000_000))

    def connect(self) -> Connector:
        return MemoryConnector(self.log, max_poll_records=7, snapshot_slice=1000)

    def crash(self, connector: Connector) -> None:
        pass  # nothing outlives it

    def outputs(self, partition: Partition) -> Pairs:
        return [(message.key, message.value) for message in self.log.outputs[partition]]

    def alerts(self, partition: Partition) -> Pairs:
        return [(message.key, message.value) for message in self.log.alerts[partition]]

    def dead_letters(self, partition: Partition) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        return [(one.key, one.value, dict(one.headers)) for one in self.log.dead_letters[partition]]


class FileHarness(Harness):
    has_keys = False
    knows_lag = False
    replays = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = folder / "events.jsonl"
        self.input.touch()
        self.partitions = [Partition("events.jsonl", 0)]

    def feed(self, number: int, records: Pairs) -> None:
        with self.input.open("ab") as file:
            for _, value in records:
                file.write((value or b"") + b"\n")

    def connect(self) -> Connector:
        return FileConnector(
            self.input,
            self.folder / "out.jsonl",
            state=self.folder / "state",
            alerts=self.folder / "alerts.jsonl",
            max_poll_records=7,
        )

    def crash(self, connector: Connector) -> None:
        connector.close(0)  # the operating system closes the files of a killed process just so

    def outputs(self, partition: Partition) -> Pairs:
        return self._lines("out.jsonl")

    def alerts(self, partition: Partition) -> Pairs:
        return self._lines("alerts.jsonl")

    def _lines(self, name: str) -> Pairs:
        path = self.folder / name
        return [(None, line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def dead_letters(self, partition: Partition) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        found = []
        for line in (self.folder / "out.jsonl.dead-letters.jsonl").read_bytes().splitlines():
            document = json.loads(line)
            key, value = (
                None if text is None else base64.b64decode(text)
                for text in (document.pop("key"), document.pop("value"))
            )
            found.append((key, value, {name: str(text).encode() for name, text in document.items()}))
        return found


class KafkaHarness(Harness):
    def __init__(self, client: Client) -> None:
        self.client = client
        # A static member comes back to its partitions at once; the time-out of dynamic ones is tested elsewhere.
        self.pipeline = Pipeline(
            client, 2, group_instance_id="only", max_poll_records=7, alerts_topic=client.unique("alerts")
        )
        self.partitions = self.pipeline.partitions

    def feed(self, number: int, records: Pairs) -> None:
        self.pipeline.feed(number, records, timestamp_ms=1_700_000_000_000)

    def connect(self) -> Connector:
        return self.pipeline.connector()

    def crash(self, connector: Connector) -> None:
        assert isinstance(connector, KafkaConnector)
        crash(connector)

    def outputs(self, partition: Partition) -> Pairs:
        return self._read(self.pipeline.config.output_topic, partition)

    def alerts(self, partition: Partition) -> Pairs:
        return self._read(self.pipeline.config.alerts_topic or "", partition)

    def _read(self, topic: str, partition: Partition) -> Pairs:
        records = self.client.read(topic)
        return [(record.key, record.value) for record in records if record.partition == partition.number]

    def dead_letters(self, partition: Partition) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        records = self.client.read(self.pipeline.config.dead_letters)
        return [(one.key, one.value, dict(one.headers)) for one in records if one.partition == partition.number]


def pairs(values: Sequence[bytes], key: bytes | None = b"pump-7") -> Pairs:
    return [(key, value) for value in values]
