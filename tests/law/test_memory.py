"""The bytes per series that `inspect` prints are what a series takes."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import numpy as np, psutil
from tests.streams import configured
from streamrnn.records.events import Decoded
from streamrnn.forecasting.model import ForecastModel

model = ForecastModel(configured(model__preset="standard", model__hidden_size=None, model__truncation_length=None))

def feed(first, last):
    keys = [f"series-{number}" for number in range(first, last)]
    for time in range(40):  # what is never written takes no memory yet
        times = np.full(len(keys), time * 60_000_000)
        model.process(Decoded(keys, times, np.ones((len(keys), 1)) * time, np.zeros((len(keys), 0)), [], []))
    return psutil.Process().memory_info().rss

before = feed(0, 2000)
after = feed(2000, 6000)
print((after - before) / 4000 / model.bytes_per_series)
"""


def test_memory_grows_by_the_bytes_per_series() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0.8 < float(done.stdout) < 1.2
