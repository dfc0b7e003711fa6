"""What river's checks do not ask of the networks: the carried state, growth, odd values."""

from __future__ import annotations

import math
import pickle
import random
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import streamrnn
from streamrnn.cells import cell as interface
from streamrnn.cells.dense import Dense, Network
from streamrnn.errors import ConfigurationError
from streamrnn.estimators.encoding import FeatureEncoder
from streamrnn.estimators.growing import grow_inputs, grow_outputs
from streamrnn.estimators.network import Plan, make_body
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import Loss, make_loss
from streamrnn.learning.optimizers import STARTED, make_optimizer
from tests.learning.looking import look_ahead

NETWORKS = [
    streamrnn.RNNRegressor,
    streamrnn.RNNClassifier,
    streamrnn.MLPRegressor,
    streamrnn.MLPClassifier,
    streamrnn.RNNMultiTargetRegressor,
]


def events(kind: Any, count: int, seed: int = 0) -> list[tuple[dict[str, Any], Any]]:
    """Some events that `kind` can learn from."""
    source = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        a, b = source.normal(size=2).tolist()
        y: Any = a * b + a
        if "Classifier" in kind.__name__:
            y = "up" if y > 0 else "down"
        elif "MultiTarget" in kind.__name__:
            y = {"sum": a + b, "product": a * b}
        made.append(({"a": a, "b": b}, y))
    return made


def said(model: Any, x: dict[str, Any]) -> Any:
    return model.predict_proba_one(x) if hasattr(model, "predict_proba_one") else model.predict_one(x)


