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


if __name__ == "__main__":
    frame, faults = traffic()
    alerts = found(frame)
    for name, (begin, end) in faults.items():
        inside = alerts[(alerts["time"] >= begin) & (alerts["time"] < end)]
        print(f"{name}: {'found at ' + str(inside['time'].iloc[0]) if len(inside) else 'missed'}")
    columns = ["time", "observed", "expected", "lower", "upper", "score"]
    print(alerts[columns].to_string(index=False, float_format="%.2f"))
    if "--plot" in sys.argv:
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(10, 4))
        axes.plot(frame["time"], frame["requests"], linewidth=0.7)
        axes.plot(alerts["time"], alerts["observed"], "r.")
        axes.set(title="Requests per hour, alerts in red")
        figure.savefig(sys.argv[sys.argv.index("--plot") + 1])
