"""What the group has committed of each partition: an offset, with our mark and the epoch of the leader.

The mark says where a partition began (`beginnings.py`); by the epoch a log that was cut is recognized.
"""

from __future__ import annotations

import logging
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.beginnings import Mark, added_later, read_mark
from streamrnn.connectors.kafka.clients import milliseconds, translated
from streamrnn.connectors.kafka.internals import committed_offsets, go_to, place
from streamrnn.connectors.kafka.reader import Reader
from streamrnn.connectors.kafka.topics import Topics
from streamrnn.records.log import Partition

log = logging.getLogger(__name__)


class GroupOffsets:
    """Of one consumer, which is set when it is made."""

    def __init__(self, config: KafkaConfig, group: str) -> None:
        self.consumer: Any = None
        self._config = config
        self._group = group
        self._marks: dict[TopicPartition, Mark | None] = {}  # of the committed offsets, as far as they were asked for
        self._begun: dict[TopicPartition, int] = {}  # of these, those that have no state yet
        self._epochs: dict[TopicPartition, int] = {}  # of the leader that wrote the record before the committed offset

    def knows(self, partition: Partition) -> bool:
        """Whether the committed offset was asked for."""
        return TopicPartition(*partition) in self._marks

    def committed(self, partition: Partition) -> int | None:
        """The committed offset; waits for transactions that are about to change it. None where it marks a beginning."""
        wanted = TopicPartition(*partition)
        found = self._fetched([wanted], f"reading the committed offset of {partition}").get(wanted)
        self._begun.pop(wanted, None)
        self._epochs[wanted] = -1 if found is None else int(found.leader_epoch)
        if found is None:
            self._marks[wanted] = None
            return None
        mark = read_mark(found.metadata)
        if not found.metadata:
            log.warning(
                "%s: the committed offset %d has no mark of streamrnn: somebody has moved the group "
                "(kafka-consumer-groups --reset-offsets), or an early version committed it. Events between the stored "
                "state and that offset are learned from and not answered", partition, found.offset,
            )  # fmt: skip
        self._marks[wanted] = mark._replace(begin=False)
        if mark.begin:
            self._begun[wanted] = int(found.offset)
            return None
        return int(found.offset)

    def why_none(self, partition: Partition) -> str:
        """Why the group may have no offset of this partition, for a message."""
        numbers = self.consumer.partitions_for_topic(partition.topic) or ()
        others = [TopicPartition(partition.topic, number) for number in sorted(numbers) if number != partition.number]
        kept = self._fetched(others, "reading the group's offsets") if others else {}
        if kept:
            return (
                f"group {self._group!r} has offsets of {len(kept)} other partitions of this topic, so this one's "
                "alone was deleted"
            )
        told = (
            f"group {self._group!r} has none of this topic: they were deleted, or expired while it was stopped, or "
            "the topic was made anew (its offsets go with it)"
        )
        if self._config.delivery != "exactly-once":
            told += ", or the very first worker died between its snapshot and its offsets (delivery is at-least-once)"
        return told

    def beginning(self, partition: Partition, topics: Topics, reader: Reader) -> int:
        """The offset to begin at where none is committed; see `beginnings`."""
        wanted, start = TopicPartition(*partition), self._config.start
        first, end = reader.bounds(wanted)
        if wanted in self._begun:
            return max(first, self._begun[wanted])
        if start == "earliest":
            return first
        others = [TopicPartition(topic, n) for topic, count in topics.inputs.items() for n in range(count)]
        marks = [read_mark(one.metadata) for one in self._fetched(others, "reading the group's offsets").values()]
        if added_later(partition, marks, topics_appear=self._config.input_pattern is not None):
            return first
        if start == "latest":
            return end
        found = reader.offset_at(wanted, start)
        return end if found is None else max(first, found)

    def mark_of_beginning(self, partition: Partition, offset: int, topics: Topics) -> Any | None:
        """What to commit before the first record is delivered; None where something is committed.

        Without it a worker that dies before its first commit would begin elsewhere.
        """
        wanted = TopicPartition(*partition)
        if self._marks[wanted] is not None:
            return None
        self._marks[wanted] = Mark(of=topics.inputs)
        return OffsetAndMetadata(offset, Mark(begin=True, of=topics.inputs).text(), -1)

    def go_to(self, partition: Partition, offset: int) -> None:
        """Deliver from `offset` on."""
        wanted = TopicPartition(*partition)
        with translated(self._config, f"starting {partition}"):
            go_to(self.consumer, wanted, offset, self._epochs.get(wanted, -1))
            self.consumer.resume(wanted)

    def after(self, partition: TopicPartition, offset: int) -> Any:
        """What to commit when all records before `offset` are done."""
        at = place(self.consumer, partition)
        epoch = at.epoch if at is not None and at.position >= offset else -1
        return OffsetAndMetadata(offset, (self._marks.get(partition) or Mark()).text(), epoch)

    def _fetched(self, partitions: list[TopicPartition], doing: str) -> dict[TopicPartition, Any]:
        with translated(self._config, doing):
            found = committed_offsets(self.consumer, partitions, milliseconds(self._config.broker_timeout))
        return {partition: offset for partition, offset in found.items() if offset.offset >= 0}
