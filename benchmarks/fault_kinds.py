"""Kinds of faults in kinds of ordinary series: what is found, told more than once, or told after it is over.

    python benchmarks/fault_kinds.py [--seeds 4] [--tell]

A row for each kind of fault, a column for each kind of series: how many of the seeds' faults opened an alert while they
lasted, how many alerts these opened in all, and how many opened in the `AFTER` events after the end. The last rows have
the alerts per 1,000 events before the fault. `--tell` prints the sentence of the first alert of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from forecasting import through_the_product
from sources import Float64, Int64

from streamrnn.anomaly.channels import CHANNEL_NAMES
from streamrnn.forecasting.answers import Answers
from streamrnn.records.alert_words import sentence

START: Final = 1_767_571_200_000_000  # Monday, 2026-01-05
AFTER: Final = 100
YOUNG: Final = 600  # events before which ordinary alerts are not counted


class Ordinary(NamedTuple):
    """A kind of series without a fault."""

    seconds: int  # from one event to the next
    events: int
    values: Callable[[np.random.Generator, Float64], Float64]  # of times in days


def _day(days: Float64) -> Float64:
    """From 0 at night to 1 at 13:00."""
    hour = days % 1.0 * 24.0
    return np.where((hour >= 6) & (hour <= 20), np.sin((hour - 6) / 14 * np.pi).clip(0), 0.0)


def _walk(random: np.random.Generator, count: int, keep: float) -> Float64:
    """An autoregression of deviation 1."""
    noise, values = random.standard_normal(count) * np.sqrt(1 - keep * keep), np.zeros(count)
    for i in range(1, count):
        values[i] = keep * values[i - 1] + noise[i]
    return values


def _counts(random: np.random.Generator, days: Float64) -> Float64:
    return random.poisson(3 + 9 * _day(days)).astype(float)


def _business(random: np.random.Generator, days: Float64) -> Float64:
    share = np.where(days % 7 >= 5, 0.35, 1.0)
    return np.maximum(20 + 80 * _day(days) * share + random.normal(0, 3, len(days)), 0)


def _sparse(random: np.random.Generator, days: Float64) -> Float64:
    return (random.random(len(days)) < 0.04) * random.integers(1, 4, len(days)).astype(float)


def _saw_tooth(random: np.random.Generator, days: Float64) -> Float64:
    values, level, top = np.zeros(len(days)), 30.0, 100.0
    for i in range(len(days)):
        level += random.gamma(2.0, 0.6)
        if level > top:
            level, top = random.normal(30, 2), random.normal(100, 3)
        values[i] = level
    return values


def _counter(random: np.random.Generator, days: Float64) -> Float64:
    rates, values, total, left = random.poisson(40 + 60 * _day(days)), np.zeros(len(days)), 0.0, 0
    for i in range(len(days)):
        if left == 0:
            total, left = 0.0, int(random.integers(250, 700))
        total, left = total + rates[i], left - 1
        values[i] = total
    return values


def _steps(random: np.random.Generator, days: Float64) -> Float64:
    wanted, pods, values = 4 + 8 * _day(days) + 0.7 * _walk(random, len(days), 0.95), 4.0, np.zeros(len(days))
    for i, want in enumerate(wanted):
        if abs(want - pods) > 1:
            pods = max(np.round(want), 2.0)
        values[i] = pods
    return values


def _jobs(random: np.random.Generator, days: Float64) -> Float64:
    values = 20 + 2 * _walk(random, len(days), 0.7)
    at = np.round(days * 288).astype(int)
    values[at % 288 // 6 == 6] += 55  # half an hour at three
    values[at % 12 == 0] += 15  # every hour
    return values


def _heavy(random: np.random.Generator, days: Float64) -> Float64:
    return np.exp(3 + 0.3 * _day(days) + 0.45 * random.standard_normal(len(days)))


def _growing(random: np.random.Generator, days: Float64) -> Float64:
    return (60 + 2.5 * days) * (0.6 + 0.8 * _day(days)) * np.exp(0.04 * random.standard_normal(len(days)))


def _deploys(random: np.random.Generator, days: Float64) -> Float64:
    level, values = 100.0, np.zeros(len(days))
    left = 800
    for i in range(len(days)):
        if left == 0:
            level, left = level * random.uniform(0.8, 1.25), int(random.integers(700, 1500))
        values[i], left = level, left - 1
    return values + 4 * _walk(random, len(days), 0.6)


def _sensor(random: np.random.Generator, days: Float64) -> Float64:
    return 60 + 6 * np.sin(2 * np.pi * days) + 3 * _walk(random, len(days), 0.97) + 0.2 * random.normal(size=len(days))


def _percent(random: np.random.Generator, days: Float64) -> Float64:
    return np.clip(55 + 50 * _day(days) + 8 * _walk(random, len(days), 0.9), 0, 100)


def _latency(random: np.random.Generator, days: Float64) -> Float64:
    waits = random.pareto(2.5, len(days)) * (1 + _day(days))
    return 80 * np.exp(0.25 * _walk(random, len(days), 0.8)) * (1 + 0.3 * waits)


def _queue(random: np.random.Generator, days: Float64) -> Float64:
    values, left = np.zeros(len(days)), 0.0
    for i, rate in enumerate(3 + 6 * _day(days)):
        arrive = random.poisson(rate) + (random.poisson(30) if random.random() < 0.02 else 0)
        left = max(left + arrive - random.poisson(10), 0.0)
        values[i] = left
    return values


def _errors(random: np.random.Generator, days: Float64) -> Float64:
    requests = random.poisson(20 + 400 * _day(days))
    chance = 0.01 * np.exp(0.7 * _walk(random, len(days), 0.95))
    return 100 * random.binomial(requests, np.minimum(chance, 1.0)) / np.maximum(requests, 1)


def _weekdays(random: np.random.Generator, days: Float64) -> Float64:
    values = 10 + 1.5 * _walk(random, len(days), 0.8)
    at = np.round(days * 96).astype(int)
    works = at // 96 % 7 < 5
    values[works & (at % 96 // 6 == 1)] += 40  # an hour and a half of every weekday
    values[(at // 96 % 7 == 6) & (at % 96 // 16 == 1)] += 70  # four hours on Sunday
    return np.maximum(values, 0)


ORDINARY: Final = {
    "counts": Ordinary(300, 5000, _counts),
    "business": Ordinary(3600, 3000, _business),
    "sparse": Ordinary(300, 5000, _sparse),
    "sawtooth": Ordinary(60, 5000, _saw_tooth),
    "counter": Ordinary(60, 6000, _counter),
    "steps": Ordinary(300, 5000, _steps),
    "jobs": Ordinary(300, 5000, _jobs),
    "heavy": Ordinary(60, 5000, _heavy),
    "growing": Ordinary(600, 5000, _growing),
    "deploys": Ordinary(300, 6000, _deploys),
    "sensor": Ordinary(60, 5000, _sensor),
    "percent": Ordinary(300, 5000, _percent),
    "latency": Ordinary(60, 5000, _latency),
    "queue": Ordinary(300, 5000, _queue),
    "errors": Ordinary(300, 5000, _errors),
    "weekdays": Ordinary(900, 5000, _weekdays),
}


def _times(factor: float) -> Callable[[Float64, np.random.Generator], Float64]:
    return lambda x, random: x * factor


def _ramp(to: float) -> Callable[[Float64, np.random.Generator], Float64]:
    return lambda x, random: x * np.linspace(1.0, to, len(x))


def _spike(x: Float64, random: np.random.Generator) -> Float64:
    return np.r_[x[0] + 4 * max(float(np.ptp(x)), abs(x[0])), x[1:]]


def _stuck(x: Float64, random: np.random.Generator) -> Float64:
    return np.full(len(x), x[0])


def _missing(x: Float64, random: np.random.Generator) -> Float64:
    return np.full(len(x), np.nan)


def _noise(x: Float64, random: np.random.Generator) -> Float64:
    return x + 4 * np.std(np.diff(x)) * random.standard_normal(len(x))


def _flapping(x: Float64, random: np.random.Generator) -> Float64:
    return np.where(np.arange(len(x)) // 2 % 2 == 0, 0.0, x)


def _crash_loop(x: Float64, random: np.random.Generator) -> Float64:
    return np.where(np.arange(len(x)) % 17 < 3, 0.0, x)


def _leak_and_crash(x: Float64, random: np.random.Generator) -> Float64:
    factors = np.linspace(0.95, 0.75, len(x))
    factors[len(x) // 2 :] = 0.0
    return x * factors


def _drop_and_surge(x: Float64, random: np.random.Generator) -> Float64:
    return x * np.where(np.arange(len(x)) < len(x) // 2, 0.4, 4.0)


def _drop_and_stuck(x: Float64, random: np.random.Generator) -> Float64:
    return np.r_[0.5 * x[: len(x) // 2], np.full(len(x) - len(x) // 2, 0.5 * x[len(x) // 2])]


def _negative(x: Float64, random: np.random.Generator) -> Float64:
    return np.r_[-np.abs(x[:3]) - 1.0, x[3:]]


def _late(x: Float64, random: np.random.Generator) -> Float64:
    return np.r_[np.full(len(x) // 3, x[0]), x[: len(x) - len(x) // 3]]


FAULTS: Final[dict[str, Callable[[Float64, np.random.Generator], Float64]]] = {
    "crash": _times(0.0),
    "down to 30 %": _times(0.3),
    "down to 60 %": _times(0.6),
    "three times": _times(3.0),
    "half as much again": _times(1.5),
    "one spike": _spike,
    "slow leak": _ramp(0.3),
    "slow rise": _ramp(2.5),
    "stuck": _stuck,
    "missing": _missing,
    "noise": _noise,
    "flapping": _flapping,
    "crash loop": _crash_loop,
    "1000 times": _times(1000.0),
    "negative": _negative,
    "three hours late": _late,
    "leak, then crash": _leak_and_crash,
    "drop, then surge": _drop_and_surge,
    "drop, then stuck": _drop_and_stuck,
}
TWOFOLD: Final = ("leak, then crash", "drop, then surge", "drop, then stuck")
"""Whose second half is a fault of its own."""


class Case(NamedTuple):
    """A series with a fault at events `begin` to before `end`."""

    ordinary: str
    fault: str
    times: Int64
    values: Float64
    begin: int
    end: int


def cases(seeds: int, ordinary: str) -> list[Case]:
    """All faults in one kind of series."""
    kind, found = ORDINARY[ordinary], []
    for seed in range(seeds):
        random = np.random.Generator(np.random.Philox(key=[seed, [*ORDINARY].index(ordinary)]))
        times = START + kind.seconds * 1_000_000 * np.arange(kind.events)
        clean = kind.values(random, kind.seconds / 86_400 * np.arange(kind.events))
        length = min(max(6 * 3600 // kind.seconds, 10), 90)
        per_day = 86_400 // kind.seconds
        begin = int(0.75 * kind.events) // per_day * per_day + per_day * (9 + seed % 4) // 24
        begin = begin if begin + length + AFTER < kind.events else int(0.75 * kind.events) + 7 * seed
        for fault, change in FAULTS.items():
            values = clean.copy()
            values[begin : begin + length] = change(clean[begin : begin + length], random)
            found.append(Case(ordinary, fault, times, values, begin, begin + length))
    return found


def answers(found: list[Case]) -> list[Answers]:
    """The product's, at its defaults."""
    return [through_the_product(case.times, case.values, {})[0] for case in found]


