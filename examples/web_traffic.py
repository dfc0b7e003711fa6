"""Requests per hour of a web service: a rhythm of day and week, an outage, and a Monday that looks like a Sunday.

python examples/web_traffic.py [--plot traffic.svg]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import streamrnn

WEEKS = 10


def traffic(seed: int = 0) -> tuple[pd.DataFrame, dict[str, tuple[pd.Timestamp, pd.Timestamp]]]:
    """`time`, `requests`; and the faults that were put in."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2026-01-05", periods=WEEKS * 7 * 24, freq="h")  # a Monday
    hour, weekday = times.hour.to_numpy(), (np.arange(len(times)) // 24) % 7  # the first day is a Monday
    daily = 400 + 300 * np.sin(2 * np.pi * (hour - 9) / 24)
    weekly = np.where(weekday >= 5, 0.45, 1.0)
    monday = pd.Timestamp("2026-03-02")
    like_sunday = times.normalize() == monday
    weekly = np.where(like_sunday, 0.45, weekly)
    requests = daily * weekly * rng.normal(1, 0.05, len(times))
    outage = (pd.Timestamp("2026-02-18 10:00"), pd.Timestamp("2026-02-18 13:00"))
    requests[(times >= outage[0]) & (times < outage[1])] *= 0.1
    faults = {"outage": outage, "Monday like a Sunday": (monday, monday + pd.Timedelta(days=1))}
    return pd.DataFrame({"time": times, "requests": requests.round()}), faults


def found(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows inside an alert."""
    said = streamrnn.detect(frame)
    return said[said["is_anomaly"]]


def plot(frame: pd.DataFrame, alerts: pd.DataFrame, path: str) -> None:
    """The weeks around the two faults, and the rows inside an alert."""
    import matplotlib.pyplot as plt

    begin, end = pd.Timestamp("2026-02-09"), pd.Timestamp("2026-03-09")
    shown, marked = (table[(table["time"] >= begin) & (table["time"] < end)] for table in (frame, alerts))
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    axes.plot(shown["time"], shown["requests"], color="0.3", linewidth=0.8)
    axes.plot(marked["time"], marked["observed"], "o", color="tab:red", markersize=4)
    axes.set(title="Requests per hour; a dot where an alert was open")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    frame, faults = traffic()
    alerts = found(frame)
    for name, (begin, end) in faults.items():
        inside = alerts[(alerts["time"] >= begin) & (alerts["time"] < end)]
        print(f"{name}: {'found at ' + str(inside['time'].iloc[0]) if len(inside) else 'missed'}")
    columns = ["time", "observed", "expected", "lower", "upper", "score"]
    print(alerts[columns].to_string(index=False, float_format="%.2f"))
    if "--plot" in sys.argv:
        plot(frame, alerts, sys.argv[sys.argv.index("--plot") + 1])
