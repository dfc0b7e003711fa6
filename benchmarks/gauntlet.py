"""One default over many sets: squared error of the mean, absolute error of the median, beside simple forecasters.

    python benchmarks/gauntlet.py DIR                       # every set, both halves
    python benchmarks/gauntlet.py DIR --events 4000         # the first events of each set only
    python benchmarks/gauntlet.py DIR --presets lite --sets car_parts pulse_wave
    python benchmarks/gauntlet.py DIR --young               # fleets half of which joins late, by age of the series
    python benchmarks/gauntlet.py DIR --ahead 24            # steps 2 to 24 over the last value, sets with a season

DIR holds CSV files (gzip or plain; `time`, targets, features, maybe a key) and `manifest.json`, a list of objects with
`name`, `file`, `domain`, `targets`, `features`, `key` (null: one series) and `season` (events, 0: none). The project
holds no such data. Defaults are to be chosen on the half `dev` and reported on both: within every domain the sets are
dealt out in the manifest's order, one to `dev`, the next to `held-out`.

Every value is forecast one step ahead before it is seen. Errors are divided by the standard deviation of their series
and averaged over a set. A set's score is that average over the best, in hindsight and per set, of the last value, the
seasonal naive forecast and least squares with 24 lags. Halves are summed up by geometric means.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sources import Float64, Int64

from streamrnn.forecasting import forecaster
from streamrnn.kernels.jit import kernel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGES = ((1, 20), (20, 50), (50, 100), (100, 200), (200, 400), (400, 1 << 60))
REFERENCES = ("last value", "seasonal naive", "least squares")


class Set(NamedTuple):
    """The events of one set in the order of the file."""

    name: str
    half: str  # dev or held-out
    season: int  # events, 0: none
    rows: Int64  # (events,) number of each event's series
    times: Int64  # (events,) microseconds since 1970
    x: Float64  # (events, targets), NaN where missing
    u: Float64  # (events, features)


def halves(manifest: list[dict[str, Any]]) -> dict[str, str]:
    """Which half every set belongs to: turn and turn about within its domain."""
    dealt: dict[str, int] = {}
    half = {}
    for entry in manifest:
        turn = dealt[entry["domain"]] = dealt.get(entry["domain"], -1) + 1
        half[entry["name"]] = ("dev", "held-out")[turn % 2]
    return half


def read(folder: Path, entry: dict[str, Any], half: str, most: int | None) -> Set:
    """The first `most` events of a set."""
    path = folder / entry["file"]
    numbers: dict[str, int] = {}
    rows, times, x, u = [], [], [], []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for i, line in enumerate(csv.DictReader(file)):
            if i == most:
                break
            rows.append(numbers.setdefault(line[entry["key"]] if entry["key"] else "", len(numbers)))
            moment = datetime.fromisoformat(line["time"])
            times.append((moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // (EPOCH.resolution))
            x.append([_number(line[name]) for name in entry["targets"]])
            u.append([_number(line[name]) for name in entry["features"]])
    events = len(rows)
    return Set(
        entry["name"], half, int(entry["season"] or 0), np.array(rows), np.array(times),
        np.array(x).reshape(events, -1), np.array(u).reshape(events, -1),
    )  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@kernel
def _run(
    config: Any, shared: Any, series: Any, scratch: Any, rows: Any, times: Any, x: Any, u: Any, mean: Any, median: Any,
    steps: Any, medians: Any,
) -> None:  # fmt: skip
    """What was forecast for every event before it was seen, mean and median (events, targets); NaN for the first."""
    for t in range(times.size):
        row = rows[t]
        for i in range(x.shape[1]):
            mean[t, i], median[t, i] = steps[row, 0, i], medians[row, 0, i]
        forecaster.observe(config, shared, series, scratch, row, times[t], x[t], u[t], steps[row], medians[row])


def forecast(data: Set, seed: int = 0, **settings: Any) -> tuple[Float64, Float64]:
    """Means and medians (events, targets) of the forecaster alone, all series in one partition."""
    config = forecaster.forecaster_config(targets=data.x.shape[1], features=data.u.shape[1], **settings)
    count = int(data.rows.max()) + 1
    shared, series, scratch = forecaster.allocate(config, count, seed)
    mean, median = np.empty_like(data.x), np.empty_like(data.x)
    steps = np.full((count, config.horizon, data.x.shape[1]), np.nan)
    _run(
        config, shared, series, scratch, data.rows, data.times, data.x, data.u, mean, median, steps, steps.copy()
    )  # fmt: skip
    return mean, median


@kernel
def _refer(
    rows: Any, x: Any, season: int, lags: int, ring: Any, seen: Any, w: Any, p: Any, phi: Any, gain: Any, out: Any
) -> None:
    """Last value, seasonal naive (last value where it is not known) and least squares over `lags` values."""
    m, forgetting = lags + 1, 0.9995
    room = ring.shape[2]
    for t in range(rows.size):
        s = rows[t]
        for i in range(x.shape[1]):
            n = seen[s, i]
            if n > 0:
                last = ring[s, i, (n - 1) % room]
                out[0, t, i] = last
                out[1, t, i] = ring[s, i, (n - season) % room] if 0 < season <= n else last
                out[2, t, i] = last
                unit = w[s, i, m]
                if unit > 0.0:
                    total = 0.0
                    for k in range(m):
                        total += w[s, i, k] * phi[s, i, k]
                    out[2, t, i] = last + max(-8.0, min(8.0, total)) * unit
            value = x[t, i]
            if np.isnan(value):
                value = out[2, t, i]
                if np.isnan(value):
                    continue
            elif n > 0:
                unit = w[s, i, m]
                step = value - ring[s, i, (n - 1) % room]
                if unit > 0.0:
                    y = max(-8.0, min(8.0, step / unit))
                    q = 0.0
                    for j in range(m):
                        total = 0.0
                        for k in range(m):
                            total += p[s, i, j, k] * phi[s, i, k]
                        gain[j] = total
                        q += total * phi[s, i, j]
                        y -= w[s, i, j] * phi[s, i, j]
                    trace = 0.0
                    for j in range(m):
                        w[s, i, j] += y * gain[j] / (forgetting + q)
                        trace += p[s, i, j, j]
                    shrink = min(1.0, m / trace) if trace > 0.0 else 1.0
                    for j in range(m):
                        for k in range(m):
                            less = gain[j] * gain[k] / (forgetting + q)
                            p[s, i, j, k] = (p[s, i, j, k] - less) / forgetting * shrink
                square = w[s, i, m] * w[s, i, m]
                rate = max(1.0 / n, 0.0005)
                w[s, i, m] = np.sqrt(square + rate * (step * step - square))
            ring[s, i, n % room] = value
            seen[s, i] = n + 1
            unit = w[s, i, m]
            phi[s, i, 0] = 1.0
            for k in range(lags):
                phi[s, i, 1 + k] = 0.0
                if unit > 0.0 and k + 2 <= n + 1:
                    step = (ring[s, i, (n - k) % room] - ring[s, i, (n - k - 1) % room]) / unit
                    phi[s, i, 1 + k] = max(-8.0, min(8.0, step))


def references(data: Set, lags: int = 24) -> Float64:
    """Forecasts (REFERENCES, events, targets) of what the forecaster is held against."""
    events, targets = data.x.shape
    count, m = int(data.rows.max()) + 1, lags + 1
    out = np.full((len(REFERENCES), events, targets), np.nan)
    p = np.broadcast_to(0.1 * np.eye(m), (count, targets, m, m)).copy()
    room = max(data.season, lags + 2)
    _refer(
        data.rows, data.x, data.season, lags, np.full((count, targets, room), np.nan),
        np.zeros((count, targets), np.int64), np.zeros((count, targets, m + 1)), p, np.zeros((count, targets, m)),
        np.zeros(m), out,
    )  # fmt: skip
    return out


def spreads(data: Set) -> Float64:
    """Standard deviation of the series that an event belongs to, (events, targets); NaN where it is constant."""
    spread = np.full_like(data.x, np.nan)
    for row in range(int(data.rows.max()) + 1):
        mine = data.rows == row
        for i in range(data.x.shape[1]):
            values = data.x[mine, i]
            known = values[~np.isnan(values)]
            if len(known) > 1 and known.std() > 1e-12 * max(1.0, float(np.abs(known).max())):
                spread[mine, i] = known.std()
    return spread


class Score(NamedTuple):
    """Of one set: errors over those of the best reference, and the references' own errors."""

    squared: float
    absolute: float
    squares: list[float]  # per reference
    absolutes: list[float]


