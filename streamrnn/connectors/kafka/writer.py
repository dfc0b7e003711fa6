"""One commit of the worker as one transaction, with a deadline for every wait.

kafka-python's own `commit_transaction` waits without limit, and it reports success although a batch was given up for
a retriable error (it only fails the records' futures). Hence this file: it builds the batches, asks for the fate of
each, and only then ends the transaction. Whole batches instead of `send` for every record also cost a quarter of the
time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    InvalidProducerIdMappingError,
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownProducerIdError,
)

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import client_options, made, milliseconds, translated, translation
from streamrnn.connectors.kafka.codecs import require
from streamrnn.connectors.kafka.internals import BatchProducer
from streamrnn.errors import BrokerUnavailable, CommitFailed, ConnectorError
from streamrnn.records.log import Message

BATCH = 256 << 10  # bytes; large batches cost less per record on both sides
REQUEST = 4 << 20  # bytes of one produce request, all partitions of a broker together


class Batch(NamedTuple):
    """Messages for one partition of a topic."""

    topic: str
    partition: int
    messages: Sequence[Message]


class Writer:
    """A producer, transactional if `transactional_id` is given."""

    def __init__(
        self, config: KafkaConfig, client_id: str, transactional_id: str | None, record_limits: Mapping[str, int]
    ) -> None:
        self._config = config
        timeout = milliseconds(config.broker_timeout)
        options = client_options(config, client_id)
        # half the deadline, so that a request that got lost can be sent again within it
        options["request_timeout_ms"] = max(1, timeout // 2)
        require(config.compression)
        with translated(config, "connecting the producer"):
            self._producer: Any = made(
                KafkaProducer,
                **options,
                transactional_id=transactional_id,
                transaction_timeout_ms=timeout,
                delivery_timeout_ms=timeout,
                max_block_ms=2 * timeout,  # of `init_transactions`: its first request may go to a broker that hangs
                # also the pause after "the last transaction is still being completed", which is the rule, not the
                # exception, when transactions follow each other closely
                retry_backoff_ms=5,
                batch_size=BATCH,
                max_request_size=max(REQUEST, *record_limits.values()),
                compression_type=None if config.compression == "none" else config.compression,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        self._inside = BatchProducer(self._producer)
        # The client would split a batch that is too long for its topic, and forget whom to tell about the halves.
        self._batch_sizes: dict[str, int] = {}
        self.learn(record_limits)
        self._known: set[str] = set()
        if transactional_id is not None:
            try:
                with translated(config, "starting transactions"):
                    self._inside.init_transactions()
            except BaseException:
                self.close(0)
                raise

    def learn(self, record_limits: Mapping[str, int]) -> None:
        """Of topics that have come: how long a record may be (bytes)."""
        self._batch_sizes |= {topic: min(BATCH, limit) for topic, limit in record_limits.items()}

    def commit(self, batches: Iterable[Batch], offsets: Mapping[TopicPartition, Any], group: Any) -> None:
        """Write everything and the offsets (`OffsetAndMetadata`) in one transaction; `group` is the group's metadata.

        Raises CommitFailed when it was refused, BrokerUnavailable when the deadline passed: then the outcome is
        unknown. Either way this writer is of no more use.
        """
        deadline = time.monotonic() + self._config.broker_timeout
        try:
            self._producer.begin_transaction()
            # Asked for before the records are through: the coordinators work while the partitions' leaders do.
            pending = self._inside.send_offsets(offsets, group) if offsets else None
            self._write(batches, deadline)
            if pending is not None:
                self._await(pending, deadline, "the input offsets")
            self._await(self._inside.end_transaction(), deadline, "the end of the transaction")
            if not self._inside.is_same_producer():
                raise CommitFailed("the broker forgot this producer in the middle of a transaction")
        except ConnectorError:
            raise
        except Exception as error:
            raise self._refused(error) from error

    def write(self, batches: Iterable[Batch]) -> None:
        """Write without a transaction, return when all is acknowledged."""
        try:
            self._write(batches, time.monotonic() + self._config.broker_timeout)
        except ConnectorError:
            raise
        except Exception as error:
            raise self._refused(error) from error

    def _write(self, batches: Iterable[Batch], deadline: float) -> None:
        """Hand everything to the sender's thread and wait until each batch is acknowledged; raise its error if not."""
        with self._inside.flushing():
            for sent in [sent for batch in batches for sent in self._hand_over(batch)]:
                error = self._inside.outcome(sent, max(0.0, deadline - time.monotonic()))
                if error is not None:
                    raise self._explained(error, sent.topic_partition)

    def _hand_over(self, batch: Batch) -> list[Any]:
        """Queue one partition's messages as the client's own batches."""
        partition = TopicPartition(batch.topic, batch.partition)
        if batch.topic not in self._known:
            self._producer.partitions_for(batch.topic)  # a topic that was never asked for has no leaders to send to
            self._known.add(batch.topic)
        self._inside.join_transaction(partition)
        batches = self._inside.batches(batch.messages, self._batch_sizes[batch.topic])
        return [self._inside.queue(partition, records) for records in batches]

    @staticmethod
    def _explained(error: Exception, partition: TopicPartition) -> Exception:
        """Final where another try would end the same way."""
        if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            return ConnectorError(
                f"a record for {partition.topic} is longer than the topic's max.message.bytes: raise that, or make the "
                "record shorter (model.horizon, number of targets); if it was lowered while this worker ran, a restart "
                "is enough where single records still fit"
            )
        if isinstance(error, InvalidRecordError):
            return ConnectorError(
                f"the broker refuses records for {partition.topic}: {' '.join(str(error).split())} (a topic with "
                "cleanup.policy=compact takes no record without a key: use another policy, or give each event a key)"
            )
        if isinstance(error, InvalidTimestampError):
            return ConnectorError(
                f"the broker refuses the time stamps of records for {partition.topic}, which are their events' times: "
                "set kafka.record_time: processing, or widen the topic's message.timestamp.before.max.ms and "
                "message.timestamp.after.max.ms"
            )
        return error

    def _await(self, result: Any, deadline: float, what: str) -> None:
        if not self._inside.wait(result, max(0.0, deadline - time.monotonic())):
            raise KafkaTimeoutError(f"no answer about {what}")

    def _refused(self, error: Exception) -> ConnectorError:
        """The cause behind "we are in an error state", in our words."""
        cause = self._inside.last_error() or error
        what = " ".join(str(cause).split())
        if isinstance(cause, KafkaTimeoutError):
            return BrokerUnavailable(
                f"Kafka at {self._config.bootstrap_servers} did not finish a commit within "
                f"{self._config.broker_timeout:g} s (kafka.broker_timeout), its outcome is unknown: {what}"
            )
        if isinstance(cause, FencedInstanceIdError) or "OffsetMetadataTooLargeError" in what:  # final
            known = translation(self._config, "committing", cause)
            assert isinstance(known, ConnectorError)
            return known
        if isinstance(cause, InvalidProducerIdMappingError | UnknownProducerIdError):
            return CommitFailed(
                "the broker has forgotten this producer, which is the rule when it wrote nothing for longer than the "
                f"broker's transactional.id.expiration.ms: {what}"
            )
        if isinstance(cause, CommitFailedError):
            return CommitFailed(f"the group gave this worker's partitions away before the commit: {what}")
        if isinstance(cause, KafkaError):
            known = translation(self._config, "committing", cause)
            if type(known) is not ConnectorError and isinstance(known, ConnectorError):
                return known
        return CommitFailed(f"the broker refused the commit: {type(cause).__name__}: {what}")

    def close(self, timeout: float) -> None:
        """Stop the producer's thread; whatever is open is left to be aborted."""
        self._inside.close(timeout)
