"""How well the forecaster forecasts; docs/accuracy.md explains the tables and holds their last results.

    python benchmarks/accuracy.py --ett ETTh1.csv --nab NAB/    # everything, about half an hour on two cores
    python benchmarks/accuracy.py --quick                       # one seed, short streams, no slow rival
    python benchmarks/accuracy.py changes memory                # some tables; without files: river's and generated ones

Tables: published (ETTh1, the protocol of the published tables), parts (what each part is worth), everyday (many kinds
of series against the last value, Holt-Winters and SNARIMAX), three-steps (deep-river's benchmark), intervals, changes
(of regime), memory (where it is worth something).

ETTh1.csv is a file of the Electricity Transformer Dataset (github.com/zhouhaoyi/ETDataset, CC BY-ND 4.0), NAB/ a folder
of the Numenta Anomaly Benchmark (github.com/numenta/NAB): neither is part of this project.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import behavior
import everyday
import numpy as np
import sources
from forecasting import alone, changed, forecast, through_the_product
from sources import Float64

from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import LRU
from streamrnn.config.tree import Config
from streamrnn.evaluation import baselines
from streamrnn.evaluation.parallel import default_processes
from streamrnn.forecasting.model import ForecastModel

TRAIN, FIRST, LAST = 2880, 3600, 14400
PRESETS = ("lite", "standard", "full")


class Request(NamedTuple):
    """What the user asked for."""

    ett: Path | None
    nab: Path | None
    seeds: int
    quick: bool
    jobs: int
    horizons: Sequence[int]
    presets: Sequence[str]


def squared_error(x: Float64, out: Float64) -> float:
    """The protocol's mean squared error, over all horizon steps; forecasts (rows, horizon, 7)."""
    deviation = x[:TRAIN].std(axis=0)  # the mean cancels
    horizon = out.shape[1]
    errors = [
        np.mean(((out[FIRST - 1 : LAST - horizon, k - 1] - x[FIRST - 1 + k : LAST - horizon + k]) / deviation) ** 2)
        for k in range(1, horizon + 1)
    ]
    return float(np.mean(errors))


def published(request: Request) -> None:
    """Presets by horizon, median over seeds, through the product: forecasts, intervals and anomaly scores."""
    if request.ett is None:
        print("\npublished: needs --ett ETTh1.csv")
        return
    _, times, x = sources.read_ett(request.ett, LAST)
    rival = snarimax_cost(x[:1500, 6])
    print(f"\nETTh1, mean squared error, median of {request.seeds} seeds (lowest - highest)")
    print(f"The cost of a value is that of the whole product beside {rival:.0f} us of river's SNARIMAX(12, 1, 0).")
    print(f"{'horizon':>7} {'preset':<10} {'MSE':>6} {'':<17} {'us/value':>8} {'SNARIMAX/it':>11} {'KiB/value':>9}")
    for horizon in request.horizons:
        print(f"{horizon:>7} {'last value':<10} {squared_error(x, np.repeat(x[:, None], horizon, axis=1)):6.4f}")
        for preset in request.presets:
            errors, costs, size = [], [], 0
            for seed in range(request.seeds):
                settings = {"preset": preset, "horizon": horizon, "seed": seed}
                answers, cost, size = through_the_product(times, x, settings)
                errors.append(squared_error(x, answers.forecast))
                costs.append(cost)
            cost = statistics.median(costs)
            print(
                f"{horizon:>7} {preset:<10} {statistics.median(errors):6.4f} ({min(errors):.4f} - {max(errors):.4f})"
                f" {cost:8.1f} {rival / cost:11.1f} {size / 7 / 1024:9.0f}",
                flush=True,
            )


def snarimax_cost(x: Float64) -> float:
    """Microseconds per value of river's SNARIMAX, median of nine runs: learn one, forecast one."""
    (make,) = baselines.settings("snarimax", 1).values()
    taken = []
    for _ in range(9):  # one alone may fall into a slow moment of the machine
        model = baselines.Guarded(make, 1)
        begin = time.process_time()
        for value in x.tolist():
            model.step(value)
        taken.append((time.process_time() - begin) * 1e6 / len(x))
    return statistics.median(taken)


# --- what each part is worth ------------------------------------------------------------------------------------------

