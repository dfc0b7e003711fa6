"""How long a worker takes to read the state of many series back, and what memory that needs.

    python benchmarks/restore.py                    # 100,000 series of the default model: 10 GB of disk, 16 of memory
    python benchmarks/restore.py --series 10000     # a look

Writes the state to a folder, then restores it several times: seconds, series per second, and the growth of the
resident memory beside the bytes that `streamrnn inspect` reports. A restore needs as much new memory as it reads. The
system has to clear that, and a virtual machine may first have to get it back from its host: so as much is touched once
beforehand, and how long that took, and takes afterwards, is printed for comparison.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

from streamrnn.config import Config
from streamrnn.connectors.snapshot_folder import SnapshotFolder
from streamrnn.events import Decoded
from streamrnn.model import PartitionModel


def write_state(config: Config, folder: Path, series: int) -> None:
    """Three events for each series, and their state in `folder`."""
    random = np.random.default_rng(0)
    model, snapshots = PartitionModel(config), SnapshotFolder(folder)
    model.series.reserve(series)
    # Two snapshots, as the records of one are in memory together; one that outgrew the first would be merged with it.
    half = series * 52 // 100
    for part in (range(half), range(half, series)):
        keys = [f"series {number}" for number in part]
        for hour in range(3):
            times, x = np.full(len(keys), hour * 3_600_000_000), random.normal(size=(len(keys), 1))
            model.process(Decoded(keys, times, x, np.zeros((len(keys), 0)), [], []))
        snapshots.write(list(model.snapshot(series)), {"offset": series})
    snapshots.close()
    model.close()


def touched(size: int) -> float:
    """Seconds to be given `size` bytes of memory."""
    begin = time.perf_counter()
    room = np.zeros(size, np.uint8)
    room[:: 1 << 12] = 1
    return time.perf_counter() - begin


def restored(config: Config, folder: Path) -> Iterator[tuple[float, int]]:
    """Seconds and growth of the resident memory of restores, for ever."""
    process = psutil.Process()
    while True:
        snapshots, model = SnapshotFolder(folder), PartitionModel(config)
        before, begin = process.memory_info().rss, time.perf_counter()
        highest = before
        for _ in model.restore(snapshots.messages(), snapshots.records):
            highest = max(highest, process.memory_info().rss)
        yield time.perf_counter() - begin, highest - before
        snapshots.close()
        model.close()


def main() -> None:
    """Print one line per restore and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--preset", choices=("lite", "standard", "full"), default="standard")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to write (default: the folder for temporary files)")
    options = parser.parse_args()
    config = Config.model_validate({"model": {"preset": options.preset}})
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        print(f"writing the state of {options.series:,} series to {name} ...", flush=True)
        writer = get_context("spawn").Process(target=write_state, args=(config, Path(name), options.series))
        writer.start()  # a process of its own: the one that restores begins afresh, as after a crash
        writer.join()
        if writer.exitcode:
            raise SystemExit(f"the state could not be written (exit code {writer.exitcode})")
        size = options.series * PartitionModel(config).bytes_per_series
        print(f"{size / 1e9:.2f} GB, {size / options.series / 1e3:.0f} kB a series")
        print(f"that much memory the first time: {touched(size):.1f} s, once more: {touched(size):.1f} s", flush=True)
        found = []
        for _, (seconds, growth) in zip(range(options.rounds), restored(config, Path(name)), strict=False):
            found.append(seconds)
            print(f"restored in {seconds:.1f} s, memory + {growth / 1e9:.2f} GB ({growth / size:.1%})", flush=True)
        middle, clearing = statistics.median(found), touched(size)
        print(f"median {middle:.1f} s, {options.series / middle:,.0f} series/s; that much memory: {clearing:.1f} s")


if __name__ == "__main__":
    main()
