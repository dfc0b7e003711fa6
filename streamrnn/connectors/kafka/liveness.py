"""Working or gone, never alive and idle.

The client's `poll` returns nothing, for ever, while the broker is away, while a join hangs on a dead connection, or
while one partition makes no progress. This watches for all three without blocking `poll`.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Any

from kafka import TopicPartition

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import milliseconds
from streamrnn.connectors.kafka.internals import ask_for_ends, ask_for_metadata, is_member, place
from streamrnn.errors import BrokerUnavailable
from streamrnn.records.log import Partition

log = logging.getLogger(__name__)


class Liveness:
    """Asks the brokers, when no records come, for the ends of the running partitions; compares with the positions."""

    def __init__(self, config: KafkaConfig, consumer: Any) -> None:
        self._config = config
        self._consumer = consumer
        self._timeout = config.broker_timeout
        self._interval = min(5.0, config.broker_timeout / 5)
        now = time.monotonic()
        self._heard = now  # last sign of life
        self._silent_since: float | None = None  # when the first question was put that nobody answered
        self._unsettled_since: float | None = None  # since when the group has not been stable
        self._asked: Any = None
        self._question: frozenset[TopicPartition] = frozenset()
        self._stuck: dict[TopicPartition, tuple[int, float]] = {}  # position and since when, of those that lag
        self._behind: dict[TopicPartition, tuple[int, float]] = {}  # the same, of those behind an open transaction

    def check(self, records: bool, running: set[TopicPartition]) -> None:
        """Raise BrokerUnavailable when the brokers, the group or a partition have been silent for too long."""
        now = time.monotonic()
        if self._asked is not None and self._asked.is_done:
            answer, self._asked = self._asked, None
            if answer.succeeded():
                self._heard, self._silent_since = now, None
                if self._question:
                    self._compare(answer.value, running, now)
        if records:
            self._heard = now
            if self._asked is None:
                self._silent_since = None
        self._check_group(now)
        if self._silent_since is not None and now - self._silent_since > self._timeout:
            raise BrokerUnavailable(
                f"Kafka at {self._config.bootstrap_servers} (kafka.bootstrap_servers) has not answered for "
                f"{self._timeout:g} s (kafka.broker_timeout)"
            )
        # With records coming there is still one question per time-out: one partition may stall beside busy ones.
        due = self._interval if not records else self._timeout
        if self._asked is None and now - self._heard >= (0 if self._silent_since else due):
            self._ask(running, now)

    def silence(self) -> float:
        """Seconds since the first question that nobody has answered; 0 when none is open."""
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since

    def _ask(self, running: set[TopicPartition], now: float) -> None:
        self._question = frozenset(running)
        if self._silent_since is None:
            self._silent_since = now
        if self._question:
            self._asked = ask_for_ends(self._consumer, self._question, milliseconds(self._timeout))
        else:
            self._asked = ask_for_metadata(self._consumer)

    def _compare(self, ends: dict[TopicPartition, Any], running: set[TopicPartition], now: float) -> None:
        stuck: dict[TopicPartition, tuple[int, float]] = {}
        behind: dict[TopicPartition, tuple[int, float]] = {}
        for partition, end in ends.items():
            at = place(self._consumer, partition)
            if partition not in running or at is None or end is None:
                continue
            position = at.position
            if position >= end.offset:
                if at.high_watermark is not None and at.high_watermark > position:
                    behind[partition] = self._waits(partition, position, at.high_watermark, now)
                continue
            before = self._stuck.get(partition)
            since = before[1] if before is not None and before[0] == position else now
            stuck[partition] = (position, since)
            if now - since > self._timeout:
                raise BrokerUnavailable(
                    f"{Partition(*partition)} has not moved from offset {position} for {self._timeout:g} s "
                    f"(kafka.broker_timeout) although the log reaches {end.offset}"
                )
        self._stuck, self._behind = stuck, behind

    def _waits(self, partition: TopicPartition, position: int, end: int, now: float) -> tuple[int, float]:
        """Says once what a reader of committed records waits for: as long as it is open, nothing else shows."""
        before, since = self._behind.get(partition, (-1, now))
        if before != position:
            return position, now
        if now - since > self._timeout:
            log.warning(
                "%s: %d offsets wait behind a transaction that somebody has left open at offset %d for more than %g s; "
                "they are read when it ends (`kafka-transactions.sh find-hanging` says whose it is)",
                Partition(*partition), end - position, position, self._timeout,
            )  # fmt: skip
            return position, math.inf
        return position, since

    def _check_group(self, now: float) -> None:
        if is_member(self._consumer):
            self._unsettled_since = None
            return
        if self._unsettled_since is None:
            self._unsettled_since = now
        limit = self._config.max_poll_interval + self._timeout
        if now - self._unsettled_since > limit:
            raise BrokerUnavailable(
                f"joining the consumer group has taken {limit:g} s (kafka.max_poll_interval + kafka.broker_timeout)"
            )
