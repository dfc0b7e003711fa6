"""How the numbers of the seasons' tables are kept in 16 bits: where a bin lies, in which unit, and how it is rounded.

Q less 1 is in half precision (bfloat16); the others are whole numbers. Steps have fixed units. Values and levels are
less a base and in a unit that follow what the table holds, so that it has room for twice the range and no more than it
needs. What lies further from the range the series was seen in than its width is kept as if it lay there. Levels and Q
are rounded up or down in turn, so that slow ones do not stick.

Bins of both seasons share one run of memory: the first season's from its beginning, the second's from its end. The slow
levels of a first season with more bins than there is room for them stand for several bins each.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.calendar import BINS, EVENTS, KIND, MOST_SEASONS, NONE, season_at
from streamrnn.forecasting.layout import (
    AGO,
    CLOSED,
    CLOSED_MEAN,
    COUNT,
    FILLED,
    LEVEL,
    NOW_SIZE,
    SLOW_LEVELS,
    STEP,
    SUM,
    SURPRISE,
    TOTAL,
    Layout,
)
from streamrnn.forecasting.scaling import HIGH, LOW, SEEN, clip
from streamrnn.kernels.half import whole
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

STEP_CLIP = 8.0  # sigmas
WHOLE: Final = 32_767  # of a stored number
UNKNOWN: Final = -32_768  # stored where there is no number
STEP_UNIT: Final = STEP_CLIP / WHOLE
SURPRISE_UNIT: Final = 2.0 * STEP_UNIT
FARTHEST = 1e300
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
def value_of(z: Float64, t: Int16, at: Layout, k: int) -> float:
    """The value at t[k], less the base."""
    return float(float(t[k]) * z[at.unit])


@kernel
def usual_step(t: Int16, at: Layout, season: Int64, s: int, b: int) -> float:
    """S of bin `b`, sigmas."""
    return float(t[STEP * at.bins + place(at, season, s, b)]) * STEP_UNIT


@kernel
def value_ago(z: Float64, t: Int16, at: Layout, s: int) -> float:
    """What was last seen at the newest event's phase before that event, less the base; NaN: nothing."""
    ago = at.now + s * NOW_SIZE + AGO
    return math.nan if t[ago] == UNKNOWN else value_of(z, t, at, ago)


@kernel
def surprise_of(t: Int16, at: Layout, s: int) -> float:
    """The newest step less what was usual, sigmas."""
    return float(t[at.now + s * NOW_SIZE + SURPRISE]) * SURPRISE_UNIT


@kernel
def mean_of(z: Float64, t: Int16, at: Layout, s: int) -> float:
    """Mean of a season's last values, less the base; NaN: there are none."""
    now = at.now + s * NOW_SIZE
    filled = float(t[now + FILLED])
    return long_of(t, now + SUM) * z[at.unit] / filled if filled > 0.0 else math.nan


@kernel
def long_of(t: Int16, k: int) -> int:
    """The whole number of 32 bits at t[k]."""
    return int(np.int64(t[k + 1]) * 65_536 + np.int64(np.uint16(t[k])))


@kernel
def put_long(t: Int16, k: int, x: int) -> None:
    """Keep a whole number of 32 bits at t[k]."""
    t[k], t[k + 1] = np.int16(np.uint16(x & 0xFFFF)), np.int16(x >> 16)


@kernel
def stored(x: float, unit: float) -> int:
    """As the nearest whole number of units."""
    return int(clip(math.floor(x / unit + 0.5), WHOLE)) if unit > 0.0 else 0


@kernel
def stored_level(z: Float64, x: float, at: Layout) -> int:
    """`x` as a whole number of the table's units, rounded up as often as the part after the point says."""
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
def quotient_of(t: Int16, k: int) -> float:
    """Q less 1 at t[k]."""
    return whole(int(np.uint16(t[k])))


@kernel
def within(z: Float64, at: Layout, x: float) -> float:
    """The value, not further from the range that the series was seen in than its width."""
    width = z[at.scale + HIGH] - z[at.scale + LOW]
    return float(max(z[at.scale + LOW] - width, min(z[at.scale + HIGH] + width, x)))


@kernel
def make_room(z: Float64, t: Int16, v: UInt8, at: Layout, clock: Int64, x: float, sigma: float) -> None:
    """Move base and unit, where that is needed, such that the tables can take `x` in."""
    y, unit, inside = within(z, at, x) - z[at.base], z[at.unit], False
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
            if t[now + CLOSED] > 0:
                mean = value_of(z, t, at, now + CLOSED_MEAN)
                lowest, highest = min(lowest, mean), max(highest, mean)
            if t[now + COUNT] > 0:
                mean = long_of(t, now + TOTAL) * unit / float(t[now + COUNT])
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
    now, unit, total = at.now + s * NOW_SIZE, z[at.unit], 0
    for b in range(season[BINS]):
        k = place(at, season, s, b)
        if v[k] > 0:
            for j in (k, LEVEL * at.bins + k):
                t[j] = stored(t[j] * unit - by, wanted)
            total += int(t[k])
    if s == 0:
        factor = slow_factor(at, season[BINS])
        for b in range(0, season[BINS], factor):
            for j in range(SLOW_LEVELS):
                slow = at.slow + j * at.slow_bins + b // factor
                t[slow] = stored(t[slow] * unit - by, wanted)
    put_long(t, now + SUM, total)
    if t[now + AGO] != UNKNOWN:
        t[now + AGO] = stored(t[now + AGO] * unit - by, wanted)
    t[now + CLOSED_MEAN] = stored(t[now + CLOSED_MEAN] * unit - by, wanted)
    count = float(t[now + COUNT])
    if count > 0.0:
        mean = (long_of(t, now + TOTAL) * unit / count - by) / wanted
        put_long(t, now + TOTAL, math.floor(count * clip(mean, WHOLE) + 0.5))
