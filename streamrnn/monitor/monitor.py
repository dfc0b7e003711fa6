"""The monitor as the worker sees it: an observer that returns at once, whatever the page is doing.

Everything here runs on the worker's thread: counters, one reference put into a bounded queue, once a second a look at
the models. All the rest is the server's thread's (`feed.py`, `server.py`), and what that cannot keep up with is
dropped, oldest first.
"""

from __future__ import annotations

import functools
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import numpy as np

from streamrnn.config.values import is_loopback
from streamrnn.connectors.base import Commit, Connector
from streamrnn.monitor.access import Access
from streamrnn.monitor.batch_queue import Backlog, Batch
from streamrnn.monitor.feed import FORGETTING, Feed, Tally
from streamrnn.monitor.health import Health
from streamrnn.monitor.known_faults import KnownFaults
from streamrnn.monitor.metrics import Metrics
from streamrnn.monitor.pages import application
from streamrnn.monitor.server import Server, bind
from streamrnn.monitor.streams import Streams
from streamrnn.records.log import Partition
from streamrnn.runtime.observer import Observer, Step
from streamrnn.runtime.recovery import Progress
from streamrnn.runtime.task import LabelErrors, Task
from streamrnn.state.partition_model import PartitionModel

log = logging.getLogger(__name__)

LOOK: Final = 1.0  # seconds between two looks at models and connector

Watcher = TypeVar("Watcher", bound=Observer)
Arguments = ParamSpec("Arguments")
Method = Callable[Concatenate[Watcher, Arguments], None]


