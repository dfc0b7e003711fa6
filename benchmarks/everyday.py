"""Many kinds of series, one default: the product against the last value, Holt-Winters and SNARIMAX.

One step ahead, mean absolute error of the median over all events but the first, every series alone through the default
configuration, and the mean's squared error over the last value's. Holt-Winters and SNARIMAX are river's, with the
settings of `streamrnn evaluate` (docs/evaluate.md), their season and Holt-Winters' form chosen in hindsight, in their
favor.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from forecasting import through_the_product
from sources import Float64, Series

from streamrnn.evaluation import baselines
from streamrnn.evaluation.season import season_length

WINDOW = 500


class Row(NamedTuple):
    """One series' mean absolute errors and the coverage of its 90 % intervals."""

    name: str
    group: str
    events: int
    model: float
    persistence: float
    squared: float  # error of the mean over the last value's
    holt_winters: float
    snarimax: float
    coverage: float
    worst_window: float  # lowest coverage of WINDOW events in a row, NaN when there are fewer


def rolling(inside: Float64, window: int = WINDOW) -> float:
    """The lowest share of `window` events in a row."""
    if len(inside) < window:
        return math.nan
    sums = np.concatenate([[0.0], np.cumsum(inside)])
    return float((sums[window:] - sums[:-window]).min() / window)


def score_series(series: Series) -> Row:
    """The row of one series."""
    answers, _, _ = through_the_product(series.times, series.x, {})
    x, expected = series.x[1:], answers.expected_median[1:, 0]
    steps, misses = np.diff(series.x), answers.expected[1:, 0] - x
    inside = ((answers.lower[1:, 0, 0] <= x) & (x <= answers.upper[1:, 0, 0])).astype(float)
    period = season_length(series.times, series.x)
    rival = {
        name: min(baseline(make, series.x) for make in baselines.settings(name, period).values())
        for name in ("holt-winters", "snarimax")
    }
    return Row(
        series.name, series.group, len(series.x), float(np.mean(np.abs(expected - x))),
        float(np.mean(np.abs(steps))), float(np.mean(misses**2) / np.mean(steps**2)),
        rival.get("holt-winters", math.nan), rival.get("snarimax", math.nan),
        float(inside.mean()), rolling(inside),
    )  # fmt: skip


def baseline(make: object, x: Float64) -> float:
    """Mean absolute error of one setting of a baseline."""
    model = baselines.Guarded(make, 1)  # type: ignore[arg-type]
    made = [model.step(value)[0] for value in x.tolist()]
    return float(np.mean(np.abs(np.array(made[:-1]) - x[1:])))


def score_all(found: Sequence[Series], processes: int) -> Iterator[Row]:
    """The rows, in order, as they are done."""
    if processes <= 1:
        yield from map(score_series, found)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(score_series, found)


def table(found: Sequence[Series], processes: int) -> None:
    """Print a line per series, and what they come to."""
    print("\nOne step ahead, mean absolute error relative to the last value's (100); the product's default")
    print(
        f"{'series':<40} {'events':>6} {'streamrnn':>9} {'squared':>7} {'HoltWinters':>11} {'SNARIMAX':>9} "
        f"{'cover':>6} {'worst':>6}"
    )
    rows = []
    for row in score_all(found, processes):
        rows.append(row)
        ratios = [100 * error / row.persistence for error in (row.model, row.holt_winters, row.snarimax)]
        print(
            f"{row.name:<40} {row.events:>6} {ratios[0]:>9.1f} {100 * row.squared:>7.1f} {ratios[1]:>11.1f}"
            f" {ratios[2]:>9.1f} {row.coverage:>6.1%} {row.worst_window:>6.1%}",
            flush=True,
        )
    better = sum(row.model < min(row.holt_winters, row.snarimax) for row in rows)
    worst = max(rows, key=lambda row: row.model / row.persistence)
    long = [row for row in rows if row.events > 5000]
    print(
        f"{len(rows)} series. At worst {worst.model / worst.persistence - 1:+.1%} against the last value "
        f"({worst.name}), in squared error {max(row.squared for row in rows) - 1:+.1%};\nbetter than "
        f"HoltWinters on {sum(r.model < r.holt_winters for r in rows)}, than SNARIMAX on "
        f"{sum(r.model < r.snarimax for r in rows)}, than both on {better} ({better / len(rows):.0%})."
    )
    if long:
        print(
            f"Coverage of 90 % intervals on the {len(long)} over 5,000 events: {min(r.coverage for r in long):.1%} to "
            f"{max(r.coverage for r in long):.1%}; worst {WINDOW} in a row {min(r.worst_window for r in long):.1%}."
        )
