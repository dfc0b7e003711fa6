"""Three detectors of a few lines each, to hold the product's alerts against: what anyone would try first.

    difference    |x - last x| over its running mean
    deviation     |x - m| / s,   m and s exponentially weighted over the last 50 values
    hour          |x - m| / s of the values at this hour of the day

A detector opens an alert where its score reaches a threshold and then rests for `rest` events. `at_number` finds the
threshold, one for all series, at which it raises as many alerts as the product does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NAMES = ("difference", "deviation", "hour")
WARM_UP = 30
HOUR_US = 3_600_000_000


def scores(times: npt.NDArray[np.int64], x: Array) -> tuple[Array, Array, Array]:
    """The three scores of every event, in the order of `NAMES`; 0 while a detector warms up and where x is missing."""
    difference, deviation, hour = (np.zeros(len(x)) for _ in NAMES)
    last, size, steps = np.nan, 0.0, 0
    mean, variance, seen = 0.0, 0.0, 0
    means, variances, visits = np.zeros(24), np.zeros(24), np.zeros(24)
    hours = times // HOUR_US % 24
    for i, value in enumerate(x.tolist()):
        if not abs(value) < 1e300:
            continue
        if seen > 0:
            step = abs(value - last)
            if steps >= WARM_UP and size > 0:
                difference[i] = step / size
            steps += 1
            size += (step - size) * max(1 / steps, 0.002)
        if seen >= WARM_UP and variance > 0:
            deviation[i] = abs(value - mean) / variance**0.5
        off = value - mean if seen else 0.0
        mean = mean + 0.02 * off if seen else value
        variance = 0.98 * (variance + 0.02 * off * off)
        h = int(hours[i])
        if visits[h] >= 10 and variances[h] > 0:
            hour[i] = abs(value - means[h]) / variances[h] ** 0.5
        visits[h] += 1
        gain = max(1 / visits[h], 0.005)
        off = value - means[h]
        means[h] += gain * off
        variances[h] = (1 - gain) * (variances[h] + gain * off * off)
        last, seen = value, seen + 1
    return difference, deviation, hour


def openings(score: Array, threshold: float, rest: int) -> Mask:
    """Where alerts open: at or above the threshold, not within `rest` events after the last opening."""
    opened, until = np.zeros(len(score), bool), -1
    for i in np.flatnonzero(score >= threshold).tolist():
        if i >= until:
            opened[i], until = True, i + rest
    return opened


def at_number(scored: Sequence[Array], number: int, rest: int) -> list[Mask]:
    """Alerts at the lowest threshold, one for all series, that raises no more than `number`."""
    levels = np.unique(np.concatenate([np.sort(score)[-4000:] for score in scored]))
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high) // 2
        raised = sum(int(openings(score, levels[middle], rest).sum()) for score in scored)
        low, high = (middle + 1, high) if raised > number else (low, middle)
    return [openings(score, levels[low], rest) for score in scored]
