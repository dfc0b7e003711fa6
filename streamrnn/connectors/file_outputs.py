"""What a run writes into files: forecasts, dead letters, alerts, and snapshots that know how long these were then."""

from __future__ import annotations

import base64
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from streamrnn.connectors.appender import Appender, check_distinct
from streamrnn.connectors.base import Commit, Connector
from streamrnn.connectors.reading.lines import standard
from streamrnn.errors import StateError
from streamrnn.records.log import Message, Partition, Record
from streamrnn.state.snapshot_folder import SnapshotFolder


class FileOutputConnector(Connector):
    """A log of one partition, named by the subclass, whose answers and snapshots are files.

    A snapshot and the offset it stands for are one file, so nothing is ever replayed; what was written between two
    snapshots is cut back by a restart.
    """

    state_is_named = False  # the state says itself which input it is of
    unit = "row"
    """What an offset counts."""

    def __init__(
        self,
        partition: Partition,
        inputs: Sequence[Path],
        output: Path | None,
        dead_letters: Path | None,
        alerts: Path | None,
    ) -> None:
        """Nothing is opened, but paths that are the same file are refused."""
        if dead_letters is None and output is not None:
            dead_letters = output.with_name(output.name + ".dead-letters.jsonl")
        for one in (*inputs, None):
            check_distinct({"--input": one, "--output": output, "--dead-letters": dead_letters, "--alerts": alerts})
        self.partition = partition
        self._outputs = FileOutputs(output, dead_letters, alerts)
        self._folder: SnapshotFolder | None = None
        self._offset: int | None = None  # committed
        self._assigned = self._running = False

    @abstractmethod
    def _facts(self) -> dict[str, object]:
        """What a snapshot that is taken now says of the input."""

    def committed(self, partition: Partition) -> int | None:
        """See `Connector.committed`."""
        return self._offset

    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """See `Connector.snapshots`."""
        return self._folder.messages() if self._folder is not None else iter(())

    def snapshot_records(self, partition: Partition) -> int:
        """See `Connector.snapshot_records`."""
        return self._folder.records if self._folder is not None else 0

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """Nothing to replay. Raises `StateError` where the state and what was committed differ."""
        if start != end:
            raise StateError(f"the state stands for {self.unit} {start}, but {self.unit} {end} was committed")
        return iter(())

    def commit(self, commit: Commit) -> None:
        """See `Connector.commit`."""
        self._outputs.write(commit, self.partition)
        offset = commit.offsets.get(self.partition)
        if offset is not None:
            self._offset = offset
        snapshot = commit.snapshots.get(self.partition)
        if snapshot and self._folder is not None:
            self._outputs.snapshot(self._folder, snapshot, self._facts())

    def close(self, timeout: float) -> None:
        """See `Connector.close`."""
        self._outputs.close()
        if self._folder is not None:
            self._folder.close()


class FileOutputs:
    """The files of one partition. `None` for the output is standard output, for alerts: they are not written."""

    def __init__(self, output: Path | None, dead_letters: Path | None, alerts: Path | None) -> None:
        """Nothing is opened before `resume`."""
        self._written = {
            "output": Appender(output, None if output is not None else standard(sys.stdout, "output")),
            "dead_letters": Appender(dead_letters, None if dead_letters is not None else standard(sys.stderr, "error")),
            "alerts": Appender(alerts),
        }

    def resume(self, facts: Mapping[str, object]) -> None:
        """Cut back what a run that was killed wrote after its last snapshot, whose facts these are."""
        for name, appender in self._written.items():
            appender.truncate(int(str(facts.get(f"{name}_length", 0))), facts.get(f"{name}_tail"))
            if name != "dead_letters":  # a file of those says that something was wrong
                appender.open()

    def write(self, commit: Commit, partition: Partition) -> None:
        """Everything of a commit but its snapshot."""
        self._written["output"].write(_lines(commit.outputs.get(partition, ())))
        letters = commit.dead_letters.get(partition, ())
        self._written["dead_letters"].write(b"".join(map(_dead_letter_line, letters)))
        self._written["alerts"].write(_lines(commit.alerts.get(partition, ())))

    def snapshot(self, folder: SnapshotFolder, messages: Sequence[Message], facts: Mapping[str, object]) -> None:
        """Keep a snapshot that stands for what was written so far, with `facts` about the input."""
        for appender in self._written.values():
            appender.sync()
        lengths: dict[str, object] = {}
        for name, appender in self._written.items():
            lengths |= {f"{name}_length": appender.length, f"{name}_tail": appender.tail(appender.length)}
        folder.write(messages, {**facts, **lengths})

    def close(self) -> None:
        """Close the files."""
        for appender in self._written.values():
            appender.close()


def _lines(messages: Sequence[Message]) -> bytes:
    lines = [message.value for message in messages if message.value]
    return b"\n".join([*lines, b""])


def _dead_letter_line(message: Message) -> bytes:
    document: dict[str, str | None] = {name: text.decode() for name, text in message.headers}
    document["key"] = base64.b64encode(message.key).decode() if message.key is not None else None
    document["value"] = base64.b64encode(message.value).decode() if message.value is not None else None
    return orjson.dumps(document) + b"\n"
