"""Everything that the connector asks of kafka-python's private parts, in one file.

The client's public interface waits without limits, swallows what went wrong and hides what has to be known, so some of
its inside is used: the names below are those of kafka-python 3.0. A new release of the client is this file's work and
no other's (`tests/architecture/test_kafka_internals.py`); the tests with a real broker say whether it still fits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import CorruptRecordError, KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.partitioner.default import murmur2
from kafka.producer.producer_batch import ProducerBatch
from kafka.protocol.metadata import MetadataRequest
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import OffsetAndMetadata

from streamrnn.connectors.kafka.record_batches import Fetched, packed, unpacked
from streamrnn.records.log import Message

__all__ = ["AbstractTokenProvider", "CooperativeStickyAssignor", "KafkaNetClient", "murmur2"]

MAGIC = 2  # the record format of every broker since 0.11
FEW, MANY = 4, 100_000  # records of a batch that are read one by one: what one call costs, what memory may
UNREADY_PAUSE = 0.05  # seconds between attempts to reach a broker that is gone
METADATA_WAIT = 2000  # milliseconds for one answer about who leads a partition


# -- a connection without consumer or producer -------------------------------------------------------------------------


class BareClient:
    """The client's network alone, to log in with."""

    def __init__(self, **options: Any) -> None:
        self._client = KafkaNetClient(**options)
        self._client._net.start()

    def brokers(self, timeout: int) -> list[tuple[str, int]]:
        """Host and port of every broker of the cluster, asked within `timeout` milliseconds; raises what went wrong."""
        found = self._client._net.run(_ask, self._client._manager, timeout)
        return [(str(host), int(port)) for host, port in found]

    def close(self) -> None:
        """Close the connections and stop the thread."""
        self._client.close()
        self._client._net.stop()


async def _ask(manager: Any, timeout: int) -> list[tuple[str, int]]:
    """Any of the bootstrap servers will do; the last one's error counts."""
    brokers = manager.cluster.bootstrap_brokers()
    for broker in brokers:
        try:
            connection = manager.get_connection(
                broker.node_id, timeout_ms=timeout, pop_on_close=True, refresh_metadata_on_err=False
            )
            await connection
            answer = await manager.wait_for(connection.send_request(MetadataRequest(topics=[])), timeout)
        except Exception:
            manager.reset_backoff(broker.node_id)
            if broker is brokers[-1]:
                raise
        else:
            return [(one.host, one.port) for one in answer.brokers]
    return []


# -- a consumer --------------------------------------------------------------------------------------------------------


def wait_for_metadata(consumer: Any, timeout: int) -> None:
    """Ask for the cluster's metadata now and wait for the answer, at most `timeout` milliseconds."""
    consumer._net.run(consumer._manager.wait_for, ask_for_metadata(consumer), timeout)


def ask_for_metadata(consumer: Any) -> Any:
    """The future of a new look at the cluster's metadata."""
    return consumer._cluster.request_update()


def ask_for_ends(consumer: Any, partitions: Iterable[TopicPartition], timeout: int) -> Any:
    """The future of {partition: end}, each end with its `offset`; does not wait."""
    wanted = dict.fromkeys(partitions, OffsetSpec.LATEST)
    return consumer._manager.call_soon(consumer._fetcher._fetch_offsets_by_times_async, wanted, timeout)


def committed_offsets(consumer: Any, partitions: list[TopicPartition], timeout: int) -> dict[TopicPartition, Any]:
    """What is committed; waits, at most `timeout` milliseconds, for transactions that are about to change it."""
    found: dict[TopicPartition, Any] = consumer._coordinator.fetch_committed_offsets(partitions, timeout_ms=timeout)
    return found


class Place(NamedTuple):
    """Where a consumer stands in a partition."""

    position: int
    high_watermark: int | None  # of the last fetch
    epoch: int  # of the leader that wrote the record before it; -1: not known


def place(consumer: Any, partition: TopicPartition) -> Place | None:
    """Without asking the broker; None where nothing is known."""
    state = consumer._subscription.assignment.get(partition)
    if state is None or state.position is None:
        return None
    end = None if state.highwater is None else int(state.highwater)
    return Place(int(state.position.offset), end, int(state.position.leader_epoch))


def go_to(consumer: Any, partition: TopicPartition, offset: int, epoch: int) -> None:
    """Read on from `offset`, which came after a record that the leader of `epoch` wrote (-1: not known).

    The client asks the leader whether its log still has that record there, before it reads on.
    """
    consumer._subscription.seek(partition, OffsetAndMetadata(offset, "", epoch))


def topic_id(consumer: Any, topic: str) -> object:
    """As the client last heard of it: a topic that is made anew has another one; None where it is not known."""
    return consumer._cluster.topic_id(topic)


def batch_at_hand(consumer: Any) -> tuple[TopicPartition, int] | None:
    """Partition and offset of the batch that the consumer is unpacking."""
    part = consumer._fetcher._next_partition_records
    return None if part is None else (part.topic_partition, part.next_fetch_offset)