def score(data: Set, mean: Float64, median: Float64, refer: Float64) -> Score:
    """Over all values that everybody has forecast."""
    spread = spreads(data)
    known = np.isfinite(data.x) & np.isfinite(mean) & np.isfinite(median) & np.isfinite(spread)
    known &= np.isfinite(refer).all(axis=0)

    def errors(made: Float64) -> Float64:
        scaled: Float64 = (made[known] - data.x[known]) / spread[known]
        return scaled

    squares = [float(np.mean(errors(one) ** 2)) for one in refer]
    absolutes = [float(np.mean(np.abs(errors(one)))) for one in refer]
    squared, absolute = float(np.mean(errors(mean) ** 2)), float(np.mean(np.abs(errors(median))))
    return Score(squared / min(squares), absolute / min(absolutes), squares, absolutes)


def late(data: Set) -> Set:
    """The same series, every second of which begins when the others are over."""
    order = np.argsort(data.rows % 2, kind="stable")
    return data._replace(rows=data.rows[order], times=data.times[order], x=data.x[order], u=data.u[order])


def by_age(data: Set, made: Float64) -> list[float]:
    """Absolute error over the last value's of the series that joined late, per bin of `AGES`; NaN: none."""
    last, ages = np.full_like(data.x, np.nan), np.zeros(data.x.shape, np.int64)
    for row in range(1, int(data.rows.max()) + 1, 2):
        mine = np.flatnonzero(data.rows == row)
        for i in range(data.x.shape[1]):
            here = mine[~np.isnan(data.x[mine, i])]
            last[here[1:], i] = data.x[here[:-1], i]
            ages[here, i] = np.arange(len(here))
    spread = spreads(data)
    known = np.isfinite(last) & np.isfinite(made) & np.isfinite(spread)
    found = []
    for first, end in AGES:
        here = known & (ages >= first) & (ages < end)
        error, other = (np.abs(one[here] - data.x[here]) / spread[here] for one in (made, last))
        found.append(float(error.sum() / other.sum()) if other.sum() > 0 else float("nan"))
    return found


