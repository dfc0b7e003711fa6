"""How long a worker takes to read the state of many series back, and what memory that needs.

    python benchmarks/restore.py                    # 100,000 series of the default model: 10 GB of disk, 16 of memory
    python benchmarks/restore.py --series 10000     # a look
    python benchmarks/restore.py --kafka            # from a topic of a broker of its own: 10 GB of disk more

Writes the state to a folder, then restores it several times: seconds, series per second, and the growth of the
resident memory beside the bytes that `streamrnn inspect` reports. A restore needs as much new memory as it reads. The
system has to clear that, and a virtual machine may first have to get it back from its host: so as much is touched once
beforehand, and how long that took, and takes afterwards, is printed for comparison.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
from kafka import KafkaProducer, TopicPartition

sys.path.insert(0, str(Path(__file__).parents[1]))

from streamrnn.config.tree import Config
from streamrnn.connectors.kafka.reader import Reader
from streamrnn.connectors.kafka.writer import BATCH
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded
from streamrnn.records.log import Message
from streamrnn.state.snapshot_folder import SnapshotFolder
from tests.broker.client import Client
from tests.broker.process import Broker

Source = Callable[[], AbstractContextManager[tuple[Iterator[Message], int]]]
"""Opens a stored state: its records and their number."""


def write_state(config: Config, folder: Path, series: int) -> None:
    """Three events for each series, and their state in `folder`."""
    random = np.random.default_rng(0)
    model, snapshots = ForecastModel(config), SnapshotFolder(folder)
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


@contextmanager
def from_folder(folder: Path) -> Iterator[tuple[Iterator[Message], int]]:
    """The records of a state folder."""
    snapshots = SnapshotFolder(folder)
    yield snapshots.messages(), snapshots.records
    snapshots.close()


@contextmanager
def from_topic(config: Config, topic: str) -> Iterator[tuple[Iterator[Message], int]]:
    """The records of a topic, as the worker reads its changelog."""
    reader, partition = Reader(config.kafka, "restore"), TopicPartition(topic, 0)
    first, end = reader.bounds(partition)
    records = (record for some in reader.read(partition, first, end, slice_size=100) for record in some)
    yield (Message(record.key, record.value) for record in records), end
    reader.close(1.0)


def copy_to_topic(folder: Path, client: Client, topic: str) -> None:
    """The records of a state folder as a changelog topic."""
    client.create_topic(topic)
    producer = KafkaProducer(bootstrap_servers=client.bootstrap, acks="all", batch_size=BATCH)
    with from_folder(folder) as (messages, _):
        for message in messages:
            producer.send(topic, key=message.key, value=message.value)
    producer.close()


def restored(config: Config, source: Source) -> Iterator[tuple[float, int]]:
    """Seconds and growth of the resident memory of restores, for ever."""
    process = psutil.Process()
    while True:
        with source() as (messages, records):
            model = ForecastModel(config)
            before, begin = process.memory_info().rss, time.perf_counter()
            highest = before
            for _ in model.restore(messages, records):
                highest = max(highest, process.memory_info().rss)
            yield time.perf_counter() - begin, highest - before
            model.close()


def main() -> None:
    """Print one line per restore and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--preset", choices=("lite", "standard", "full"), default="standard")
    parser.add_argument("--kafka", action="store_true", help="from a topic, not from the folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to write (default: the folder for temporary files)")
    options = parser.parse_args()
    config = Config.model_validate({"model": {"preset": options.preset}})
    with tempfile.TemporaryDirectory(dir=options.folder) as name, ExitStack() as opened:
        state = Path(name) / "state"
        print(f"writing the state of {options.series:,} series to {name} ...", flush=True)
        writer = get_context("spawn").Process(target=write_state, args=(config, state, options.series))
        writer.start()  # a process of its own: the one that restores begins afresh, as after a crash
        writer.join()
        if writer.exitcode:
            raise SystemExit(f"the state could not be written (exit code {writer.exitcode})")
        source: Source = partial(from_folder, state)
        if options.kafka:
            broker = opened.enter_context(Broker(Path(name) / "broker"))
            config = config.model_copy(
                update={"kafka": config.kafka.model_copy(update={"bootstrap_servers": broker.bootstrap})}
            )
            with Client(broker.bootstrap) as client:
                copy_to_topic(state, client, "changelog")
            source = partial(from_topic, config, "changelog")
        size = options.series * ForecastModel(config).bytes_per_series
        print(f"{size / 1e9:.2f} GB, {size / options.series / 1e3:.0f} kB a series")
        print(f"that much memory the first time: {touched(size):.1f} s, once more: {touched(size):.1f} s", flush=True)
        found = []
        for _, (seconds, growth) in zip(range(options.rounds), restored(config, source), strict=False):
            found.append(seconds)
            print(f"restored in {seconds:.1f} s, memory + {growth / 1e9:.2f} GB ({growth / size:.1%})", flush=True)
    middle, clearing = statistics.median(found), touched(size)
    rate = f"{options.series / middle:,.0f} series/s, {size / middle / 1e6:,.0f} MB/s"
    print(f"median {middle:.1f} s, {rate}; that much memory: {clearing:.1f} s")


if __name__ == "__main__":
    main()
