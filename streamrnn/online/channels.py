"""The channels: ways in which an event can be strange, each as -log10 of a probability ("decades").

| channel | strange is | catches |
|---|---|---|
| residual | the forecast's error at this event among the largest so far | spikes |
| blocks | the mean error, or mean absolute error, of the last 24 | shifts, drifts, changed variance |
| likelihood | the value under the predictive distribution that the interval states | surprises |
| level | the mean profile residual over 24 events | level shifts, drifts, odd hours |
| spread | the deviation of the profile residual over 24 events | variance changes |
| jump | the mean over 24 events against the 24 before | steps |
| range | a value outside all values so far | novelty |
| frozen | a run of equal values | stuck sensors |
| missing | a run of missing values | drop-out |
| gap | the time since the last event | drop-out, change of sampling rate |
"""

from __future__ import annotations

from math import erfc, log, log1p, sqrt

import numpy as np
import numpy.typing as npt

from streamrnn.compiled import kernel
from streamrnn.online import records

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CHANNEL_NAMES = ("residual", "blocks", "likelihood", "level", "spread", "jump", "range", "frozen", "missing", "gap")
RESIDUAL, BLOCKS, LIKELIHOOD, LEVEL, SPREAD, JUMP, RANGE, FROZEN, MISSING, GAP = range(10)
CHANNELS = 10

WINDOW = 48  # events of profile residuals kept: two windows
LEVEL_WINDOW = 24  # events of every statistic of the profile residual
LEVEL_KEPT = 120  # values of each of their lists: windows overlap, so that these are five episodes
LISTED = 3 * LEVEL_KEPT

BLOCK_WINDOW = 24  # forecast errors kept
SINGLES_KEPT, BLOCKS_KEPT = 64, 144  # values of the lists of single errors and of blocks of errors
ERROR_LISTS = SINGLES_KEPT + 2 * BLOCKS_KEPT
LEAST_SCALE = 0.02  # profile deviations
LEAST_ERROR_SCALE = 0.02  # running sizes
FIRST_CAPPED = 20  # errors listed before new ones are held against the largest
UNIT = 0.66  # decades at which a contribution is log 2
LOG10_E = 0.4342944819032518


@kernel
def contribution(decades: float) -> float:
    """What a channel adds to the statistic, before its weight: log(1 + decades / UNIT)."""
    return log1p(max(decades, 0.0) / UNIT)


@kernel
def _moments(ring: Singles, newest: int) -> tuple[float, float]:
    """Mean and deviation of the `LEVEL_WINDOW` residuals up to the one at `newest`.

    Every sum is made afresh, so that nothing a spike leaves behind stays in it.
    """
    total, squares = 0.0, 0.0
    for back in range(LEVEL_WINDOW):
        place = newest - back
        value = float(ring[place if place >= 0 else place + WINDOW])
        total += value
        squares += value * value
    mean = total / LEVEL_WINDOW
    return mean, sqrt(max(squares / LEVEL_WINDOW - mean * mean, 0.0))


@kernel
def _window_rarity(largest: Singles, seen: float, measure: float) -> float:
    decades = records.rarity(largest, seen, measure, False, LEAST_SCALE)
    records.remember(largest, seen, measure)
    return decades


@kernel
def _published(decades: float, seen: float) -> float:
    """Decades of an exceedance as a channel states them: with the share of events that exceed at all."""
    return decades + records.share(LEVEL_KEPT, seen) if decades > 0.0 else 0.0


@kernel
def windows(ring: Singles, newest: int, largest: Singles, seen: float, channels: Array) -> float:
    """Sum of the contributions of level, spread and jump of the profile residuals in `ring` `(WINDOW,)`.

    Each statistic is scored against its list and then put into it. `largest` is `(LISTED,)`, the three lists end to
    end; `channels` gets the larger of its level, spread and jump decades and those found here.
    """
    mean, deviation = _moments(ring, newest)
    before, _ = _moments(ring, (newest - LEVEL_WINDOW) % WINDOW)
    level = _window_rarity(largest[:LEVEL_KEPT], seen, abs(mean))
    spread = _window_rarity(largest[LEVEL_KEPT : 2 * LEVEL_KEPT], seen, deviation)
    jump = _window_rarity(largest[2 * LEVEL_KEPT :], seen, abs(mean - before))
    channels[LEVEL] = max(channels[LEVEL], _published(level, seen))
    channels[SPREAD] = max(channels[SPREAD], _published(spread, seen))
    channels[JUMP] = max(channels[JUMP], _published(jump, seen))
    return contribution(level) + contribution(spread) + contribution(jump)


@kernel
def _error_rarity(values: Singles, seen: float, error: float) -> float:
    decades = records.rarity(values, seen, error, True, LEAST_ERROR_SCALE)
    if decades > 0.0:
        decades += records.share(len(values), seen)
    # One fault must not hide the next: nothing teaches more than half as much again as the largest so far.
    largest = float(values[min(int(seen), len(values)) - 1]) if seen >= FIRST_CAPPED else 0.0
    records.remember(values, seen, min(error, 1.5 * largest) if largest > 0.0 else error)
    return decades


@kernel
def errors(ring: Singles, newest: int, largest: Singles, seen: float, channels: Array) -> float:
    """Decades of the newest forecast error and of the block that it ends; then learn from them.

    `ring` `(BLOCK_WINDOW,)` holds the errors in running sizes, signed; `largest` is `(ERROR_LISTS,)`.
    """
    single = _error_rarity(largest[:SINGLES_KEPT], seen, abs(float(ring[newest])))
    total, absolute = 0.0, 0.0
    for i in range(BLOCK_WINDOW):
        total += ring[i]
        absolute += abs(ring[i])
    middle = SINGLES_KEPT + BLOCKS_KEPT
    block = max(
        _error_rarity(largest[SINGLES_KEPT:middle], seen, abs(total) / BLOCK_WINDOW),
        _error_rarity(largest[middle:], seen, absolute / BLOCK_WINDOW),
    )
    channels[RESIDUAL] = max(channels[RESIDUAL], single)
    channels[BLOCKS] = max(channels[BLOCKS], block)
    return max(single, block)


@kernel
def excess(low: float, high: float, x: float) -> float:
    """How far `x` lies outside [low, high], in widths of it, at most 1e12; 0 inside, and while the range is empty."""
    width = high - low
    if not width > 0.0:
        return 0.0
    return min(max(x - high, low - x, 0.0) / width, 1e12)


@kernel
def run_rarity(length: float, longest: float, repeats: float, events: float) -> float:
    """-log10 P of a run of `length` repeats, beyond the longest tolerated so far.

    A repeat has the chance q = (repeats + 1) / (events + 2) seen so far, a run of r the chance q ** r.
    """
    beyond = length - longest
    if beyond <= 0.0:
        return 0.0
    return -beyond * log((repeats + 1.0) / (events + 2.0)) * LOG10_E


@kernel
def likelihood(x: float, expected: float, lower: float, upper: float, quantile: float) -> float:
    """-log10 P(further from `expected` than `x`) under a Gaussian with these bounds at `quantile` deviations."""
    half = upper - expected if x > expected else expected - lower
    if not half > 0.0:
        return 0.0
    deviations = min(abs(x - expected) / half * quantile, 37.0)
    return -log(erfc(deviations / sqrt(2.0))) * LOG10_E
