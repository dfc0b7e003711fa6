"""What a run writes into files: forecasts, dead letters, alerts, and snapshots that know how long these were then."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from streamrnn.connectors.appender import Appender
from streamrnn.connectors.base import Commit
from streamrnn.connectors.reading.lines import standard
from streamrnn.records.log import Message, Partition
from streamrnn.state.snapshot_folder import SnapshotFolder


class FileOutputs:
    """The files of one partition. `None` for the output is standard output, for alerts: they are not written."""

    def __init__(self, output: Path | None, dead_letters: Path | None, alerts: Path | None) -> None:
        """Nothing is opened before `resume`."""
        if dead_letters is None and output is not None:
            dead_letters = output.with_name(output.name + ".dead-letters.jsonl")
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
    return b"".join([message.value + b"\n" for message in messages if message.value])


def _dead_letter_line(message: Message) -> bytes:
    document: dict[str, str | None] = {name: text.decode() for name, text in message.headers}
    document["key"] = base64.b64encode(message.key).decode() if message.key is not None else None
    document["value"] = base64.b64encode(message.value).decode() if message.value is not None else None
    return orjson.dumps(document) + b"\n"
