"""A second process finds the compiled kernels on disk."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.learning import learner
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer

network = learner.Learner(
    Network(GRU(1, 4), Dense(4, 1)), learner.make_settings(), make_loss("squared"), make_optimizer()
)
made, losses = network.learn_many(np.zeros(50, np.int64), np.ones((50, 1)), np.ones((50, 1)))
stats = learner.learn_many.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), made.tobytes().hex())
"""


def test_second_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "STREAMRNN_CACHE": str(tmp_path)}
    answers = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert answers[0][:2] == ["0", "1"]
    assert answers[1][:2] == ["1", "0"]
    assert answers[0][2] == answers[1][2]