def geometric(values: list[float]) -> float:
    """Their geometric mean."""
    return float(np.exp(np.mean(np.log(values)))) if values else float("nan")


def compare(sets: list[Set], preset: str, seed: int) -> None:
    """One line per set, and the halves."""
    print(f"\n{preset}: squared error of the mean, absolute error of the median, over the best reference's")
    print(f"{'set':<18} {'half':<9} {'mean':>6} {'median':>6}   best references (squared, absolute)   us a value")
    found: list[tuple[str, Score]] = []
    for data in sets:
        begin = time.process_time()
        mean, median = forecast(data, seed, preset=preset)
        cost = (time.process_time() - begin) * 1e6 / data.x.size
        one = score(data, mean, median, references(data))
        found.append((data.half, one))
        best = " ".join(f"{REFERENCES[int(np.argmin(each))]:<15}" for each in (one.squares, one.absolutes))
        print(
            f"{data.name:<18} {data.half:<9} {one.squared:6.3f} {one.absolute:6.3f}   {best} {cost:13.1f}", flush=True
        )
    for half in ("dev", "held-out", ""):
        chosen = [one for where, one in found if half in ("", where)]
        squared, absolute = geometric([one.squared for one in chosen]), geometric([one.absolute for one in chosen])
        print(f"{half or 'both':<28} {squared:6.4f} {absolute:6.4f}   geometric means of {len(chosen)} sets")


@kernel
def _run_ahead(
    config: Any, shared: Any, series: Any, scratch: Any, rows: Any, times: Any, x: Any, u: Any, mean: Any, median: Any
) -> None:
    """Forecasts (events, horizon, targets) after each event."""
    for t in range(times.size):
        forecaster.observe(config, shared, series, scratch, rows[t], times[t], x[t], u[t], mean[t], median[t])


