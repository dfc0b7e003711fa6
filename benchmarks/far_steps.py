"""Every step of the horizon: generated kinds of series, and everyday ones, beside the simplest forecasts.

    python benchmarks/far_steps.py                              # fifty generated kinds, see kinds.py
    python benchmarks/far_steps.py --kinds sawtooth "day,"      # those whose names begin so
    python benchmarks/far_steps.py --nab NAB/ --ett ETTh1.csv   # the promise: these and river's, over the last value

Each series alone goes through the product. First form: squared error of the mean and absolute error of the median over
those of the best, in hindsight and for that kind, step and loss, of the last value, the running mean, the running
median, a line through the last 200 values and, where there is a season, the seasonal naive forecast; then the share of
values within the 90 % interval. Errors of a thousandth of the series' deviation count as none. Second form: the same
errors over the last value's, and how many series and steps are behind it by more than 3 % in squared or 2 % in
absolute error. Any mean or median outside of its interval, and any interval that does not hold one of a lower level,
is an error of the run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sources
from forecasting import through_the_product
from kinds import EVENTS, Kind, kinds
from sources import Float64, Series

from streamrnn.forecasting.answers import Answers

LINE = 200  # values
LEVELS = (0.9, 0.5, 0.99)
SQUARED, ABSOLUTE = 1.03, 1.02  # what may be lost to the last value


def filled(x: Float64) -> Float64:
    """Values with the last one before in place of those missing."""
    at = np.maximum.accumulate(np.where(np.isnan(x), 0, np.arange(len(x))))
    values: Float64 = x[at]
    return values


def simple_forecasts(x: Float64, step: int, season: int) -> dict[str, Float64]:
    """By name, forecasts (events,) of the value `step` events later."""
    n, last = len(x), filled(x)
    count = np.maximum(np.cumsum(~np.isnan(x)), 1)
    mean = np.cumsum(np.nan_to_num(x)) / count
    middle = np.array([np.nanmedian(x[: t + 1]) for t in range(n)])
    line = last.copy()
    for t in range(4, n):
        m = min(t + 1, LINE)
        age = np.arange(m) - (m - 1)
        slope = float(np.polyfit(age, last[t - m + 1 : t + 1], 1)[0])
        line[t] = last[t - m + 1 : t + 1].mean() + slope * (step - age.mean())
    found = {"last": last, "mean": mean, "median": middle, "line": line}
    if season:
        back = -(-step // season) * season - step
        seasonal = last.copy()
        seasonal[back:] = last[: n - back]
        found["season"] = seasonal
    return found


def answers_of(series: Series | Kind, horizon: int, preset: str) -> Answers:
    """What the product says, checked: mean and median within every interval, and a level within the higher ones."""
    settings = {"horizon": horizon, "preset": preset, "levels": list(LEVELS)}
    answers, _, _ = through_the_product(series.times, series.x, settings)
    lower, upper = answers.forecast_lower[..., 0], answers.forecast_upper[..., 0]
    known = np.isfinite(answers.forecast[..., 0])
    for level in range(len(LEVELS)):
        for made in (answers.forecast[..., 0], answers.forecast_median[..., 0]):
            if np.any(known & ((made < lower[:, level]) | (made > upper[:, level]))):
                raise SystemExit(f"{series.name}: a forecast is outside of its interval of level {LEVELS[level]}")
        for other in range(len(LEVELS)):
            if LEVELS[other] < LEVELS[level] and np.any(
                known & ((lower[:, other] < lower[:, level]) | (upper[:, other] > upper[:, level]))
            ):
                raise SystemExit(f"{series.name}: level {LEVELS[level]} does not hold level {LEVELS[other]}")
    return answers


def errors_of(answers: Answers, x: Float64, step: int, first: int) -> tuple[Float64, Float64, Float64, Float64, float]:
    """Origins from `first` on that can be scored, what came, mean, median, and the coverage at 90 %."""
    origins = np.arange(first, len(x) - step)
    origins = origins[np.isfinite(x[origins + step]) & np.isfinite(answers.forecast[origins, step - 1, 0])]
    came = x[origins + step]
    lower, upper = (one[origins, 0, step - 1, 0] for one in (answers.forecast_lower, answers.forecast_upper))
    inside = float(np.mean((lower <= came) & (came <= upper))) if len(came) else float("nan")
    return origins, came, answers.forecast[origins, step - 1, 0], answers.forecast_median[origins, step - 1, 0], inside


def generated(chosen: Sequence[Kind], steps: Sequence[int], preset: str, first: int) -> None:
    """A line per kind, and the halves."""
    print(f"{'kind':<32}{'half':<9}" + "".join(f"{f'step {k}':>13}" for k in steps) + "   within 90 %, by step")
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for kind in chosen:
        answers = answers_of(kind, max(steps), preset)
        deviation = float(np.nanstd(kind.x)) or 1.0
        pairs, cover = [], []
        for step in steps:
            origins, came, mean, median, inside = errors_of(answers, kind.x, step, first)
            simple = [made[origins] - came for made in simple_forecasts(kind.x, step, kind.season).values()]
            least = (1e-3 * deviation) ** 2, 1e-3 * deviation
            squared = (float(np.mean((mean - came) ** 2)) + least[0]) / (
                min(float(np.mean(error**2)) for error in simple) + least[0]
            )
            absolute = (float(np.mean(np.abs(median - came))) + least[1]) / (
                min(float(np.mean(np.abs(error))) for error in simple) + least[1]
            )
            pairs.append((squared, absolute))
            cover.append(inside)
        found.setdefault(kind.half, []).append(pairs)
        line = "".join(f"{squared:7.2f} {absolute:5.2f}" for squared, absolute in pairs)
        print(f"{kind.name:<32}{kind.half:<9}{line}   " + " ".join(f"{100 * one:3.0f}" for one in cover), flush=True)
    for half in sorted(found):
        ratios = np.array(found[half])  # (kinds, steps, losses)
        for title, values in (
            ("geometric mean", np.exp(np.log(ratios).mean(axis=0))),
            ("worst", ratios.max(axis=0)),
            ("above 1.1", (ratios > 1.1).sum(axis=0)),
        ):
            print(f"{title:<32}{half:<9}" + "".join(f"{squared:7.2f} {absolute:5.2f}" for squared, absolute in values))


def everyday(series: Sequence[Series], steps: Sequence[int], preset: str) -> None:
    """A line per series: errors over the last value's."""
    print(f"{'series':<36}{'half':<9}" + "".join(f"{f'step {k}':>13}" for k in steps) + "   within 90 %, by step")
    found: dict[str, list[tuple[float, float, str]]] = {}
    for i, one in enumerate(series):
        answers = answers_of(one, max(steps), preset)
        line, cover, half = "", "", ("dev", "held-out")[i % 2]
        for step in steps:
            origins, came, mean, median, inside = errors_of(answers, one.x, step, 0)
            last = one.x[origins]
            squared = float(np.mean((mean - came) ** 2) / np.mean((last - came) ** 2))
            absolute = float(np.mean(np.abs(median - came)) / np.mean(np.abs(last - came)))
            found.setdefault(half, []).append((squared, absolute, f"{one.name}, step {step}"))
            line, cover = line + f"{squared:7.3f} {absolute:5.3f}", cover + f" {100 * inside:5.1f}"
        print(f"{one.name:<36}{half:<9}{line}  {cover}", flush=True)
    for half, ratios in found.items():
        squares, absolutes = np.array([one[0] for one in ratios]), np.array([one[1] for one in ratios])
        print(
            f"{half}: of {len(ratios)} series and steps {np.sum(squares > SQUARED)} above {SQUARED} in squared error, "
            f"{np.sum(absolutes > ABSOLUTE)} above {ABSOLUTE} in absolute error; at worst {squares.max():.3f} "
            f"({ratios[int(squares.argmax())][2]}) and {absolutes.max():.3f} ({ratios[int(absolutes.argmax())][2]}); "
            f"geometric means {np.exp(np.log(squares).mean()):.4f}, {np.exp(np.log(absolutes).mean()):.4f}"
        )


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", help="of the kinds 1 2 6 12 24 48 96, everyday 1 2 ... 24")
    parser.add_argument("--preset", default="standard", choices=("lite", "standard", "full"))
    parser.add_argument("--kinds", nargs="+", metavar="NAME", help="kinds whose names begin so; default: all")
    parser.add_argument("--half", choices=("dev", "held-out"), help="one half only")
    parser.add_argument("--seed", type=int, default=0, help="of the generated kinds")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"of each kind; default: {EVENTS}")
    parser.add_argument("--first", type=int, default=300, help="first event of a kind whose forecasts are scored")
    parser.add_argument("--nab", type=Path, help="folder of the Numenta Anomaly Benchmark's files: the second form")
    parser.add_argument("--ett", type=Path, help="path of ETTh1.csv: the second form")
    chosen = parser.parse_args()
    if chosen.nab is None and chosen.ett is None:
        found = [
            kind
            for kind in kinds(chosen.seed, chosen.events)
            if (chosen.kinds is None or kind.name.startswith(tuple(chosen.kinds))) and chosen.half in (None, kind.half)
        ]
        if not found:
            sys.exit("no kind begins so: see benchmarks/kinds.py")
        generated(found, chosen.steps or (1, 2, 6, 12, 24, 48, 96), chosen.preset, chosen.first)
        return
    series = sources.river_series()
    series += sources.nab_series(chosen.nab) if chosen.nab is not None else []
    series += sources.ett_series(chosen.ett) if chosen.ett is not None else []
    everyday(series, chosen.steps or (1, 2, 3, 4, 6, 8, 12, 16, 20, 24), chosen.preset)


if __name__ == "__main__":
    main()
