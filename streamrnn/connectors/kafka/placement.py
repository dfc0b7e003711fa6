"""Where Kafka's clients put a key."""

from __future__ import annotations

from functools import lru_cache

from streamrnn.connectors.kafka.internals import murmur2


@lru_cache(1 << 17)  # the client's murmur2 is Python, and the same series come again and again
def partition_of(key: bytes, partitions: int) -> int:
    """The number of the partition for a key by the default of Kafka's clients (murmur2)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
