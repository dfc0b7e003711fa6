"""Test-then-train against river's models: no worse where a line or a tree is enough, far better where memory counts.

All data comes with river. Elec2, Bikes and the like have to be downloaded and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from river import datasets, linear_model, metrics, multiclass, preprocessing, tree
from river.datasets import synth

import streamrnn

FRIEDMAN: dict[str, dict[str, Any]] = {
    "lea": {"position": (1500, 3000, 4500)},
    "gra": {"position": (2000, 4000)},
    "gsg": {"position": (2000, 4000), "transition_window": 600},
}
REGRESSION: dict[str, Callable[[], Iterable[Any]]] = {
    "TrumpApproval": datasets.TrumpApproval,
    "ChickWeights": datasets.ChickWeights,
    **{
        f"FriedmanDrift-{kind}": lambda kind=kind: synth.FriedmanDrift(drift_type=kind, seed=42, **FRIEDMAN[kind]).take(
            6000
        )
        for kind in FRIEDMAN
    },
}
CLASSIFICATION: dict[str, Callable[[], Iterable[Any]]] = {
    "Phishing": datasets.Phishing,
    "ImageSegments": datasets.ImageSegments,
}


def score(model: Any, rows: list[Any], metric: Any, skip: int = 0) -> float:
    for number, (x, y) in enumerate(rows):
        said = model.predict_one(x)
        if said is not None and number >= skip:
            metric.update(y, said)
        model.learn_one(x, y)
    return float(metric.get())


@pytest.mark.parametrize("name", REGRESSION)
def test_regressors_are_no_worse_than_a_line_or_a_tree(name: str) -> None:
    rows = list(REGRESSION[name]())
    scaler = preprocessing.StandardScaler()
    line = score(scaler | linear_model.LinearRegression(), rows, metrics.MAE())
    scaled_tree = score(preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor(), rows, metrics.MAE())
    bare_tree = score(tree.HoeffdingTreeRegressor(), rows, metrics.MAE())
    best = min(line, scaled_tree, bare_tree)
    assert score(streamrnn.RNNRegressor(), rows, metrics.MAE()) <= best
    assert score(streamrnn.MLPRegressor(), rows, metrics.MAE()) <= best


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_classifiers_are_no_worse_than_a_line_or_a_tree(name: str) -> None:
    rows = list(CLASSIFICATION[name]())
    line = linear_model.LogisticRegression()
    several = line if name == "Phishing" else multiclass.OneVsRestClassifier(line)
    best = max(
        score(preprocessing.StandardScaler() | several, rows, metrics.Accuracy()),
        score(tree.HoeffdingTreeClassifier(), rows, metrics.Accuracy()),
        score(preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(), rows, metrics.Accuracy()),
    )
    one_event = 1.0 / len(rows)  # another processor may round another way, and tip one
    for kind in (streamrnn.RNNClassifier, streamrnn.MLPClassifier):
        assert score(kind(), rows, metrics.Accuracy()) >= best - one_event


def test_a_class_that_depends_on_five_events_ago_needs_memory() -> None:
    random = np.random.default_rng(0)
    coin = random.integers(0, 2, 10_000)
    rows = [
        ({"coin": int(coin[t]), "noise": float(random.normal())}, bool(coin[max(t - 5, 0)])) for t in range(len(coin))
    ]
    memoryless = [
        preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        tree.HoeffdingTreeClassifier(),
        streamrnn.MLPClassifier(),
    ]
    for model in memoryless:
        assert 0.45 < score(model, rows, metrics.Accuracy(), skip=8000) < 0.55
    assert score(streamrnn.RNNClassifier(), rows, metrics.Accuracy(), skip=8000) > 0.95
