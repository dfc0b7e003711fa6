"""What a rebalance of the consumer group brings, noted on the client's own thread."""

from __future__ import annotations

from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    """Runs on the client's thread, where every wait for the broker is an error: it only takes notes."""

    def __init__(self) -> None:
        self.consumer: Any = None
        self.lost: set[TopicPartition] = set()

    def take_lost(self) -> set[TopicPartition]:
        """What was lost since the last time."""
        taken, self.lost = self.lost, set()
        return taken

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause them; the position keeps the client from looking one up, `start` sets the right one."""
        for partition in assigned:
            self.consumer.pause(partition)
            self.consumer.seek(partition, 0)

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Note them, even if they come back before the caller looks."""
        self.lost.update(revoked)

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """As revoked: nothing can be saved in either case, everything was committed before `poll`."""
        self.lost.update(lost)
