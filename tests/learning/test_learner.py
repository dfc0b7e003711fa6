"""The fold's law, losses, and series that do not disturb each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrnn.cells.cell import output_size
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.cells.lru import LRU
from streamrnn.cells.stack import Stack
from streamrnn.errors import ConfigurationError
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import UPDATES, make_optimizer

ROWS, EVENTS = 3, 120
random = np.random.default_rng(0)
STREAM_ROWS = random.integers(0, ROWS, EVENTS)
X, Y = random.normal(size=(EVENTS, 2)), random.normal(size=(EVENTS, 1))
X[random.random(X.shape) < 0.05] = np.nan
Y[random.random(Y.shape) < 0.05] = np.nan


def new_learner(slots: int = 1, update_every: int = 3) -> Learner:
    body = Stack((GRU(2, 6), GRU(6, 6)))
    return Learner(
        Network(body, Dense(6, 1)),
        make_settings(truncation_length=5, update_every=update_every),
        make_loss("huber"),
        make_optimizer("adam", 0.01),
        rows=ROWS,
        slots=slots,
    )


def everything(learner: Learner) -> list[bytes]:
    return [array.tobytes() for array in (*learner.weights, *learner.series)]


WHOLE = {slots: new_learner(slots=slots) for slots in (1, ROWS)}
WHOLE_MADE = {slots: learner.learn_many(STREAM_ROWS, X, Y) for slots, learner in WHOLE.items()}


@pytest.mark.parametrize("slots", [1, ROWS])
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, EVENTS), max_size=8))
def test_where_a_batch_ends_changes_no_bit(slots, cuts):
    learner, made, losses = new_learner(slots=slots), [], []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), EVENTS], strict=True):
        part = slice(begin, end)
        result = learner.learn_many(STREAM_ROWS[part], X[part], Y[part])
        made.append(result[0])
        losses.append(result[1])
    assert everything(learner) == everything(WHOLE[slots])
    assert np.concatenate(made).tobytes() == WHOLE_MADE[slots][0].tobytes()
    assert np.concatenate(losses).tobytes() == WHOLE_MADE[slots][1].tobytes()


def test_weights_changed():
    assert WHOLE[1].weights.counters[0, UPDATES] > 20


def test_own_weights_make_a_series_independent_of_the_others():
    alone = new_learner(slots=ROWS)
    mine = STREAM_ROWS == 1
    made, _ = alone.learn_many(STREAM_ROWS[mine], X[mine], Y[mine])
    np.testing.assert_array_equal(made, WHOLE_MADE[ROWS][0][mine])


def test_a_missing_target_teaches_nothing():
    learner = new_learner(update_every=1)
    row, known = np.zeros(1, np.int64), 0
    for event in range(9):
        target = np.nan if event % 3 else 1.0
        learner.learn_many(row, np.ones((1, 2)), np.array([[target]]))
        known += not np.isnan(target)
        assert learner.weights.counters[0, UPDATES] == known


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_every_loss_finds_its_center(loss):
    """Targets 1 with noise: mean and median are 1."""
    body = LRU(1, 8)
    learner = Learner(
        Network(body, Dense(output_size(body), 1)),
        make_settings(truncation_length=2),
        make_loss(loss),
        make_optimizer("adam", 0.003),
    )
    events, rng = 6000, np.random.default_rng(0)
    y = 1.0 + 0.2 * rng.normal(size=(events, 1))
    made, losses = learner.learn_many(np.zeros(events, np.int64), np.ones((events, 1)), y)
    assert made[-500:, 0].mean() == pytest.approx(1.0, abs=0.05)
    assert losses[-500:].mean() < losses[:50].mean()


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="outputs"):
        Learner(Network(GRU(1, 4), Dense(4, 1)), make_settings(), make_loss("squared", targets=3), make_optimizer())
    with pytest.raises(ConfigurationError, match="at least"):
        make_settings(truncation_length=0)