def harmless(method: Method[Watcher, Arguments]) -> Method[Watcher, Arguments]:
    """An observer's method that at worst logs what went wrong in it."""

    @functools.wraps(method)
    def guarded(self: Watcher, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            log.warning("the monitor failed in %s; the pipeline goes on", guarded.__name__, exc_info=True)

    return guarded


class Monitor(Observer):
    """Serves the page, the metrics and the health of one worker while it is open.

    Raises `ConfigurationError` when the address cannot be bound.
    """

    def __init__(
        self,
        task: Task,
        *,
        listening: socket.socket | None = None,
        faults: KnownFaults | None = None,
        feedback: Callable[[Partition], Sequence[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listening`: a socket for the page, else one is bound. For the others see `launch.monitoring`."""
        self._task, config = task, task.config
        settings = config.monitor
        self._clock = clock
        self._label = config.event.label
        self._recent = np.zeros(3)  # labels, their errors, those whose class was predicted
        self.health = Health(settings.stall_timeout, clock)
        self.metrics = Metrics()
        self.metrics.listed.patterns, self.metrics.listed.most = settings.series, settings.most_series
        self.backlog = Backlog()
        self.streams = Streams()
        self.tally = Tally()
        self.feed = Feed(
            task.names,
            config.model.horizon,
            config.model.levels[0],
            health=self.health,
            metrics=self.metrics,
            backlog=self.backlog,
            streams=self.streams,
            tally=self.tally,
            faults=faults,
            feedback=feedback,
            clock=clock,
        )
        self._connector: Connector | None = None
        self._looked = float("-inf")
        self._models: dict[Partition, PartitionModel[Any]] = {}
        self._assigned_at: dict[Partition, float] = {}
        self._statistics: dict[Partition, dict[str, int]] = {}
        self._untold: set[Partition] = set()
        self._tell_at = float("-inf")

        listening = bind(settings.host, settings.port or 0) if listening is None else listening
        self.host, self.port = settings.host, int(listening.getsockname()[1])
        token = settings.token.get_secret_value() if settings.token is not None else None
        if token is None and not is_loopback(self.host):
            log.warning("the live page on %s:%d is open to everybody (monitor.open)", self.host, self.port)
        app = application(self.health, self.metrics.registry, self.streams, self.feed)
        guarded = Access(app, host=self.host, port=self.port, token=token)
        self.server = Server(listening, guarded, self.streams, self.feed.refresh)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    def watch(self, connector: Connector) -> Connector:
        """Ask `connector` for its lag and its silence from now on; returns it."""
        self._connector = connector
        return connector

    @harmless
    def beat(self) -> None:
        """See `Observer.beat`."""
        self.health.beat(self._connector.silence() if self._connector is not None else 0.0)
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look()

    def _look(self) -> None:
        for partition in self.health.partitions():
            behind = self._connector.lag(partition) if self._connector is not None else None
            self.health.lag(partition, behind)
            if behind is not None:
                self.metrics.lag.labels(partition.topic, str(partition.number)).set(behind)
        for partition, model in self._models.items():
            self.metrics.of(partition).bytes.set(model.bytes)
            self._count(partition, model.statistics())

    def _count(self, partition: Partition, now: dict[str, int]) -> None:
        """The model's counters go on where its last owner stopped; ours count what this process did."""
        before = self._statistics.get(partition, now)
        self._statistics[partition] = now
        metrics, tally = self.metrics.of(partition), self.tally
        more = {name: max(0, count - before.get(name, 0)) for name, count in now.items()}
        metrics.updates.inc(more.get("updates", 0))
        metrics.skipped.inc(more.get("updates_skipped", 0))
        for status, counter in metrics.labels.items():
            counter.inc(more.get(f"labels_{status}", 0))
        tally.updates += more.get("updates", 0)
        tally.updates_skipped += more.get("updates_skipped", 0)

    @harmless
    def assigned(self, partition: Partition) -> None:
        """See `Observer.assigned`."""
        self._assigned_at[partition] = self._clock()
        self.health.assigned(partition)
        self.metrics.rebalances.labels("assigned").inc()
        self.metrics.of(partition).progress.set(0)

    @harmless
    def recovering(self, partition: Partition, progress: Progress) -> None:
        """See `Observer.recovering`."""
        self.health.recovering(partition, progress)
        metrics = self.metrics.of(partition)
        if progress.phase == "ready":
            metrics.progress.set(1)
            metrics.offset.set(progress.offset)
            began = self._assigned_at.pop(partition, self._clock())
            self.metrics.recovery_duration.observe(self._clock() - began)
        elif progress.phase == "replay" and progress.total:
            metrics.progress.set(progress.done / progress.total)

    @harmless
    def revoked(self, partition: Partition) -> None:
        """See `Observer.revoked`."""
        self.health.revoked(partition)
        self._models.pop(partition, None)
        self._statistics.pop(partition, None)
        self.metrics.rebalances.labels("revoked").inc()
        self.metrics.forget(partition)

    @harmless
    def failed(self, error: Exception) -> None:
        """See `Observer.failed`."""
        self.tally.restarts += 1
        self.metrics.commit_failures.inc()

    @harmless
    def committed(self, commit: Commit, seconds: float) -> None:
        """See `Observer.committed`."""
        self.metrics.commits.inc()
        self.metrics.commit_duration.observe(seconds)

    def _score(self, came: LabelErrors) -> None:
        """Errors of the last labels, 10,000 or so."""
        self._recent *= (1 - FORGETTING) ** came.labels
        self._recent += came.labels, came.error, came.correct or 0
        if (scored := self._recent[0]) > 0:
            self.metrics.label_error.labels(self._label).set(self._recent[1] / scored)
            if came.correct is not None:
                self.metrics.accuracy.labels(self._label).set(self._recent[2] / scored)

    @harmless
    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        partition, decoded, model = step.partition, step.decoded, step.model
        events, late, observed, answers, labels = self._task.shown(decoded, step.answers)
        if labels is not None:
            self._score(labels)
        anomalous, drifts = int((answers.is_anomaly & ~answers.late).sum()), int(answers.drift.sum())
        metrics, tally = self.metrics.of(partition), self.tally
        metrics.events.inc(events)
        metrics.forecasts.inc(events)
        metrics.late.inc(late)
        metrics.anomalous.inc(anomalous)
        metrics.drifts.inc(drifts)
        reasons = Counter(type(error).__name__ for _, error in step.unusable)
        for reason, count in reasons.items():
            self.metrics.dead_letters.labels(partition.topic, str(partition.number), reason).inc(count)
        heard = decoded.heard
        for verdict, count in Counter(told.verdict for told in heard).items():
            self.metrics.feedback.labels(partition.topic, str(partition.number), verdict).inc(count)
        metrics.offset.set(step.offset)
        metrics.series.set(model.series.in_memory)
        metrics.watermark.set(model.counters["watermark"] / 1e6)
        self.metrics.process_duration.observe(step.seconds)
        self.health.moved(partition, step.offset)
        if partition not in self._models:
            self._models[partition] = model
            self._untold.add(partition)
            if (
                model.counters.get("events", events + 1) <= events
            ):  # nothing was restored: its first events are ours, too
                self._statistics[partition] = dict.fromkeys(model.statistics(), 0)
            self._count(partition, model.statistics())
            tally.experts = model.expert_names
        tally.events += events
        tally.anomalies += int((answers.opened & ~answers.late).sum())
        tally.drift_alarms += drifts
        tally.dead_letters += reasons.total()
        watched = [identity.key for identity in self.feed.watched if identity.partition == partition]
        weights = {key: found for key in watched if (found := model.expert_weights(key)) is not None}
        # What is open is told once, and again after batches were dropped: those may have said that something opened.
        opened = None
        if partition in self._untold and self._clock() >= self._tell_at:
            self._untold.discard(partition)
            opened = model.open_alerts()
        dropped = self.backlog.put(
            Batch(partition, decoded.keys, decoded.times, observed, answers, weights, opened, heard)
        )
        if dropped:
            self.metrics.dropped.inc(dropped)
            self._untold.update(self._models)
            self._tell_at = self._clock() + LOOK
