"""The fold's law, pending forecasts, and series that do not disturb each other."""

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


def new_learner(horizon: int = 2, slots: int = 1, update_every: int = 3) -> Learner:
    body = Stack((GRU(2, 6), GRU(6, 6)))
    return Learner(
        Network(body, Dense(6, max(horizon, 1))),
        make_settings(truncation_length=5, update_every=update_every, horizon=horizon),
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


def test_weights_changed_and_looking_ahead_changes_nothing():
    learner = WHOLE[1]
    assert learner.weights.counters[0, UPDATES] > 20
    before = everything(learner)
    learner.look_ahead(X[3], row=1)
    assert everything(learner) == before


def test_own_weights_make_a_series_independent_of_the_others():
    alone = new_learner(slots=ROWS)
    mine = STREAM_ROWS == 1
    made, _ = alone.learn_many(STREAM_ROWS[mine], X[mine], Y[mine])
    np.testing.assert_array_equal(made, WHOLE_MADE[ROWS][0][mine])


def test_learns_only_when_the_target_arrives():
    """With horizon h the first update needs h + 1 events: the first prediction and the last target it waits for."""
    for horizon in (1, 2, 5):
        learner = new_learner(horizon=horizon, update_every=1)
        row = np.zeros(1, np.int64)
        for event in range(horizon + 2):
            assert learner.weights.counters[0, UPDATES] == max(0, event - horizon)
            learner.learn_many(row, np.ones((1, 2)), np.ones((1, 1)))


def test_each_lead_learns_its_own_step():
    """A sawtooth of period 7: lead l of the forecast must become the value l steps on."""
    events, horizon = 30_000, 3
    values = (np.arange(events) % 7) / 3.0 - 1.0
    body = GRU(1, 16)
    learner = Learner(
        Network(body, Dense(16, horizon)),
        make_settings(truncation_length=8, horizon=horizon),
        make_loss("squared"),
        make_optimizer("adam", 0.005, clip_norm=1.0),
    )
    made, _ = learner.learn_many(np.zeros(events, np.int64), values[:, None], values[:, None])
    for lead in range(1, horizon + 1):
        error = made[-1000 - lead : -lead, lead - 1] - values[-1000:]
        assert np.mean(error**2) < 0.01 * np.var(values)


@pytest.mark.parametrize("loss", ["squared", "huber", "pinball", "student_t"])
@pytest.mark.parametrize("learning", ["tbptt", "rtrl"])
def test_every_loss_finds_its_center(loss, learning):
    """Targets 1 with noise: the median and the mean are 1; Student-t finds the scale as well."""
    outputs = 2 if loss == "student_t" else 1
    body = LRU(1, 8)
    learner = Learner(
        Network(body, Dense(output_size(body), outputs)),
        make_settings(truncation_length=2, horizon=0, learning=learning),
        make_loss(loss),
        make_optimizer("adam", 0.003),
    )
    events, rng = 6000, np.random.default_rng(0)
    y = 1.0 + 0.2 * rng.normal(size=(events, 1))
    made, losses = learner.learn_many(np.zeros(events, np.int64), np.ones((events, 1)), y)
    assert made[-500:, 0].mean() == pytest.approx(1.0, abs=0.05)
    assert losses[-500:].mean() < losses[:50].mean()
    if loss == "student_t":
        assert np.exp(made[-500:, 1]).mean() == pytest.approx(0.17, abs=0.05)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="outputs"):
        Learner(Network(GRU(1, 4), Dense(4, 1)), make_settings(horizon=3), make_loss("squared"), make_optimizer())
    with pytest.raises(ConfigurationError, match="at least"):
        make_settings(truncation_length=0)