def is_member(consumer: Any) -> bool:
    """Whether the group is stable as far as this member knows."""
    return consumer.group_metadata().state is MemberState.STABLE


def heartbeat_ended(consumer: Any) -> bool:
    """Whether a member that takes itself for one sends no heartbeat: the broker said that another has its name."""
    coordinator = consumer._coordinator
    with coordinator._lock:
        return bool(coordinator.stable() and not coordinator._heartbeat_enabled)


def has_assignment(consumer: Any) -> bool:
    """Whether the assignment is the group's last word: no join is under way or due."""
    coordinator = consumer._coordinator
    return bool(coordinator.stable() and not coordinator.need_rejoin())


def rejoin(consumer: Any) -> None:
    """Join the group again with the next `poll`."""
    consumer._coordinator.request_rejoin()


def take_up_forgotten_join(consumer: Any) -> None:
    """Before a `poll`: join again where the client has forgotten a join.

    One that topics or partitions called for and that ended between two polls is forgotten by the client: it holds
    itself for joined, and neither takes its assignment nor sends another heartbeat.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()


class _Records(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What the broker sent of one partition, taken apart a batch at a time instead of a record at a time."""

    _within = False  # a batch of which not all was taken

    def take(self, n: int | None = None) -> list[Any]:
        """At most `n` records."""
        found: list[Any] = super().take(n)
        if found and self._within:
            self.next_fetch_offset = found[-1].offset + 1
        return found

    def _unpack_records(self, tp: TopicPartition, records: Any, *deserializers: Any) -> Iterator[Any]:
        """As the client's own, to which is left what cannot be read here: it may say why.

        In a batch of format 2 records may be missing at the end, and the next one to ask for is behind the batch.
        """
        last: Any = None
        while (batch := records.next_batch()) is not None:
            last = batch
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(
                    f"Record batch for partition {tp} at offset {batch.base_offset} failed crc check"
                )
            if batch.magic == MAGIC and self._is_left_out(batch):
                self.next_fetch_offset = batch.next_offset
                continue
            self.bytes_read += batch.size_in_bytes
            found = _unpacked(tp, batch) if batch.magic == MAGIC else None
            self._within = True
            yield from self._one_by_one(tp, batch) if found is None else found
            self._within = False
            if found:
                self.next_fetch_offset = found[-1].offset + 1
        if last is not None and last.magic == MAGIC:
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _is_left_out(self, batch: Any) -> bool:
        """Whether it is of an aborted transaction, or no more than the mark of a transaction's end."""
        self.leader_epoch = batch.leader_epoch
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)

    def _one_by_one(self, tp: TopicPartition, batch: Any) -> Iterator[Fetched]:
        for record in batch:
            if self.check_crcs and not record.validate_crc():
                raise CorruptRecordError(f"Record for partition {tp} at offset {record.offset} failed crc check")
            self.next_fetch_offset = record.offset + 1
            yield Fetched(
                tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers
            )


def read_whole_batches(consumer: Any) -> None:
    """Let a consumer that has read nothing yet take batches apart as `_Records` does."""
    consumer._fetcher.PartitionRecords = _Records


def follow_leaders(consumer: Any) -> None:
    """Let the search for a partition's offsets find its new leader where the last one says that it leads no more.

    The client asks that broker again and again, without a pause, until its time is over.
    """
    fetcher = consumer._fetcher
    manager, plain = fetcher._manager, fetcher._send_list_offsets_requests

    async def ask(timestamps: dict[TopicPartition, Any]) -> tuple[dict[TopicPartition, Any], set[TopicPartition]]:
        found, left = await plain(timestamps)
        if left:
            with suppress(KafkaError):
                await manager.wait_for(manager.cluster.request_update(), METADATA_WAIT)
            await manager._net.sleep(UNREADY_PAUSE)
        return found, left

    fetcher._send_list_offsets_requests = ask


def _unpacked(tp: TopicPartition, batch: Any) -> list[Fetched] | None:
    """The records of a batch of format 2; None where that does not pay, or where they cannot be read."""
    batch._maybe_uncompress()
    if not FEW <= batch.records_count <= MANY:
        return None
    appended = batch.timestamp_type == batch.LOG_APPEND_TIME
    return unpacked(
        tp.topic, tp.partition, bytes(memoryview(batch._buffer)[batch._pos :]), batch.records_count, batch.base_offset,
        batch.max_timestamp if appended else batch.first_timestamp, appended=appended,
    )  # fmt: skip


# -- a producer --------------------------------------------------------------------------------------------------------


class _Queued(ProducerBatch):  # type: ignore[misc]
    """A batch under way."""

    refused: type[Exception] | None = None  # the broker's last answer, where the client tries again