def score_ahead(data: Set, horizon: int, seed: int, **settings: Any) -> tuple[float, float]:
    """Squared error of the mean and absolute error of the median at steps 2.., over those of the last value."""
    config = forecaster.forecaster_config(
        targets=data.x.shape[1], features=data.u.shape[1], horizon=horizon, **settings
    )
    shared, series, scratch = forecaster.allocate(config, int(data.rows.max()) + 1, seed)
    made = np.full((2, len(data.x), horizon, data.x.shape[1]), np.nan)
    _run_ahead(config, shared, series, scratch, data.rows, data.times, data.x, data.u, made[0], made[1])
    spread, sums = spreads(data), np.zeros(4)
    for row in range(int(data.rows.max()) + 1):
        mine = np.flatnonzero(data.rows == row)
        for k in range(2, horizon + 1):
            origins, values = mine[:-k], mine[k:]
            came, last = data.x[values], data.x[origins]
            mean, median = made[0, origins, k - 1], made[1, origins, k - 1]
            known = np.isfinite(came) & np.isfinite(last) & np.isfinite(mean) & np.isfinite(spread[values])
            unit = spread[values][known]
            for j, error in enumerate((mean - came, last - came, median - came, last - came)):
                scaled = error[known] / unit
                sums[j] += np.sum(scaled**2 if j < 2 else np.abs(scaled))
    return float(sums[0] / sums[1]), float(sums[2] / sums[3])


def compare_ahead(sets: list[Set], preset: str, seed: int, horizon: int) -> None:
    """Far steps: one line per set, and the halves."""
    print(f"\n{preset}: steps 2 to {horizon}, errors over the last value's: mean, squared; median, absolute")
    print(f"{'set':<18} {'half':<9} {'mean':>6} {'median':>6}   us a value")
    found = []
    for data in sets:
        if data.season == 0:
            continue
        begin = time.process_time()
        squared, absolute = score_ahead(data, horizon, seed, preset=preset)
        cost = (time.process_time() - begin) * 1e6 / data.x.size
        found.append((data.half, squared, absolute))
        print(f"{data.name:<18} {data.half:<9} {squared:6.3f} {absolute:6.3f} {cost:12.1f}", flush=True)
    for half in ("dev", "held-out", ""):
        chosen = [one for one in found if half in ("", one[0])]
        squared, absolute = geometric([one[1] for one in chosen]), geometric([one[2] for one in chosen])
        print(f"{half or 'both':<28} {squared:6.4f} {absolute:6.4f}   geometric means of {len(chosen)} sets")


def compare_young(sets: list[Set], preset: str, seed: int) -> None:
    """Series that join a partition which has learned, by their age."""
    print(f"\n{preset}: absolute error over the last value's, series that join late, by age: mean | median")
    print(" " * 18 + " ".join(f"{f'{a}-{b}' if b < 1 << 60 else f'{a}-':>7}" for a, b in AGES))
    for data in sets:
        if data.rows.max() < 9:
            continue
        shuffled = late(data)
        ages = [by_age(shuffled, made) for made in forecast(shuffled, seed, preset=preset)]
        print(f"{data.name:<18}" + " | ".join(" ".join(f"{one:7.3f}" for one in each) for each in ages), flush=True)


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with manifest.json and the sets")
    parser.add_argument("--events", type=int, help="events read of each set, at most; default: all")
    parser.add_argument("--sets", nargs="+", help="names; default: all")
    parser.add_argument("--half", choices=("dev", "held-out"), help="one half only")
    parser.add_argument("--presets", nargs="+", default=["standard"], choices=("lite", "standard", "full"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ahead", type=int, metavar="STEPS", help="steps 2 to STEPS instead, of sets with a season")
    parser.add_argument("--young", action="store_true", help="series that join late instead, by age")
    chosen = parser.parse_args()
    manifest = json.loads((chosen.folder / "manifest.json").read_text())
    half = halves(manifest)
    sets = []
    for entry in manifest:
        if (chosen.sets is None or entry["name"] in chosen.sets) and chosen.half in (None, half[entry["name"]]):
            print(f"reading {entry['name']}", file=sys.stderr, flush=True)
            sets.append(read(chosen.folder, entry, half[entry["name"]], chosen.events))
    for preset in chosen.presets:
        if chosen.ahead:
            compare_ahead(sets, preset, chosen.seed, chosen.ahead)
            continue
        (compare_young if chosen.young else compare)(sets, preset, chosen.seed)


if __name__ == "__main__":
    main()
