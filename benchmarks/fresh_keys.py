"""Memory and disk of a run over keys that are all new, with default settings: nothing is lost.

    python benchmarks/fresh_keys.py                               # 8,100 to 100,000 keys
    systemd-run --scope -p MemoryMax=2G python benchmarks/fresh_keys.py --keys 1000000     # in a limit of 2 GiB

One event a key, then one more of every tenth; a file, its answers, and a state folder. The peak is the largest resident
memory of the run's process. Exit code 1 where a row has no answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from streamrnn.state import memory

START = 1_767_225_600


def write(file: Path, keys: int) -> int:
    """Events of so many keys; how many there are."""
    back = keys // 10
    with file.open("w") as output:
        for number in range(keys + back):
            key = number if number < keys else 10 * (number - keys)
            moment = START + number // 100 + 3600 * (number >= keys)
            event = {"key": f"device-{key:07}", "time": moment, "value": number * 7919 % 1000}
            output.write(json.dumps(event) + "\n")
    return keys + back


def run(folder: Path) -> tuple[int, float]:
    """Run it; exit code and the peak in MiB."""
    words = ["run", "--input", "in.jsonl", "--output", "out.jsonl", "--state", "state", "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "streamrnn", *words], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / (1 << 10)


def main() -> None:
    """Print a line for every count of keys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[8_100, 8_300, 16_500, 100_000])
    options = parser.parse_args()
    most = memory.ceiling()
    print(f"the {most.whose} has {memory.size(most.bytes)}, of which {memory.described(None)}")
    lost = 0
    for keys in options.keys:
        with tempfile.TemporaryDirectory(dir=".") as name:
            folder = Path(name).resolve()
            rows = write(folder / "in.jsonl", keys)
            code, peak = run(folder)
            with (folder / "out.jsonl").open("rb") as answers:
                answered = sum(1 for _ in answers)
            disk = sum(file.stat().st_size for file in (folder / "state").rglob("*")) / (1 << 20)
        lost += rows - answered
        print(f"{keys:10,} keys: exit code {code}, {answered:,} of {rows:,} rows answered, "
              f"peak {peak:,.0f} MiB, state folder {disk:,.0f} MiB", flush=True)  # fmt: skip
    sys.exit(lost != 0)


if __name__ == "__main__":
    main()
