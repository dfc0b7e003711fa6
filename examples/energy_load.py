"""The load of a small grid follows the temperature: what does it help to say so?

python examples/energy_load.py [--plot load.svg]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import streamrnn


def load(seed: int = 0, days: int = 120) -> pd.DataFrame:
    """`time`, `load`, `temperature`, hourly: heating below 15 degrees, cooling above 22."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2026-01-01", periods=days * 24, freq="h")
    hour, day = np.arange(days * 24) % 24, np.arange(days * 24) / 24
    weather = np.zeros(days * 24)
    for i in range(1, len(weather)):
        weather[i] = 0.98 * weather[i - 1] + rng.normal(0, 0.8)
    temperature = 8 + 0.12 * day + 5 * np.sin(2 * np.pi * (hour - 10) / 24) + weather
    heating, cooling = np.maximum(15 - temperature, 0), np.maximum(temperature - 22, 0)
    base = 100 + 30 * np.sin(2 * np.pi * (hour - 8) / 24)
    return pd.DataFrame(
        {
            "time": times,
            "load": base + 4 * heating + 6 * cooling + rng.normal(0, 3, len(times)),
            "temperature": temperature,
        }
    )


def mean_squared_errors(
    frame: pd.DataFrame, features: tuple[str, ...] = (), future: tuple[str, ...] = ()
) -> tuple[float, float]:
    """Of the means 1 and 12 hours ahead, made twice a day over the second half."""
    steps = 12
    model = streamrnn.StreamModel(steps, target="load", features=features, future=future, time="time")
    said = []
    for start in range(len(frame) // 2, len(frame) - steps, steps):
        begin = start - steps if said else 0
        # What is known ahead stands in the rows to come, whose load nobody knows yet.
        rows = frame[begin : start + steps] if future else frame[begin:start]
        model.update(rows.assign(load=rows["load"].where(rows.index < start)))
        came = frame["load"].to_numpy()[start : start + steps]
        said.append((model.forecast()["mean"].to_numpy() - came) ** 2)
    errors = np.mean(said, axis=0)
    return float(errors[0]), float(errors[-1])


def plot(frame: pd.DataFrame, path: str) -> None:
    """The last twelve hours: forecast without the temperature, and with what it will be."""
    import matplotlib.pyplot as plt

    steps = 12
    past, last = frame[:-steps], frame[-steps:]
    known = frame.assign(load=frame["load"].where(frame.index < len(past)))
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    axes.plot(frame["time"][-72:], frame["load"][-72:], color="0.3", label="load")
    for name, rows, future, color in (
        ("forecast without the temperature", past[["time", "load"]], (), "tab:orange"),
        ("forecast with the temperature known ahead", known, ("temperature",), "tab:blue"),
    ):
        made = streamrnn.forecast(rows, horizon=steps, target="load", future=future, time="time")
        axes.plot(last["time"], made["mean"], color=color, label=name)
        axes.fill_between(last["time"], made["lower"], made["upper"], color=color, alpha=0.15)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize="small")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    frame = load()
    print("mean squared error            1 hour ahead    12 hours ahead")
    for name, features, future in (
        ("without features", (), ()),
        ("temperature of now", ("temperature",), ()),
        ("temperature known ahead", (), ("temperature",)),
    ):
        one, twelve = mean_squared_errors(frame, features, future)
        print(f"{name:<24} {one:17.1f} {twelve:17.1f}")
    if "--plot" in sys.argv:
        plot(frame, sys.argv[sys.argv.index("--plot") + 1])
