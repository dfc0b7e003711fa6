"""What an event costs when it may be of any of many series, as a ratio to ten series in the same run.

    python benchmarks/many_series.py                          # lite and standard, 10 to 100,000 series
    python benchmarks/many_series.py --presets lite --series 10 1000000 --events 100000

The whole fold (forecasts, intervals, anomaly scores), horizon 1, hourly values with a day. One series learns from
1,500 events (at 1,024 it looks for periods, at 2,048 again), then all have its state: none is cheap for being young.
Events come in random order, in batches of 500. Processor time; rounds over all counts in turns, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded
from streamrnn.state.arrays import fields

HOUR, DAY, AGE, BATCH = 3_600_000_000, 24, 1500, 500


def decoded(keys: Sequence[str], times: np.ndarray, random: np.random.Generator) -> Decoded:
    """Values at these hours."""
    x = np.sin(2 * np.pi * times / DAY) + 0.3 * random.standard_normal(len(keys))
    return Decoded(list(keys), times * HOUR, x[:, None], np.zeros((len(keys), 0)), [], [])


class Crowd:
    """Series of one partition, all in the state of the first."""

    def __init__(self, preset: str, count: int) -> None:
        self.random = np.random.default_rng(count)
        # All in memory: the partitions of a process share what they may take.
        config = {"model": {"preset": preset}, "state": {"max_series": count, "max_memory": "1000GB"}}
        self.model = ForecastModel(Config.model_validate(config))
        self.keys = [f"series-{i}" for i in range(count)]
        for first in range(0, count, BATCH):
            keys = self.keys[first : first + BATCH]
            self.model.process(decoded(keys, np.zeros(len(keys), np.int64), self.random))
        for first in range(1, AGE, BATCH):
            self.model.process(decoded(["series-0"] * BATCH, np.arange(first, first + BATCH), self.random))
        row = self.model.series.row_of("series-0")
        for _, array in fields(self.model.series.arrays):
            array[:] = array[row].copy()
        self.hours = np.full(count, AGE)  # of the newest event: a gap costs each series a search for periods

    def cost(self, events: int) -> float:
        """Microseconds of processor time an event, over so many of random series."""
        batches = []
        for _ in range(events // BATCH):
            rows = self.random.integers(0, len(self.keys), BATCH)
            for row in rows:
                self.hours[row] += 1
            hours = self.hours[rows]
            batches.append(decoded([self.keys[row] for row in rows], hours, self.random))
        begin = time.process_time()
        for batch in batches:
            self.model.process(batch)
        return (time.process_time() - begin) * 1e6 / (len(batches) * BATCH)


def table(preset: str, counts: Sequence[int], events: int, rounds: int) -> None:
    """One line per number of series."""
    crowds = [Crowd(preset, count) for count in counts]
    costs: list[list[float]] = [[] for _ in counts]
    for _ in range(rounds):
        for crowd, found in zip(crowds, costs, strict=True):
            found.append(crowd.cost(events))
    print(f"\n{preset}, {crowds[0].model.bytes_per_series:,} bytes a series")
    print(f"{'series':>10} {'us an event':>12} {'over the first':>15}")
    least = statistics.median(costs[0])
    for count, found in zip(counts, costs, strict=True):
        print(f"{count:>10,} {statistics.median(found):12.1f} {statistics.median(found) / least:15.2f}", flush=True)
    for crowd in crowds:
        crowd.model.close()


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=("lite", "standard", "full"), default=["lite", "standard"])
    parser.add_argument("--series", nargs="+", type=int, default=[10, 1000, 10_000, 100_000])
    parser.add_argument("--events", type=int, default=20_000, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    for preset in chosen.presets:
        table(preset, chosen.series, chosen.events, chosen.rounds)


if __name__ == "__main__":
    main()