@pytest.mark.parametrize("kind", [streamrnn.RNNRegressor, streamrnn.RNNClassifier, streamrnn.RNNMultiTargetRegressor])
def test_learning_moves_the_hidden_state_and_predicting_does_not(kind: Any) -> None:
    model = kind()
    for x, y in events(kind, 20):
        before = model.hidden_state
        answers = [said(model, x) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        assert np.array_equal(model.hidden_state, before)
        model.learn_one(x, y)
        assert not np.array_equal(model.hidden_state, before)
    model.start_sequence()
    assert not model.hidden_state.any()


@pytest.mark.parametrize("kind", NETWORKS)
def test_predicting_in_between_changes_nothing_that_is_learned(kind: Any) -> None:
    asked, silent = kind(), kind()
    for x, y in events(kind, 60):
        said(asked, {"a": 100.0, "new": 5.0, "text": "t"})
        said(asked, x)
        asked.learn_one(x, y)
        silent.learn_one(x, y)
    assert said(asked, {"a": 0.5, "b": 0.5}) == said(silent, {"a": 0.5, "b": 0.5})


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_pickled_estimator_goes_on_where_it_was(kind: Any) -> None:
    model = kind()
    stream = events(kind, 120)
    for x, y in stream[:60]:
        model.learn_one(x, y)
    restored = pickle.loads(pickle.dumps(model))
    for x, y in stream[60:]:
        assert said(model, x) == said(restored, x)
        model.learn_one(x, y)
        restored.learn_one(x, y)


def test_mutate_changes_the_rate_of_the_next_event_and_nothing_else_may_be_mutated() -> None:
    still, moving = streamrnn.MLPRegressor(), streamrnn.MLPRegressor()
    stream = events(streamrnn.MLPRegressor, 50)
    for model in (still, moving):
        for x, y in stream[:25]:
            model.learn_one(x, y)
    still.mutate({"learning_rate": 0.0})
    before = [model._net.learner.weights.parameters.copy() for model in (still, moving)]
    for model in (still, moving):
        for x, y in stream[25:]:
            model.learn_one(x, y)
    assert np.array_equal(still._net.learner.weights.parameters, before[0])
    assert not np.array_equal(moving._net.learner.weights.parameters, before[1])
    with pytest.raises(ValueError, match="not a mutable attribute"):
        still.mutate({"hidden_sizes": (8,)})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (streamrnn.RNNRegressor, {"cell": "transformer"}),
        (streamrnn.RNNClassifier, {"hidden_size": 0}),
        (streamrnn.RNNClassifier, {"layers": 0}),
        (streamrnn.MLPRegressor, {"optimizer": "newton"}),
        (streamrnn.MLPClassifier, {"learning_rate": -1.0}),
        (streamrnn.MLPClassifier, {"activation": "step"}),
        (streamrnn.RNNRegressor, {"max_features": 0}),
        (streamrnn.RNNForecaster, {"preset": "huge"}),
        (streamrnn.RNNForecaster, {"horizon": 0}),
        (streamrnn.RNNAnomalyDetector, {"preset": "full"}),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        kind(**settings)


def learner_of(cell: str, inputs: int, outputs: int, loss: Loss) -> Learner:
    """A small network with weights and a state as if it had learned."""
    widths = (6, 5) if cell in ("gru", "mlp") else (6,)
    made = Learner(
        Network(make_body(Plan(cell, widths), inputs), Dense(widths[-1], outputs)),
        make_settings(truncation_length=4),
        loss,
        make_optimizer("adam", 0.01),
        seed=3,
    )
    source = np.random.default_rng(1)
    count = made.initial.size
    made.weights.parameters[0, :count] = made.initial + source.normal(0, 0.3, count)
    made.weights.counters[0, STARTED] = 1
    made.series.state[:] = source.normal(0, 0.3, made.series.state.shape)
    return made


@pytest.mark.parametrize("cell", ["gru", "lstm", "lru", "elman", "jordan", "mlp"])
def test_a_network_with_further_inputs_says_the_same_while_they_are_zero(cell: str) -> None:
    learner = learner_of(cell, 3, 1, make_loss("squared"))
    grown = grow_inputs(learner, 7, seed=3)
    assert interface.input_size(grown.cell) == 7
    x = np.array([0.5, -1.0, 2.0], np.float32)
    zeros, ones = np.concatenate([x, np.zeros(4)]), np.concatenate([x, np.ones(4)])
    assert look_ahead(grown, zeros) == pytest.approx(look_ahead(learner, x), rel=1e-5)
    assert abs(look_ahead(grown, ones) - look_ahead(learner, x)).max() > 1e-3


def test_a_network_with_further_inputs_learns_the_same_while_they_are_zero() -> None:
    learner = learner_of("mlp", 3, 1, make_loss("squared"))
    source, row = np.random.default_rng(2), np.zeros(1, np.int64)
    for _ in range(10):
        learner.learn_many(row, source.normal(size=(1, 3)), np.ones((1, 1)))
    grown = grow_inputs(learner, 7, seed=3)
    for _ in range(10):
        x, y = source.normal(size=(1, 3)), source.normal(size=(1, 1))
        learner.learn_many(row, x, y)
        grown.learn_many(row, np.concatenate([x, np.zeros((1, 4))], axis=1), y)
        assert look_ahead(grown, np.zeros(7)) == pytest.approx(look_ahead(learner, np.zeros(3)), rel=1e-4)


def test_errors_flow_back_through_events_from_before_the_growth() -> None:
    same, grown = (streamrnn.RNNRegressor(truncation_length=8) for _ in range(2))
    for x, y in events(streamrnn.RNNRegressor, 40):
        same.learn_one(x, y)
        grown.learn_one(x, y)
    net = grown._net
    net.encoder.add([f"late {k}" for k in range(20)])
    for x, y in events(streamrnn.RNNRegressor, 5, seed=1):
        same.learn_one(x, y)
        grown.learn_one(x, y)
        assert grown.predict_one(x) == pytest.approx(same.predict_one(x), rel=1e-3)
    assert interface.input_size(net.learner.cell) > interface.input_size(same._net.learner.cell)
    assert net.learner.series.steps[0] == 45


@pytest.mark.parametrize("cell", ["gru", "mlp"])
def test_a_network_with_further_outputs_says_the_same_of_the_old_ones(cell: str) -> None:
    learner = learner_of(cell, 3, 2, make_loss("cross_entropy", classes=2))
    grown = grow_outputs(learner, 4, make_loss("cross_entropy", classes=4), seed=3)
    x = np.array([0.5, -1.0, 2.0], np.float32)
    assert look_ahead(grown, x)[:2] == pytest.approx(look_ahead(learner, x))
    assert not look_ahead(grown, x)[2:].any()


def test_features_that_come_later_are_learned_and_what_was_learned_is_kept() -> None:
    model = streamrnn.MLPRegressor()
    source = random.Random(0)
    for _ in range(600):
        a = source.gauss(0, 1)
        model.learn_one({"a": a}, 3.0 * a)
    assert model.predict_one({"a": 1.0}) == pytest.approx(3.0, abs=0.3)
    late = [f"late{k}" for k in range(20)]
    for _ in range(600):
        x = {name: source.gauss(0, 1) for name in ("a", *late)}
        model.learn_one(x, 3.0 * x["a"] + 2.0 * x["late7"])
    nothing = dict.fromkeys(late, 0.0)
    assert model.predict_one({"a": 1.0, **nothing}) == pytest.approx(3.0, abs=0.6)
    assert model.predict_one({"a": 0.0, **nothing, "late7": 1.0}) == pytest.approx(2.0, abs=0.6)
    assert model.predict_one({"a": 1.0}) == pytest.approx(3.0, abs=0.6)  # and they may go again


def test_classes_that_come_later_are_learned() -> None:
    model = streamrnn.MLPClassifier()
    source = random.Random(0)
    for t in range(1500):
        label = source.randrange(2 if t < 300 else 5)
        if t == 299:
            assert set(model.predict_proba_one({"x": 0.0})) == {0, 1}
        model.learn_one({"x": label + source.gauss(0, 0.1)}, label)
    assert [model.predict_one({"x": float(label)}) for label in range(5)] == [0, 1, 2, 3, 4]
    assert math.isclose(sum(model.predict_proba_one({"x": 2.5}).values()), 1.0)


def test_no_class_and_one_class() -> None:
    model = streamrnn.RNNClassifier()
    assert model.predict_one({"x": 1.0}) is None
    model.learn_one({"x": 1.0}, "only")
    assert model.predict_proba_one({"x": 1.0}) == {"only": 1.0}


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_target_teaches_nothing_and_moves_the_state(missing: Any) -> None:
    for kind in (streamrnn.RNNRegressor, streamrnn.RNNClassifier):
        model = kind()
        for x, y in events(kind, 30):
            model.learn_one(x, y)
        line, state = model._net.predictor.line.weights.copy(), model.hidden_state
        model.learn_one({"a": 1.0, "b": 1.0}, missing)
        assert np.array_equal(model._net.predictor.line.weights, line)
        assert not np.array_equal(model.hidden_state, state)


@pytest.mark.parametrize("kind", NETWORKS)
def test_nothing_a_feature_can_be_harms_the_model(kind: Any) -> None:
    odd = [
        None,
        math.nan,
        math.inf,
        -math.inf,
        1e308,
        10**400,
        True,
        np.float32(2),
        np.int64(3),
        Decimal("1.5"),
        "text",
    ]
    odd += ["", ("a", 1), datetime(2026, 1, 1), b"bytes"]
    model, plain = kind(), events(kind, 400)
    source = random.Random(1)
    for x, y in plain[:200]:
        strange = {**x, source.choice(["a", "b", "c"]): source.choice(odd)}
        said(model, strange)
        model.learn_one(strange, y)
    model.learn_one({}, plain[0][1])
    for x, y in plain[200:]:
        model.learn_one(x, y)
    answer = said(model, {"a": 1.0, "b": 1.0})
    values = list(answer.values()) if isinstance(answer, dict) else [answer]
    assert all(math.isfinite(value) and abs(value) < 100.0 for value in values)


def test_text_is_one_column_per_value_and_beyond_the_most_columns_are_shared() -> None:
    model = streamrnn.MLPRegressor()
    for t in range(900):
        model.learn_one({"city": ["Rome", "Oslo", "Bern"][t % 3]}, [30.0, 10.0, 20.0][t % 3])
    assert [round(model.predict_one({"city": city})) for city in ("Oslo", "Bern", "Rome")] == [10, 20, 30]
    encoder = FeatureEncoder(most=16)
    for t in range(1000):
        encoder.learn({"user": f"user {t}"})
    assert encoder.capacity == encoder.used == 16
    assert len(encoder.columns) == 256
    assert encoder.encode({"user": "user 200"}).sum() == 1.0


def test_multiple_targets_may_be_missing_and_new_ones_may_come() -> None:
    model = streamrnn.RNNMultiTargetRegressor()
    assert model.predict_one({"x": 1.0}) == {}
    for t in range(200):
        model.learn_one({"x": float(t % 7)}, {"one": 2.0 * (t % 7)})
    for t in range(200):
        model.learn_one({"x": float(t % 7)}, {"two": -1.0 * (t % 7), "one": math.nan})
    made = model.predict_one({"x": 3.0})
    assert made == pytest.approx({"one": 6.0, "two": -3.0}, abs=1.0)


def test_the_package_names_its_estimators_and_nothing_else() -> None:
    assert set(streamrnn.__all__) <= set(dir(streamrnn))
    for name in streamrnn.__all__:
        assert getattr(streamrnn, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = streamrnn.Nothing
