"""A label teaches the same at once or late, and what needs memory is learned from late labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrnn.config.tree import Config
from streamrnn.labelled import kernels
from streamrnn.labelled.model import LabelledModel
from streamrnn.runtime.task import make_decoder
from tests.commands import Streamrnn
from tests.labelled.streams import configured, records, stream


def fold(config: Config, events: list[dict[str, Any]], model: LabelledModel | None = None) -> tuple[LabelledModel, Any]:
    model = model or LabelledModel(config)
    decoded = make_decoder(config).decode(records(*events))
    assert not decoded.rejected
    return model, model.process(decoded)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("weights", ["partition", "series"])
@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_late_label_teaches_what_it_would_have_taught_at_once(task: str, weights: str, delay: int) -> None:
    config = configured(task, event__features=["a", "b"], model__weights=weights, labels__classes=CLASSES.get(task, []))
    random = np.random.Generator(np.random.Philox(key=5))
    values = {"classification": ("up", "down"), "regression": (3.0, -1.0)}[task]
    warm = [
        {"key": "s", "time": t, "a": random.normal(), "b": random.normal(), "label": values[t % 2]} for t in range(9)
    ]
    more = [{"key": "s", "time": 10 + t, "id": t, "a": random.normal(), "b": 1.0} for t in range(8)]
    at_once = [event | ({"label": values[1]} if t == 2 else {}) for t, event in enumerate(more)]
    later = [*more[: 3 + delay], {"key": "s", "time": 30, "id": 2, "label": values[1]}, *more[3 + delay :]]
    one, other = (fold(config, [*warm, *events])[0] for events in (at_once, later))
    first, second = ((model.series.arrays if weights == "series" else model.shared).learned for model in (one, other))
    before = fold(config, warm)[0]
    start = (before.series.arrays if weights == "series" else before.shared).learned
    for name in ("line", "covariance", "trust", "targets"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)
    np.testing.assert_array_equal(first.weights.parameters, second.weights.parameters)
    assert (first.weights.parameters != start.weights.parameters).any()
    assert (first.line != start.line).any()


CLASSES = {"classification": ["up", "down"]}


def test_the_window_behind_a_prediction_is_made_again_as_it_was() -> None:
    """With weights that stand still, the replay says what the network said then, bit for bit."""
    config = configured("regression", event__features=["a"], model__learning_rate=0.0)
    random = np.random.Generator(np.random.Philox(key=1))
    model = LabelledModel(config)
    fold(config, [{"key": "s", "time": 0, "a": 1.0}], model)
    weights = model.shared.learned.weights.parameters
    weights[:] = random.normal(size=weights.shape)  # the readout begins with zeros
    said = []
    for t in range(20):
        fold(config, [{"key": "s", "time": t, "a": random.normal()}], model)
        said.append(model._scratch.output.copy())
    for lag in range(config.labels.pending):
        kernels._replay(
            model._config, model._config.loss, model.shared.learned, 0, model.series.arrays, 0, lag, np.nan,
            model._scratch,
        )  # fmt: skip
        np.testing.assert_array_equal(model._scratch.output, said[-1 - lag])
    assert len(np.unique(said)) == len(said)


def five_ago(events: int, delay: int) -> list[dict[str, Any]]:
    """Coin flips; the label is the flip five flips earlier and comes up to `delay` flips late, twice that in events."""
    random = np.random.Generator(np.random.Philox(key=2))
    flips = random.integers(0, 2, events).tolist()
    slots = []
    for t, flip in enumerate(flips):
        slots.append((2 * t, {"time": t, "id": t, "flip": flip}))
        due = 2 * t + 1 + int(random.integers(0, 2 * delay))
        slots.append((due, {"time": due // 2, "id": t, "label": "heads" if flips[max(0, t - 5)] else "tails"}))
    return [event for _, event in sorted(slots, key=lambda slot: slot[0])]


@pytest.mark.parametrize(("cell", "learns"), [("gru", True), ("mlp", False)])
def test_delayed_labels_teach_what_needs_memory(cell: str, learns: bool) -> None:
    config = configured(
        event__features=["flip"], labels__pending=6000, labels__label_ttl="7d", model__cell=cell, model__hidden_size=32,
        model__truncation_length=16,
    )  # fmt: skip
    model, said = fold(config, five_ago(30_000, 5000))
    assert model.counters["labels_joined"] == 30_000
    correct = said.correct[np.isfinite(said.error)][-3000:].mean()
    assert correct > 0.95 if learns else correct < 0.6


def test_numbers_are_learned() -> None:
    config = configured("regression", model__hidden_size=32, model__truncation_length=16)
    random = np.random.Generator(np.random.Philox(key=3))
    x = random.normal(size=(6000, 2))
    y: Any = 100 + 5 * x[:, 0] + 10 * np.r_[0, x[:-1, 1]] * (x[:, 0] > 0)  # a line, and what only a memory can know
    events = [{"time": t, "a": a, "b": b, "label": float(y[t])} for t, (a, b) in enumerate(x.tolist())]
    _, said = fold(config, events)
    left = y - np.linalg.lstsq(np.c_[np.ones(6000), x], y, rcond=None)[0] @ np.c_[np.ones(6000), x].T
    assert np.nanmean(said.error[-1000:]) < 0.5 * np.abs(left).mean()


def test_the_label_before_is_known_to_a_regression() -> None:
    config = configured("regression", event__features=["noise"], model__hidden_size=8)
    random = np.random.Generator(np.random.Philox(key=4))
    steps, noise = random.normal(size=3000), random.normal(size=3000).tolist()
    walk = np.cumsum(steps).tolist()
    events = [{"time": t, "noise": noise[t], "label": walk[t]} for t in range(3000)]
    _, said = fold(config, events)
    assert np.nanmean(said.error[1000:]) < 1.1 * np.abs(steps).mean() < 0.2 * np.std(walk)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_cold_and_a_warm_process_give_the_same_bytes(streamrnn: Streamrnn, tmp_path: Path, task: str) -> None:
    events = stream(configured(task), 3000)
    (tmp_path / "x.jsonl").write_bytes(b"".join((event.value or b"null") + b"\n" for event in events))
    seen = set()
    for name in ("cold", "warm"):
        done = streamrnn(
            "run", "--input", "x.jsonl", "--output", f"{name}.out", "--state", name, "--quiet", "--task", task,
            "--feature", "a", "--feature", "b", environment={"STREAMRNN_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
        assert done.code == 0, done.err
        compiled = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.nbc")}
        assert compiled, "nothing was cached: this test would compare nothing"
        digest = json.loads(streamrnn("inspect", "--state", name, "--json").out)[0]["digest"]
        seen.add(((tmp_path / f"{name}.out").read_bytes(), digest, *compiled.items()))
    assert len(seen) == 1
