"""Dead letters are said aloud: once when they begin, and loudly where nothing else comes of a partition."""

from __future__ import annotations

import logging

from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer, Step

log = logging.getLogger(__name__)

LOUD = 100
"""Records of a partition that are all refused before that is an error in the log; then at every tenfold."""


class DeadLetterLog(Observer):
    """Counts, per partition, the records that came and those that were events."""

    def __init__(self) -> None:
        self._told = False
        self._refused: dict[Partition, int] = {}  # of the partitions that no event has come from
        self._next: dict[Partition, int] = {}

    def assigned(self, partition: Partition) -> None:
        """Count from zero."""
        self._refused[partition] = 0
        self._next[partition] = LOUD

    def step(self, step: Step) -> None:
        """Say the first reason; say that everything is refused."""
        topic, number = step.partition
        if not step.unusable:
            if step.decoded.keys:
                self._refused.pop(step.partition, None)
            return
        record, error = step.unusable[0]
        if not self._told:
            self._told = True
            log.warning(
                "%s[%d]: a record is no event and goes to the dead letters: offset %d, %s: %s",
                topic, number, record.offset, type(error).__name__, error,
            )  # fmt: skip
        if step.decoded.keys:
            self._refused.pop(step.partition, None)
        if step.partition not in self._refused:
            return
        count = self._refused[step.partition] = self._refused[step.partition] + len(step.unusable)
        if count >= self._next[step.partition]:
            self._next[step.partition] = 10 * count
            log.error(
                "%s[%d]: EVERY record is refused, %d so far; is this the right topic, the right event.format? %s: %s",
                topic, number, count, type(error).__name__, error,
            )  # fmt: skip
