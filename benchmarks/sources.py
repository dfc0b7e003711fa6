"""The series that the benchmarks read: files the user has, river's own data sets, and generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import datasets

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

HOUR = 3_600_000_000
DAY = 24 * HOUR


class Series(NamedTuple):
    """One series of one value."""

    name: str
    group: str
    times: Int64  # (events,) microseconds since 1970
    x: Float64  # (events,)


def read_ett(path: Path, rows: int | None = None) -> tuple[tuple[str, ...], Int64, Float64]:
    """Names, event times and values (events, 7) of a file of the Electricity Transformer Dataset."""
    with path.open(encoding="utf-8") as file:
        names = tuple(file.readline().strip().split(",")[1:])
    days = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=0, dtype="U19", max_rows=rows)
    x = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=range(1, 8), max_rows=rows)
    return names, days.astype("datetime64[us]").astype(np.int64), x


def ett_series(path: Path) -> list[Series]:
    """Each variable alone, all rows."""
    names, times, x = read_ett(path)
    return [Series(name, "ETTh1", times, x[:, i].copy()) for i, name in enumerate(names)]


def nab_series(folder: Path) -> list[Series]:
    """Every file of a folder of the Numenta Anomaly Benchmark, with its own name."""
    found = []
    for path in sorted(folder.glob("**/*.csv")):
        with path.open(encoding="utf-8") as file:
            if file.readline().strip() != "timestamp,value":
                continue
        times = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=0, dtype="U19")
        values = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=1)
        found.append(Series(path.stem, "NAB", times.astype("datetime64[us]").astype(np.int64), values))
    return found


def river_series() -> list[Series]:
    """River's time series: monthly passengers, hourly water flow, daily approval, daily stock returns."""
    rows = list(datasets.AirlinePassengers())
    found = [_river("AirlinePassengers", [_microseconds(a["month"]) for a, _ in rows], [y for _, y in rows])]
    rows = list(datasets.WaterFlow())
    found.append(_river("WaterFlow", [_microseconds(a["Time"]) for a, _ in rows], [y for _, y in rows]))
    rows = list(datasets.TrumpApproval())
    found.append(_river("TrumpApproval", [a["ordinal_date"] * DAY for a, _ in rows], [y for _, y in rows]))
    rows = list(datasets.SP500Stocks())
    days = [i * DAY for i in range(len(rows))]
    found.append(_river("S&P 500", days, [y for _, y in rows]))
    found += [_river(name, days, [a[name] for a, _ in rows]) for name in rows[0][0]]
    return found


def _river(name: str, times: list[int], values: list[Any]) -> Series:
    return Series(name, "river", np.array(times, np.int64), np.array(values, np.float64))


def _microseconds(moment: Any) -> int:
    if moment.tzinfo:
        return int(moment.timestamp()) * 1_000_000
    return int(np.datetime64(moment, "us").astype(np.int64))


# --- generated --------------------------------------------------------------------------------------------------------


def hidden_regimes(seed: int, events: int = 20_000, gap: int = 50) -> tuple[Float64, Float64]:
    """A series and two features: a rare pulse sets a sign, and x_{t+1} = sign drive_t + noise.

    Between pulses, `gap` events on average, nothing shows the sign but the response itself.
    """
    random = np.random.default_rng(seed)
    pulse = np.where(random.random(events) < 1 / gap, random.choice([-1.0, 1.0], events), 0.0)
    drive = random.normal(size=events)
    signs = np.ones(events)
    for t in range(events):
        signs[t] = pulse[t] if pulse[t] != 0 else (signs[t - 1] if t else 1.0)
    x = 0.3 * random.normal(size=events)
    x[1:] += (signs * drive)[:-1]
    return x, np.stack([pulse, drive], axis=1)


def changing(kind: str, seed: int, events: int = 3000) -> Float64:
    """A daily series with autoregressive noise that changes after `events` events; as many follow."""
    random = np.random.default_rng(seed)
    n = 2 * events
    hours = np.arange(n)
    phase, noise, level, rho = 2 * np.pi * hours / 24, np.full(n, 0.5), np.zeros(n), np.full(n, 0.7)
    if kind == "level":
        level[events:] = 25
    elif kind == "variance":
        noise[events:] = 2.0
    elif kind == "period":
        phase[events:] = phase[events - 1] + 2 * np.pi * (hours[events:] - events + 1) / 17
    elif kind == "dynamics":
        rho[events:] = -0.7
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = rho[t] * x[t - 1] + noise[t] * random.normal()
    return x + level + 3 * np.sin(phase) + 1.5 * np.sin(2 * phase + 1)
