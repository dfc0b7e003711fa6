"""A day and a week at once: found seasons beside declared ones, and beside a ridge regression fitted in batch.

    python benchmarks/seasons.py                   # generated series, hourly and 5-minutely
    python benchmarks/seasons.py --gauntlet DIR    # and 400 short hourly series, cut from the hourly sets of DIR

Every row holds forecasts of the last `HORIZON` steps of a series, made before the first of them, as forecasting
competitions do, over several series. Errors are in standard deviations of their series: the mean's squared, the
median's absolute. The ridge regression is fitted to each series alone, one regression per step, on all that comes
before: the last 24 values, and the values of a day and a week before the step that is forecast, with their neighbors.
It forecasts a mean, which is what its absolute error is of, too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from gauntlet import read
from sources import HOUR, Float64

from streamrnn.config.tree import Config
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded

HORIZON = 48
LAGS = 24
SHRINKAGE = 1.0  # of the ridge regression, beside standardized values
MINUTE = HOUR // 60
ASKED = (("found", []), ("24h, 7d", ["24h", "7d"]), ("7d, 24h", ["7d", "24h"]))


def generated(day: int, count: int, length: int, seed: int = 0) -> list[Float64]:
    """Series with `day` events a day: another shape on weekends, a level that wanders, noise that remembers."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        begin, t = int(rng.integers(7 * day)), np.arange(length)
        phase = (t + begin) % day / day
        weekend = (t + begin) // day % 7 >= 5
        shapes = [
            sum(rng.normal() / k * np.cos(2 * np.pi * (k * phase + rng.random())) for k in (1, 2, 3)) for _ in range(2)
        ]
        noise, level = np.zeros(length), np.cumsum(rng.normal(size=length)) * 0.3 / np.sqrt(day)
        steps = rng.normal(size=length) * 0.15
        for i in range(1, length):
            noise[i] = 0.7 * noise[i - 1] + steps[i]
        made.append(np.where(weekend, 0.6 * shapes[1] - 0.5, shapes[0]) + level + noise)
    return made


def cut(folder: Path, count: int = 400, seed: int = 0) -> list[Float64]:
    """Pieces of 700 to 1,000 values of the hourly sets, as many of each set's series."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    whole = []
    for entry in manifest:
        if entry["interval_seconds"] == 3600 and entry["season"]:
            data = read(folder, entry, "", None)
            for row in range(int(data.rows.max()) + 1):
                of_row = data.x[data.rows == row]
                whole += [x for x in of_row.T if np.isfinite(x).mean() > 0.99 and len(x) > 1100]
    rng = np.random.default_rng(seed)
    pieces = []
    while len(pieces) < count:
        x = whole[len(pieces) % len(whole)]
        length = int(rng.integers(700, 1001))
        begin = int(rng.integers(len(x) - length))
        piece = x[begin : begin + length]
        if np.isfinite(piece).all() and len(np.unique(piece[:-HORIZON])) > 20:
            pieces.append(piece)
    return pieces


def through_the_product(series: list[Float64], interval: int, settings: dict[str, Any]) -> tuple[Float64, Float64]:
    """Means and medians (series, HORIZON) of what follows each series but its last `HORIZON` values."""
    config = {"event": {"targets": ["v"]}, "model": {"horizon": HORIZON, **settings}}
    model = ForecastModel(Config.model_validate(config))
    # All end at the same moment, as in a fleet that is read live.
    longest = max(map(len, series)) - HORIZON
    events = sorted(
        (longest - (len(x) - HORIZON) + i, key) for key, x in enumerate(series) for i in range(len(x) - HORIZON)
    )
    values = np.array([series[key][moment - longest + len(series[key]) - HORIZON] for moment, key in events])
    try:
        answers = model.process(
            Decoded(
                [f"s{key}" for _, key in events],
                np.array([moment for moment, _ in events]) * interval,
                values[:, None],
                np.zeros((len(values), 0)),
                [],
                [],
            )
        )
    finally:
        model.close()
    return answers.forecast[-len(series) :, :, 0], answers.forecast_median[-len(series) :, :, 0]


def ridge(x: Float64, day: int) -> Float64:
    """(HORIZON,) what one ridge regression per step, fitted to all but the last `HORIZON` values, says of these."""
    known = len(x) - HORIZON
    center, scale = x[:known].mean(), x[:known].std() or 1.0
    z = (x[:known] - center) / scale
    said = np.empty(HORIZON)
    for step in range(1, HORIZON + 1):
        back = []  # how long before the value that is forecast
        for season in (day, 7 * day):
            first = -(-step // season) * season
            back += [first + off for off in (-1, 0, 1) if first + off >= step] + [first + season]
        reach = max(LAGS - 1 + step, *back)
        if reach + 2 * len(back) > known:  # no week fits in
            back = [lag for lag in back if lag < known // 2]
            reach = max(LAGS - 1 + step, *back)
        lags = [*range(step, step + LAGS), *back]
        ends = np.arange(reach, known)
        columns = np.stack([np.ones(len(ends)), *(z[ends - lag] for lag in lags)], axis=1)
        penalty = SHRINKAGE * np.eye(columns.shape[1])
        penalty[0, 0] = 0.0
        weights = np.linalg.solve(columns.T @ columns + penalty, columns.T @ z[ends])
        at = known + step - 1
        said[step - 1] = weights @ np.array([1.0, *(z[at - lag] for lag in lags)])
    return said * scale + center


def errors(series: list[Float64], mean: Float64, median: Float64) -> tuple[float, float]:
    """Squared error of the mean and absolute error of the median, in standard deviations, over series and steps."""
    scale = np.array([[x[:-HORIZON].std()] for x in series])
    truth = np.array([x[-HORIZON:] for x in series])
    return float((((mean - truth) / scale) ** 2).mean()), float(np.abs((median - truth) / scale).mean())


def compare(name: str, series: list[Float64], interval: int, presets: list[str]) -> None:
    """Print one set's rows."""
    day = 24 * HOUR // interval
    batch = np.array([ridge(x, day) for x in series])
    base = errors(series, batch, batch)
    week = np.array([x[-HORIZON - 7 * day : len(x) - 7 * day or None][:HORIZON] for x in series])
    print(f"\n{name}: {len(series)} series")
    print(f"{'':<26} {'squared':>9} {'absolute':>9} {'beside ridge':>16}")
    for label, (squared, absolute) in (("ridge, in batch", base), ("a week before", errors(series, week, week))):
        print(f"{label:<26} {squared:>9.4f} {absolute:>9.4f} {squared / base[0]:>8.3f} {absolute / base[1]:>7.3f}")
    for preset in presets:
        for asked, seasons in ASKED:
            made = through_the_product(series, interval, {"preset": preset, "seasonality": seasons})
            squared, absolute = errors(series, *made)
            row = f"{preset}, {asked}"
            print(f"{row:<26} {squared:>9.4f} {absolute:>9.4f} {squared / base[0]:>8.3f} {absolute / base[1]:>7.3f}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gauntlet", type=Path)
    parser.add_argument("--presets", nargs="+", default=["lite", "standard"])
    asked = parser.parse_args()
    compare("generated, hourly, 8 weeks", generated(24, 40, 8 * 168), HOUR, asked.presets)
    compare("generated, 5-minutely, 5 weeks", generated(288, 20, 5 * 2016), 5 * MINUTE, asked.presets)
    if asked.gauntlet is not None:
        compare("cut from hourly sets, 700 to 1,000 values", cut(asked.gauntlet), HOUR, asked.presets)


if __name__ == "__main__":
    main()
