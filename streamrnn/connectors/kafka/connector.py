"""The Kafka connector: consumer group in, transactions out.

Threads: the client runs its network, and the rebalance callbacks, on a thread of its own. The callbacks here only
pause what is new and note what is lost; everything that waits for the broker happens on the caller's thread.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, RebalanceInProgressError

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.base import Commit, Connector, Polled
from streamrnn.connectors.kafka.changelog import Changelog
from streamrnn.connectors.kafka.clients import bounded, client_options, made, milliseconds, translated
from streamrnn.connectors.kafka.codecs import unpacking
from streamrnn.connectors.kafka.diagnosis import check_advertised, wait_for_broker
from streamrnn.connectors.kafka.group_offsets import GroupOffsets
from streamrnn.connectors.kafka.hanging_transactions import (
    end_transactions_of_the_dead,
    member_client_id,
    transactional_id,
)
from streamrnn.connectors.kafka.internals import (
    CooperativeStickyAssignor,
    follow_leaders,
    has_assignment,
    place,
    read_whole_batches,
    rejoin,
    take_up_forgotten_join,
    wait_for_metadata,
)
from streamrnn.connectors.kafka.liveness import Liveness
from streamrnn.connectors.kafka.login import log_in
from streamrnn.connectors.kafka.lost_topics import explained, refuse_made_anew
from streamrnn.connectors.kafka.outputs import Outputs
from streamrnn.connectors.kafka.reader import Reader
from streamrnn.connectors.kafka.rebalances import Rebalances
from streamrnn.connectors.kafka.topics import Topics, ensure_topics
from streamrnn.connectors.kafka.twins import Twins
from streamrnn.connectors.kafka.writer import Writer
from streamrnn.errors import BrokerUnavailable, CommitFailed, ConnectorError
from streamrnn.records.log import Message, Partition, Record

log = logging.getLogger(__name__)

SLICE = 0.2  # seconds of one wait inside `poll`: how late a change of ownership may be noticed
METADATA_AGE = 30.0  # seconds: within twice that partitions and topics that were added are seen and taken over
CLOSE = 5.0  # seconds for leaving a `with` block
FETCH = 4 << 20  # bytes of one answer: over a slow line, too, it has to arrive within `kafka.broker_timeout`


class KafkaConnector(Connector):
    """A `Connector` over input topics, their outputs, dead letters and changelogs.

    Exactly once: `commit` is one transaction with outputs, dead letters, snapshot records and the input offsets with
    the group's metadata (KIP-447). At least once: outputs and dead letters outside of any transaction, and when they
    are acknowledged the offsets, in one transaction with the snapshot records if there are any.

    Outputs and dead letters go where `kafka.placement` says, snapshots always to the input's partition number.

    Snapshots are spread over commits (`changelog.py`).

    After an error of `commit` only `close` is left: what became of the transaction decides the next connector.
    """

    def __init__(
        self,
        config: KafkaConfig,
        *,
        application_id: str,
        changelog_topic: str | None,
        framed: Callable[[str, bytes], bytes] | None = None,
    ) -> None:
        """Without a changelog no state is kept; `framed` puts a frame around the value of an output or alert."""
        self._framed = framed
        self._config = config
        self.snapshot_slice = config.snapshot_slice
        self._application_id = application_id
        self._changelog = changelog_topic
        self._instance = config.group_instance_id or uuid.uuid4().hex
        self._client_id = member_client_id(config, self._instance)
        self._exactly_once = config.delivery == "exactly-once"
        self._transactional_id = transactional_id(application_id, self._instance)
        self._consumer: Any = None
        self._transactions: Writer | None = None
        self._plain: Writer | None = None  # at-least-once: outputs and dead letters
        self._reader = Reader(config, self._client_id)
        self._topics: Topics | None = None
        self._changelogs: defaultdict[Partition, Changelog] = defaultdict(Changelog)
        self._outputs: Outputs | None = None
        self._offsets = GroupOffsets(config, application_id)
        self._topic_ids: dict[str, object] = {}  # of the topics that are read
        self._liveness: Liveness | None = None
        self._twins = Twins(config, application_id, self._client_id)
        self._rebalances = Rebalances()
        self._owned: set[TopicPartition] = set()  # those that the caller was told of
        self._running: set[TopicPartition] = set()  # of these, those that were started
        self._member: str = ""
        self._must_rejoin = config.group_instance_id is not None  # once, after the first join
        self._dead_looked_for = False
        self._failed = False
        self._closed = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(CLOSE)

    def open(self) -> None:
        """Connect, check or make the topics, start the producer, join the group with the first `poll`."""
        config = self._config
        try:
            wait_for_broker(config, 0.6 * config.broker_timeout)
            brokers = log_in(config, self._client_id, 0.3 * config.broker_timeout)
            check_advertised(config, brokers, min(5.0, 0.3 * config.broker_timeout))
            topics = self._topics = ensure_topics(config, self._changelog, self._client_id)
            self._outputs = Outputs(config, topics, self._changelogs, self._framed)
            self._transactions = self._new_writer(self._transactional_id, topics)
            if not self._exactly_once:
                self._plain = self._new_writer(None, topics)
            with translated(config, "connecting the consumer"):
                self._consumer = self._new_consumer()
                read_whole_batches(self._consumer)
                follow_leaders(self._consumer)
                self._rebalances.consumer = self._offsets.consumer = self._consumer
                pattern = None if config.input_pattern is None else f"(?:{config.input_pattern})$"
                self._consumer.subscribe(config.inputs, pattern=pattern, listener=self._rebalances)
                # A leader of the group that does not know the topic's partitions yet would assign none, and once more.
                wait_for_metadata(self._consumer, milliseconds(config.broker_timeout))
            self._liveness = Liveness(config, self._consumer)
        except BaseException:
            self.close(CLOSE)
            raise

    def _new_writer(self, transactional_id: str | None, topics: Topics) -> Writer:
        return bounded(
            2.1 * self._config.broker_timeout,
            lambda: Writer(self._config, f"{self._client_id}-producer", transactional_id, topics.record_limits),
            "starting the producer",
        )

    def _new_consumer(self) -> Any:
        config = self._config
        session = milliseconds(config.session_timeout)
        return made(
            KafkaConsumer,
            **client_options(config, self._client_id),
            group_id=self._application_id,
            group_instance_id=config.group_instance_id,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=session,
            heartbeat_interval_ms=max(1, min(3000, session // 3 - 1)),
            max_poll_interval_ms=milliseconds(config.max_poll_interval),
            max_poll_records=config.max_poll_records,
            metadata_max_age_ms=milliseconds(METADATA_AGE),
            isolation_level="read_committed",
            enable_auto_commit=False,
            # positions are always set by `start`; a reset on the client's own account would skip records in silence
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_bytes=FETCH,
            client_rack=config.client_rack or "",
            metrics_enabled=False,
        )

    # -- reading -----------------------------------------------------------------------------------------------------

    def poll(self, timeout: float) -> Polled:
        """Records of started partitions, or a change of ownership, as soon as there is one of the two."""
        self._check_open()
        assert self._liveness is not None
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            polled = self._poll_client(max(0.0, min(SLICE, left)))
            assigned, revoked = self._ownership()
            records: dict[Partition, Sequence[Record]] = {
                Partition(*partition): found for partition, found in polled.items() if partition in self._running
            }
            try:
                self._liveness.check(bool(records), self._running)
            except BrokerUnavailable as error:
                raise self._explained(error) from error
            self._twins.watch(self._consumer, self._member)
            refuse_made_anew(self._consumer, {partition.topic for partition in self._running}, self._topic_ids)
            if records or assigned or revoked or left <= SLICE:
                return Polled(assigned=assigned, revoked=revoked, records=records)

    def _poll_client(self, seconds: float) -> dict[TopicPartition, list[Record]]:
        """Nothing, instead of an error, for what may pass: how long it may last is for `Liveness` to say."""
        take_up_forgotten_join(self._consumer)
        try:
            with translated(self._config, f"reading {self._config.input_named}"), unpacking(self._consumer):
                found: dict[TopicPartition, list[Record]] = self._consumer.poll(timeout_ms=round(1000 * seconds))
                return found
        except BrokerUnavailable as error:
            log.warning("%s; trying again", error)
            time.sleep(min(seconds, 0.05))  # the error may have come at once
            return {}

    def _ownership(self) -> tuple[list[Partition], list[Partition]]:
        """What the caller has to be told, (assigned, revoked), both in order."""
        lost = self._rebalances.take_lost()
        assignment: set[TopicPartition] = set(self._consumer.assignment())
        revoked = {partition for partition in self._owned if partition not in assignment or partition in lost}
        for partition in revoked:
            self._changelogs.pop(Partition(*partition), None)
        self._owned -= revoked
        self._running -= revoked
        assigned: set[TopicPartition] = set()
        if has_assignment(self._consumer):
            if self._must_rejoin:
                # A static member that comes back is given what was stored for it, without a rebalance. Where it died
                # between the two steps of a cooperative one, that is not all: partitions would be nobody's for ever.
                self._must_rejoin = False
                rejoin(self._consumer)
                return [], [Partition(*partition) for partition in sorted(revoked)]
            assigned = assignment - self._owned
            if assigned:
                self._look_at_topics_again(assigned)
                self._owned |= assigned
                self._member = self._consumer.group_metadata().member_id
                self._dead_looked_for = False
        return [Partition(*partition) for partition in sorted(assigned)], [
            Partition(*partition) for partition in sorted(revoked)
        ]

    def _look_at_topics_again(self, assigned: set[TopicPartition]) -> None:
        """Partitions and topics were added since the topics were looked at: make room for their state."""
        assert self._topics is not None
        inputs = self._topics.inputs
        if all(partition.partition < inputs.get(partition.topic, 0) for partition in assigned):
            return
        self._topics = ensure_topics(self._config, self._changelog, self._client_id)
        self._outputs = Outputs(self._config, self._topics, self._changelogs, self._framed)
        for writer in (self._transactions, self._plain):
            if writer is not None:
                writer.learn(self._topics.record_limits)

    def committed(self, partition: Partition) -> int | None:
        """The committed offset; waits for transactions that are about to change it. None where it marks a beginning."""
        self._check_open()
        if not self._dead_looked_for:
            end_transactions_of_the_dead(self._config, self._application_id, self._client_id, self._transactional_id)
            self._dead_looked_for = True
        return self._offsets.committed(partition)

    def why_uncommitted(self, partition: Partition) -> str:
        """See `Connector.why_uncommitted`."""
        return self._offsets.why_none(partition)

    def beginning(self, partition: Partition) -> int:
        """See `beginnings`."""
        self._check_open()
        assert self._topics is not None
        return self._offsets.beginning(partition, self._topics, self._reader)

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """(first offset in the log, first offset that a reader of committed records cannot reach yet)."""
        self._check_open()
        return self._reader.bounds(TopicPartition(*partition))

    def snapshots(self, partition: Partition) -> Iterator[Message]:
        """The partition of the changelog; waits until every transaction in it has ended.

        One that a dead worker left open would hold back what others committed since; `committed` ends such first.
        """
        return self._changelogs[partition].read(self._stored(partition))

    def _stored(self, partition: Partition) -> Iterator[Message]:
        self._check_open()
        assert self._topics is not None
        source = TopicPartition(self._topics.changelogs[partition.topic], partition.number)
        start, end = self._reader.settled_bounds(source)
        for records in self._reader.read(source, start, end, slice_size=100):
            for record in records:
                headers = getattr(record, "headers", ())
                yield Message(record.key, record.value, tuple(headers), record.timestamp)

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[Sequence[Record]]:
        """Committed input records with start <= offset < end."""
        self._check_open()
        return self._reader.read(TopicPartition(*partition), start, end, self._config.max_poll_records)

    def start(self, partition: Partition, offset: int) -> None:
        """Deliver from `offset` on; committed at once where nothing was (see `beginnings`)."""
        self._check_open()
        wanted = TopicPartition(*partition)
        if wanted not in self._owned:
            raise ConnectorError(f"{partition} cannot be started: it is not assigned to this worker")
        if not self._offsets.knows(partition):
            self.committed(partition)
        assert self._topics is not None
        begins = self._offsets.mark_of_beginning(partition, offset, self._topics)
        if begins is not None:
            assert self._transactions is not None
            self._transactions.commit([], {wanted: begins}, self._membership({wanted: begins}))
        self._offsets.go_to(partition, offset)
        self._running.add(wanted)

    # -- writing -----------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """One transaction; see the class for what `at-least-once` does instead."""
        self._check_open()
        if self._failed:
            raise ConnectorError("an earlier commit failed: this connector can only be closed")
        assert self._outputs is not None
        assert self._transactions is not None
        offsets = {
            TopicPartition(*partition): self._offsets.after(TopicPartition(*partition), offset)
            for partition, offset in commit.offsets.items()
        }
        batches = self._outputs.batches(commit)
        snapshots = self._outputs.snapshots(commit)
        if not offsets and not batches and not snapshots:
            return
        try:
            group = self._membership(offsets)
            if self._plain is None:
                self._transactions.commit(batches + snapshots, offsets, group)
                return
            self._plain.write(batches)
            if snapshots:
                self._transactions.commit(snapshots, offsets, group)
            else:
                self._commit_offsets(offsets)
        except BrokerUnavailable as error:
            self._failed = True
            raise self._explained(error) from error
        except CommitFailed:
            self._failed = True
            self._twins.refuse(self._consumer, self._member)
            raise
        except ConnectorError:
            self._failed = True
            raise

    def _explained(self, error: BrokerUnavailable) -> ConnectorError:
        assert self._topics is not None
        return explained(error, self._config, self._topics, self._client_id)

    def _membership(self, offsets: dict[TopicPartition, Any]) -> Any:
        """The group's metadata by which the broker recognizes a worker that lost its partitions.

        A member that was thrown out has generation -1 and no id in the client's own metadata, and the broker does not
        fence a transaction that says so: such a commit must not be sent at all.
        """
        strangers = sorted(set(offsets) - self._owned)
        if strangers:
            raise CommitFailed(f"{Partition(*strangers[0])} does not belong to this worker any more")
        group = self._consumer.group_metadata()
        if group.generation_id < 0 or not group.member_id or group.member_id != self._member:
            raise CommitFailed("this worker is no member of the consumer group any more: its session timed out")
        return group

    def _commit_offsets(self, wanted: dict[TopicPartition, Any]) -> None:
        try:
            with translated(self._config, "committing offsets"):
                self._consumer.commit(wanted, timeout_ms=milliseconds(self._config.broker_timeout))
        except ConnectorError as error:
            if isinstance(error.__cause__, CommitFailedError | RebalanceInProgressError):
                raise CommitFailed(f"the group gave this worker's partitions away: {error}") from error
            raise

    # -- watching ----------------------------------------------------------------------------------------------------

    def lag(self, partition: Partition) -> int | None:
        """See `Connector.lag`; the end is that of the last fetch, so it is not known before the first one."""
        if self._consumer is None:
            return None
        at = place(self._consumer, TopicPartition(*partition))
        return None if at is None or at.high_watermark is None else max(0, at.high_watermark - at.position)

    def silence(self) -> float:
        """See `Connector.silence`."""
        return 0.0 if self._liveness is None else self._liveness.silence()

    # -- closing -----------------------------------------------------------------------------------------------------

    def close(self, timeout: float) -> None:
        """Leave the group and stop all threads; gives up, and leaves them to the process's end, after `timeout`."""
        if self._closed:
            return
        self._closed = True
        deadline = time.monotonic() + timeout
        consumer, self._consumer = self._consumer, None
        closing: list[Callable[[], None]] = []
        if consumer is not None:
            limit = milliseconds(timeout)
            closing.append(partial(consumer.close, autocommit=False, timeout_ms=limit))
        closing += [partial(writer.close, timeout) for writer in (self._transactions, self._plain) if writer]
        closing.append(partial(self._reader.close, timeout))
        threads = [threading.Thread(target=_quietly, args=(task,), daemon=True) for task in closing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _check_open(self) -> None:
        if self._consumer is None:
            raise ConnectorError("the Kafka connector is closed" if self._closed else "the connector is not open")


def _quietly(task: Callable[[], None]) -> None:
    try:
        task()
    except Exception as error:
        log.debug("while closing: %s", error)