def told(case: Case, said: Answers, at: int) -> str:
    """The sentence of the alert that event `at` opens."""
    channel = CHANNEL_NAMES[said.channel[at]]
    return sentence("value", channel, float(case.values[at]), float(said.deviation[at]), said.told(at))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--tell", action="store_true")
    arguments = parser.parse_args()
    cells: dict[tuple[str, str], str] = {}
    rates = {}
    for ordinary in ORDINARY:
        found = cases(arguments.seeds, ordinary)
        counts = {fault: np.zeros(4, int) for fault in FAULTS}
        before = []
        for case, said in zip(found, answers(found), strict=True):
            opened = np.flatnonzero(said.opened)
            inside = opened[(opened >= case.begin) & (opened < case.end)]
            half = (case.begin + case.end) // 2
            counts[case.fault] += (
                len(inside) > 0,
                len(inside),
                ((opened >= case.end) & (opened < case.end + AFTER)).sum(),
                (inside >= half).any(),
            )
            if case.fault == next(iter(FAULTS)):
                before.append(((opened >= YOUNG) & (opened < case.begin)).sum() / (case.begin - YOUNG) * 1000)
            if arguments.tell and len(inside):
                print(f"{ordinary:<9} {case.fault:<18} +{inside[0] - case.begin:<3} {told(case, said, inside[0])}")
        for fault, (hits, alerts, after, second) in counts.items():
            twofold = f":{second}" if fault in TWOFOLD else ""
            cells[fault, ordinary] = f"{hits}{twofold}/{alerts}/{after}"
        rates[ordinary] = f"{np.mean(before):.1f}"
    print(f"{'':<20}" + "".join(f"{name:>10}" for name in ORDINARY))
    for fault in FAULTS:
        print(f"{fault:<20}" + "".join(f"{cells[fault, ordinary]:>10}" for ordinary in ORDINARY))
    print(f"{'before, per 1,000':<20}" + "".join(f"{rates[ordinary]:>10}" for ordinary in ORDINARY))


if __name__ == "__main__":
    main()
