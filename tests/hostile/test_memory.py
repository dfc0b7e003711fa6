"""Fresh keys without end: memory does not jump, keeps to its limit, and loses nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import json, resource, sys
import numpy as np
from tests.streams import configured
from streamrnn.records.events import Decoded
from streamrnn.forecasting.model import ForecastModel

keys, settings = int(sys.argv[1]), json.loads(sys.argv[2])
large = {"model__preset": "lite", "model__hidden_size": None, "model__truncation_length": None}
model = ForecastModel(configured(**large, **settings))

def feed(first, last):
    for start in range(first, last, 500):
        names = [f"series-{number}" for number in range(start, min(last, start + 500))]
        count = len(names)
        times = np.full(count, 60_000_000 + start)
        model.process(Decoded(names, times, np.ones((count, 1)), np.zeros((count, 0)), [], []))

feed(0, 50)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
feed(50, keys)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
counts = [int(np.frombuffer(model.series.data(f"series-{n}"), np.int64, 1)[0]) for n in (0, 7, keys // 2, keys - 1)]
print(json.dumps([after - before, model.bytes_per_series, len(model.series), model.series.in_memory, counts]))
"""


def fed(keys: int, **settings: Any) -> tuple[int, int, int, int, list[int]]:
    command = [sys.executable, "-c", SCRIPT, str(keys), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown, row, series, in_memory, counts = json.loads(done.stdout)
    return grown, row, series, in_memory, counts


def test_growing_takes_the_new_rows_and_no_more() -> None:
    """2,100 is just beyond a power of two, where arrays that double by copying take three times as much."""
    grown, row, series, _, _ = fed(2100)
    assert series == 2100
    assert grown < 1.25 * 2050 * row


def test_memory_keeps_to_its_limit_and_nobody_is_lost() -> None:
    grown, row, series, in_memory, counts = fed(3000, state__max_memory="16MiB")
    assert series == 3000 > in_memory
    assert in_memory * row <= 16 << 20
    assert grown < (16 + 40) << 20
    assert counts == [1, 1, 1, 1]
