"""What the Kafka tests do to the inside of the client: a new release of kafka-python is the work of this file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import kafka.record.default_records
import pytest
from kafka import codec
from kafka.protocol.metadata.find_coordinator import CoordinatorType
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.kafka.writer import Writer
from streamrnn.records.log import Message


def crash(connector: KafkaConnector) -> None:
    """Cut the connector's threads off the network, without a word to the broker, as SIGKILL would."""
    for writer in (connector._transactions, connector._plain):
        if writer is not None:
            producer = writer._producer
            producer._sender.force_close()
            producer._sender.join(5)
            producer._unregister_cleanup()
            producer._closed = True
    consumer, connector._consumer = connector._consumer, None
    consumer._coordinator._close_heartbeat()
    consumer._client.close()
    consumer._net.stop()
    consumer._closed = True
    connector._closed = True
    connector._reader.close(1)


def fall_silent(connector: KafkaConnector) -> None:
    """No heartbeat from now on, as in a process that is paused."""
    connector._consumer._coordinator._heartbeat_enabled = False


def lose_membership(connector: KafkaConnector) -> None:
    """What the broker's UNKNOWN_MEMBER_ID brings about."""
    connector._consumer._coordinator.reset_generation()


def join_again(connector: KafkaConnector) -> None:
    """The client joins behind the connector's back: the next commit comes before the connector has looked."""
    for _ in range(200):
        connector._consumer.poll(timeout_ms=100)
        if connector._consumer.group_metadata().generation_id >= 0:
            return
    raise AssertionError("it does not join")


def coordinating_node(connector: KafkaConnector) -> int:
    """Which broker coordinates the connector's transactions."""
    assert connector._transactions is not None
    node: str = connector._transactions._producer._transaction_manager.coordinator(CoordinatorType.TRANSACTION)
    return int(node.removeprefix("coordinator-"))


def sender(writer: Writer) -> threading.Thread:
    """The thread of the writer's producer."""
    thread: threading.Thread = writer._producer._sender
    return thread


def take_away_codec(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The client believes that the codec's package is not installed."""
    monkeypatch.setattr(codec, f"has_{kind}", lambda: False)


def replace_decoder(monkeypatch: pytest.MonkeyPatch, kind: str, decode: Callable[[bytes], bytes]) -> None:
    """Batches that are compressed with `kind` are unpacked by `decode`."""
    monkeypatch.setattr(kafka.record.default_records, f"{kind}_decode", decode)


def client_batches(messages: Sequence[Message], size: int) -> list[bytes]:
    """The messages as the client itself puts them into batches of at most so many bytes."""
    found, records = [], None
    for message in messages:
        record = (message.timestamp, message.key, message.value, message.headers)
        if records is None or records.append(*record) is None:
            if records is not None:
                records.close()
                found.append(bytes(records.buffer()))
            records = MemoryRecordsBuilder(2, 0, size)
            records.append(*record)
    if records is not None:
        records.close()
        found.append(bytes(records.buffer()))
    return found


def client_records(batch: bytes) -> list[DefaultRecord]:
    """The records of a batch as the client itself takes them apart."""
    return list(DefaultRecordBatch(batch))
