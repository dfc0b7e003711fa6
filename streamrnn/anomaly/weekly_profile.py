"""A baseline of 168 hours of the week that a fault cannot drag along: is this the wrong kind of day?

Each hour of the week has a running mean W of its last six visits or so. From its third on, a value moves it by at most
five deviations s, s the running mean |y - W| of 30 days. A value deviates only as far as it lies outside what W says
for this hour and its two neighbors, so that slopes and a change of clocks raise nothing:

    z = .8 (distance outside) / s,   clipped at +-10
    week = |E|,  E += .25 (z - E), scored by a list of episodes (`peaks.py`)

and it speaks from 1 on. Means are kept in 16 bits, in a unit of their own that doubles when one does not fit, and the
numbers of visits in four.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import peaks
from streamrnn.kernels.jit import kernel

Singles = npt.NDArray[np.float32]
Shorts = npt.NDArray[np.int16]
Bytes = npt.NDArray[np.uint8]

HOURS = 168
# Entries of the state; all zero is new.
QUANTUM, SCALE, SEEN, AVERAGE = range(4)
COLUMNS = 4
VISITS = 6  # that W remembers
TRUSTED = 2  # visits after which an hour speaks
FIRST_QUANTUM = 1.0 / 1024.0  # units
LARGEST_SHORT = 32000.0
CLIP = 10.0
DRAG, CAP = 5.0, 4.0  # scales that a value moves W by, and teaches s, at most
GAIN = 0.25
SPEAKS = 1.0
DIFFERS = 0.7  # deviations of an hour of the day from which one of the week is something else
GROWTH = 1.2  # a holiday must not teach that any weekday may look like a Sunday
LEAST = 0.05
WARM_UP, SCALED = 60.0, 24.0  # values
MONTH = 720.0  # hours
MEAN_TO_SIGMAS = 0.8


@kernel
def seen(visits: Bytes, hour: int) -> int:
    """How often this hour of the week has been visited, up to `VISITS`; `visits` has two hours in a byte."""
    return int((visits[hour // 2] >> (4 * (hour % 2))) & 15)


@kernel
def _count(visits: Bytes, hour: int, number: int) -> None:
    """Keep how often an hour has been visited."""
    kept = int(visits[hour // 2])
    visits[hour // 2] = (kept & 240) | number if hour % 2 == 0 else (kept & 15) | (number << 4)


@kernel
def outside(state: Singles, means: Shorts, visits: Bytes, hour: int, y: float) -> float:
    """How far `y` lies above (> 0) or below (< 0) what this hour of the week and its neighbors have been."""
    low = float(means[hour])
    high = low
    for side in (HOURS - 1, 1):
        other = (hour + side) % HOURS
        if seen(visits, other) >= TRUSTED:
            low, high = min(low, float(means[other])), max(high, float(means[other]))
    return float(max(y - high * state[QUANTUM], 0.0) + min(y - low * state[QUANTUM], 0.0))


@kernel
def nearest(state: Singles, means: Shorts, visits: Bytes, hour: int, usual: float, deviation: float, y: float) -> float:
    """What is usual for `y`, by this hour of the day and, where it `DIFFERS`, of the week: what lies nearest to it.

    `usual` and `deviation` are those of the hour of the day. One week is enough here: a second weekend is less news.
    """
    own = means[hour] * state[QUANTUM]
    if seen(visits, hour) == 0 or abs(own - usual) <= DIFFERS * deviation:
        return usual
    return float(min(max(y, min(usual, own)), max(usual, own)))


@kernel
def observe(
    state: Singles, means: Shorts, visits: Bytes, largest: Singles, hour: int, y: float, per_hour: float
) -> float:
    """Decades of `y` at this hour of the week; then scale and list learn from it, the means when the hour is over."""
    if seen(visits, hour) < TRUSTED:
        state[AVERAGE] = 0.0
        return 0.0
    values, scale, z, decades = float(state[SEEN]), float(state[SCALE]), 0.0, 0.0
    if values >= SCALED and scale > 0.0:
        z = min(max(MEAN_TO_SIGMAS * outside(state, means, visits, hour, y) / scale, -CLIP), CLIP)
    state[AVERAGE] += GAIN * (z - state[AVERAGE])
    measure = abs(float(state[AVERAGE]))
    if values >= WARM_UP:
        decades = peaks.rarity(largest, measure, GROWTH, LEAST)
    off = abs(y - means[hour] * state[QUANTUM])
    state[SEEN] = min(values + 1.0, 1e6)
    capped = min(off, CAP * scale) if values > 20.0 else off
    state[SCALE] += max(1.0 / (values + 1.0), 1.0 / (MONTH * per_hour)) * (capped - scale)
    return decades if measure >= SPEAKS else 0.0


@kernel
def moved(state: Singles, means: Shorts, visits: Bytes, hour: int, y: float) -> float:
    """What `y` may teach its hour: the value itself, or one not further from W than a fault may drag it."""
    if seen(visits, hour) < TRUSTED or not state[SCALE] > 0.0:
        return y
    centre, reach = means[hour] * state[QUANTUM], DRAG * state[SCALE]
    return float(min(max(y, centre - reach), centre + reach))


@kernel
def _write(state: Singles, means: Shorts, hour: int, y: float) -> None:
    """Keep `y`, and double the unit until it fits."""
    if state[QUANTUM] == 0.0:
        state[QUANTUM] = FIRST_QUANTUM
    while abs(y) > LARGEST_SHORT * state[QUANTUM]:
        state[QUANTUM] *= 2.0
        for other in range(HOURS):
            means[other] = round(0.5 * means[other])
    means[hour] = round(y / state[QUANTUM])


@kernel
def learn(state: Singles, means: Shorts, visits: Bytes, hour: int, mean: float) -> None:
    """An hour of the week is over whose (clipped) values had this mean."""
    number = min(seen(visits, hour) + 1, VISITS)
    _count(visits, hour, number)
    before = means[hour] * state[QUANTUM]
    _write(state, means, hour, before + (mean - before) / number)


@kernel
def shift(state: Singles, means: Shorts, visits: Bytes, by: float) -> None:
    """The series has a new normal, `by` from the old one."""
    for hour in range(HOURS):
        if seen(visits, hour) > 0:
            _write(state, means, hour, means[hour] * state[QUANTUM] + by)
            _count(visits, hour, min(seen(visits, hour), TRUSTED))
