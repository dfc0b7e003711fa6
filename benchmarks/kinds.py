"""Fifty kinds of generated series for `far_steps.py`: trends, seasons, demand, states, noise, gaps.

Neighbors in the list are of related kinds. Every second one, beginning with the first, is of the half `dev`, by which
defaults may be chosen; the others, `held-out`, are only reported on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sources import HOUR, Float64, Int64

EVENTS = 1500
DAY_OF_HOURS, WEEK_OF_HOURS = 24, 168


class Kind(NamedTuple):
    """One generated series."""

    name: str
    half: str
    times: Int64  # (events,) microseconds since 1970
    x: Float64  # (events,), NaN where missing
    season: int  # events, 0: none


Random = np.random.Generator


def autoregressive(random: Random, n: int, *coefficients: float) -> Float64:
    """Of unit noise."""
    x, order = np.zeros(n), len(coefficients)
    noise = random.normal(size=n)
    for t in range(n):
        x[t] = noise[t] + sum(c * x[t - 1 - j] for j, c in enumerate(coefficients[: min(order, t)]))
    return x


def held(random: Random, n: int, often: float, draw: Callable[[int], Float64]) -> Float64:
    """Levels that stand, each for 1 / often events on average."""
    new = random.random(n) < often
    new[0] = True
    values: Float64 = draw(int(new.sum()))[np.cumsum(new) - 1]
    return values


def wave(t: Float64, period: float) -> Float64:
    """A sine with its second harmonic."""
    angle = 2 * np.pi * t / period
    shape: Float64 = np.sin(angle) + 0.4 * np.sin(2 * angle + 1.0)
    return shape


def working_day(t: Float64) -> Float64:
    """1 during the working hours of five days in seven, else 0."""
    hour, day = t % DAY_OF_HOURS, t // DAY_OF_HOURS % 7
    return ((hour > 8) & (hour < 18) & (day < 5)).astype(float)


def slopes(t: Float64) -> Float64:
    """A line whose slope changes twice."""
    n = len(t)
    return np.interp(t, [0, n / 3, 2 * n / 3, n], [0.0, 60.0, 20.0, 150.0])


def bursts(random: Random, n: int) -> Float64:
    """Rare jumps that decay."""
    x, jumps = np.zeros(n), (random.random(n) < 0.02) * random.exponential(20, n)
    for t in range(1, n):
        x[t] = 0.85 * x[t - 1] + jumps[t]
    return x


def stock(random: Random, n: int) -> Float64:
    """Falls by what is sold, and is filled up when it is low."""
    x, left = np.zeros(n), 200.0
    for t in range(n):
        left -= float(random.poisson(4))
        if left < 20:
            left += 180
        x[t] = left
    return x


def falling(random: Random, n: int) -> Float64:
    """Stands for days, then falls in a few steps and is put back."""
    x, level = np.zeros(n), 100.0
    for t in range(n):
        if random.random() < 0.08:
            level -= random.exponential(3)
        if level < 40:
            level = 100.0
        x[t] = level
    return x


def regimes(random: Random, n: int) -> Float64:
    """Autoregression whose sign changes twice."""
    x, noise = np.zeros(n), random.normal(size=n)
    for t in range(1, n):
        x[t] = (0.9 if t * 3 // n != 1 else -0.7) * x[t - 1] + noise[t]
    return x


def gaps(random: Random, x: Float64, share: float, length: int = 1) -> Float64:
    """Values with runs of `length` missing, `share` of the runs."""
    blank = np.repeat(random.random(len(x) // length + 1) < share, length)[: len(x)]
    return np.where(blank, np.nan, x)


def kinds(seed: int = 0, events: int = EVENTS) -> list[Kind]:
    """All kinds; each draws from a generator of its own."""
    n, found = events, list[Kind]()
    t = np.arange(n, dtype=float)
    hourly = np.arange(n) * HOUR

    def add(name: str, make: Callable[[Random], Float64], season: int = 0, times: Int64 = hourly) -> None:
        random = np.random.default_rng([seed, len(found)])
        half = "held-out" if len(found) % 2 else "dev"
        found.append(Kind(name, half, times, make(random), season))

    add("constant, rare spikes", lambda r: np.where(r.random(n) < 0.01, 100.0, 5.0))
    add("constant", lambda r: np.full(n, 5.0))
    add("white noise, lognormal", lambda r: np.exp(1.5 * r.normal(size=n)))
    add("white noise, normal", lambda r: r.normal(size=n))
    add("white noise, Cauchy cut at 1e4", lambda r: np.clip(r.standard_cauchy(n), -1e4, 1e4))
    add("white noise, t with 2 degrees", lambda r: r.standard_t(2, n))
    add("random walk", lambda r: np.cumsum(r.normal(size=n)))
    add("random walk, t with 3 degrees", lambda r: np.cumsum(r.standard_t(3, n)))
    add("random walk with drift", lambda r: np.cumsum(r.normal(size=n) + 0.3))
    add("walk of changing volatility", lambda r: np.cumsum(r.normal(size=n) * np.exp(0.2 * autoregressive(r, n, 0.97))))
    add("line", lambda r: 0.1 * t + r.normal(size=n))
    add("line, exact", lambda _: 0.1 * t)
    add("line, autoregressive noise", lambda r: 0.1 * t + autoregressive(r, n, 0.8))
    add("line of three slopes", lambda r: slopes(t) + r.normal(size=n))
    add("parabola", lambda r: 0.0005 * t**2 + r.normal(size=n))
    add("exponential growth", lambda r: np.exp(0.005 * t) * (1 + 0.02 * r.normal(size=n)))
    add("day", lambda r: wave(t, 24) + 0.2 * r.normal(size=n), 24)
    add("day, exact", lambda _: wave(t, 24), 24)
    add("period 37.5", lambda r: wave(t, 37.5) + 0.1 * r.normal(size=n))
    add("day, autoregressive noise", lambda r: 2 * wave(t, 24) + autoregressive(r, n, 0.9), 24)
    add("square wave of 48", lambda r: np.where(t // 24 % 2, 1.0, 0.0) + 0.05 * r.normal(size=n), 48)
    add("sawtooth of 50", lambda r: t % 50 + 0.5 * r.normal(size=n), 50)
    add("counter that wraps", lambda r: np.cumsum(r.poisson(3, n)) % 500.0)
    add("stock, refilled", lambda r: stock(r, n))
    add("counts, Poisson 2", lambda r: r.poisson(2, n).astype(float))
    add("intermittent demand", lambda r: np.where(r.random(n) < 0.1, r.poisson(5, n), 0).astype(float))
    add("counts, zero at night", lambda r: r.poisson(6 * np.maximum(np.sin(2 * np.pi * t / 24), 0)).astype(float), 24)
    add("rain", lambda r: np.where(autoregressive(r, n, 0.7) > 1.2, r.exponential(5, n), 0.0))
    add("coin", lambda r: (r.random(n) < 0.3).astype(float))
    add("on or off, sticky", lambda r: (np.cumsum(r.random(n) < 0.02) % 2).astype(float))
    add("working hours", lambda r: working_day(t) * (10 + r.normal(size=n)), WEEK_OF_HOURS)
    add("working hours, counts", lambda r: r.poisson(1 + 9 * working_day(t)).astype(float), WEEK_OF_HOURS)
    add("bursts that decay", lambda r: bursts(r, n))
    add("bursts over noise", lambda r: bursts(r, n) + r.normal(size=n))
    add("plateaus", lambda r: held(r, n, 0.01, lambda m: 10 * r.normal(size=m)))
    add("plateaus with noise", lambda r: held(r, n, 0.007, lambda m: 10 * r.normal(size=m)) + r.normal(size=n))
    add("two levels, noise", lambda r: 5 * held(r, n, 0.03, lambda m: np.arange(m) % 2.0) + r.normal(size=n))
    add("stands, falls, is put back", lambda r: falling(r, n))
    add("regimes of autoregression", lambda r: regimes(r, n))
    add("regimes of noise", lambda r: autoregressive(r, n, 0.8) * np.where(t * 4 // n % 2, 5.0, 1.0))
    add("season that grows", lambda r: np.exp(0.002 * t) * (2 + wave(t, 24)) * (1 + 0.03 * r.normal(size=n)), 24)
    add("season over a walk", lambda r: 3 * wave(t, 24) + np.cumsum(0.3 * r.normal(size=n)), 24)
    add("day, days missing", lambda r: gaps(r, wave(t, 24) + 0.2 * r.normal(size=n), 0.15, 24), 24)
    add("day, a fifth missing", lambda r: gaps(r, wave(t, 24) + 0.2 * r.normal(size=n), 0.2), 24)
    add("day and week", lambda r: wave(t, 24) + wave(t, 168) + 0.2 * r.normal(size=n), WEEK_OF_HOURS)
    add("day, week and 20 days", lambda r: wave(t, 24) + wave(t, 168) + wave(t, 480) + 0.2 * r.normal(size=n), 168)
    uneven = (np.cumsum(np.random.default_rng(seed).exponential(1.0, n)) * HOUR).astype(np.int64)
    add("uneven times, autoregression", lambda r: autoregressive(r, n, 0.9), 0, uneven)
    add("uneven times, day", lambda r: wave(uneven / HOUR, 24) + 0.2 * r.normal(size=n), 0, uneven)
    add("cycle without a period", lambda r: autoregressive(r, n, 1.8, -0.9))
    add("autoregression, .9", lambda r: autoregressive(r, n, 0.9))
    add("differences of noise", lambda r: np.diff(r.normal(size=n + 1)))
    add("autoregression at 1e12", lambda r: 1e12 * (1 + 0.001 * autoregressive(r, n, 0.9)))
    return found
