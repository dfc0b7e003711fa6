"""The feed-forward perceptron learns a classifier from labelled records, one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.mlp import make_mlp
from streamrnn.learning.learner import Learner, make_settings
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer


def xor(events: int, random: np.random.Generator):
    bits = random.integers(0, 2, (events, 2))
    return bits * 2.0 - 1.0 + 0.1 * random.normal(size=(events, 2)), (bits[:, 0] ^ bits[:, 1]).astype(float)


def two_moons(events: int, random: np.random.Generator):
    label, angle = random.integers(0, 2, events), random.uniform(0, np.pi, events)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    return np.where(label[:, None] == 0, upper, lower) + 0.1 * random.normal(size=(events, 2)), label.astype(float)


@pytest.mark.parametrize("stream", [xor, two_moons])
@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.01), ("sgd", 0.01), ("rmsprop", 0.01)])
def test_learns_the_classes(stream, optimizer, rate):
    x, y = stream(6000, np.random.default_rng(0))
    learner = Learner(
        Network(make_mlp(2, (16, 16), feedback="none"), Dense(16, 2)),
        make_settings(truncation_length=1),
        make_loss("cross_entropy", classes=2),
        make_optimizer(optimizer, rate),
    )
    logits, _ = learner.learn_many(np.zeros(len(y), np.int64), x, y[:, None])
    correct = logits.argmax(axis=1) == y
    assert correct[:4].mean() < 1.0 or correct[:200].mean() < 0.98
    assert correct[-1000:].mean() > 0.98


def test_no_hidden_layer_cannot_learn_xor():
    x, y = xor(4000, np.random.default_rng(0))
    learner = Learner(
        Dense(2, 2), make_settings(truncation_length=1), make_loss("cross_entropy", classes=2),
        make_optimizer("adam", 0.01),
    )  # fmt: skip
    logits, _ = learner.learn_many(np.zeros(len(y), np.int64), x, y[:, None])
    assert (logits.argmax(axis=1) == y)[-1000:].mean() < 0.75
