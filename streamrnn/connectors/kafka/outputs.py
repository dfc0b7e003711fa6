"""Where messages go: topics, partitions and what fits into a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.base import Commit
from streamrnn.connectors.kafka.changelog import Changelog
from streamrnn.connectors.kafka.placement import partition_of
from streamrnn.connectors.kafka.topics import Topics
from streamrnn.connectors.kafka.writer import Batch
from streamrnn.errors import ConnectorError
from streamrnn.records.dead_letters import own_headers
from streamrnn.records.log import Message, Partition

SNAPSHOT_LIMIT = 900_000  # bytes of one snapshot record; the broker takes 1,048,588 with everything around it
OVERHEAD = 512  # bytes that a record's own framing and its batch may add
AHEAD = 3_000_000  # milliseconds; brokers refuse timestamps more than an hour ahead of their own clock
TRUNCATED = "streamrnn.truncated"


class Outputs:
    """Turns a `Commit` into batches for the writer."""

    def __init__(
        self,
        config: KafkaConfig,
        topics: Topics,
        changelogs: Mapping[Partition, Changelog],
        framed: Callable[[str, bytes], bytes] | None = None,
    ) -> None:
        self._framed = framed
        self._by_key = config.placement == "key"
        self._by_clock = config.record_time == "processing"
        self._output = config.output_topic
        self._alerts = config.alerts_topic  # None: nobody asked for them
        self._dead_letters = config.dead_letters
        self._topics = topics.changelogs
        self._changelogs = changelogs
        self._limits = topics.record_limits
        self._partitions = topics.partitions

    def batches(self, commit: Commit) -> list[Batch]:
        """Outputs, alerts and dead letters."""
        found: list[Batch] = []
        wanted = [(self._output, commit.outputs)] + ([(self._alerts, commit.alerts)] if self._alerts else [])
        for topic, said in wanted:
            for partition, messages in said.items():
                fitting = self._fit_headers(topic, self._frame(topic, messages))
                found += self._placed(topic, partition, self._date(fitting))
        for partition, messages in commit.dead_letters.items():
            found += self._placed(self._dead_letters, partition, self._date([self._fit(one) for one in messages]))
        return found

    def _frame(self, topic: str, messages: Sequence[Message]) -> Sequence[Message]:
        framed = self._framed
        if framed is None:
            return messages
        return [one if one.value is None else one._replace(value=framed(topic, one.value)) for one in messages]

    def _date(self, messages: Sequence[Message]) -> Sequence[Message]:
        if self._by_clock:
            return [Message(one.key, one.value, one.headers) for one in messages]
        return _dated(messages)

    def snapshots(self, commit: Commit) -> list[Batch]:
        """Changelog records."""
        found: list[Batch] = []
        for partition, some in commit.snapshots.items():
            messages = self._changelogs[partition].write(some, unfinished=partition in commit.unfinished)
            for message in messages:
                if _size(message) > SNAPSHOT_LIMIT:
                    raise ConnectorError(
                        f"a snapshot record of {partition} has {_size(message)} bytes, over {SNAPSHOT_LIMIT}"
                    )
            if messages:
                found.append(Batch(self._topics[partition.topic], partition.number, messages))
        return found

    def _placed(self, topic: str, source: Partition, messages: Sequence[Message]) -> list[Batch]:
        """Where `kafka.placement` says: the partition number of the input, or where every Kafka client puts the key."""
        if not messages:
            return []
        number, count = source.number, self._partitions[topic]
        if not self._by_key and count == self._partitions[source.topic]:
            return [Batch(topic, number, messages)]
        spread: dict[int, list[Message]] = {}
        for message in messages:
            place = number % count if message.key is None else partition_of(message.key, count)
            spread.setdefault(place, []).append(message)
        return [Batch(topic, place, found) for place, found in sorted(spread.items())]

    def _fit_headers(self, topic: str, messages: Sequence[Message]) -> Sequence[Message]:
        """Without the headers of an input where they leave no room for the answer, which says so."""
        if not any(message.headers for message in messages):
            return messages
        limit = self._limits[topic] - OVERHEAD
        return [
            message._replace(headers=((TRUNCATED, b"headers %d bytes" % _headers_size(message)),))
            if message.headers and _headers_size(message) > limit - _size(message)
            else message
            for message in messages
        ]

    def _fit(self, message: Message) -> Message:
        """A dead letter that its topic takes: what is too long is cut and says so, or it would stop the pipeline."""
        limit = self._limits[self._dead_letters] - OVERHEAD
        taken = _headers_size(message)
        if _size(message) + taken <= limit:
            return message
        key, value = message.key or b"", message.value or b""
        original, headers = f"key {len(key)} bytes, value {len(value)} bytes", message.headers
        if taken > limit // 2:  # the record matters more than what was written beside it
            original, headers = f"headers {taken} bytes, {original}", own_headers(message)
        headers = (*headers, (TRUNCATED, original.encode()))
        room = max(0, limit - OVERHEAD - _headers_size(message._replace(headers=headers)))
        kept = key if _size(message) <= room else key[: room // 2]
        return message._replace(
            key=None if message.key is None else kept,
            value=None if message.value is None else value[: room - len(kept)],
            headers=headers,
        )


def _size(message: Message) -> int:
    return len(message.key or b"") + len(message.value or b"")


def _headers_size(message: Message) -> int:
    """At most: as UTF-8, each with two lengths before it."""
    return sum(len(name.encode()) + len(value or b"") + 10 for name, value in message.headers)


def _dated(messages: Sequence[Message]) -> Sequence[Message]:
    """Without timestamps that a broker refuses: before 1970, or more than an hour ahead (event times may be)."""
    latest = int(time.time() * 1000) + AHEAD
    stamps = [message.timestamp for message in messages if message.timestamp is not None]
    if not stamps or (min(stamps) >= 0 and max(stamps) <= latest):
        return messages
    return [
        message if message.timestamp is None or 0 <= message.timestamp <= latest else message._replace(timestamp=None)
        for message in messages
    ]
