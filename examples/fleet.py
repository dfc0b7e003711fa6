"""A fleet of pumps. One sensor sticks, one pump starts to leak: which alerts come, and when?

python examples/fleet.py
"""

from __future__ import annotations

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


if __name__ == "__main__":
    print(alerts(pressures()).to_string(index=False, float_format="%.2f"))