PARTS: dict[str, dict[str, Any]] = {
    "standard": {},
    "no calendar (one 31-day season)": {"seasonality": (31 * sources.DAY,)},
    "no coefficients that depend on the phase": {
        "change": lambda c: changed(c, autoregression=c.autoregression._replace(periodic=False))
    },
    "no autoregression": {"change": lambda c: changed(c, autoregression=c.autoregression._replace(lags=0))},
    "no response to drift alarms": {"change": lambda c: changed(c, drift=c.drift._replace(threshold=0.0))},
    "network frozen as drawn": {"learning_rate": 0.0},
    "hidden state emptied at every event": {"reset": True},
    "truncation 1": {"truncation_length": 1},
    "truncation 16": {"truncation_length": 16},
    "truncation 64": {"truncation_length": 64},
    "update every 4 events": {"update_every": 4},
}
ALONE: dict[str, dict[str, Any]] = {
    "no least squares, mixing, calendar (a GRU)": {"increments": True, "cell": GRU},
    "and no increments": {"increments": False, "cell": GRU},
    "an LRU instead, truncation 1": {"increments": True, "cell": LRU, "truncation": 1},
}


def parts(request: Request) -> None:
    """One part of the forecaster changed at a time."""
    if request.ett is None:
        print("\nparts: needs --ett ETTh1.csv")
        return
    _, times, x = sources.read_ett(request.ett, LAST)
    seeds = min(request.seeds, 3)
    print(f"\nETTh1, horizon 1, standard with one part changed, median of {seeds} seeds")
    errors = {
        name: statistics.median(squared_error(x, forecast(x, times, seed=seed, **part)) for seed in range(seeds))
        for name, part in _told(PARTS)
    }
    scaled = (x - x[:TRAIN].mean(axis=0)) / x[:TRAIN].std(axis=0)
    for name, part in _told({} if request.quick else ALONE):
        made = [alone(scaled, seed, **part) for seed in range(seeds)]
        errors[name] = statistics.median(
            float(np.mean((m[FIRST - 1 : LAST - 1] - scaled[FIRST:LAST]) ** 2)) for m in made
        )
    for name, error in errors.items():
        print(f"{name:<44} {error:.4f} {100 * (error / errors['standard'] - 1):+6.1f} %")


def _told(cases: dict[str, Any]) -> Any:
    for i, (name, case) in enumerate(cases.items(), start=1):
        print(f"  {i}/{len(cases)} {name}", file=sys.stderr, flush=True)
        yield name, case


# --- many series ------------------------------------------------------------------------------------------------------


def series(request: Request) -> list[sources.Series]:
    """All there are; quickly: river's."""
    found = sources.river_series()
    if not request.quick:
        found += sources.nab_series(request.nab) if request.nab is not None else []
        found += sources.ett_series(request.ett) if request.ett is not None else []
    return found


TABLES: dict[str, Callable[[Request], None]] = {
    "published": published,
    "parts": parts,
    "everyday": lambda request: everyday.table(series(request), request.jobs),
    "three-steps": lambda _: behavior.three_steps(),
    "intervals": lambda request: behavior.intervals(series(request)),
    "changes": lambda request: behavior.changes(2 if request.quick else 2 * request.seeds),
    "memory": lambda request: behavior.memory(
        1 if request.quick else min(request.seeds, 3), 8000 if request.quick else 20_000
    ),
}


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)}; default: all")
    parser.add_argument("--ett", type=Path, help="path of ETTh1.csv")
    parser.add_argument("--nab", type=Path, help="folder of the Numenta Anomaly Benchmark's files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--horizons", type=int, nargs="+", help="of `published`; default: 1 24 48, quickly 1")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS, help="of `published`; default: all")
    parser.add_argument("--quick", action="store_true", help="one seed, horizon 1, river's series only")
    parser.add_argument("--jobs", type=int, default=default_processes(), help="processes of the table `everyday`")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.tables if name not in TABLES]
    if unknown:
        parser.error(f"no table {unknown[0]!r}; there are: {', '.join(TABLES)}")
    for path in (chosen.ett, chosen.nab):
        if path is not None and not path.exists():
            parser.error(f"{path} does not exist")
    seeds = 1 if chosen.quick else chosen.seeds
    horizons = chosen.horizons or ((1,) if chosen.quick else (1, 24, 48))
    request = Request(chosen.ett, chosen.nab, seeds, chosen.quick, chosen.jobs, horizons, chosen.presets)
    print("compiling", file=sys.stderr, flush=True)
    ForecastModel(Config()).close()
    through_the_product(np.arange(9), np.arange(9.0), {})
    for name in chosen.tables or TABLES:
        print(f"table {name}", file=sys.stderr, flush=True)
        TABLES[name](request)


if __name__ == "__main__":
    main()
