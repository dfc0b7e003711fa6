"""Looking at and moving an application that is not running: `streamrnn inspect` and `streamrnn reset`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from kafka import ConsumerGroupMetadata, KafkaAdminClient, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from kafka.structs import OffsetAndMetadata

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.beginnings import Mark
from streamrnn.connectors.kafka.changelog import Changelog
from streamrnn.connectors.kafka.clients import bounded, client_options, milliseconds, translated
from streamrnn.connectors.kafka.diagnosis import wait_for_broker
from streamrnn.connectors.kafka.reader import Reader
from streamrnn.connectors.kafka.topics import changelog_of, ensure_topics, input_topics
from streamrnn.connectors.kafka.writer import Batch, Writer
from streamrnn.errors import ConfigurationError, ConnectorError, StateError, TopicMissing
from streamrnn.records.log import Message, Partition, Record

Target = Literal["earliest", "latest"] | int | datetime | Mapping[Partition, int]
"""Where partitions begin."""

T = TypeVar("T")


class Stored(NamedTuple):
    """What the broker holds of one partition."""

    partition: Partition
    first: int  # first offset in the input's log
    end: int  # offset its next record will get
    committed: int | None
    snapshots: Callable[[], Iterator[Message]]  # reads the changelog


@contextmanager
def _admin(config: KafkaConfig, doing: str) -> Iterator[Any]:
    wait_for_broker(config, 0.6 * config.broker_timeout)
    with translated(config, doing):
        admin = KafkaAdminClient(**client_options(config, f"{config.client_id}-operations"))
        try:
            yield admin
        finally:
            admin.close()


def refuse_begun(places: Iterable[Stored], application_id: str) -> None:
    """Raise `StateError` where the application has learned something already."""
    if any(place.committed is not None for place in places):
        raise StateError(
            f"{application_id!r} has begun already: give --replace to forget what it has learned, or choose "
            "another application_id"
        )


def stored(config: KafkaConfig, application_id: str, changelog: str) -> list[Stored]:
    """What the broker holds of every partition of the input."""
    reader = Reader(config, f"{config.client_id}-operations")
    with _admin(config, "looking at the application") as admin:
        inputs = input_topics(config, admin)
        logs = {topic: changelog_of(config, changelog, topic) for topic in inputs}
        counts = {
            topic["name"]: len(topic["partitions"])
            for topic in admin.describe_topics([*inputs, *logs.values()])
            if topic["error_code"] == 0
        }
        if absent := [topic for topic in inputs if topic not in counts]:
            raise TopicMissing(f"{config.input_setting}: {config.bootstrap_servers} has no topic {absent[0]!r}")
        offsets = _group_offsets(admin, application_id, config.broker_timeout)
    found = []
    for source in [TopicPartition(topic, number) for topic in inputs for number in range(counts[topic])]:
        first, end = reader.bounds(source)
        committed = offsets.get(source)
        kept = logs[source.topic]
        log = TopicPartition(kept, source.partition) if source.partition < counts.get(kept, 0) else None
        offset = None if committed is None or committed.offset < 0 else int(committed.offset)
        found.append(Stored(Partition(*source), first, end, offset, partial(_changelog, reader, log)))
    return found


def _require_empty_group(admin: Any, application_id: str, session_timeout: float, patience: float) -> None:
    """Static members stay in the group for a session after they stopped; wait that long for them, not for others."""
    deadline = time.monotonic() + session_timeout + 2

    def described() -> Any:
        return admin.describe_groups([application_id]).get(application_id, {}).get("members")

    while members := _coordinated(described, patience):
        if time.monotonic() > deadline or not all(member.get("group_instance_id") for member in members):
            raise StateError(
                f"{len(members)} worker(s) of {application_id!r} are running: stop them first (a worker that died is "
                f"a member until its session of {session_timeout:g} s is over)"
            )
        time.sleep(0.5)


def _group_offsets(admin: Any, application_id: str, patience: float) -> dict[TopicPartition, Any]:
    return _coordinated(lambda: admin.list_group_offsets(application_id).get(application_id, {}), patience)


def _coordinated(ask: Callable[[], T], patience: float) -> T:
    """What the group's coordinator answers: a broker's first group waits until its topic of offsets is made."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return ask()
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _changelog(reader: Reader, log: TopicPartition | None) -> Iterator[Message]:
    if log is None:
        return iter(())
    found = (
        Message(record.key, record.value, (), record.timestamp)
        for records in reader.read(log, *reader.settled_bounds(log), slice_size=100)
        for record in records
    )
    return Changelog().read(found)


