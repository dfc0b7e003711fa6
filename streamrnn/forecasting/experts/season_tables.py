"""What is usual at this phase of a season, per target; the next step and the far ones read the same table.

For every bin: the last value seen in it, the running mean step into it S (sigmas), and a running level; of the first
season also its ratio Q to the mean m over one period, where m > 0:

    S[bin] += max(.1, 1 / visits) (step - S[bin])
    level_j[bin] += max(rate_j, 1 / visits) (x - level_j[bin])        rates .3 and, of the first season, .12 and .048
    Q[bin] += max(.3, 1 / visits) (x / m - Q[bin])

All take 16 bits (`season_storage.py`).

The step that is usual at the next event's phase is the most informative single input there is on daily data.

A fault is no habit. What the forecast missed by more than `LONE` mean errors, or stands next to such a value, counts as
at most that far from the level, unless the visit before was as far off on the same side: then it is one. What lasts for
more than `LASTS` events is no fault either.

A bin that several events of one visit fall into takes their mean as its value, and what is said of a phase is
interpolated between bins. Such a visit is written when the one after it is over: what is known of a phase is then a
period old all around it.

A forecast made k events ago saw a bin before the visits that lay between; `seen` takes their updates back, so that what
is learned from is what was known.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import drift
from streamrnn.forecasting.calendar import (
    BINS,
    BY_TIME,
    INTERVAL,
    KIND,
    NONE,
    PERIOD,
    bin_of,
    phase_after,
    season_at,
)
from streamrnn.forecasting.experts.season_storage import (
    STEP_CLIP,
    STEP_UNIT,
    SURPRISE_UNIT,
    UNKNOWN,
    long_of,
    place,
    put_long,
    quotient_of,
    rounding,
    slow_factor,
    stored,
    stored_level,
    usual_step,
    value_ago,
    value_of,
    within,
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
from streamrnn.forecasting.scaling import EXPECTED, LOW, SEEN, SIGMA, clip
from streamrnn.kernels.half import half
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
CLIP = 20.0  # sigmas one value moves a level at most
LONE = 24.0  # mean absolute errors: what the forecast missed by more counts as so far off what is usual
LASTS = 6  # events after which what is far off is no lone episode any more
MOST = 1e37
MOST_VISITS: Final = 255
MOST_COUNT: Final = 32_767
MOST_QUOTIENT = 100.0


@kernel
def events_of(clock: Int64, season: Int64) -> int:
    """Events of one period."""
    if season[KIND] == BY_TIME:
        interval = max(np.int64(1), clock[INTERVAL])
        return int(max(np.int64(1), (season[PERIOD] + interval // 2) // interval))
    return int(season[PERIOD])


@kernel
def forget(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int) -> None:
    """Start season `s` again, because its period changed; v (bins,) counts visits."""
    season = clock[season_at(s)]
    for j in range(NOW_SIZE):
        t[at.now + s * NOW_SIZE + j] = 0
    for b in range(season[BINS]):
        k = place(at, season, s, b)
        v[k] = 0
        for j in range(TABLE_ROWS):
            t[j * at.bins + k] = 0
    if s == 0:
        for j in range(at.slow, at.now):
            t[j] = 0


@kernel
def observe(
    z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, s: int, phase: float, x: float, step: float,
    sigma: float, limit: float,
) -> None:  # fmt: skip
    """Learn, for season `s`, from the value `x` at `phase`, `step` sigmas above the one before; after `make_room`.

    A value more than `limit` off counts as that much, unless the visit before was as far off on the same side.

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
    unit = z[at.unit]
    last = last_at(z, t, v, at, clock, s, phase)
    t[now + AGO] = stored(last, unit) if visits > 0 else UNKNOWN
    if math.isnan(step):
        t[now + SURPRISE] = 0
        return
    y = within(z, at, x) - z[at.base]
    if visits > 0 and limit < math.inf:
        level = level_at(z, t, v, at, clock, s, phase, 0)
        off, before = y - level, last - level
        if abs(off) > limit and not (0.5 * limit < abs(before) and before * off > 0.0):
            y = level + clip(off, limit)
    several = many_a_visit(clock, season)
    if several and t[now + VISIT] != b + 1:
        if t[now + CLOSED] > 0:
            closed = value_of(z, t, at, now + CLOSED_MEAN)
            _write(z, t, v, at, season, s, int(t[now + CLOSED]) - 1, closed, sigma)
        t[now + CLOSED] = t[now + VISIT]
        t[now + CLOSED_MEAN] = stored(long_of(t, now + TOTAL) / max(float(t[now + COUNT]), 1.0), 1.0)
        t[now + VISIT] = b + 1
        put_long(t, now + TOTAL, 0)
        t[now + COUNT] = 0
    usual = usual_step(t, at, season, s, b)
    t[now + SURPRISE] = stored(step - usual, SURPRISE_UNIT)
    known = float(t[now + COUNT]) if several and visits == 0 else visits
    usual += max(STEP_RATE, 1.0 / (known + 1.0)) * (clip(step, STEP_CLIP) - usual)
    t[STEP * at.bins + k] = stored(usual, STEP_UNIT)
    if several:
        if t[now + COUNT] < MOST_COUNT:
            put_long(t, now + TOTAL, long_of(t, now + TOTAL) + stored(y, unit))
            t[now + COUNT] += 1
    else:
        _write(z, t, v, at, season, s, b, y, sigma)


