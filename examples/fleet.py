"""A fleet of pumps. One sensor sticks, one pump starts to leak: which alerts come, and when?

python examples/fleet.py [--plot fleet.svg]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import streamrnn

PUMPS, MINUTES = 6, 3000
STUCK, LEAK = ("pump-2", 2000), ("pump-4", 2200)


def pressures(seed: int = 0) -> pd.DataFrame:
    """`time`, `key`, `pressure`, one row per pump and minute."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2026-01-01", periods=MINUTES, freq="min")
    parts = []
    for number in range(PUMPS):
        noise = np.zeros(MINUTES)
        for i in range(1, MINUTES):
            noise[i] = 0.9 * noise[i - 1] + rng.normal(0, 0.05)
        values = 4 + 0.4 * number + 0.5 * np.sin(2 * np.pi * np.arange(MINUTES) / 360) + noise
        if f"pump-{number}" == STUCK[0]:
            values[STUCK[1] :] = values[STUCK[1]]
        if f"pump-{number}" == LEAK[0]:
            values[LEAK[1] :] -= np.minimum(0.01 * np.arange(MINUTES - LEAK[1]), 3)
        parts.append(pd.DataFrame({"time": times, "key": f"pump-{number}", "pressure": values.round(4)}))
    return pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)


def alerts(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per alert: the pump, and when it opened."""
    said = streamrnn.detect(frame)
    opened = said["is_anomaly"] & ~said.groupby("key")["is_anomaly"].shift(1, fill_value=False)
    return said[opened][["key", "time", "observed", "expected", "lower", "upper"]]


def plot(frame: pd.DataFrame, found: pd.DataFrame, path: str) -> None:
    """The two pumps with a fault, and where alerts opened."""
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(2, figsize=(9, 4.5), sharex=True, layout="constrained")
    for axes, (key, begin) in zip(rows, (STUCK, LEAK), strict=True):
        pump, opened = frame[frame["key"] == key], found[found["key"] == key]
        axes.plot(pump["time"], pump["pressure"], color="0.3", linewidth=0.8)
        axes.axvspan(pump["time"].iloc[begin], pump["time"].iloc[-1], color="tab:purple", alpha=0.12)
        axes.plot(opened["time"], opened["observed"], "o", color="tab:red")
        axes.set(ylabel=key)
    rows[0].set(title="Pressure; shaded from the fault on, a dot where an alert opened")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    frame = pressures()
    found = alerts(frame)
    print(found.to_string(index=False, float_format="%.2f"))
    if "--plot" in sys.argv:
        plot(frame, found, sys.argv[sys.argv.index("--plot") + 1])
