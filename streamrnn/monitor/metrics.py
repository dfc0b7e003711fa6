"""What Prometheus sees, in base units. Labels are partitions, targets and error classes; series only where listed.

The table of all metrics is in docs/monitoring.md; a test holds the two together. The registry is not the client
library's global one, so two workers in one process do not add up.
"""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from streamrnn import __version__
from streamrnn.monitor.series_gauges import SeriesGauges
from streamrnn.records.log import Partition

_PLACE = ("topic", "partition")
LABEL_STATES = ("joined", "late", "unknown", "expired")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PartitionMetrics:
    """The children of one partition's labels, looked up once."""

    def __init__(self, metrics: Metrics, partition: Partition) -> None:
        labels = (partition.topic, str(partition.number))
        self.events = metrics.events.labels(*labels)
        self.forecasts = metrics.forecasts.labels(*labels)
        self.late = metrics.late.labels(*labels)
        self.anomalous = metrics.anomalous.labels(*labels)
        self.updates = metrics.updates.labels(*labels)
        self.skipped = metrics.skipped.labels(*labels)
        self.drifts = metrics.drifts.labels(*labels)
        self.labels = {status: metrics.labels.labels(*labels, status) for status in LABEL_STATES}
        self.progress = metrics.progress.labels(*labels)
        self.offset = metrics.offset.labels(*labels)
        self.watermark = metrics.watermark.labels(*labels)
        self.series = metrics.series.labels(*labels)
        self.bytes = metrics.bytes.labels(*labels)


class Metrics:
    """Every metric of a worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"streamrnn_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"streamrnn_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"streamrnn_{name}", text, registry=registry, buckets=_SECONDS)

        self.events = counter("events_total", "Events processed and committed.", _PLACE)
        self.forecasts = counter("forecasts_total", "Output records published.", _PLACE)
        self.late = counter("late_events_total", "Events older than their series' newest, not processed.", _PLACE)
        self.dead_letters = counter("dead_letters_total", "Records that were no events.", (*_PLACE, "reason"))
        self.feedback = counter("feedback_total", "Feedback on alerts that was taken.", (*_PLACE, "verdict"))
        self.anomalous = counter("anomalous_events_total", "Events flagged as anomalies.", _PLACE)
        self.commits = counter("commits_total", "Steps that became visible.")
        self.commit_failures = counter("commit_failures_total", "Steps that failed and were recovered as a crash.")
        self.rebalances = counter("rebalances_total", "Partitions that came or went.", ("kind",))
        self.updates = counter("updates_total", "Weight updates.", _PLACE)
        self.skipped = counter("updates_skipped_total", "Weight updates refused, gradient not finite.", _PLACE)
        self.drifts = counter("drift_alarms_total", "Changes of regime noticed.", _PLACE)
        self.labels = counter("labels_total", "Labels by what became of them.", (*_PLACE, "status"))
        self.process_duration = histogram("process_duration_seconds", "Decode, fold and encode one batch.")
        self.commit_duration = histogram("commit_duration_seconds", "One commit.")
        self.recovery_duration = Histogram(
            "streamrnn_recovery_duration_seconds",
            "From assigned to live.",
            registry=registry,
            buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900),
        )
        self.progress = gauge("recovery_progress_ratio", "Share of the events replayed, 1 when live.", _PLACE)
        self.lag = gauge("lag_events", "Log end minus position.", _PLACE)
        self.offset = gauge("committed_offset", "Next offset to read.", _PLACE)
        self.watermark = gauge("watermark_timestamp_seconds", "Newest event time.", _PLACE)
        self.series = gauge("series_in_memory", "Series that have a row.", _PLACE)
        self.bytes = gauge("state_bytes", "Arrays of the partition in memory.", _PLACE)
        self.skill = gauge("skill_ratio", "1 - MAE / MAE of persistence over recent events.", ("target",))
        self.coverage = gauge("coverage_ratio", "Share of recent values inside the first interval.", ("target",))
        self.label_error = gauge("label_error_mean", "Mean absolute error or log loss over recent labels.", ("label",))
        self.accuracy = gauge("accuracy_ratio", "Share of recent labels whose class was predicted.", ("label",))
        self.dropped = counter("monitor_dropped_batches_total", "Batches the page did not show.")
        self.clients = gauge("monitor_clients", "Open pages.")
        self.listed = SeriesGauges(registry)
        Info("streamrnn_build", "Version of streamrnn.", registry=registry).info({"version": __version__})
        for kind in ("assigned", "revoked"):
            self.rebalances.labels(kind)
        self._partitions: dict[Partition, PartitionMetrics] = {}

    def of(self, partition: Partition) -> PartitionMetrics:
        """The children of one partition."""
        if (found := self._partitions.get(partition)) is None:
            found = self._partitions[partition] = PartitionMetrics(self, partition)
        return found

    def forget(self, partition: Partition) -> None:
        """Drop the gauges of a partition that another worker owns now; its counters stay, counters never shrink."""
        self._partitions.pop(partition, None)
        labels = (partition.topic, str(partition.number))
        for gauge in (self.progress, self.lag, self.offset, self.watermark, self.series, self.bytes):
            with suppress(KeyError):
                gauge.remove(*labels)
