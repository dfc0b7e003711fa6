"""Resident memory of a worker over a long time at a steady rate, against a real broker.

    python benchmarks/soak.py                     # 30 minutes at 5,000 events/s
    python benchmarks/soak.py --minutes 3         # a look

Starts a broker of its own (see `python -m tests.broker fetch`), a worker as a process, and a producer at the rate.
Prints a line every 30 seconds, and at the end by how much the resident memory grew over the last two thirds of the
time: the median of the last tenth of the samples against the median of the first tenth after the first third.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from kafka.errors import KafkaError

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.broker.client import Client
from tests.broker.process import Broker

PARTITIONS = 4


def main() -> None:
    """Run the soak and say how it went; exit code 1 if the memory grew by 1 % or the worker fell behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=5000, help="events per second")
    parser.add_argument("--series", type=int, default=1000)
    options = parser.parse_args()
    small = {"segment_bytes": str(32 << 20), "retention_bytes": str(256 << 20)}
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Path(folder) / "broker") as broker,
        Client(broker.bootstrap) as client,
    ):
        for topic in ("soak", "soak-forecasts"):
            client.create_topic(topic, PARTITIONS, **small)
        settings = {
            "application_id": "soak",
            "kafka.bootstrap_servers": broker.bootstrap,
            "kafka.input_topic": "soak",
            "kafka.output_topic": "soak-forecasts",
        }
        pairs = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        log = (Path(folder) / "worker.log").open("wb")
        worker = subprocess.Popen([sys.executable, "-m", "streamrnn", "run", *pairs], stdout=log, stderr=log)
        try:
            samples = soak(client, psutil.Process(worker.pid), options)
        finally:
            worker.terminate()
            code = worker.wait(60)
    print(f"worker's exit code: {code}")
    late = samples[len(samples) // 3 :]
    tenth = max(1, len(late) // 10)
    first, last = median(late[:tenth]), median(late[-tenth:])
    growth = last / first - 1
    print(f"resident memory over the last two thirds: {first / 1e6:.1f} MB -> {last / 1e6:.1f} MB ({growth:+.2%})")
    sys.exit(0 if growth < 0.01 and code == 0 else 1)


def soak(client: Client, process: psutil.Process, options: argparse.Namespace) -> list[int]:
    """Produce at the rate; the worker's resident bytes, once a second."""
    keys = [f"series-{number}".encode() for number in range(options.series)]
    samples: list[int] = []
    sent, started, told = 0, time.monotonic(), 0.0
    while (elapsed := time.monotonic() - started) < 60 * options.minutes:
        due = int(elapsed * options.rate)
        for number in range(sent, due):
            which, step = number % options.series, number // options.series
            value = round(10 * math.sin(step / 40 + which) + 0.01 * ((number * 7919) % 101), 3)
            event = {"key": keys[which].decode(), "time": 1_767_225_600 + step * 60, "value": value}
            client.producer.send("soak", json.dumps(event).encode(), keys[which], partition=which % PARTITIONS)
        sent = due
        samples.append(process.memory_info().rss)
        if elapsed >= told:
            told += 30
            try:
                lag = f"{client.group_lag('soak', 'soak'):,}"
            except KafkaError:
                lag = "?"  # the group is being made
            print(f"{elapsed:6.0f} s  {sent:>10,} events  lag {lag:>8}  {samples[-1] / 1e6:7.1f} MB", flush=True)
        time.sleep(max(0.0, 1.0 - (time.monotonic() - started - elapsed)))
    return samples


if __name__ == "__main__":
    main()
