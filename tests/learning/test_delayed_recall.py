"""TBPTT does what its name says: what happened 10 steps ago is learned when the window reaches back that far."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.cells.cell import output_size
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.cells.mlp import make_mlp
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer

DELAY, EVENTS, LAST = 10, 300_000, 20_000

# A random recurrence of this size and scale forgets within a few steps: what is remembered was learned.
BODIES = {"gru": (GRU(1, 32), 0.003), "mlp": (make_mlp(1, (32,)), 0.001)}
FORGETFUL = {"feed-forward": (make_mlp(1, (32,), feedback="none"), 0.001)}


def share_of_variance(name: str, truncation: int) -> float:
    """Mean squared error over the last events, as a share of the targets' variance."""
    body, rate = (BODIES | FORGETFUL)[name]
    random = np.random.default_rng(3)
    x = random.normal(size=EVENTS)
    y = np.full(EVENTS, np.nan)
    y[DELAY:] = x[:-DELAY]
    y += 0.1 * random.normal(size=EVENTS)
    learner = Learner(
        Network(body, Dense(output_size(body), 1)),
        make_settings(truncation_length=truncation, update_every=truncation),
        make_loss("squared"),
        make_optimizer("adam", rate, clip_norm=1.0),
        seed=1,
    )
    _, losses = learner.learn_many(np.zeros(EVENTS, np.int64), x[:, None], y[:, None])
    return float(2.0 * losses[-LAST:].mean() / np.var(y[-LAST:]))


@pytest.mark.parametrize("name", BODIES)
def test_the_window_must_reach_back_to_the_cause(name):
    long = share_of_variance(name, 16)
    assert long < 0.05
    assert share_of_variance(name, 4) > 3 * long


def test_without_a_state_nothing_is_recalled():
    assert share_of_variance("feed-forward", 16) > 0.9
