"""Gauges of the series that `monitor.series` lists, so that a dashboard can draw a band; never more than so many.

The server's thread writes a table now and then, a scrape reads the last one: nobody waits for anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from streamrnn.monitor.history import EXPECTED, LOWER, OBSERVED, UPPER, History, Identity
from streamrnn.monitor.newest import OpenAlerts
from streamrnn.records.events import Int64

PAUSE: Final = 1.0  # seconds between two tables
_SERIES: Final = ("topic", "partition", "key")
_TEXTS: Final = {
    "observed": "Value of the series' newest event.",
    "expected": "Mean that had been forecast for that event.",
    "lower": "Lower bound that had been forecast for it.",
    "upper": "Upper bound that had been forecast for it.",
    "score": "Anomaly score of the newest event.",
    "alert_open": "1 while an alert of the series is open.",
    "timestamp_seconds": "Time of the newest event.",
}
_COLUMNS: Final = {"observed": OBSERVED, "expected": EXPECTED, "lower": LOWER, "upper": UPPER}
Rows = dict[str, list[tuple[Sequence[str], float]]]
"""Of each gauge the labels and the values."""


class SeriesGauges(Collector):
    """The gauges of at most `most` series whose key one of the patterns matches, the first ones by key."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.patterns: Sequence[str] = ()
        self.most = 0
        self._rows: Rows = {}
        self._omitted = 0
        self._found: Int64 | None = None  # what the history had found when the rows were chosen
        self._chosen: list[int] = []
        self._due = float("-inf")
        registry.register(self)

    def update(self, history: History, alerts: OpenAlerts, names: Sequence[str], now: float) -> None:
        """Write the table anew, if it is time and anything is listed."""
        if not self.patterns or now < self._due:
            return
        self._due = now + PAUSE
        found = history.find("")
        identities = history.identities()
        if found is not self._found:  # a series came or went
            self._found = found
            matching = [row for row in found.tolist() if self._listed(identities[row])]
            self._chosen, self._omitted = matching[: self.most], max(0, len(matching) - self.most)
        rows: Rows = {name: [] for name in _TEXTS}
        for row in self._chosen:
            identity = identities[row]
            if identity is None or history.count[row] == 0:
                continue
            points = history.last(row, 1)
            series = (identity.partition.topic, str(identity.partition.number), identity.key)
            for name, column in _COLUMNS.items():
                values = points.values[0, :, column].tolist()
                rows[name] += [((*series, of), value) for of, value in zip(names, values, strict=True)]
            rows["score"].append((series, float(points.scores[0])))
            rows["alert_open"].append((series, float(bool(alerts.of(identity)))))
            rows["timestamp_seconds"].append((series, float(points.times[0]) / 1e6))
        self._rows = rows

    def _listed(self, identity: Identity | None) -> bool:
        return identity is not None and any(fnmatchcase(identity.key, pattern) for pattern in self.patterns)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a scrape sees; what is not known has no sample."""
        rows = self._rows
        for name, text in _TEXTS.items():
            labels = (*_SERIES, "target") if name in _COLUMNS else _SERIES
            family = GaugeMetricFamily(f"streamrnn_series_{name}", text, labels=labels)
            for values, number in rows.get(name, ()):
                if np.isfinite(number):
                    family.add_metric(values, number)
            yield family
        yield GaugeMetricFamily(
            "streamrnn_series_omitted", "Listed series without gauges, beyond monitor.most_series.", self._omitted
        )