@kernel
def limit_of(z: Float64, t: Int16, at: Layout, clock: Int64, recent: Float64, offsets: Int64) -> float:
    """How far from what is usual the newest value counts at most, in original units; infinite where it is no lone one.

    recent (values,) newest first.
    """
    limit = LONE * z[at.drift + drift.ERROR]
    if z[at.drift + drift.SEEN] < drift.WARMUP:
        return math.inf
    is_lone = abs(recent[0] - z[at.scale + EXPECTED]) > limit or (
        _was_lone(z, t, at, clock, 1, recent[1], limit, offsets)
        and not _was_lone(z, t, at, clock, LASTS, recent[LASTS], limit, offsets)
    )
    return limit if is_lone else math.inf


@kernel
def _was_lone(z: Float64, t: Int16, at: Layout, clock: Int64, age: int, x: float, limit: float, offsets: Int64) -> bool:
    """Whether the value `x` of `age` events ago is one that the first season's table has as nearer to what is usual."""
    season = clock[season_at(0)]
    if season[KIND] == NONE or many_a_visit(clock, season):
        return False
    k = place(at, season, 0, bin_of(phase_after(clock, season, -age, offsets), season[BINS]))
    return bool(abs(value_of(z, t, at, k) + z[at.base] - x) > 0.25 * limit)


@kernel
def _write(
    z: Float64, t: Int16, v: UInt8, at: Layout, season: Int64, s: int, b: int, y: float, sigma: float
) -> None:  # fmt: skip
    """A visit of bin `b` had the value `y`, less the base."""
    k, now, unit = place(at, season, s, b), at.now + s * NOW_SIZE, z[at.unit]
    visits, level = float(v[k]), LEVEL * at.bins + k
    limit = CLIP * sigma if sigma > 0.0 else math.inf
    before, below = int(t[k]), value_of(z, t, at, level)
    t[k] = stored(y, unit)
    y = value_of(z, t, at, k)
    if visits > 0:
        t[level] = stored_level(z, below + max(RATE, 1.0 / (visits + 1.0)) * clip(y - below, limit), at)
    else:
        t[level] = t[k]
        t[now + FILLED] += 1
    put_long(t, now + SUM, long_of(t, now + SUM) + int(t[k]) - before)
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
                t[slow] = stored_level(z, value + pace * clip(y - value, limit), at)
        mean, quotient = z[at.means], at.slow + QUOTIENT * at.slow_bins + b // factor
        if mean > 0.0:
            ratio = quotient_of(t, quotient)
            change = clip((y + z[at.base] - mean) / mean, MOST_QUOTIENT) - ratio
            ratio += max(RATE, 1.0 / (visits + 1.0)) / factor * change
            t[quotient] = np.int16(half(ratio, rounding(z, at)))
    if visits < MOST_VISITS:
        v[k] += 1


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
        change = quotient_of(t, quotients + there // factor) - quotient_of(t, quotients + here // factor)
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
    return float((last_at(z, t, v, at, clock, s, phase) - value_ago(z, t, at, s)) * inverse)


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
