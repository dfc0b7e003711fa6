"""What a user relies on besides one-step errors: several steps, intervals, recovery after changes, memory."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import sources
from everyday import WINDOW, rolling
from forecasting import changed, forecast, through_the_product
from river import datasets, evaluate, metrics
from sources import Float64, Series

import streamrnn

LEVELS = (0.9, 0.5, 0.99)
THREE_STEPS = {"AirlinePassengers": datasets.AirlinePassengers, "TrumpApproval": datasets.TrumpApproval}


# --- deep-river's benchmark -------------------------------------------------------------------------------------------


def three_steps() -> None:
    """AirlinePassengers and TrumpApproval, three steps ahead.

    River's `evaluate.evaluate` asks for a forecast before it teaches the value of the same row, and holds it against
    the three values after that row: steps 2, 3 and 4 of what was known. The published numbers are of those steps. It
    also hands over the other columns of the rows asked for: months in the one series, polls in the other.
    """
    print("\nThree steps ahead, mean absolute error over the steps (the last value's in brackets)")
    print(f"{'series':<20} {'steps 1 to 3':>20} {'steps 2 to 4':>20} {'evaluate.evaluate':>18}")
    for series in sources.river_series():
        if series.name not in THREE_STEPS:
            continue
        answers, _, _ = through_the_product(series.times, series.x, {"horizon": 4})
        cells = []
        for steps in ((1, 2, 3), (2, 3, 4)):
            made = [step_error(answers.forecast[:, k - 1, 0], series.x, k) for k in steps]
            last = [step_error(series.x, series.x, k) for k in steps]
            cells.append(f"{np.mean(made):.4g} ({np.mean(last):.4g})")
        by_river = evaluate.evaluate(
            THREE_STEPS[series.name](), streamrnn.RNNForecaster(horizon=3), metrics.MAE(), horizon=3
        )
        cells.append(f"{statistics.mean(by_river.get()):.4g}")
        print(f"{series.name:<20} {cells[0]:>20} {cells[1]:>20} {cells[2]:>18}", flush=True)


def step_error(forecasts: Float64, x: Float64, step: int) -> float:
    """Mean absolute error of forecasts made `step` events before each value; the first three are left out."""
    return float(np.mean(np.abs(forecasts[3:-step] - x[3 + step :])))


# --- intervals --------------------------------------------------------------------------------------------------------


def intervals(found: Sequence[Series]) -> None:
    """Coverage of three levels, the worst stretch, and the Winkler score beside a static split's.

    The static split takes the (1 - level) / 2 quantiles of the same forecasts' residuals in the first fifth of the
    series and keeps them; both are scored on the rest. Series under 1,000 events are left out.
    """
    print(f"\nIntervals of one step; worst: lowest coverage of {WINDOW} events in a row, 90 %")
    print(f"{'series':<40} {'50 %':>6} {'90 %':>6} {'99 %':>6} {'worst':>6} {'Winkler / static':>17}")
    ratios = []
    for series in found:
        if len(series.x) < 1000:
            continue
        answers, _, _ = through_the_product(series.times, series.x, {"levels": list(LEVELS)})
        x = series.x[1:]
        lower, upper = answers.lower[1:, :, 0], answers.upper[1:, :, 0]
        inside = (lower <= x[:, None]) & (x[:, None] <= upper)
        ninety, half, most = inside.mean(axis=0)
        cut = len(x) // 5
        residuals = x - answers.expected[1:, 0]
        low, high = np.quantile(residuals[:cut], [0.05, 0.95])
        own = winkler(x[cut:], lower[cut:, 0], upper[cut:, 0])
        static = winkler(residuals[cut:], np.full(len(x) - cut, low), np.full(len(x) - cut, high))
        ratios.append(own / static)
        print(
            f"{series.name:<40} {half:>6.1%} {ninety:>6.1%} {most:>6.1%} {rolling(inside[:, 0].astype(float)):>6.1%}"
            f" {own / static:>17.3f}",
            flush=True,
        )
    print(f"Winkler score beside a static split's: median {statistics.median(ratios):.3f}, better on "
          f"{sum(ratio < 1 for ratio in ratios)} of {len(ratios)}, by 5 % or more on "
          f"{sum(ratio <= 0.95 for ratio in ratios)}.")  # fmt: skip


def winkler(x: Float64, lower: Float64, upper: Float64, level: float = 0.9) -> float:
    """Mean Winkler score (Winkler 1972)."""
    beyond = np.maximum(lower - x, 0.0) + np.maximum(x - upper, 0.0)
    return float(np.mean(upper - lower + 2.0 / (1.0 - level) * beyond))


# --- changes of regime ------------------------------------------------------------------------------------------------


def changes(seeds: int, events: int = 3000, width: int = 25) -> None:
    """How soon the error is back within 20 % of its later level, and how much more was lost until then.

    `adapting` is the default, `deaf` ignores drift alarms, `frozen` has stopped learning when the change comes: only
    its seasonal tables, levels and mixtures go on.
    """
    print(f"\nChanges after {events:,} events: mean absolute error relative to its later level; {seeds} seeds")
    print(f"{'change':<10} {'':<10} {'back within 20 % after':>22} {'excess of 300 events':>21}")
    cases: dict[str, dict[str, Any]] = {
        "adapting": {},
        "deaf": {"change": lambda c: changed(c, drift=c.drift._replace(threshold=0.0))},
        "frozen": {"frozen_after": events},
    }
    for kind in ("level", "variance", "period", "dynamics"):
        made = [
            (x, {name: forecast(x, seed=seed, **case) for name, case in cases.items()})
            for seed, x in ((seed, sources.changing(kind, seed, events)) for seed in range(seeds))
        ]
        for name in cases:
            errors = [np.abs(out[name][:-1, 0, 0] - x[1:]) for x, out in made]
            curve = np.mean([e[events - 1 : events + 599].reshape(-1, width).mean(axis=1) for e in errors], axis=0)
            curve = curve / np.mean([np.abs(out["adapting"][-1001:-1, 0, 0] - x[-1000:]).mean() for x, out in made])
            back = next((k for k in range(len(curve) - 2) if (curve[k : k + 3] <= 1.2).all()), None)
            after = f"{width * back} events" if back is not None else "over 550 events"
            excess = width * float(np.sum(curve[: 300 // width] - 1))
            print(f"{kind:<10} {name:<10} {after:>22} {excess:>21.0f}", flush=True)


# --- where memory matters ---------------------------------------------------------------------------------------------


def memory(seeds: int, events: int = 20_000) -> None:
    """Hidden regimes, with and without recurrence, by how long they last."""
    gaps = (20, 50, 100)
    print(f"\nHidden regimes (noise floor .09, variance 1.09), mean squared error of the second half, {seeds} seeds")
    print(f"{'events between switches':<44} {'  '.join(f'{gap:>6}' for gap in gaps)}")
    cases: dict[str, dict[str, Any]] = {
        "standard": {},
        "hidden state emptied at every event": {"reset": True},
        "network frozen as drawn": {"learning_rate": 0.0},
        "truncation 1": {"truncation_length": 1},
        "truncation 16": {"truncation_length": 16},
        "lite": {"preset": "lite"},
    }
    for name, case in cases.items():
        errors = []
        for gap in gaps:
            found = []
            for seed in range(seeds):
                x, u = sources.hidden_regimes(seed, events, gap)
                out = forecast(x, np.arange(events) * 1_000_000, u, seed=seed, **case)
                half = events // 2
                found.append(float(np.mean((out[half - 1 : -1, 0, 0] - x[half:]) ** 2)))
            errors.append(statistics.median(found))
        print(f"{name:<44} {'  '.join(f'{error:6.3f}' for error in errors)}", flush=True)
