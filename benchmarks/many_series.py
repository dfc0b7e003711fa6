"""What an event costs when it may be of any of many series, as a ratio to ten series in the same run.

    python benchmarks/many_series.py                          # lite and standard, 10 to 100,000 series
    python benchmarks/many_series.py --presets lite --series 10 1000000 --events 100000
    python benchmarks/many_series.py --hits .5 .9 .99         # most series wait on disk: what an event costs then

The whole fold (forecasts, intervals, anomaly scores), horizon 1, hourly values with a day. One series learns from
1,500 events (at 1,024 it looks for periods, at 2,048 again), then all have its state: none is cheap for being young.
Events come in random order, in batches of 500. Processor time; rounds over all counts in turns, medians.

With `--hits` 20,000 series share the memory of fewer (`state.max_series`): the share of events whose series is in
memory is as asked, and printed as found. The others are read from the disk, and a series unseen for longer is written
there. Beside it the same events with all series in memory.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Sequence

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded
from streamrnn.state.arrays import fields

HOUR, DAY, AGE, BATCH = 3_600_000_000, 24, 1500, 500
CROWD, HOT = 20_000, 1_000  # series where not all are in memory, and those of which events are frequent


def decoded(keys: Sequence[str], times: np.ndarray, random: np.random.Generator) -> Decoded:
    """Values at these hours."""
    x = np.sin(2 * np.pi * times / DAY) + 0.3 * random.standard_normal(len(keys))
    return Decoded(list(keys), times * HOUR, x[:, None], np.zeros((len(keys), 0)), [], [])


class Crowd:
    """Series of one partition, all in the state of the first."""

    def __init__(self, preset: str, count: int, most: int | None = None) -> None:
        self.random = np.random.default_rng(count)
        # The partitions of a process share what they may take: enough for all, if not for `most` alone.
        config = {"model": {"preset": preset}, "state": {"max_series": most or count, "max_memory": "1000GB"}}
        self.model = ForecastModel(Config.model_validate(config))
        self.keys = [f"series-{i}" for i in range(count)]
        for first in range(0, count, BATCH):
            keys = self.keys[first : first + BATCH]
            self.model.process(decoded(keys, np.zeros(len(keys), np.int64), self.random))
        for first in range(1, AGE, BATCH):
            self.model.process(decoded(["series-0"] * BATCH, np.arange(first, first + BATCH), self.random))
        row = self.model.series.row_of("series-0")
        old = [array[row].copy() for _, array in fields(self.model.series.arrays)]
        for first in range(0, count, most or count):  # those in memory, then the others in their place
            if most:
                self.fetch(range(first, min(first + most, count)))
            for (_, array), values in zip(fields(self.model.series.arrays), old, strict=True):
                array[:] = values
        self.turn = 0  # of the series outside of the hot ones in `hits`
        self.hours = np.full(count, AGE)  # of the newest event: a gap costs each series a search for periods

    def fetch(self, numbers: Iterable[int]) -> None:
        """Bring these series into memory, where there may be less room than there are series."""
        for _ in self.model.series.batches([self.keys[number] for number in numbers]):
            pass

    def hits(self, share: float, events: int, hot: int) -> tuple[float, float, float]:
        """Events of the first `hot` series in turn, that share of all, and of the others in turn.

        Returns the share whose series was in memory, and microseconds an event: of processor time, of the clock.
        """
        of_hot = self.random.random(events) < share
        others = self.turn + np.cumsum(~of_hot)
        self.turn = int(others[-1])
        turns = np.where(of_hot, np.cumsum(of_hot) % hot, hot + others % (len(self.keys) - hot))
        found, used, passed = 0, 0.0, 0.0
        for rows in turns[: events // BATCH * BATCH].reshape(-1, BATCH):
            for row in rows:
                self.hours[row] += 1
            names = [self.keys[row] for row in rows]
            batch = decoded(names, self.hours[rows], self.random)
            found += sum(self.model.series.row_of(name) is not None for name in names)
            begin, clock = time.process_time(), time.perf_counter()
            self.model.process(batch)
            used, passed = used + time.process_time() - begin, passed + time.perf_counter() - clock
        done = events // BATCH * BATCH
        return found / done, used * 1e6 / done, passed * 1e6 / done

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


def hit_table(preset: str, shares: Sequence[float], events: int, rounds: int) -> None:
    """One line per share of events whose series is in memory."""
    whole = Crowd(preset, CROWD)
    print(f"\n{preset}, {CROWD:,} series of {whole.model.bytes_per_series:,} bytes")
    print(f"{'in memory':>10} {'hits':>7} {'us an event':>12} {'all in memory':>14} {'ratio':>6} {'of the clock':>13}")
    for share in shares:
        # Between two events of a hot series come so many of others: they must not push it out.
        most = HOT + round(HOT * (1 - share) / share * 1.2) + BATCH
        crowd = Crowd(preset, CROWD, most)
        crowd.hits(share, max(events, 4 * HOT), HOT)  # until the hot ones are in memory
        found, all_found = [], []
        for _ in range(rounds):
            found.append(crowd.hits(share, events, HOT))
            all_found.append(whole.hits(share, events, HOT))
        (hits, used, passed), (_, used_whole, passed_whole) = (np.median(one, axis=0) for one in (found, all_found))
        ratios = f"{used / used_whole:6.2f} {passed / passed_whole:13.2f}"
        print(f"{most:>10,} {hits:7.1%} {used:12.1f} {used_whole:14.1f} {ratios}", flush=True)
        crowd.model.close()
    whole.model.close()


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=("lite", "standard", "full"), default=["lite", "standard"])
    parser.add_argument("--series", nargs="+", type=int, default=[10, 1000, 10_000, 100_000])
    parser.add_argument("--events", type=int, default=20_000, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hits", nargs="+", type=float, help="shares of the events whose series is in memory")
    chosen = parser.parse_args()
    for preset in chosen.presets:
        if chosen.hits:
            hit_table(preset, chosen.hits, chosen.events, chosen.rounds)
            continue
        table(preset, chosen.series, chosen.events, chosen.rounds)


if __name__ == "__main__":
    main()
