"""One thread against several: a file split into partitions, whose folds release the interpreter's lock.

    python benchmarks/workers.py                                  # 2 workers, lite and standard
    python benchmarks/workers.py --workers 4 --events 400000
    python benchmarks/workers.py --fold                           # the fold alone, without reading and writing

Turns alternate within one run, and the median of the ratios counts: other work on the machine slows both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from streamrnn.app.run import larger_batches
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.records.events import Decoded
from streamrnn.records.rows import RowDecoder
from streamrnn.runtime.task import task_of
from streamrnn.runtime.worker import Worker


def configured(preset: str, partitions: int, workers: int) -> Config:
    """Of one run."""
    return load(None, {"model.preset": preset, "file.partitions": partitions, "workers": workers}, {})


def write_file(path: Path, events: int, series: int) -> None:
    """Hourly events of `series` series in turn."""
    random = np.random.default_rng(0)
    values = np.sin(np.arange(events) / series / 24 * 2 * np.pi) + 0.1 * random.normal(size=events)
    with path.open("w") as file:
        for at, value in enumerate(values.tolist()):
            seconds = 1_704_067_200 + 3600 * (at // series)
            file.write(f'{{"key": "series-{at % series}", "time": {seconds}, "value": {value:.4f}}}\n')


def file_to_file(path: Path, config: Config) -> float:
    """Seconds of one run."""
    task = task_of(config)
    started = time.perf_counter()
    with FileConnector(path, path.with_name("out.jsonl"), **larger_batches(config)) as connector:
        found = connector.look(config)
        decoder = RowDecoder(found.event, row_reader(found.layout, found.event, config.file))
        Worker(task, lambda: connector, decoder=decoder, keep_state=False, model=task.file_model).run()
    path.with_name("out.jsonl").unlink()
    return time.perf_counter() - started


def fold_alone(config: Config, events: int, series: int) -> float:
    """Seconds of the fold."""
    model = task_of(config).file_model()
    keys = [f"series-{at % series}" for at in range(1000)]
    taken = 0.0
    for first in range(0, events, len(keys)):
        times = (np.arange(first, first + len(keys)) // series) * 3_600_000_000
        targets = np.sin(np.arange(first, first + len(keys)) / series / 4)[:, None]
        decoded = Decoded(keys, times, targets, np.zeros((len(keys), 0)), [None] * len(keys), [])  # type: ignore[list-item]
        started = time.perf_counter()
        model.process(decoded)
        taken += time.perf_counter() - started
    model.close()
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--presets", nargs="+", default=["lite", "standard"])
    parser.add_argument("--fold", action="store_true", help="the fold alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write_file(path, asked.events, asked.series)
        for preset in asked.presets:
            rounds = []
            for _ in range(asked.turns + 1):
                seconds = []
                for workers in (1, asked.workers):
                    config = configured(preset, asked.workers, workers)
                    seconds.append(
                        fold_alone(config, asked.events, asked.series) if asked.fold else file_to_file(path, config)
                    )
                rounds.append(seconds)
            timed = rounds[1:]  # the first one compiles
            one, several = (median(some) / asked.events * 1e6 for some in zip(*timed, strict=True))
            ratio = median(one / other for one, other in timed)
            print(
                f"{preset:9} 1 worker {one:6.2f} us/event   {asked.workers} workers {several:6.2f} us/event   "
                f"{ratio:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
