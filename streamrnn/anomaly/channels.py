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

from streamrnn.anomaly import extremes
from streamrnn.kernels.jit import kernel

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
SPIKE_TEACHES = 1.5  # times the largest so far, at most
# Decades from which an error is extraordinary: there are several lists, and they look at every event. Where tails are
# those of a Gaussian, what lies far beyond all so far is known best; where they are heavier, it is guesswork.
EXTRAORDINARY, EXTRAORDINARY_GAUSSIAN, EXTRAORDINARY_HEAVY = 5.4, 5.0, 7.0
GAUSSIAN_AFTER = 1000.0  # errors: the list is then the largest 6 %
GAUSSIAN_EXCESS, GAUSSIAN_SHAPE = 4.5, 0.3  # m2 in squared running sizes (a Gaussian's is about 2.7), xi
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
    decades = extremes.rarity(largest, seen, measure, False, LEAST_SCALE)
    extremes.remember(largest, seen, measure)
    return decades


@kernel
def _published(decades: float, seen: float) -> float:
    """Decades of an exceedance as a channel states them: with the share of events that exceed at all."""
    return decades + extremes.share(LEVEL_KEPT, seen) if decades > 0.0 else 0.0


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
def _gaussian_scale(values: Singles, seen: float) -> float:
    """m2 (`records.py`) where the largest errors fall off as a Gaussian's do; 0 where not, and while it is early."""
    if seen < GAUSSIAN_AFTER:
        return 0.0
    mean, shape = extremes.squares(values)
    if mean > GAUSSIAN_EXCESS or shape > GAUSSIAN_SHAPE:
        return 0.0
    return float(max(mean, 2.0 * LEAST_ERROR_SCALE * values[0]))


@kernel
def _single(values: Singles, seen: float, error: float) -> tuple[float, float]:
    """Decades of a forecast's |error|, and those beyond what makes it extraordinary; then learn from it."""
    decades, needed, trusted = 0.0, EXTRAORDINARY, SPIKE_TEACHES
    smallest = float(values[0])
    if seen >= SINGLES_KEPT and error > smallest:
        scale = _gaussian_scale(values, seen)
        if scale > 0.0:
            decades = (error * error - smallest * smallest) / scale * LOG10_E
            needed = EXTRAORDINARY_GAUSSIAN
        else:
            decades = extremes.rarity(values, seen, error, True, LEAST_ERROR_SCALE)
            needed = EXTRAORDINARY if seen < GAUSSIAN_AFTER else EXTRAORDINARY_HEAVY
        decades += extremes.share(SINGLES_KEPT, seen)
        if scale > 0.0 and decades > needed:
            trusted = 1.0
    _remember(values, seen, error, trusted)
    return decades, decades - needed


@kernel
def _block(values: Singles, seen: float, error: float) -> float:
    """Decades of the error of a block; then learn from it."""
    decades = extremes.rarity(values, seen, error, True, LEAST_ERROR_SCALE)
    if decades > 0.0:
        decades += extremes.share(len(values), seen)
    _remember(values, seen, error, SPIKE_TEACHES)
    return decades


@kernel
def _remember(values: Singles, seen: float, error: float, trusted: float) -> None:
    """List an error. One fault must not hide the next: nothing teaches more than `trusted` times the largest so far."""
    largest = float(values[min(int(seen), len(values)) - 1]) if seen >= FIRST_CAPPED else 0.0
    extremes.remember(values, seen, min(error, trusted * largest) if largest > 0.0 else error)


@kernel
def errors(ring: Singles, newest: int, largest: Singles, seen: float, channels: Array) -> float:
    """Score the newest forecast error and the block that it ends, then learn from them.

    `ring` `(BLOCK_WINDOW,)` holds the errors in running sizes, signed; `largest` is `(ERROR_LISTS,)`; `channels` gets
    their decades. Returns the decades beyond what makes one extraordinary, <= 0 when neither is.
    """
    single, beyond = _single(largest[:SINGLES_KEPT], seen, abs(float(ring[newest])))
    total, absolute = 0.0, 0.0
    for i in range(BLOCK_WINDOW):
        total += ring[i]
        absolute += abs(ring[i])
    middle = SINGLES_KEPT + BLOCKS_KEPT
    block = max(
        _block(largest[SINGLES_KEPT:middle], seen, abs(total) / BLOCK_WINDOW),
        _block(largest[middle:], seen, absolute / BLOCK_WINDOW),
    )
    channels[RESIDUAL] = max(channels[RESIDUAL], single)
    channels[BLOCKS] = max(channels[BLOCKS], block)
    return max(beyond, block - EXTRAORDINARY)


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
