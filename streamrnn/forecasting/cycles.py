"""Periods found in the values of a series, online.

The last `RING` steps x_t - x_{t-1} of the first target lie in a ring of half bytes, one per sampling interval (0 where
there was none): a sign and one of eight `SIZES`, in sigmas. What rounding leaves of a step is added to the one after
it, so that sums of steps stay true: the tables of a season that is found late are filled from them. At intervals 32,
64, 128 ... every period p is tried by folding: the share of the steps' variance that their means at the p phases
explain, less what they would explain of noise,

    R_p = 1 - (1 - sum_b n_b m_b^2 / sum_i step_i^2) (n - 1) / (n - p)

The period taken is the shortest peak of R that is above noise and nearly the highest, or a part of it (a day of a
week) that explains far more than its share of the phases. A second one is looked for in what is left when the means of
the first are taken away.

Seasons that follow time (a day, a week) stay, unless the values repeat at another period and hardly at theirs.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import (
    BINS,
    BY_EVENTS,
    BY_ROWS,
    BY_TIME,
    INTERVAL,
    KIND,
    NONE,
    PERIOD,
    TICK,
    TICKS,
    give_bins,
    season_at,
)
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

RING: Final = 512
RING_BYTES: Final = RING // 2 + 1  # the last one is what rounding has left
SIZES: Final = (0.0, 0.125, 0.3, 0.6, 1.1, 1.9, 3.3, 5.7)
MINUS: Final = 8  # of the half byte
REST_UNIT = 1.0 / 32.0
MOST_STEP = 7.9
LEAST = 0.15  # share of the variance, at least
NOISE = 6.0  # standard deviations of the share that noise has
NEARLY = 0.9
PART = 0.25  # of the variance that a part explains beyond its share of the phases
ENOUGH = 0.3  # of the variance, for a period beside seasons that follow time
REST = 0.05  # of the power must be left when the first season is taken away, for a second to be looked for
STRONGER = 2.0  # than at a season by time, for a period found to take its place


@kernel
def remember_step(ring: UInt8, clock: Int64, step: float) -> None:
    """Write the step (sigmas, NaN where unknown) that led to the newest event; a gap of several intervals has none."""
    tick, ticks = clock[TICK], clock[TICKS]
    for k in range(min(ticks - 1, np.int64(RING))):
        _put(ring, tick - 1 - k, 0)
    if not (ticks <= 1 and math.isfinite(step)):
        _put(ring, tick, 0)
        return
    wanted = clip(step, MOST_STEP) + float(np.int8(ring[RING // 2])) * REST_UNIT
    size, k = abs(wanted), 0
    while k < len(SIZES) - 1 and size > 0.5 * (SIZES[k] + SIZES[k + 1]):
        k += 1
    _put(ring, tick, k + (MINUS if wanted < 0.0 and k > 0 else 0))
    rest = size - SIZES[k]
    left = math.floor((rest if wanted >= 0.0 else -rest) / REST_UNIT + 0.5)
    ring[RING // 2] = np.uint8(np.int8(clip(left, 127.0)))


@kernel
def _put(ring: UInt8, tick: int, code: int) -> None:
    """Write the half byte of an interval."""
    at, high = tick % RING // 2, tick % 2 == 1
    before = np.int64(ring[at])
    ring[at] = np.uint8((before & 0x0F) | (code << 4) if high else (before & 0xF0) | code)


@kernel
def step_at(ring: UInt8, tick: int) -> float:
    """The step of an interval, sigmas."""
    byte = np.int64(ring[tick % RING // 2])
    code = byte >> 4 if tick % 2 == 1 else byte & 0x0F
    size = SIZES[code & 7]
    return -size if code >= MINUS else size


@kernel
def look_for_periods(clock: Int64, ring: UInt8, most_bins: int, steps: Float64, shares: Float64, means: Float64) -> int:
    """Look for periods where it is time to; returns which seasons changed, bit s for season s.

    Args:
        clock: of the series; its seasons may change.
        ring: its last steps.
        most_bins: of both seasons together.
        steps: `(RING,)` working room.
        shares: `(RING // 2 + 2,)` working room.
        means: the same.
    """
    out_of_line()
    tick, before = clock[TICK], clock[TICK] - clock[TICKS]
    due = np.int64(32)
    while due <= before:
        due *= 2
    if tick < due or clock[INTERVAL] <= 0:
        return 0
    n = int(min(tick, np.int64(RING)))
    mean = 0.0
    for i in range(n):
        steps[i] = step_at(ring, tick - n + 1 + i)
        mean += steps[i] / n
    for i in range(n):
        steps[i] -= mean
    longest = min(n // 2, RING // 2)
    first = _highest(steps, n, longest, shares, means)
    power = 0.0
    for i in range(n):
        power += steps[i] * steps[i]
    if first == 0:
        return 0
    one, two = clock[season_at(0)], clock[season_at(1)]
    if one[KIND] == BY_TIME or one[KIND] == BY_ROWS:
        lag = one[PERIOD] if one[KIND] == BY_ROWS else (one[PERIOD] + clock[INTERVAL] // 2) // clock[INTERVAL]
        if (
            lag > longest or shares[first] < ENOUGH or STRONGER * shares[int(lag)] > shares[first]
            or (two[KIND] == BY_EVENTS and two[PERIOD] == first) or lag % first == 0
            or (two[KIND] == BY_TIME and abs(two[PERIOD] - first * clock[INTERVAL]) <= clock[INTERVAL])
        ):  # fmt: skip
            return 0
        two[KIND], two[PERIOD], two[BINS] = BY_EVENTS, first, 0
        return give_bins(clock, most_bins)
    found, changed = first, 0
    if one[KIND] == BY_EVENTS and one[PERIOD] <= longest and shares[int(one[PERIOD])] > 0.8 * shares[first]:
        found = int(one[PERIOD])  # no less true than before
    part, second = _part_of(shares, found), 0
    found = part if part > 0 else found
    if n >= 4 * found:
        _take_away(steps, n, found, means)
        rest = 0.0
        for i in range(n):
            rest += steps[i] * steps[i]
        if rest > REST * power:
            second = _highest(steps, n, longest, shares, means)
    low, high = (min(found, second), max(found, second)) if second > 0 and second != found else (found, 0)
    if one[KIND] != BY_EVENTS or one[PERIOD] != low:
        one[KIND], one[PERIOD], one[BINS] = BY_EVENTS, low, 0
    if high > 0 and (two[KIND] == NONE or (two[KIND] == BY_EVENTS and two[PERIOD] != high)):
        two[KIND], two[PERIOD], two[BINS] = BY_EVENTS, high, 0
    elif high == 0 and two[KIND] == BY_EVENTS and two[PERIOD] == low:
        two[KIND] = two[PERIOD] = two[BINS] = 0
        changed |= 2
    return changed | give_bins(clock, most_bins)


@kernel
def _highest(steps: Float64, n: int, longest: int, shares: Float64, means: Float64) -> int:
    """The period to take, 0: none; `shares[p]` becomes R_p, `means` is working room."""
    power = 0.0
    for i in range(n):
        power += steps[i] * steps[i]
    if not power > 0.0:
        return 0
    for p in range(2, longest + 2):
        for b in range(p):
            means[b] = 0.0
        b = 0
        for i in range(n):
            means[b] += steps[i]
            b = 0 if b + 1 == p else b + 1
        explained = 0.0
        for b in range(p):
            explained += means[b] * means[b] / ((n - b + p - 1) // p)
        shares[p] = 1.0 - (1.0 - explained / power) * (n - 1) / (n - p)
    best = 0.0
    for p in range(3, longest + 1):
        if _is_peak(shares, p, n):
            best = max(best, shares[p])
    if best > 0.0:
        for p in range(3, longest + 1):
            if shares[p] >= NEARLY * best and _is_peak(shares, p, n):
                return p
    return 0


@kernel
def _is_peak(shares: Float64, p: int, n: int) -> bool:
    """Whether the shares of n steps' variance have a peak at period `p`, higher than noise has them."""
    here = shares[p]
    least = max(LEAST, NOISE * math.sqrt(2.0 * p / (n * (n - p))))
    return bool(here > least and here > shares[p - 1] and here >= shares[p + 1])


@kernel
def _part_of(shares: Float64, period: int) -> int:
    """The divisor of `period` that explains most beyond its share of the phases, 0: none."""
    part, most = 0, PART
    for p in range(3, period // 2 + 1):
        excess = shares[p] - shares[period] * p / period
        if period % p == 0 and excess > most:
            part, most = p, excess
    return part


@kernel
def _take_away(steps: Float64, n: int, period: int, means: Float64) -> None:
    """Subtract the mean at every phase of `period`."""
    for b in range(period):
        total, count = 0.0, 0
        for i in range(b, n, period):
            total += steps[i]
            count += 1
        means[b] = total / count
    for i in range(n):
        steps[i] -= means[i % period]
