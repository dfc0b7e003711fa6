"""What the configuration says of single series: which rule their alerts follow, and which of their events are ignored.

Both are a matter of an event's key and time and of the configuration alone, so the fold stays one over the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly.rules import Rule, table
from streamrnn.config.anomaly import AlertOverride, AnomalyConfig
from streamrnn.config.event import EventConfig

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SIDES = {"both": 0.0, "high": 1.0, "low": -1.0}
_REMEMBERED = 100_000  # keys whose rule is not looked up again
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _rule(config: AnomalyConfig, other: AlertOverride | None = None) -> Rule:
    """What holds for series to which `other` applies."""
    own = {} if other is None else {name: value for name, value in other if value is not None}
    settled = config.model_copy(update=own)
    accepted, least = settled.expected_false_alarms, settled.min_deviation
    threshold = settled.threshold
    if "expected_false_alarms" in own and "threshold" not in own:
        threshold = None
    return Rule(
        side=_SIDES[settled.direction],
        least=least.absolute,
        share=least.relative,
        lasting=(settled.only_if_lasting or 0.0) * 1e6,
        false_alarms=accepted.number,
        per_day=accepted.number if accepted.per == "day" else 0.0,
        for_all=float(accepted.over == "all"),
        threshold=-1.0 if threshold is None else threshold,
    )


class KeyRules:
    """The rules of all series, and which one a key has."""

    def __init__(self, config: AnomalyConfig) -> None:
        self._patterns = [override.keys for override in config.overrides]
        self.table = table(_rule(config), *(_rule(config, override) for override in config.overrides))
        """`(rules, rules.COLUMNS)`; the first is that of keys which no pattern fits."""
        self._known: dict[str, int] = {}

    def numbers(self, keys: Sequence[str]) -> Int64:
        """The row of `table` for each key."""
        if not self._patterns:
            return np.zeros(len(keys), np.int64)
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        known = self._known
        for key in {*keys}.difference(known):
            known[key] = next((i for i, p in enumerate(self._patterns, 1) if fnmatchcase(key, p)), 0)
        return np.array([known[key] for key in keys], np.int64)


class IgnoredEvents:
    """Which events fall into a range of `event.ignore`."""

    def __init__(self, config: EventConfig) -> None:
        zone = ZoneInfo(config.time_zone or "UTC")
        self._ranges = [(one.keys, _instant(one.begin, zone), _instant(one.end, zone)) for one in config.ignore]

    def mask(self, keys: Sequence[str], times: Int64) -> Mask:
        """`(events,)` true for those to ignore; `times` in microseconds since 1970."""
        found = np.zeros(len(times), np.bool_)
        for pattern, begin, end in self._ranges:
            inside = (times >= begin) & (times < end)
            if pattern != "*":
                for i in np.flatnonzero(inside).tolist():
                    inside[i] = fnmatchcase(keys[i], pattern)
            found |= inside
        return found


def _instant(moment: datetime, zone: ZoneInfo) -> int:
    """Microseconds since 1970."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(microseconds=1)