class BatchProducer:
    """The inside of a producer: whole batches instead of records, and answers that can be waited for with a limit."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._transactions: Any = None
        self._epoch: Any = None
        sender = producer._sender
        _report_unready_nodes(sender._client)
        _note_refusals(sender)
        # The client would split a batch that has become too long for its topic, and tell nobody of its halves.
        sender._can_split = lambda batch, error: False

    def init_transactions(self) -> None:
        """Fence whoever had the transactional id, and remember which producer this is."""
        self._producer.init_transactions()
        self._transactions = self._producer._transaction_manager
        self._epoch = self._transactions.producer_id_and_epoch

    def send_offsets(self, offsets: Mapping[TopicPartition, Any], group: Any) -> Any:
        """Add input offsets to the transaction; the answer's future (see `wait`)."""
        pending = self._transactions.send_offsets_to_transaction(offsets, group)
        self._producer._sender.wakeup()  # there may be no records that do
        return pending

    def end_transaction(self) -> Any:
        """Ask for the transaction's commit; the answer's future (see `wait`)."""
        pending = self._transactions.begin_commit()
        self._producer._sender.wakeup()
        return pending

    def is_same_producer(self) -> bool:
        """Whether the producer id is still the first one.

        The client may replace it in the middle of a transaction and take the loss of the transaction for its end.
        """
        now = self._transactions.producer_id_and_epoch
        return (now.producer_id, now.epoch) == (self._epoch.producer_id, self._epoch.epoch)

    def last_error(self) -> Exception | None:
        """The cause behind "we are in an error state"."""
        error: Exception | None = None if self._transactions is None else self._transactions.last_error
        return error

    @staticmethod
    def wait(pending: Any, seconds: float) -> bool:
        """Whether the answer came within `seconds`; raises the answer if it is an error."""
        return bool(pending.wait(timeout_ms=1000 * seconds))

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Inside, every batch leaves as soon as it is there."""
        accumulator = self._producer._accumulator
        accumulator.begin_flush()
        try:
            yield
        finally:
            accumulator._flushes_in_progress.decrement()

    def join_transaction(self, partition: TopicPartition) -> None:
        """Say, once per transaction, that it writes to `partition`."""
        if self._transactions is not None:
            self._transactions.maybe_add_partition_to_transaction(partition)

    def batches(self, messages: Sequence[Message], size: int) -> Iterator[Any]:
        """The messages as batches of at most `size` bytes, each of one message at least."""
        for some in packed(messages, size - DefaultRecordBatch.HEADER_STRUCT.size):
            records = MemoryRecordsBuilder(MAGIC, self._producer.config["compression_attrs"], size)
            inside = records._builder
            inside._buffer += some.body
            inside._first_timestamp, inside._max_timestamp = some.first_stamp, some.last_stamp
            inside._num_records, inside._last_offset = some.records, some.records - 1
            records._next_offset = some.records
            yield records

    def queue(self, partition: TopicPartition, records: Any) -> Any:
        """Hand a batch to the sender's thread; what `outcome` waits for."""
        accumulator = self._producer._accumulator
        queued = _Queued(partition, records)
        with accumulator._tp_lock(partition):
            accumulator._batches[partition].append(queued)
            accumulator._incomplete.add(queued)
        self._producer._sender.wakeup()
        return queued

    @staticmethod
    def outcome(queued: Any, seconds: float) -> Exception | None:
        """The error of a batch, None when the broker has it; raises KafkaTimeoutError after `seconds`."""
        if not queued.produce_future.wait(timeout=seconds):
            last = "" if queued.refused is None else f"; the broker's last answer was {queued.refused.__name__}"
            raise KafkaTimeoutError(f"records for {queued.topic_partition.topic} are not acknowledged{last}")
        _, _, error_of = queued.produce_future.value
        return None if error_of is None else error_of(0)

    def close(self, timeout: float) -> None:
        """Stop the sender's thread; whatever is open is left to be aborted.

        Not by the client's own close(): with something unsent that raises after its time, leaves the thread running,
        and when the producer is collected it raises once more, which prints a traceback.
        """
        self._producer._unregister_cleanup()
        self._producer._closed = True
        sender = self._producer._sender
        sender.initiate_close()
        sender.join(timeout)
        if sender.is_alive():
            sender.force_close()


def _note_refusals(sender: Any) -> None:
    """Keep the error for which a batch is sent again: when the time is over the client says no more than that."""
    plain = sender._can_retry

    def can_retry(batch: Any, error: type[Exception]) -> bool:
        batch.refused = error
        return bool(plain(batch, error))

    sender._can_retry = can_retry


def _report_unready_nodes(client: Any) -> None:
    """Let `await_ready` answer False for a node that cannot be reached, as the sender expects of it.

    It raises instead. The sender then forgets the request that was to go there, so that a commit whose coordinator has
    died would wait for an answer until the deadline although another broker had long taken over.
    """
    plain = client.await_ready

    def await_ready(node_id: Any, timeout_ms: float = 30000) -> bool:
        try:
            return bool(plain(node_id, timeout_ms))
        except KafkaConnectionError:
            time.sleep(UNREADY_PAUSE)  # the sender tries again at once
            return False

    client.await_ready = await_ready
