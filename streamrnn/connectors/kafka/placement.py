"""Where Kafka's clients put a key."""

from __future__ import annotations

from streamrnn.connectors.kafka.internals import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The number of the partition for a key by the default of Kafka's clients (murmur2)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
