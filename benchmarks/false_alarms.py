"""False alarms on seven kinds of normal series at seven spacings, young and old, and how well the score is calibrated.

python benchmarks/false_alarms.py [--seeds 8]

Forecasts are ideal. Alerts per 1,000 events at events 50-600 / 600-5,000 / 5,000-20,000, and the share of scores above
.999, in thousandths, over events 0-5,000 / 5,000-20,000.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent.parent))

from streamrnn.evaluation import nab
from tests.anomaly.simulate import START, scored

Array = npt.NDArray[np.float64]

COUNT = 20_000
SPACINGS = {"1 s": 1, "10 s": 10, "1 min": 60, "5 min": 300, "1 h": 3600, "6 h": 21_600, "1 d": 86_400}
KINDS = ("white noise", "AR(2)", "random walk", "daily", "daily and weekly", "t, 3 degrees", "counts")
AGES = ((50, 600), (600, 5000), (5000, COUNT))
DAY = 86_400


def series(kind: str, seed: int, seconds: int) -> tuple[Array, Array]:
    """Values and what was to be expected of each, `(COUNT, 1)`."""
    random = np.random.Generator(np.random.Philox(key=seed + 7777 * KINDS.index(kind)))
    noise, expected, time = random.standard_normal(COUNT), np.zeros(COUNT), np.arange(COUNT) * seconds
    wave, workday = 5 * np.sin(2 * np.pi * time / DAY), time // DAY % 7 < 5
    if kind == "AR(2)":
        values = np.zeros(COUNT)
        for i in range(2, COUNT):
            expected[i] = 1.2 * values[i - 1] - 0.5 * values[i - 2]
            values[i] = expected[i] + noise[i]
    elif kind == "random walk":
        values = np.cumsum(noise)
        expected[1:] = values[:-1]
    elif kind == "daily":
        expected = wave
        values = expected + noise
    elif kind == "daily and weekly":
        expected = np.where(workday, wave + 2, 0.4 * wave - 2)
        values = expected + noise
    elif kind == "t, 3 degrees":
        values = random.standard_t(3, COUNT)
    elif kind == "counts":
        values, expected = random.poisson(4, COUNT).astype(float), np.full(COUNT, 4.0)
    else:
        values = noise
    expected = expected.copy()
    expected[0] = np.nan
    return values[:, None], expected[:, None]


def main() -> None:
    """Print a line for each kind of series and spacing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    worst = np.zeros(3)
    for kind in KINDS:
        for name, seconds in SPACINGS.items():
            opened, above = np.zeros(3), np.zeros(2)
            for seed in range(seeds):
                result = scored(*series(kind, seed, seconds), START + seconds * 1_000_000 * np.arange(COUNT))
                first, high = nab.first_events(result.alert), result.score > 0.999
                opened += [1000 * first[begin:end].mean() for begin, end in AGES]
                above += [1000 * high[:5000].mean(), 1000 * high[5000:].mean()]
            opened, above = opened / seeds, above / seeds
            worst = np.maximum(worst, opened)
            alerts, shares = (" / ".join(f"{number:.1f}" for number in numbers) for numbers in (opened, above))
            print(f"{kind:<18}{name:>6}   alerts {alerts}   scores {shares}", flush=True)
    print("worst: " + " / ".join(f"{number:.2f}" for number in worst))


if __name__ == "__main__":
    main()
