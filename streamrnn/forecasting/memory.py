"""What a series remembers of its values: its history, its scale and means, and the tables of its seasons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import calendar, cycles
from streamrnn.forecasting.calendar import EVENTS, KIND, MOST_SEASONS, NONE, TICK, season_at
from streamrnn.forecasting.experts import pooled, season_storage, season_tables
from streamrnn.forecasting.experts.season_storage import STEP_CLIP
from streamrnn.forecasting.forecaster_state import ForecasterScratch, ForecasterSeries
from streamrnn.forecasting.presets import ForecasterConfig
from streamrnn.forecasting.scaling import EXPECTED, SEEN, SIGMA, clip, observe_scale
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


@kernel
def put(config: ForecasterConfig, z: Float64, events: int, x: float) -> None:
    """Put the value into the history; the forecast in place of a missing one."""
    at, missing = config.at, math.isnan(x)
    if z[at.scale + SEEN] > 0.0:
        z[at.history + (events - 1) % at.values] = z[at.scale + EXPECTED] if missing else x
    elif not missing:
        for k in range(at.values):
            z[at.history + k] = x
        z[at.base] = x


@kernel
def remember(
    config: ForecasterConfig, z: Float64, t: Int16, v: UInt8, clock: Int64, phases: Float64, offsets: Int64,
    missing: bool, recent: Float64,
) -> None:  # fmt: skip
    """Move scale, means and the seasons' tables."""
    out_of_line()
    at = config.at
    if missing and z[at.scale + SEEN] == 0.0:
        return
    sigma = z[at.scale + SIGMA]
    value, previous = recent[0], recent[1]
    step = math.nan
    if not missing:
        step = clip((value - previous) / sigma, STEP_CLIP) if sigma > 0.0 else 0.0
        observe_scale(z[at.scale : at.drift], value, value - previous, config.warmup, config.memory)
        pooled.observe_average(z, at, value, z[at.scale + SEEN])
    season_tables.observe_means(z, at, clock, value, missing)
    sigma = z[at.scale + SIGMA]
    if not missing:
        season_storage.make_room(z, t, v, at, clock, value, sigma)
    limit = season_tables.limit_of(z, t, at, clock, recent, offsets)
    for s in range(MOST_SEASONS):
        season_tables.observe(z, t, v, at, clock, s, phases[s, 0], value, step, sigma, limit)


@kernel
def replay(
    config: ForecasterConfig, z: Float64, t: Int16, v: UInt8, clock: Int64, s: int, offsets: Int64, past: Float64,
    known: int, newest: int,
) -> None:  # fmt: skip
    """Fill the tables of season `s`, which is another than before, from the `known` values at past[newest:]."""
    out_of_line()
    at, sigma = config.at, z[config.at.scale + SIGMA]
    season_tables.forget(z, t, v, at, clock, s)
    if clock[season_at(s)][KIND] == NONE or z[at.scale + SEEN] == 0.0:
        return
    for age in range(known - 2, newest - 1, -1):
        phase = calendar.phase_after(clock, clock[season_at(s)], -age, offsets)
        step = clip((past[age] - past[age + 1]) / sigma, STEP_CLIP) if sigma > 0.0 else 0.0
        season_storage.make_room(z, t, v, at, clock, past[age], sigma)
        season_tables.observe(z, t, v, at, clock, s, phase, past[age], step, sigma, math.inf)


@kernel
def look_for_periods(config: ForecasterConfig, series: ForecasterSeries, scratch: ForecasterScratch, row: int) -> None:
    """Find out in which periods the series repeats itself, and fill the tables of new ones from its last values."""
    at, clock = config.at, series.clock[row]
    found = cycles.look_for_periods(
        clock, series.cycles[row], at.bins, scratch.cycles[0], scratch.cycles[1], scratch.cycles[2]
    )
    if not found:
        return
    for i in range(config.targets):
        z, t, v = series.numbers[row, i], series.shorts[row, i], series.bytes[row, i]
        known = _past(series.cycles[row], clock, z[at.scale + SIGMA], scratch.recent[i], i, scratch.past)
        for s in range(MOST_SEASONS):
            if found >> s & 1:
                replay(config, z, t, v, clock, s, scratch.offsets, scratch.past, known, 0)
    calendar.fill_phases(clock, scratch.phases, scratch.offsets)


@kernel
def _past(ring: UInt8, clock: Int64, sigma: float, recent: Float64, target: int, past: Float64) -> int:
    """Write the newest values of a target to `past`, newest first; returns how many of them are known.

    Beyond what its history holds the first target's are put together from the steps that periods are looked for in.
    """
    known = min(int(clock[EVENTS]), recent.size)
    for age in range(known):
        past[age] = recent[age]
    if target > 0 or known < recent.size:
        return known
    tick = clock[TICK]
    count = min(int(tick), cycles.RING)
    for age in range(known, count):
        past[age] = past[age - 1] - cycles.step_at(ring, tick - age + 1) * sigma
    return max(known, count)