def read_topic(
    config: KafkaConfig, topic: str, until: datetime | None, *, partitions: int
) -> Iterator[tuple[Partition, int, Iterator[Sequence[Record]]]]:
    """Every partition of a topic: the offset up to which it is read, and its records from the first one on.

    Up to the end that the log has now, or up to the first record with no earlier timestamp than `until`. Raises
    `ConfigurationError` where it has not so many `partitions`.
    """
    with _admin(config, f"looking at {topic!r}") as admin:
        counts = [one["partitions"] for one in admin.describe_topics([topic]) if one["error_code"] == 0]
    if not counts:
        raise TopicMissing(f"{config.bootstrap_servers} has no topic {topic!r}")
    if len(counts[0]) != partitions:
        raise ConfigurationError(
            f"{topic!r} has {len(counts[0])} partitions, and the input has {partitions}: what a partition has learned "
            "is of use to one of the same series alone. `streamrnn repartition` makes a copy that fits"
        )
    reader = Reader(config, f"{config.client_id}-operations")
    try:
        for number in range(partitions):
            source = TopicPartition(topic, number)
            first, end = reader.settled_bounds(source)
            if until is not None and (found := reader.offset_at(source, until)) is not None:
                end = min(end, max(first, found))
            yield Partition(topic, number), end, reader.read(source, first, end, config.max_poll_records)
    finally:
        reader.close(config.broker_timeout)


def reset(
    config: KafkaConfig,
    application_id: str,
    changelog: str,
    target: Target,
    fresh: Callable[[Partition, int], Sequence[Message]],
) -> dict[Partition, int]:
    """Forget the learned state and make every partition begin at `target`; returns where each begins.

    `fresh` gives the snapshot to begin with: of a model that knows nothing, or of what it has learned elsewhere. It is
    written together with the group's offset, so state and offset fit together afterwards as they always do. A `target`
    by partition is taken as it is; the others as near as the log has it.

    Raises `StateError` where workers are running, or where the log does not have an offset that a partition shall have.
    """
    doing = "resetting the application"
    with _admin(config, doing) as admin:
        _require_empty_group(admin, application_id, config.session_timeout, config.broker_timeout)
    begins, reader = {}, Reader(config, f"{config.client_id}-operations")
    for place in stored(config, application_id, changelog):
        if isinstance(target, Mapping):
            offset = target[place.partition]
            if not place.first <= offset <= place.end:
                raise StateError(
                    f"{place.partition.topic}[{place.partition.number}] cannot begin at offset {offset}: the log has "
                    f"{place.first} to {place.end}"
                )
        elif isinstance(target, datetime):
            found = reader.offset_at(TopicPartition(*place.partition), target)
            offset = place.end if found is None else found
        elif isinstance(target, str):
            offset = place.first if target == "earliest" else place.end
        else:
            offset = target
        begins[place.partition] = min(max(offset, place.first), place.end)
    reader.close(config.broker_timeout)
    logs = sorted({changelog_of(config, changelog, partition.topic) for partition in begins})
    with _admin(config, doing) as admin:
        if there := [topic["name"] for topic in admin.describe_topics(logs) if topic["error_code"] == 0]:
            admin.delete_topics(there, timeout_ms=milliseconds(config.broker_timeout))
            for log in there:
                _wait_until_gone(admin, log, config)
    topics = ensure_topics(
        config.model_copy(update={"create_topics": True}), changelog, f"{config.client_id}-operations"
    )
    writer = bounded(
        2 * config.broker_timeout,
        lambda: Writer(config, f"{config.client_id}-operations", f"{application_id}/reset", topics.record_limits),
        "starting the producer",
    )
    try:
        batches = [Batch(topics.changelogs[p.topic], p.number, list(fresh(p, offset))) for p, offset in begins.items()]
        mark = Mark(of=topics.inputs).text()
        offsets = {TopicPartition(*p): OffsetAndMetadata(offset, mark, -1) for p, offset in begins.items()}
        writer.commit(batches, offsets, ConsumerGroupMetadata(application_id))
    finally:
        writer.close(config.broker_timeout)
    return begins


def _wait_until_gone(admin: Any, topic: str, config: KafkaConfig) -> None:
    deadline = time.monotonic() + config.broker_timeout
    while any(found["error_code"] == 0 for found in admin.describe_topics([topic])):
        if time.monotonic() > deadline:
            raise ConnectorError(f"{topic!r} is still there {config.broker_timeout:g} s after it was deleted")
        time.sleep(0.1)
