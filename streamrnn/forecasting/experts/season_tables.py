"""What is usual at this phase of a season, per target; the next step and the far ones read the same table.

For every bin: the last value seen in it, the running mean step into it S (sigmas), and a running level; of the first
season also its ratio Q to the mean m over one period, where m > 0:

    S[bin] += max(.1, 1 / visits) (step - S[bin])
    level_j[bin] += max(rate_j, 1 / visits) (x - level_j[bin])        rates .3 and, of the first season, .12 and .048
    Q[bin] += max(.3, 1 / visits) (x / m - Q[bin])

All take 16 bits: Q less 1 in half precision (bfloat16), the others as whole numbers. Values and levels are less a base
and in a unit that follow what the table holds, so that it has room for twice the range and no more than it needs. What
lies further from the range the series was seen in than its width is kept as if it lay there. Levels and Q are rounded
up or down in turn, so that slow ones do not stick.

The step that is usual at the next event's phase is the most informative single input there is on daily data.

Bins of both seasons share one run of memory: the first season's from its beginning, the second's from its end. The slow
levels of a first season with more bins than there is room for them stand for several bins each. A bin that several
events of one visit fall into takes their mean as its value, and what is said of a phase is interpolated between bins.
Such a visit is written when the one after it is over: what is known of a phase is then a period old all around it.

A forecast made k events ago saw a bin before the visits that lay between; `seen` takes their updates back, so that what
is learned from is what was known.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import (
    BINS,
    BY_TIME,
    EVENTS,
    INTERVAL,
    KIND,
    MOST_SEASONS,
    NONE,
    PERIOD,
    bin_of,
    season_at,
)
from streamrnn.forecasting.layout import (
    AGO,
    CLOSED,
    CLOSED_MEAN,
    COUNT,
    FILLED,
    LEVEL,
    LEVELS,
    NOW_SIZE,
    QUOTIENT,
    SLOW_LEVELS,
    STEP,
    SUM,
    SURPRISE,
    TABLE_ROWS,
    TOTAL,
    VISIT,
    Layout,
)
from streamrnn.forecasting.scaling import HIGH, LOW, SEEN, SIGMA, clip
from streamrnn.kernels.half import half, whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

LEVELS_OF: Final = (LEVELS, 1)  # of the two seasons
STEP_RATE = 0.1
RATE, RATIO = 0.3, 0.4
MEAN_RATIO = 0.3
PERIOD_UNKNOWN = 24.0
STEP_CLIP = 8.0
CLIP = 20.0  # sigmas one value moves a level at most
MOST = 1e37
FARTHEST = 1e300
MOST_VISITS: Final = 255
WHOLE: Final = 32_767  # of a stored number
STEP_UNIT: Final = STEP_CLIP / WHOLE
MOST_QUOTIENT = 100.0
ROOM = 16.0  # sigmas around the middle that a table has room for at least
SPARE = 8.0  # times the room that it needs: then the unit is made smaller
CHECK_EVERY: Final = 512  # events
DITHER = 0.6180339887498949  # golden section: its multiples fill [0, 1) evenly


@kernel
def place(at: Layout, season: Int64, s: int, b: int) -> int:
    """Where bin `b` of season `s` lies within a row of the table."""
    return b if s == 0 else int(at.bins - season[BINS] + b)


@kernel
def slow_factor(at: Layout, bins: int) -> int:
    """Bins of the first season that share a slow level."""
    return (bins + at.slow_bins - 1) // at.slow_bins


@kernel
def events_of(clock: Int64, season: Int64) -> int:
    """Events of one period."""
    if season[KIND] == BY_TIME:
        interval = max(np.int64(1), clock[INTERVAL])
        return int(max(np.int64(1), (season[PERIOD] + interval // 2) // interval))
    return int(season[PERIOD])


@kernel
def value_of(z: Float64, t: Int16, at: Layout, k: int) -> float:
    """The value at t[k], less the base."""
    return float(float(t[k]) * z[at.unit])


@kernel
def usual_step(t: Int16, at: Layout, season: Int64, s: int, b: int) -> float:
    """S of bin `b`, sigmas."""
    return float(t[STEP * at.bins + place(at, season, s, b)]) * STEP_UNIT


@kernel
def _stored(x: float, unit: float) -> int:
    return int(clip(math.floor(x / unit + 0.5), WHOLE)) if unit > 0.0 else 0


@kernel
def _stored_level(z: Float64, x: float, at: Layout) -> int:
    """Rounded up as often as the part after the point says."""
    unit = z[at.unit]
    if not unit > 0.0:
        return 0
    return int(clip(math.floor(x / unit + rounding(z, at)), WHOLE))


@kernel
def rounding(z: Float64, at: Layout) -> float:
    """Of a unit, from which on what lies beyond is rounded up: another one at every value."""
    share = z[at.scale + SEEN] * DITHER
    return float(share - math.floor(share))


@kernel
def _quotient(t: Int16, k: int) -> float:
    """Q less 1 at t[k]."""
    return whole(int(np.uint16(t[k])))


@kernel
def forget(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int) -> None:
    """Start season `s` again, because its period changed; v (bins,) counts visits."""
    season = clock[season_at(s)]
    for j in range(NOW_SIZE):
        z[at.now + s * NOW_SIZE + j] = 0.0
    for b in range(season[BINS]):
        k = place(at, season, s, b)
        v[k] = 0
        for j in range(TABLE_ROWS):
            t[j * at.bins + k] = 0
    if s == 0:
        for j in range(at.slow, at.covariances):
            t[j] = 0


@kernel
def observe(
    z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float, x: float, step: float,
    sigma: float,
) -> None:  # fmt: skip
    """Learn, for season `s`, from the value `x` at `phase`, `step` sigmas above the one before; after `make_room`.

    A `step` of NaN says that the value is missing and `x` our own forecast: nothing is learned.
    """
    out_of_line()
    season = clock[season_at(s)]
    if season[KIND] == NONE:
        return
    now, y = at.now + s * NOW_SIZE, clip(x - z[at.base], MOST)
    b = bin_of(phase, season[BINS])
    k = place(at, season, s, b)
    visits = float(v[k])
    z[now + AGO] = last_at(z, t, v, at, clock, s, phase) if visits > 0 else math.nan
    if math.isnan(step):
        z[now + SURPRISE] = 0.0
        return
    y = _within(z, at, x) - z[at.base]
    several = many_a_visit(clock, season)
    if several and z[now + VISIT] != b + 1:
        if z[now + CLOSED] > 0:
            _write(z, t, v, at, season, s, int(z[now + CLOSED]) - 1, z[now + CLOSED_MEAN], sigma)
        z[now + CLOSED] = z[now + VISIT]
        z[now + CLOSED_MEAN] = z[now + TOTAL] / max(z[now + COUNT], 1.0)
        z[now + VISIT] = b + 1
        z[now + TOTAL] = z[now + COUNT] = 0.0
    usual = usual_step(t, at, season, s, b)
    z[now + SURPRISE] = step - usual
    known = z[now + COUNT] if several and visits == 0 else visits
    usual += max(STEP_RATE, 1.0 / (known + 1.0)) * (clip(step, STEP_CLIP) - usual)
    t[STEP * at.bins + k] = _stored(usual, STEP_UNIT)
    if several:
        z[now + TOTAL] += y
        z[now + COUNT] += 1.0
    else:
        _write(z, t, v, at, season, s, b, y, sigma)


@kernel
def _write(
    z: Float64, t: Int16, v: UInt8, at: Layout, season: Int64, s: int, b: int, y: float, sigma: float
) -> None:  # fmt: skip
    """A visit of bin `b` had the value `y`, less the base."""
    k, now, unit = place(at, season, s, b), at.now + s * NOW_SIZE, z[at.unit]
    visits, level = float(v[k]), LEVEL * at.bins + k
    limit = CLIP * sigma if sigma > 0.0 else math.inf
    before, below = value_of(z, t, at, k), value_of(z, t, at, level)
    t[k] = _stored(y, unit)
    y = value_of(z, t, at, k)
    if visits > 0:
        t[level] = _stored_level(z, below + max(RATE, 1.0 / (visits + 1.0)) * clip(y - below, limit), at)
    else:
        t[level] = t[k]
        z[now + FILLED] += 1.0
    z[now + SUM] += y - before
    if s == 0:
        factor = slow_factor(at, season[BINS])
        rate = RATE
        for j in range(SLOW_LEVELS):
            rate *= RATIO
            slow = at.slow + j * at.slow_bins + b // factor
            if visits == 0 and (factor == 1 or t[slow] == 0):
                t[slow] = t[k]
            else:
                pace, value = max(rate, 1.0 / (visits + 1.0)) / factor, value_of(z, t, at, slow)
                t[slow] = _stored_level(z, value + pace * clip(y - value, limit), at)
        mean, quotient = z[at.means], at.slow + QUOTIENT * at.slow_bins + b // factor
        if mean > 0.0:
            ratio = _quotient(t, quotient)
            change = clip((y + z[at.base] - mean) / mean, MOST_QUOTIENT) - ratio
            ratio += max(RATE, 1.0 / (visits + 1.0)) / factor * change
            t[quotient] = np.int16(half(ratio, rounding(z, at)))
    if visits < MOST_VISITS:
        v[k] += 1


@kernel
def _within(z: Float64, at: Layout, x: float) -> float:
    """The value, not further from the range that the series was seen in than its width."""
    width = z[at.scale + HIGH] - z[at.scale + LOW]
    return float(max(z[at.scale + LOW] - width, min(z[at.scale + HIGH] + width, x)))


@kernel
def make_room(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, x: float, sigma: float) -> None:
    """Move base and unit, where that is needed, such that the tables can take `x` in."""
    y, unit, inside = _within(z, at, x) - z[at.base], z[at.unit], False
    if abs(y) <= WHOLE * unit:
        if clock[EVENTS] % CHECK_EVERY > 0:
            return
        inside = True
    lowest, highest = _extremes(z, t, v, at, clock, y)
    middle, half = 0.5 * lowest + 0.5 * highest, max(0.5 * highest - 0.5 * lowest, ROOM * sigma)
    if not half > 0.0:  # nothing but one value so far
        z[at.base] += y if unit == 0.0 else 0.0
        return
    if not half < FARTHEST or (inside and half * 2.0 * SPARE > WHOLE * unit):
        return
    wanted = 2.0 * half / WHOLE
    for s in range(MOST_SEASONS):
        season = clock[season_at(s)]
        if season[KIND] != NONE:
            _shift(z, t, v, at, season, s, middle, wanted)
    z[at.base] += middle
    z[at.unit] = wanted


@kernel
def _extremes(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, y: float) -> tuple[float, float]:
    """Least and largest of `y` and all values and levels, less the base."""
    out_of_line()
    unit = z[at.unit]
    lowest, highest = y, y
    for s in range(MOST_SEASONS):
        season, now = clock[season_at(s)], at.now + s * NOW_SIZE
        if season[KIND] != NONE:
            for b in range(season[BINS]):
                k = place(at, season, s, b)
                if v[k] > 0:
                    for j in (k, LEVEL * at.bins + k):
                        lowest, highest = min(lowest, t[j] * unit), max(highest, t[j] * unit)
            if z[now + CLOSED] > 0:
                lowest, highest = min(lowest, z[now + CLOSED_MEAN]), max(highest, z[now + CLOSED_MEAN])
            if z[now + COUNT] > 0:
                mean = z[now + TOTAL] / z[now + COUNT]
                lowest, highest = min(lowest, mean), max(highest, mean)
            if s == 0:
                factor = slow_factor(at, season[BINS])
                for b in range(season[BINS]):
                    if v[b] > 0:
                        for j in range(SLOW_LEVELS):
                            level = t[at.slow + j * at.slow_bins + b // factor] * unit
                            lowest, highest = min(lowest, level), max(highest, level)
    return lowest, highest


@kernel
def _shift(
    z: Float64, t: Int16, v: UInt8, at: Layout, season: Int64, s: int, by: float, wanted: float
) -> None:  # fmt: skip
    """The base moves by `by`, and the unit becomes the one wanted."""
    out_of_line()
    now, unit, last = at.now + s * NOW_SIZE, z[at.unit], 0.0
    for b in range(season[BINS]):
        k = place(at, season, s, b)
        if v[k] > 0:
            for j in (k, LEVEL * at.bins + k):
                t[j] = _stored(t[j] * unit - by, wanted)
            last += t[k] * wanted
    if s == 0:
        factor = slow_factor(at, season[BINS])
        for b in range(0, season[BINS], factor):
            for j in range(SLOW_LEVELS):
                slow = at.slow + j * at.slow_bins + b // factor
                t[slow] = _stored(t[slow] * unit - by, wanted)
    z[now + SUM] = last
    z[now + AGO] -= by
    z[now + CLOSED_MEAN] -= by
    z[now + TOTAL] -= by * z[now + COUNT]


@kernel
def many_a_visit(clock: Int64, season: Int64) -> bool:
    """Whether several events fall into a bin at each visit."""
    return bool(2 * events_of(clock, season) > 3 * season[BINS])


@kernel
def _between(v: UInt8, at: Layout, clock: Int64, s: int, phase: float) -> tuple[int, int, float]:
    """Two bins around a phase and how far it is from the first to the second; the same bin twice where they are exact.

    The second is one that was visited where the first was.
    """
    season = clock[season_at(s)]
    if not many_a_visit(clock, season):
        b = bin_of(phase, season[BINS])
        return b, b, 0.0
    position = phase * season[BINS]
    low = int(position)
    share, high = position - low, (low + 1) % int(season[BINS])
    low %= int(season[BINS])
    if v[place(at, season, s, high)] == 0:
        high = low
    elif v[place(at, season, s, low)] == 0:
        low = high
    return low, high, share


@kernel
def last_at(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float) -> float:
    """The last value at a phase, less the base."""
    season = clock[season_at(s)]
    low, high, share = _between(v, at, clock, s, phase)
    value = value_of(z, t, at, place(at, season, s, low))
    if share > 0.0:
        value += share * (value_of(z, t, at, place(at, season, s, high)) - value)
    return value


@kernel
def level_at(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float, j: int) -> float:
    """Level `j` at a phase, less the base; the faster ones first."""
    season = clock[season_at(s)]
    low, high, share = _between(v, at, clock, s, phase)
    value = _level(z, t, at, season, s, low, j)
    if share > 0.0:
        value += share * (_level(z, t, at, season, s, high, j) - value)
    return value


@kernel
def _level(z: Float64, t: Int16, at: Layout, season: Int64, s: int, b: int, j: int) -> float:
    if j == 0:
        return value_of(z, t, at, LEVEL * at.bins + place(at, season, s, b))
    return value_of(z, t, at, at.slow + (j - 1) * at.slow_bins + b // slow_factor(at, season[BINS]))


@kernel
def seen(
    z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float, back: int, recent: Float64,
    events: int, out: Float64,
) -> bool:  # fmt: skip
    """out[0] = last, out[1:] = levels at `phase` less the base, as they were `back` visits ago; whether there were any.

    recent (values,) newest first: the newest visit's value lies `events` back, the one before twice as far.
    """
    season = clock[season_at(s)]
    if season[KIND] == NONE:
        return False
    levels = LEVELS_OF[s]
    k = place(at, season, s, bin_of(phase, season[BINS]))
    visits = float(v[k])
    if visits <= back:
        return False
    out[0] = last_at(z, t, v, at, clock, s, phase)
    for j in range(levels):
        out[1 + j] = level_at(z, t, v, at, clock, s, phase, j)
    for i in range(1, back + 1):
        age = i * events
        x = (recent[age] if age < recent.size else recent[recent.size - 1]) - z[at.base]
        rate = RATE
        for j in range(levels):
            pace = max(rate, 1.0 / (visits - i + 1.0))
            if pace < 1.0:
                out[1 + j] = (out[1 + j] - pace * x) / (1.0 - pace)
            rate *= RATIO
    if back > 0:
        age = (back + 1) * events
        out[0] = recent[age] - z[at.base] if age < recent.size else out[1]
    return True


@kernel
def step_of_season(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, phases: Float64) -> float:
    """The step (sigmas) from the newest value's phase to the next that the first season's shape makes usual.

    Where all values were positive it is in proportion to the running mean (swings that grow with the level).
    """
    season, sigma = clock[season_at(0)], z[at.scale + SIGMA]
    if season[KIND] == NONE or not sigma > 0.0:
        return math.nan
    there = bin_of(phases[0, 1], season[BINS])
    if v[there] == 0:
        return math.nan
    mean = z[at.means]
    if z[at.scale + LOW] > 0.0 and mean > 0.0:
        factor, quotients = slow_factor(at, season[BINS]), at.slow + QUOTIENT * at.slow_bins
        here = bin_of(phases[0, 0], season[BINS])
        change = _quotient(t, quotients + there // factor) - _quotient(t, quotients + here // factor)
        return float(mean * change / sigma)
    rise = level_at(z, t, v, at, clock, 0, phases[0, 1], 1) - level_at(z, t, v, at, clock, 0, phases[0, 0], 1)
    return float(rise / sigma)


@kernel
def step_a_period_ago(
    z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float, inverse: float
) -> float:
    """The step (sigmas) that was made one period of season `s` ago into `phase`, the next event's."""
    season = clock[season_at(s)]
    if season[KIND] == NONE or v[place(at, season, s, bin_of(phase, season[BINS]))] == 0:
        return math.nan
    return float((last_at(z, t, v, at, clock, s, phase) - z[at.now + s * NOW_SIZE + AGO]) * inverse)


@kernel
def observe_means(z: Float64, at: Layout, clock: Int64, x: float, missing: bool) -> None:
    """Move the running means, of memories of 1, 3 and 11 periods, towards `x`; a missing value leaves them.

    mean_j += max(rate_j, 1 / values) (x - mean_j)
    """
    season = clock[season_at(0)]
    sigma, count = z[at.scale + SIGMA], z[at.scale + SEEN]
    limit = CLIP * sigma if sigma > 0.0 else math.inf
    rate = 1.0 / events_of(clock, season) if season[KIND] != NONE else 1.0 / PERIOD_UNKNOWN
    for j in range(LEVELS):
        pace = 0.0 if missing else max(rate, 1.0 / count)
        mean = at.means + j
        z[mean] = x if count <= 1.0 else z[mean] + pace * clip(x - z[mean], limit)
        rate *= MEAN_RATIO
