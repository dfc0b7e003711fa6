"""Reads one partition from an offset to an end, beside the consumer group and without moving its positions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import client_options, made, milliseconds, translated
from streamrnn.connectors.kafka.codecs import unpacking
from streamrnn.connectors.kafka.internals import follow_leaders, read_whole_batches
from streamrnn.errors import BrokerUnavailable
from streamrnn.records.log import Record

SLICE = 0.25  # seconds of one wait for the broker
FETCH = 4 << 20  # bytes of one partition per answer: for more the client is given new memory by the system each time


class Reader:
    """A pool of consumers without a group; each read in progress has one of its own."""

    def __init__(self, config: KafkaConfig, client_id: str) -> None:
        self._config = config
        self._client_id = client_id
        self._idle: list[Any] = []
        self._uncommitted: Any = None

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        consumer = self._idle.pop() if self._idle else self._open("read_committed")
        try:
            yield consumer
        finally:
            self._idle.append(consumer)

    def _open(self, isolation_level: str) -> Any:
        with translated(self._config, "connecting a reader"):
            consumer = made(
                KafkaConsumer,
                **client_options(self._config, f"{self._client_id}-reader"),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level=isolation_level,
                allow_auto_create_topics=False,
                max_partition_fetch_bytes=FETCH,
                metrics_enabled=False,
            )
            read_whole_batches(consumer)
            follow_leaders(consumer)
            return consumer

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """(first offset in the log, end of what is committed): the last stable offset, not the high watermark."""
        timeout = milliseconds(self._config.broker_timeout)
        with self._borrowed() as consumer, translated(self._config, f"reading the bounds of {_name(partition)}"):
            first = consumer.beginning_offsets([partition], timeout_ms=timeout)[partition]
            end = consumer.end_offsets([partition], timeout_ms=timeout)[partition]
        return first, end

    def offset_at(self, partition: TopicPartition, time: datetime) -> int | None:
        """The first offset whose record has no earlier timestamp than `time` (UTC if it has no zone); None if none."""
        moment = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        wanted = {partition: max(0, round(moment.timestamp() * 1000))}
        with self._borrowed() as consumer, translated(self._config, f"looking for {time} in {_name(partition)}"):
            found = consumer.offsets_for_times(wanted, timeout_ms=milliseconds(self._config.broker_timeout))
        return None if found.get(partition) is None else int(found[partition].offset)

    def settled_bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """As `bounds`, once no transaction is open in the partition.

        A transaction is committed when its coordinator says so, but each partition learns of it a moment later, by a
        marker. Who reads in that moment misses what is already committed elsewhere, the input offsets for one.
        """
        timeout = milliseconds(self._config.broker_timeout)
        # The coordinator aborts what is older than one broker_timeout, and looks for it every few seconds.
        deadline = time.monotonic() + 2 * self._config.broker_timeout
        pause = 0.005
        while True:
            with translated(self._config, f"reading the bounds of {_name(partition)}"):
                if self._uncommitted is None:
                    self._uncommitted = self._open("read_uncommitted")
                high_watermark = self._uncommitted.end_offsets([partition], timeout_ms=timeout)[partition]
            first, end = self.bounds(partition)
            if end >= high_watermark:
                return first, end
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"a transaction in {_name(partition)} stays open at offset {end} for more than "
                    f"{2 * self._config.broker_timeout:g} s: see `kafka-transactions.sh find-hanging`"
                )
            time.sleep(pause)
            pause = min(0.25, 2 * pause)

    def read(self, partition: TopicPartition, start: int, end: int, slice_size: int) -> Iterator[Sequence[Record]]:
        """Committed records with start <= offset < end, in slices of at most `slice_size`.

        The end is reached by the position, never by a record: the last offsets may be transaction markers, aborted
        records or holes that compaction left.
        """
        timeout = self._config.broker_timeout
        doing = f"reading {_name(partition)} from offset {start} to {end}"
        with self._borrowed() as consumer:
            with translated(self._config, doing):
                consumer.assign([partition])
                consumer.seek(partition, start)
            position, moved = start, time.monotonic()
            while position < end:
                with translated(self._config, doing), unpacking(consumer):
                    polled = consumer.poll(timeout_ms=milliseconds(SLICE), max_records=slice_size)
                    reached = consumer.position(partition, timeout_ms=milliseconds(SLICE))
                now = time.monotonic()
                if reached is not None and reached > position:
                    position, moved = reached, now
                records: Sequence[Record] = polled.get(partition, ())
                if records and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                if records:
                    yield records
                    moved = time.monotonic()  # the caller's own time does not count as the broker's
                elif now - moved > timeout:
                    raise BrokerUnavailable(
                        f"Kafka sends nothing for {timeout:.0f} s while {doing} (kafka.broker_timeout), "
                        f"stuck at offset {position}"
                    )

    def close(self, timeout: float) -> None:
        """Close the idle consumers."""
        if self._uncommitted is not None:
            self._idle.append(self._uncommitted)
            self._uncommitted = None
        while self._idle:
            self._idle.pop().close(autocommit=False, timeout_ms=milliseconds(timeout))


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}[{partition.partition}]"
