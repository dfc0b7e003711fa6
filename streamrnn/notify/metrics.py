"""What Prometheus sees of a notifier, read when it asks: nothing is counted twice.

The table is in docs/notify.md; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from streamrnn import __version__
from streamrnn.notify.courier import Courier
from streamrnn.notify.notifier import Notifier

UNTOLD: Final = ("muted", "repeated", "unrouted", "unreadable")
"""Reasons why a record is not told to anybody; of `muted` some are told later."""


class NotifierMetrics:
    """A collector of the client library."""

    def __init__(self, notifier: Notifier, couriers: Iterable[Courier]) -> None:
        self._notifier, self._couriers = notifier, list(couriers)

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it is now."""
        counts = self._notifier.counts
        yield CounterMetricFamily("streamrnn_notify_records", "Records of alerts read.", counts["read"])
        untold = CounterMetricFamily("streamrnn_notify_untold", "Records that nobody is told of.", labels=["reason"])
        for reason in UNTOLD:
            untold.add_metric([reason], counts[reason])
        yield untold
        of_receivers = (
            (CounterMetricFamily, "delivered", "Changes of alerts that have arrived.", lambda of: of.delivered),
            (CounterMetricFamily, "failures", "Deliveries that failed and are tried again.", lambda of: of.failures),
            (CounterMetricFamily, "given_up", "Changes that are dead letters now.", lambda of: of.given_up),
            (GaugeMetricFamily, "waiting", "Changes that have not arrived yet.", Courier.waiting),
            (GaugeMetricFamily, "failing_seconds", "How long what waits could not be delivered.", Courier.failing),
        )
        for kind, name, text, value in of_receivers:
            family = kind(f"streamrnn_notify_{name}", text, labels=["receiver"])
            for courier in self._couriers:
                family.add_metric([courier.name], value(courier))
            yield family
        state = GaugeMetricFamily("streamrnn_notify_open_alerts", "Alerts that are open.", labels=["state"])
        state.add_metric(["told"], self._notifier.open - self._notifier.held)
        state.add_metric(["muted"], self._notifier.held)
        yield state
        lag = GaugeMetricFamily(
            "streamrnn_notify_lag_records", "Log end minus position.", labels=["topic", "partition"]
        )
        for (topic, number), behind in self._notifier.lag.items():
            lag.add_metric([topic, str(number)], behind)
        yield lag
        yield InfoMetricFamily("streamrnn_build", "The version that runs.", {"version": __version__})


def registry(notifier: Notifier, couriers: Iterable[Courier]) -> CollectorRegistry:
    """All of it, with `process_*`."""
    found = CollectorRegistry()
    ProcessCollector(registry=found)
    found.register(NotifierMetrics(notifier, couriers))
    return found
