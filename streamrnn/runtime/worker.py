"""The loop: poll, process, publish, commit; take partitions over and let them go; stop in order.

One `poll` is one micro-batch is one `commit`. Each commit carries, all or none: the forecasts, the alerts, the dead
letters, the input offsets, and every `snapshot_interval` the rows of state that changed; where these are many, they are
spread over the commits that follow, as they were at the first, and count when the last of them is there. If the process
dies

    before the commit   nothing happened: the next owner reads the same events again
    during it           all of it or nothing of it happened
    after it            the next owner restores the last snapshot, replays to the committed offset, goes on

so nothing is lost, doubled, or learned twice. A commit that fails or whose outcome is unknown is handled as a crash:
the memory is dropped, the connection is made anew, and the partitions are recovered by the same path.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streamrnn.connectors.base import Commit, Connector
from streamrnn.errors import BrokerUnavailable, CommitFailed
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.events import Decoded, EventDecoder
from streamrnn.records.log import Message, Partition, Record, offsets_after
from streamrnn.runtime.observer import Observer, Step
from streamrnn.runtime.recovery import Progress, recover
from streamrnn.runtime.task import Task
from streamrnn.state.partition_model import PartitionModel

log = logging.getLogger(__name__)

_POLL_TIMEOUT = 0.25  # seconds: also how fast a stop is noticed
_RECOVERY_SLICE = 0.1  # seconds of recovery between two polls, so that the group does not lose patience
_CLOSE_TIMEOUT = 4.0
_NEVER = -math.inf
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between a failed commit and the next connection


class Worker:
    """Runs the fold of every partition it owns until the input ends or `stop` is set."""

    def __init__(
        self,
        task: Task,
        connect: Callable[[], Connector],
        *,
        decoder: EventDecoder | None = None,
        keep_state: bool = True,
        model: Callable[[], PartitionModel[Any]] | None = None,
        observer: Observer | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect` makes a connector, again after a failure; without `keep_state` no snapshots are taken.

        `model` makes the model of a partition, where it is not the task's own.
        """
        self._task, self._config = task, task.config
        self._connect = connect
        self._decoder = decoder or task.decoder()
        self._model = model or task.model
        workers = task.config.workers
        self._threads = ThreadPoolExecutor(workers, "streamrnn-fold") if workers > 1 else None
        self._keep_state = keep_state
        self.observer = observer or Observer()
        self.stop = stop or threading.Event()
        self._clock = clock
        self._models: dict[Partition, PartitionModel[Any]] = {}
        self._recoveries: dict[Partition, Iterator[Progress]] = {}
        self._offsets: dict[Partition, int] = {}
        self._snapshot_begun: dict[Partition, float] = {}
        self._snapshot_offset: dict[Partition, int] = {}
        self._unfinished: dict[Partition, Iterator[Message]] = {}  # what is still to be written of snapshots begun
        self._failing_since: float | None = None
        self._failures = 0

    def run(self) -> None:
        """Work until the input has ended or `stop` is set.

        Raises a `StreamRNNError` when going on is not possible; the process should exit and be restarted.
        """
        while not self.stop.is_set():
            try:
                with self._connect() as connector:
                    try:
                        self._serve(connector)
                    finally:
                        connector.close(_CLOSE_TIMEOUT)
                return
            except CommitFailed as error:
                self._failed(error)
            finally:
                self._drop([*self._models])

    def _failed(self, error: CommitFailed) -> None:
        """Raise `BrokerUnavailable` when commits have failed for too long; else wait a moment before the next try."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        silent = now - self._failing_since
        if silent > self._config.kafka.broker_timeout:
            raise BrokerUnavailable(
                f"nothing could be committed for {silent:.0f} s (kafka.broker_timeout): {error}"
            ) from error
        log.warning("commit failed, recovering as after a crash: %s", error)
        self.observer.failed(error)
        self.stop.wait(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures))
        self._failures += 1

    def _serve(self, connector: Connector) -> None:
        while not self.stop.is_set():
            polled = connector.poll(0.0 if self._recoveries or self._unfinished else _POLL_TIMEOUT)
            self._drop(polled.revoked)
            for partition in polled.assigned:
                self._take_over(connector, partition)
            if polled.records:
                self._step(connector, polled.records)
            elif self._unsaved or self._unfinished:
                self._rest(connector)
            elif not self._recoveries:
                self._failing_since = None  # everything is committed
            self._recover(connector)
            self.observer.beat()
            if polled.finished:
                break
        self._leave(connector)

    def _take_over(self, connector: Connector, partition: Partition) -> None:
        model = self._model()
        self._models[partition] = model
        self._recoveries[partition] = recover(connector, partition, model, self._decoder)
        log.info("%s[%d]: assigned, restoring", *partition, extra=_place(partition))
        self.observer.assigned(partition)

    def _recover(self, connector: Connector) -> None:
        """Advance the recoveries for a moment; partitions that are ready go live."""
        started = self._clock()
        until = started + _RECOVERY_SLICE
        while self._recoveries and not self.stop.is_set() and self._clock() < until:
            partition, recovery = next(iter(self._recoveries.items()))
            progress = next(recovery)
            self.observer.recovering(partition, progress)
            if progress.phase == "ready":
                log.info(
                    "%s[%d]: live at offset %d, %d series, %d events replayed",
                    *partition, progress.offset, len(self._models[partition].series), progress.done,
                    extra=_place(partition, progress.offset),
                )  # fmt: skip
                del self._recoveries[partition]
                connector.start(partition, progress.offset)
                self._offsets[partition] = progress.offset
                self._snapshot_begun[partition] = self._clock()
                if self._models[partition].counters["events"] == 0:
                    self._snapshot_begun[partition] = _NEVER  # the first commit carries the first snapshot
                self._snapshot_offset[partition] = progress.offset - progress.done
        if self._failing_since is not None:
            self._failing_since += self._clock() - started  # a long recovery is no silence

    def _drop(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._recoveries.pop(partition, None)
            self._offsets.pop(partition, None)
            self._unfinished.pop(partition, None)
            model = self._models.pop(partition, None)
            if model is not None:
                model.close()
                log.info("%s[%d]: let go", *partition, extra=_place(partition))
                self.observer.revoked(partition)

    def _step(self, connector: Connector, batches: Mapping[Partition, Sequence[Record]]) -> None:
        """Process what one poll brought and commit it."""
        commit = Commit()
        steps = []
        for partition, records, decoded, answered, started in self._folds(batches):
            model, answers = self._models[partition], answered()
            unusable = model.unusable(decoded, answers)
            for found, messages in (
                (commit.outputs, model.encode(partition, decoded, answers)),
                (commit.alerts, model.alerts(partition, decoded, answers)),
                (commit.dead_letters, [dead_letter(partition, record, error) for record, error in unusable]),
            ):
                found[partition] = [*found[partition], *messages] if partition in found else messages
            offset = commit.offsets[partition] = offsets_after(records)
            steps.append(Step(partition, decoded, answers, unusable, model, offset, self._clock() - started))
        started = self._clock()
        self._add_snapshots(connector, commit, {*self._unsaved, *batches})
        connector.commit(commit)
        self._committed(commit, self._clock() - started)
        for step in steps:
            self.observer.step(step)

    def _folds(self, batches: Mapping[Partition, Sequence[Record]]) -> list[Fold]:
        """Decode and fold; with `workers` the partitions are folded by threads, while others are decoded and encoded.

        A partition's state is its own, so which thread folds it, and when, changes nothing.
        """
        folds: list[Fold] = []
        pooled = self._threads if len(batches) > 1 else None
        for partition, every in batches.items():
            model = self._models[partition]
            # The pool keeps no order: of a partition it is given the whole batch, never pieces that follow each other.
            size = len(every) if pooled is not None else -(-len(every) // model.pieces)
            for start in range(0, len(every), size):
                started, records = self._clock(), every[start : start + size]
                decoded = self._decoder.decode(records)
                answered = model.begin(decoded) if pooled is None else pooled.submit(model.process, decoded).result
                folds.append((partition, records, decoded, answered, started))
        return folds

    @property
    def _unsaved(self) -> set[Partition]:
        """Partitions of which there are events that no snapshot has, not even one that was begun."""
        return {partition for partition, offset in self._offsets.items() if self._snapshot_offset[partition] < offset}

    def _add_snapshots(self, connector: Connector, commit: Commit, changed: set[Partition]) -> None:
        """Snapshots of the changed partitions whose last one is old enough: as much as the commit may carry.

        The rest comes with the next commits. A first snapshot is always whole: there is nothing to go back to yet.
        """
        now, interval, begun = self._clock(), self._config.state.snapshot_interval, self._snapshot_begun
        due = [
            partition
            for partition in ({*changed, *self._unfinished} if self._keep_state else ())
            if partition in self._unfinished
            or now - begun[partition] >= interval
            or self._models[partition].wants_snapshot
        ]
        room = _room(connector, commit) if due else 0.0
        for partition in sorted(due, key=lambda one: (one not in self._unfinished, begun[one], one)):
            if room <= 0.0 and begun[partition] != _NEVER:
                break
            offset = commit.offsets.setdefault(partition, self._offsets[partition])
            messages = self._unfinished.pop(partition, None)
            if messages is None:
                messages = self._models[partition].snapshot(offset, partition)
                self._snapshot_offset[partition] = offset
            some: list[Message] = []
            for message in messages:
                some.append(message)
                room -= _size(message)
                if room <= 0.0 and begun[partition] != _NEVER:
                    self._unfinished[partition] = messages
                    commit.unfinished.add(partition)
                    break
            commit.snapshots[partition] = some
            if partition not in self._unfinished:
                begun[partition] = now

    def _rest(self, connector: Connector) -> None:
        """Nothing came: use the time to snapshot what changed before."""
        commit = Commit()
        self._add_snapshots(connector, commit, self._unsaved)
        if commit.snapshots:
            connector.commit(commit)
            self._committed(commit, 0.0)

    def _committed(self, commit: Commit, seconds: float) -> None:
        self._failing_since, self._failures = None, 0
        self._offsets.update(commit.offsets)
        self.observer.committed(commit, seconds)

    def _leave(self, connector: Connector) -> None:
        """A last snapshot, so that the next owner has nothing to replay."""
        unsaved = self._unsaved
        partitions = sorted({*unsaved, *self._unfinished}) if self._keep_state else []
        if not partitions:
            return
        commit = Commit(offsets={partition: self._offsets[partition] for partition in partitions})
        for partition in partitions:
            commit.snapshots[partition] = last = [*self._unfinished.pop(partition, ())]
            if partition in unsaved:
                last += self._models[partition].snapshot(self._offsets[partition], partition)
        connector.commit(commit)
        self._committed(commit, 0.0)


def _room(connector: Connector, commit: Commit) -> float:
    """Bytes of snapshots for one commit: as many as it has of outputs, or as the connector says."""
    if connector.snapshot_slice is None:
        return math.inf
    return max(connector.snapshot_slice, sum(_size(one) for some in commit.outputs.values() for one in some))


def _size(message: Message) -> int:
    return len(message.key or b"") + len(message.value or b"")


Fold = tuple[Partition, Sequence[Record], Decoded, Callable[[], Any], float]
"""A batch of a partition or a piece of one, its events, what waits for their answers, and when work on it began."""


def _place(partition: Partition, offset: int | None = None) -> dict[str, object]:
    """For logs that machines read."""
    return {"topic": partition.topic, "partition": partition.number, "offset": offset}
