"""File to file: how many times as long a run takes as reading and rewriting the same JSON lines with the json module.

    python benchmarks/files.py                    # one target, 1,000 series, 200,000 events
    python benchmarks/files.py --events 50000 --quick   # the floors in floors.json; exit code 1 below one

Processor time of one process each, the start of the interpreter and of the kernels taken off: a run over two events.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

REWRITE = """
import json, sys
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
    for line in source:
        target.write(json.dumps(json.loads(line)) + "\\n")
"""


def write(path: Path, events: int, series: int) -> None:
    """Series in turns, one event a minute each: a daily wave and noise."""
    random = np.random.default_rng(0)
    steps, keys = np.divmod(np.arange(events), series)
    times = np.datetime_as_string(np.datetime64("2026-01-01T00:00:00", "s") + steps.astype("m8[m]"))
    values = 10 + 5 * np.sin(steps * 2 * np.pi / 1440 + keys) + random.normal(size=events)
    with path.open("w") as file:
        for key, time, value in zip(keys.tolist(), times.tolist(), values.tolist(), strict=True):
            file.write(json.dumps({"key": f"series {key}", "time": f"{time}Z", "value": value}) + "\n")


def processor_seconds(*command: str) -> float:
    """Of a process that must succeed."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="compare with floors.json")
    asked = parser.parse_args()
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, two, target = (Path(folder) / name for name in ("events.jsonl", "two.jsonl", "out.jsonl"))
        write(source, asked.events, asked.series)
        two.write_text("".join(source.read_text().splitlines(keepends=True)[:2]))

        def run(preset: str, path: Path) -> float:
            return processor_seconds(
                sys.executable, "-m", "streamrnn", "run", "--input", str(path), "--output", str(target), "--quiet",
                "--set", f"model.preset={preset}",
            )  # fmt: skip

        def rewrite(path: Path) -> float:
            return processor_seconds(sys.executable, "-c", REWRITE, str(path), str(target))

        for preset in ("lite", "standard"):
            run(preset, two)  # compiles
        plain, runs = [], {"lite": [], "standard": []}
        for _ in range(asked.repeat):  # in turns: what else the machine does falls on all of them
            plain.append(rewrite(source) - rewrite(two))
            for preset, seconds in runs.items():
                seconds.append(run(preset, source) - run(preset, two))
        reference = statistics.median(plain)
        print(f"json module: {reference / asked.events * 1e6:.1f} us per event")
        for preset, seconds in runs.items():
            own = statistics.median(seconds)
            ratio = own / reference
            measured[f"{preset}_speed"] = 1 / ratio
            print(f"{preset}: {own / asked.events * 1e6:.1f} us per event, {ratio:.2f} times that")
    if not asked.quick:
        return 0
    floors = json.loads((Path(__file__).parent / "floors.json").read_text()).get("files", {})
    missed = {name: (measured[name], floor) for name, floor in floors.items() if measured[name] < floor}
    for name, (value, floor) in missed.items():
        print(f"{name} is {value:.3f}, below its floor {floor}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
