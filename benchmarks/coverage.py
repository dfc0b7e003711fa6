"""Do intervals cover what they promise: over long series, and from a series' second event on?

    python benchmarks/coverage.py DIR                 # the sets of benchmarks/gauntlet.py
    python benchmarks/coverage.py DIR --steps 1 12 48 # of horizon 48: these of its steps
    python benchmarks/coverage.py                     # a generated fleet of random walks instead

First table: per target of series with `--long` values or more, the share of them within the 50, 90 and 99 % intervals,
for each of the steps.
Second table: sets of several series, as they are in the file and one series after another, coverage of the 90 %
intervals by age of the series, and their Winkler score in standard deviations of the series (smaller is better).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gauntlet
import numpy as np
from gauntlet import Set
from sources import Float64, Int64

from streamrnn.forecasting import forecaster, intervals
from streamrnn.kernels.jit import kernel

LEVELS = (0.5, 0.9, 0.99)
AGES = ((1, 2), (2, 3), (3, 5), (5, 10), (10, 20), (20, 50), (50, 1 << 60))


@kernel
def _run(
    config: Any, shared: Any, series: Any, scratch: Any, bounds: Any, levels: Any, pooled: Any, widths: Any, rows: Any,
    times: Any, x: Any, u: Any, mean: Any, medians: Any, low: Any, high: Any, steps: Any, lower: Any, upper: Any,
) -> None:  # fmt: skip
    """Bounds (steps, events, levels, targets) made after every event; low, high (levels, horizon, targets)."""
    for t in range(times.size):
        forecaster.observe(config, shared, series, scratch, rows[t], times[t], x[t], u[t], mean, medians)
        intervals.observe(bounds, levels, pooled, widths, rows[t], x[t], mean, medians, low, high)
        for j in range(steps.size):
            for level in range(low.shape[0]):
                for i in range(x.shape[1]):
                    lower[j, t, level, i] = low[level, steps[j] - 1, i]
                    upper[j, t, level, i] = high[level, steps[j] - 1, i]


def bounded(data: Set, steps: Sequence[int], preset: str, pooled: bool = True) -> tuple[Float64, Float64]:
    """Bounds (steps, events, levels, targets) that had been made for every event so many events before."""
    targets, horizon = data.x.shape[1], max(steps)
    config = forecaster.forecaster_config(
        targets=targets, features=data.u.shape[1], horizon=horizon, preset=preset,
        weights="partition" if pooled else "series",
    )  # fmt: skip
    count = int(data.rows.max()) + 1
    shared, series, scratch = forecaster.allocate(config, count, 0)
    bounds = intervals.IntervalConfig(targets, horizon, len(LEVELS), pooled)
    low, mean = np.empty((len(LEVELS), horizon, targets)), np.empty((horizon, targets))
    lower = np.empty((len(steps), len(data.rows), len(LEVELS), targets))
    upper = np.empty_like(lower)
    _run(
        config, shared, series, scratch, bounds, intervals.level_table(LEVELS), intervals.allocate_shared(bounds),
        intervals.allocate(bounds, count), data.rows, data.times, data.x, data.u, mean, mean.copy(), low, low.copy(),
        np.array(steps), lower, upper,
    )  # fmt: skip
    made = [np.full_like(lower, np.nan) for _ in range(2)]
    for row in range(count):
        mine = np.flatnonzero(data.rows == row)
        for here, bound in zip(made, (lower, upper), strict=True):
            for j, step in enumerate(steps):
                here[j, mine[step:]] = bound[j, mine[:-step]]
    return made[0], made[1]


def ages_of(data: Set) -> Int64:
    """How many values of its series and target came before each, (events, targets)."""
    ages = np.zeros(data.x.shape, np.int64)
    for row in range(int(data.rows.max()) + 1):
        mine = np.flatnonzero(data.rows == row)
        for i in range(data.x.shape[1]):
            known = mine[~np.isnan(data.x[mine, i])]
            ages[known, i] = np.arange(len(known))
    return ages


def one_after_another(data: Set) -> Set:
    """The same events, every series beginning when the one before is over."""
    order = np.argsort(data.rows, kind="stable")
    return data._replace(rows=data.rows[order], times=data.times[order], x=data.x[order], u=data.u[order])


def generated(count: int = 400, length: int = 60, seed: int = 0) -> Set:
    """Random walks whose sizes differ by orders of magnitude, one after another."""
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(-2, 4, count)
    walks = sizes[:, None] * (20 + np.cumsum(random.standard_t(4, (count, length)), axis=1))
    rows, times = np.repeat(np.arange(count), length), np.arange(count * length) * 3_600_000_000
    return Set("random walks", "generated", 0, rows, times, walks.reshape(-1, 1), np.zeros((count * length, 0)))


def long_series(sets: list[Set], steps: Sequence[int], preset: str, least: int) -> None:
    """Coverage at every level, a line per target of every long series."""
    print(f"\nseries of {least} values or more: values that move, coverage at {LEVELS} of the steps {steps}")
    kept, total = np.zeros(len(steps), int), np.zeros(len(steps), int)
    for data in sets:
        if len(data.rows) < least:
            continue
        bounds = bounded(data, steps, preset)
        for row in range(int(data.rows.max()) + 1):
            mine = np.flatnonzero(data.rows == row)
            for i in range(data.x.shape[1]):
                line, known = "", mine
                for j, (lower, upper) in enumerate(zip(*bounds, strict=True)):
                    known = mine[np.isfinite(data.x[mine, i]) & np.isfinite(lower[mine, 0, i])]
                    if len(known) < least - steps[j]:
                        continue
                    x = data.x[known, i]
                    cover = [float(np.mean((lower[known, k, i] <= x) & (x <= upper[known, k, i]))) for k in range(3)]
                    kept[j], total[j] = kept[j] + (0.89 <= cover[1] <= 0.91), total[j] + 1
                    line += "   " + " ".join(f"{one:.4f}" for one in cover)
                if line:
                    moving = float(np.mean(np.diff(data.x[known, i]) != 0.0))
                    print(f"{data.name:<18} {i:3d} {moving:6.2f}{line}", flush=True)
    for j, step in enumerate(steps):
        print(f"step {step}: {kept[j]} of {total[j]} within 89 to 91 % at the level of 90 %")


def young_series(sets: list[Set], step: int, preset: str) -> None:
    """Coverage and Winkler score of the 90 % intervals by age of the series."""
    print(f"\n90 % intervals of step {step} by age of the series: coverage, Winkler score over the series' deviation")
    print(" " * 29 + " ".join(f"{f'{a}-{b - 1}' if b < 1 << 60 else f'{a}-':>13}" for a, b in AGES))
    for given in sets:
        if given.rows.max() < 9:
            continue
        for order in ("one by one", "as it is"):
            data = one_after_another(given) if order == "one by one" else given
            lower, upper = (bound[0, :, 1] for bound in bounded(data, [step], preset))
            ages, spread = ages_of(data), gauntlet.spreads(data)
            outside = np.maximum(lower - data.x, 0.0) + np.maximum(data.x - upper, 0.0)
            winkler = (upper - lower + 20.0 * outside) / spread
            line = []
            for first, end in AGES:
                here = (ages >= first) & (ages < end) & np.isfinite(winkler)
                found = (
                    f"{100 * np.mean(outside[here] == 0.0):5.1f} {np.mean(winkler[here]):7.2f}" if here.any() else ""
                )
                line.append(f"{found:>13}")
            print(f"{data.name:<18} {order:<10}" + " ".join(line), flush=True)


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", nargs="?", help="folder with manifest.json and the sets")
    parser.add_argument("--sets", nargs="+", help="names; default: all")
    parser.add_argument("--preset", default="standard", choices=("lite", "standard", "full"))
    parser.add_argument("--half", choices=("dev", "held-out"), help="one half only")
    parser.add_argument("--steps", type=int, nargs="+", default=[1], help="whose intervals are judged; default: 1")
    parser.add_argument("--long", type=int, default=5000, help="values that make a series a long one; default: 5000")
    chosen = parser.parse_args()
    if chosen.folder is None:
        sets = [generated()]
    else:
        manifest = json.loads((chosen.folder / "manifest.json").read_text())
        half = gauntlet.halves(manifest)
        sets = []
        for entry in manifest:
            if (chosen.sets is None or entry["name"] in chosen.sets) and chosen.half in (None, half[entry["name"]]):
                print(f"reading {entry['name']}", file=sys.stderr, flush=True)
                sets.append(gauntlet.read(chosen.folder, entry, half[entry["name"]], None))
    young_series(sets, chosen.steps[0], chosen.preset)
    if chosen.folder is not None:
        long_series(sets, chosen.steps, chosen.preset, chosen.long)


if __name__ == "__main__":
    main()
