"""A series in several partitions is said aloud: each of them learns a part of it, and forecasts worse than one would.

That is what messages without a key come to: the producer spreads them, whatever their JSON says. The series of a
bounded number of such messages per partition are remembered; one that is in two partitions of a topic is named, once.
"""

from __future__ import annotations

import logging

from streamrnn.records.event_schema import DEFAULT_KEY
from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer, Step

log = logging.getLogger(__name__)

SAMPLE = 200
"""Series that are remembered of each partition."""


class SpreadKeys(Observer):
    """Compares the partitions of this worker."""

    def __init__(self) -> None:
        self._seen: dict[Partition, set[str]] = {}
        self._told: set[str] = set()  # topics

    def revoked(self, partition: Partition) -> None:
        """Forget it."""
        self._seen.pop(partition, None)

    def step(self, step: Step) -> None:
        """Look at the messages that have no key."""
        topic = step.partition.topic
        if topic in self._told:
            return
        seen = self._seen.setdefault(step.partition, set())
        if len(seen) >= SAMPLE:
            return
        for key, record in zip(step.decoded.keys, step.decoded.records, strict=True):
            if len(seen) >= SAMPLE:
                break
            if record.key is None and key not in seen:
                seen.add(key)
                self._compare(step.partition, key)
                if topic in self._told:
                    return

    def _compare(self, partition: Partition, key: str) -> None:
        for other, keys in self._seen.items():
            if other.topic != partition.topic or other == partition or key not in keys:
                continue
            self._told.add(partition.topic)
            what = "events without any key" if key == DEFAULT_KEY else f"series {key!r}"
            log.warning(
                "%s: both partition %d and %d hold %s: the messages have no key, so the producer spreads them, and "
                "every partition learns from a part. Produce with the series as the message key (docs/keys.md)",
                partition.topic, *sorted((other.number, partition.number)), what,
            )  # fmt: skip
            return
