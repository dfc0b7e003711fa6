"""`streamrnn feedback`: writes what a person says of an alert into the log where the series is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from streamrnn.config.tree import Config
from streamrnn.errors import ConnectorError
from streamrnn.records.feedback import FIELD
from streamrnn.records.log import Message, Partition


def line(config: Config, verdict: str, key: str, alert: int) -> bytes:
    """The feedback on alert number `alert` of the series `key` as a record of the input, in JSON without line end."""
    return orjson.dumps({FIELD: verdict, config.event.key: key, "alert": alert})


def command(config: Config, file: Path | None, appended: Path | None = None) -> Callable[[Partition], Sequence[str]]:
    """What stands behind `streamrnn feedback VERDICT KEY ALERT` for a series of a partition.

    `file` is the configuration's. With `appended`, a file of events that is followed, else a topic.
    """

    def arguments(partition: Partition) -> Sequence[str]:
        settings = [] if file is None else ["--config", str(file)]
        if appended is None:
            return [*settings, "--topic", partition.topic, "--partition", str(partition.number)]
        named = [] if config.event.key == "key" else ["--set", f"event.key={config.event.key}"]
        return [*settings, *named, "--append", str(appended)]

    return arguments


def append(file: Path, record: bytes) -> None:
    """Write it at the end of a file of events, as a line of its own whether the last one has ended or not.

    Raises `ConnectorError` for a file that cannot be read and written.
    """
    try:
        with file.open("r+b") as log:
            end = log.seek(0, 2)
            if end:
                log.seek(end - 1)
                record = record if log.read(1) == b"\n" else b"\n" + record
            log.write(record + b"\n")
    except OSError as error:
        raise ConnectorError(f"{file}: {error.strerror or error}") from error


def send(config: Config, topic: str | None, partition: int | None, key: str, record: bytes) -> str:
    """Write it into the topic (None: the first of the input), where its key goes or into `partition`.

    Returns the topic. Raises `ConnectorError` where the broker does not take it.
    """
    from streamrnn.connectors.kafka.produce import produce

    topic = topic or config.kafka.first_input
    produce(config.kafka, topic, [Message(key.encode(), record)], None, threading.Event(), partition=partition)
    return topic
