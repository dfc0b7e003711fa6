"""An alert in words: what the value is, what it was held against, and how unusual that is as far as the past tells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamrnn.anomaly.alert_context import AlertContext

RULES = {
    "error": "a value far off its forecast",
    "residual": "values far off their forecasts",
    "change": "a change larger than usual",
    "distance": "a value far from the last fifty",
    "level": "values that stay off what is usual at this hour of the day",
    "spread": "values that vary more than usual",
    "jump": "a step away from what is usual at this hour of the day",
    "range": "a value outside all so far",
    "week": "values unlike this hour of the week",
    "frozen": "the same value again and again",
    "missing": "values missing in a row",
    "gap": "an unusual time between two events",
}
"""Which rule opened the alert, by its channel."""

_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_BEFORE = 3  # values that are shown where it is not the last alone that is strange
_UNITS = ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def rule_of(channel: str, told: AlertContext) -> str | None:
    """Which rule opened the alert; None where no channel did."""
    if channel == "range" and told.record == 0.0:
        return "a value outside nearly all so far"  # one that was absurd does not count in full
    return RULES.get(channel)


def sentence(target: str, channel: str, observed: float, size: float, told: AlertContext) -> str:
    """What the alert of `channel` says of `target`.

    Args:
        target: its name.
        channel: the strongest channel.
        observed: the value, NaN where it is missing.
        size: how far it is off what the channel expected, NaN: no value is.
        told: what the alert may say of itself.
    """
    if channel == "gap":
        return f"an event came {_span(told.run)} after the one before it"
    if channel == "missing":
        return f"{target} has been missing for {told.run:.0f} events in a row"
    if channel == "frozen":
        return f"{target} has been {_number(observed, abs(observed))} for {told.run:.0f} events in a row"
    if math.isnan(size):
        return f"{target}: {RULES.get(channel, 'something unusual')}"
    side = "above" if size > 0 else "below"
    parts = [f"{_number(abs(size), size)} {side} the {_number(told.expected, size)} {_held_against(channel, told)}"]
    if observed < told.lower or observed > told.upper:  # what lies between them is not strange for that
        parts.append(f"(nine in ten lie between {_number(told.lower, size)} and {_number(told.upper, size)})")
    if channel in ("error", "residual") and not math.isnan(told.errors):
        parts.append(f"and {told.errors:.1f} times the usual error of a forecast")
    said, record = [" ".join(parts)], _record(told)
    if record and channel == "range":
        said.insert(0, record)
    elif record:
        said.append(record)
    if channel == "residual" and len(told.recent) > _BEFORE and all(map(math.isfinite, told.recent)):
        said.append("after " + ", ".join(_number(value, size) for value in told.recent[-1 - _BEFORE : -1]))
    return f"{target} is {_number(observed, size)}, " + "; ".join(said)


def _record(told: AlertContext) -> str:
    if told.record == 0.0 or not told.seen > 0:
        return ""
    since = str(np.datetime64(int(told.first), "us").astype("datetime64[m]")).replace("T", " ")  # of any year
    than = "higher" if told.record > 0 else "lower"
    return f"{than} than any of the {told.seen:,.0f} values since {since} UTC"


def _held_against(channel: str, told: AlertContext) -> str:
    hour = int(told.hour)
    at = f"from {hour % 24:02d}:00 to {(hour + 1) % 24:02d}:00"
    if channel == "week":
        return f"that is usual on {_DAYS[(hour // 24 + 3) % 7]} {at}, of which {told.weeks:.0f} are known"
    if channel == "change":
        return "before it"
    if channel == "distance":
        return "that the last fifty values have on average"
    if channel in ("error", "residual"):
        return "that was forecast"
    if told.days > 0:
        return f"that is usual {at}"
    return "that is usual"


def _number(value: float, size: float) -> str:
    """With as many digits as the size of the deviation asks for."""
    if not (1e-6 < abs(size) < 1e15 and abs(value) < 1e15):
        return f"{value:.4g}"
    return f"{value:,.{min(max(2 - math.floor(math.log10(abs(size))), 0), 8)}f}"


def _span(seconds: float) -> str:
    for unit, name in _UNITS:
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} seconds"
