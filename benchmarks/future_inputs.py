"""What it is worth to know a feature ahead, beside not knowing it and beside a ridge regression refitted every day.

    python benchmarks/future_inputs.py DIR                         # vic_demand and bike_sharing
    python benchmarks/future_inputs.py DIR --sets metro_traffic    # sets of DIR with features; docs: gauntlet.py
    python benchmarks/future_inputs.py DIR --boosted               # beside them gradient-boosted trees, too
    python benchmarks/future_inputs.py DIR --noise                 # beside the features, one that is noise

Every value is forecast STEPS ahead before it is seen, twice: with the features of now, and with the features of the
steps to come, taken from the rows to come (as if they had been forecast without error). Errors of both and of the ridge
regression, with the same two kinds of inputs, are over the error without what is known ahead; the first 2,000 rows are
not counted.

The ridge regression is one per step, on the last 24 steps, the values one and two whole days and weeks before the step
that is forecast, dummies of the time of day on working days and weekends, and of every feature its value and square
now, both of them also times sine and cosine of the day; with what is known ahead the same at the step that is forecast
and a whole day before it. At the end of each day it is fitted to all rows so far, of which older ones count less (.9996
a row).

The gradient-boosted trees (scikit-learn's HistGradientBoostingRegressor as it comes), one model per step, have the same
lags, days and weeks before, time of day, weekday, and the features now; with what is known ahead also at the step and a
whole day before it. Every 28 days they are fitted anew to all rows so far.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from gauntlet import Set, _run_ahead, read
from sources import Float64

from streamrnn.forecasting import forecaster

FIRST = 2000
FORGETTING, SHRINKAGE, LAGS = 0.9996, 1.0, 24
DAY = 86_400_000_000
REFITTED = 28  # days between two fits of the trees


def with_future(u: Float64, horizon: int) -> Float64:
    """The features, and of each in turn what they are in the `horizon` rows to come."""
    table = np.full((len(u), u.shape[1] * (1 + horizon)), np.nan)
    table[:, : u.shape[1]] = u
    for j in range(u.shape[1]):
        for k in range(1, horizon + 1):
            table[: len(u) - k, u.shape[1] + j * horizon + k - 1] = u[k:, j]
    return table


def forecasts(data: Set, horizon: int, ahead: int, preset: str) -> tuple[Float64, Float64]:
    """Means and medians (events, horizon) of the first target; the first `ahead` features are known ahead."""
    config = forecaster.forecaster_config(
        features=data.u.shape[1], horizon=horizon, known_ahead=range(ahead), preset=preset
    )
    shared, series, scratch = forecaster.allocate(config, 1, 0)
    made = np.full((2, len(data.x), horizon, 1), np.nan)
    u = data.u
    if ahead:
        u = np.ascontiguousarray(np.delete(with_future(u, horizon), slice(u.shape[1] + ahead * horizon, None), axis=1))
    x = np.ascontiguousarray(data.x[:, :1])
    _run_ahead(config, shared, series, scratch, data.rows, data.times, x, u, made[0], made[1])
    return made[0, :, :, 0], made[1, :, :, 0]


def before(values: Float64, rows: int) -> Float64:
    """What `values` were so many rows before; NaN where there is none. Negative: after."""
    moved = np.full_like(values, np.nan)
    if rows >= 0:
        moved[rows:] = values[: len(values) - rows]
    else:
        moved[:rows] = values[-rows:]
    return moved


def inputs(data: Set, step: int, day: int, ahead: bool) -> Float64:
    """(events, inputs) of the ridge regression."""
    x, interval = data.x[:, 0], int(np.median(np.diff(data.times)))
    columns = [np.ones(len(x))]
    columns += [before(x, lag) - before(x, lag + 1) for lag in range(LAGS)]
    backs = {period: period * ((step - 1) // period + 1) - step for period in (day, 7 * day)}
    for period, back in backs.items():
        columns += [before(x, back) - x, before(x, back + period) - x]
    moment = data.times + step * interval
    phase = moment / DAY % 1
    weekend = (moment // DAY + 3) % 7 >= 5
    for slot in range(day):
        here = np.round(phase * day).astype(int) % day == slot
        columns += [here * 1.0, (here & weekend) * 1.0]
    known = np.nan_to_num(data.u)
    known = np.clip((known - known[:FIRST].mean(0)) / (known[:FIRST].std(0) + 1e-9), -6, 6)
    for moved in [0, -step, backs[day]] if ahead else [0]:
        for feature in known.T:
            value = before(feature, moved)
            for one in (value, value * value):
                columns += [one, one * np.sin(2 * np.pi * phase), one * np.cos(2 * np.pi * phase)]
    return np.stack(columns, axis=1)


def ridge(data: Set, step: int, day: int, ahead: bool) -> Float64:
    """(events,) what the ridge regression says of the value `step` events later."""
    columns, x = inputs(data, step, day, ahead), data.x[:, 0]
    columns = np.nan_to_num(columns / (np.nanstd(columns[:FIRST], axis=0) + 1e-9), posinf=0.0)
    columns[:, 0] = 1.0
    came = before(x, -step) - x
    size = columns.shape[1]
    gram, moment, weights = SHRINKAGE * np.eye(size), np.zeros(size), np.zeros(size)
    said = np.empty(len(x))
    kept = FORGETTING**day
    for start in range(0, len(x), day):
        new = slice(max(0, start - day - step), max(0, start - step))
        rows, values = columns[new], came[new]
        rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
        gram = kept * gram + (1 - kept) * SHRINKAGE * np.eye(size) + rows.T @ rows
        moment = kept * moment + rows.T @ values
        weights = np.linalg.lstsq(gram, moment, rcond=None)[0] if start else weights
        said[start : start + day] = columns[start : start + day] @ weights
    predicted: Float64 = x + said
    return predicted


def boosted(data: Set, step: int, day: int, ahead: bool) -> Float64:
    """(events,) what gradient-boosted trees say of the value `step` events later; NaN before the first fit."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, interval = data.x[:, 0], int(np.median(np.diff(data.times)))
    back = {period: period * ((step - 1) // period + 1) - step for period in (day, 7 * day)}
    moment = data.times + step * interval
    columns = [x, moment / DAY % 1, (moment // DAY + 3) % 7]
    columns += [before(x, lag) - before(x, lag + 1) for lag in range(LAGS)]
    columns += [before(x, more) - x for period, rows in back.items() for more in (rows, rows + period)]
    for moved in [0, -step, back[day]] if ahead else [0]:
        columns += [before(feature, moved) for feature in data.u.T]
    table, came = np.stack(columns, axis=1), before(x, -step) - x
    said = np.full(len(x), np.nan)
    for start in range(FIRST, len(x), REFITTED * day):
        known = np.flatnonzero(np.isfinite(came[: start - step]))
        model = HistGradientBoostingRegressor(random_state=0).fit(table[known], came[known])
        part = slice(start, start + REFITTED * day)
        said[part] = model.predict(table[part])
    predicted: Float64 = x + said
    return predicted


def errors(data: Set, mean: Float64, median: Float64, step: int) -> tuple[float, float]:
    """Mean squared error of the mean and mean absolute error of the median."""
    came = data.x[FIRST + step :, 0]
    squared = (mean[FIRST : len(mean) - step] - came) ** 2
    absolute = np.abs(median[FIRST : len(mean) - step] - came)
    return float(np.nanmean(squared)), float(np.nanmean(absolute))


def compare(data: Set, steps: list[int], preset: str, trees: bool) -> None:
    """A line per step."""
    horizon, day = max(steps), round(DAY / int(np.median(np.diff(data.times))))
    plain, known = (forecasts(data, horizon, ahead, preset) for ahead in (0, data.u.shape[1]))
    for step in steps:
        squared, absolute = errors(data, *(one[:, step - 1] for one in plain), step)
        ours = errors(data, *(one[:, step - 1] for one in known), step)
        rivals = []
        for rival in (ridge, boosted) if trees else (ridge,):
            made = [rival(data, step, day, ahead) for ahead in (False, True)]
            rivals += [f"{errors(data, one, one, step)[0] / squared:8.3f}" for one in made]
        print(
            f"{data.name:<14} {step:4}   {ours[0] / squared:8.3f} {ours[1] / absolute:8.3f}   {' '.join(rivals)}",
            flush=True,
        )


def cost_of_noise(data: Set, steps: list[int], preset: str, kind: str) -> None:
    """The errors with a feature of noise that is known ahead, over those with the same feature of now alone."""
    noise = np.random.default_rng(1).normal(size=(len(data.x), 1))
    noise = {"white": noise, "walk": noise.cumsum(axis=0), "rare": (noise > 2) * 1.0}[kind]
    noisy = data._replace(u=np.hstack([noise, data.u]))
    plain, known = (forecasts(noisy, max(steps), ahead, preset) for ahead in (0, 1))
    ratios = []
    for step in steps:
        a, b = (errors(noisy, *(one[:, step - 1] for one in made), step) for made in (plain, known))
        ratios.append(f"{b[0] / a[0]:8.4f} {b[1] / a[1]:8.4f}")
    print(f"{data.name:<14} {kind:<6} {'   '.join(ratios)}", flush=True)


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with manifest.json and the sets")
    parser.add_argument("--sets", nargs="+", default=["vic_demand", "bike_sharing"])
    parser.add_argument("--events", type=int, help="events read of each set, at most; default: all")
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 12, 24])
    parser.add_argument("--preset", default="standard", choices=("lite", "standard", "full"))
    parser.add_argument("--noise", action="store_true", help="what a feature costs that says nothing")
    parser.add_argument("--boosted", action="store_true", help="gradient-boosted trees as well")
    chosen = parser.parse_args()
    manifest = {entry["name"]: entry for entry in json.loads((chosen.folder / "manifest.json").read_text())}
    if chosen.noise:
        print(f"{'set':<14} {'noise':<6} {'   '.join(f'squared, absolute at {step}' for step in chosen.steps)}")
    else:
        trees = "   trees: the same" if chosen.boosted else ""
        print(f"{'':<21} known ahead: mean, median   ridge, squared: without, known ahead{trees}")
    for name in chosen.sets:
        data = read(chosen.folder, manifest[name], "", chosen.events)
        for kind in ("white", "walk", "rare") if chosen.noise else ():
            cost_of_noise(data, chosen.steps, chosen.preset, kind)
        if not chosen.noise:
            compare(data, chosen.steps, chosen.preset, chosen.boosted)


if __name__ == "__main__":
    main()
