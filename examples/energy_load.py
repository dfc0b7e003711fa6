"""The load of a small grid follows the temperature: what does it help to say so?

python examples/energy_load.py
"""

from __future__ import annotations

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


def mean_squared_error(frame: pd.DataFrame, features: tuple[str, ...]) -> float:
    """Of the next hour's mean, over the second half."""
    model = streamrnn.StreamModel(1, target="load", features=features, time="time")
    said = model.update(frame).iloc[len(frame) // 2 :]
    return float(((said["observed"] - said["expected"]) ** 2).mean())


if __name__ == "__main__":
    frame = load()
    # What is known of the next hour belongs to this hour's row: the forecast of the temperature, where there is one.
    frame["temperature_ahead"] = frame["temperature"].shift(-1)
    print(f"without features:             {mean_squared_error(frame, ()):.2f}")
    print(f"temperature of now:           {mean_squared_error(frame, ('temperature',)):.2f}")
    print(f"temperature of the next hour: {mean_squared_error(frame, ('temperature', 'temperature_ahead')):.2f}")
