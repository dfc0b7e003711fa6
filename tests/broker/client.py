"""What tests ask of a broker, through clients of their own: topics, records, offsets, lag."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

_numbers = itertools.count()


class Written(NamedTuple):
    """One record as a reader sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Client:
    """Admin, producer and readers; close it (or use `with`), the producer is a thread."""

    def __init__(self, bootstrap: str, **options: Any) -> None:
        self.bootstrap = bootstrap
        self.options = options
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), **options)
        self._producer: Any = None

    @property
    def producer(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.bootstrap.split(","), linger_ms=5, batch_size=64 << 10,
                max_request_size=16 << 20, **self.options,
            )  # fmt: skip
        return self._producer

    def unique(self, name: str) -> str:
        """A name that no other test of this run uses."""
        return f"{name}-{next(_numbers)}-{time.time_ns() % 1_000_000_007}"

    def create_topic(self, name: str, partitions: int = 1, **settings: str) -> str:
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        self.admin.create_topics({name: {"num_partitions": partitions, "configs": configs}}, wait_for_metadata=True)
        return name

    def produce(
        self, topic: str, records: Iterable[tuple[int, bytes | None, bytes | None] | bytes], **options: Any
    ) -> None:
        """Append (partition, key, value), or values alone for partition 0; returns when all are acknowledged."""
        futures = []
        for record in records:
            partition, key, value = (0, None, record) if isinstance(record, bytes) else record
            futures.append(self.producer.send(topic, value, key, partition=partition, **options))
        self.producer.flush(timeout=60)
        for future in futures:
            future.get(timeout=60)

    def partitions(self, topic: str) -> list[TopicPartition]:
        [described] = self.admin.describe_topics([topic])
        return [TopicPartition(topic, number) for number in range(len(described["partitions"]))]

    def read(self, topic: str, *, committed: bool = True, timeout: float = 60.0) -> list[Written]:
        """Everything in the topic now, by partition and offset; uncommitted: what read_committed readers skip, too."""
        consumer = self.consumer(committed)
        try:
            partitions = self.partitions(topic)
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions, timeout_ms=int(timeout * 1000))
            found: list[Written] = []
            deadline = time.monotonic() + timeout
            while any(consumer.position(partition, timeout_ms=5000) < ends[partition] for partition in partitions):
                assert time.monotonic() < deadline, f"reading {topic} takes longer than {timeout} s"
                for records in consumer.poll(timeout_ms=200, max_records=10_000).values():
                    found += [Written(r.partition, r.offset, r.key, r.value, tuple(r.headers)) for r in records]
            return sorted(found, key=lambda written: written[:2])
        finally:
            consumer.close()

    def consumer(self, committed: bool = True) -> Any:
        return KafkaConsumer(
            bootstrap_servers=self.bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed" if committed else "read_uncommitted",
            max_partition_fetch_bytes=8 << 20,
            **self.options,
        )

    def end_offsets(self, topic: str, *, committed: bool = True) -> dict[int, int]:
        """Offset after the last record (committed: after the last that readers of committed records may see)."""
        consumer = self.consumer(committed)
        try:
            ends = consumer.end_offsets(self.partitions(topic), timeout_ms=30_000)
            return {partition.partition: end for partition, end in ends.items()}
        finally:
            consumer.close()

    def group_offsets(self, group: str) -> dict[TopicPartition, int]:
        found = self.admin.list_group_offsets([group])[group]
        return {partition: committed.offset for partition, committed in found.items()}

    def group_lag(self, group: str, topic: str) -> int:
        """Records that the group has not committed, over all partitions; transaction markers count."""
        offsets = self.group_offsets(group)
        ends = self.end_offsets(topic)
        return sum(end - max(0, offsets.get(TopicPartition(topic, number), 0)) for number, end in ends.items())

    def members(self, group: str) -> Sequence[Any]:
        return self.admin.describe_groups([group])[group].get("members") or []

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)
        self.admin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
