"""Hostile input: what is no event is a dead letter and changes nothing; what is one, however wild, stays finite."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import orjson
import pytest

from streamrnn.errors import ConfigurationError
from streamrnn.labelled.model import LabelledModel
from streamrnn.records.outcomes import PREDICTED
from streamrnn.records.predictions import LabelRecord, PredictionRecord, Score, output_schema
from streamrnn.records.schemas import schemas
from streamrnn.runtime.task import make_decoder
from tests.inside import Inside
from tests.labelled.streams import configured, records, stream
from tests.streams import run

GOOD: list[dict[str, Any]] = [
    {"key": "s", "time": t, "id": t, "a": float(t % 5), "b": 1.0, **({"label": "up"} if t % 2 else {})}
    for t in range(20)
]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (None, "tombstone"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b'{"time": 0}', "neither a feature (a, b) nor a label ('label')"),
        (b'{"time": 0, "id": 1, "label": null}', "neither a feature"),
        (b'{"time": 0, "label": "up"}', "needs the id of its prediction ('id')"),
        (b'{"time": 0, "a": null, "label": "up"}', "needs the id"),
        (b'{"time": 0, "a": "1"}', "a: Input should be a valid number"),
        (b'{"time": 0, "a": NaN}', "finite"),
        (b'{"time": 0, "a": 1e308}', "less than or equal to 1000"),
        (b'{"time": 0, "a": 1e400}', "a"),
        (b'{"time": 0, "a": 1, "label": NaN}', "label"),
        (b'{"time": 0, "a": 1, "label": {}}', "label: Input should be a valid string"),
        (b'{"time": 0, "a": 1, "label": ""}', "label: String should have at least 1 character"),
        (b'{"time": 0, "a": 1, "label": "%b"}' % (b"\xcf\x80" * 33), "at most 64 bytes"),
        (b'{"time": 0, "a": 1, "id": ""}', "id: String should have at least 1 character"),
        (b'{"time": 0, "a": 1, "id": [1]}', "id"),
        (b'{"time": 0, "a": 1, "id": "%b"}' % (b"x" * 1001), "at most 1000 characters"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_a_dead_letter_and_changes_nothing(event: bytes | None, words: str) -> None:
    config = configured()
    decoded = make_decoder(config).decode(records(event))
    [(_, error)] = decoded.rejected
    assert words in str(error)
    outcome, calm = run(config, records(*GOOD[:10], event, *GOOD[10:])), run(config, records(*GOOD))
    assert len(outcome.dead_letters) == 1
    assert outcome.digest == calm.digest


@pytest.mark.parametrize("text", ["text", "true", '"1"', "1e308", "NaN"])
def test_a_label_of_a_regression_is_a_number(text: str) -> None:
    event = f'{{"time": 0, "a": 1, "label": {text}}}'.encode()
    assert make_decoder(configured("regression")).decode(records(event)).rejected


def test_a_class_that_is_not_declared() -> None:
    config = configured(labels__classes=["up", "down"])
    decoded = make_decoder(config).decode(records({"time": 0, "a": 1.0, "label": "Up"}))
    assert "label: Value error, not among labels.classes, which are up, down" in str(decoded.rejected[0][1])


@pytest.mark.parametrize(("value", "name"), [(True, "true"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (-0.0, "0")])
def test_classes_are_texts(value: object, name: str) -> None:
    decoded = make_decoder(configured()).decode(records({"time": 0, "a": 1.0, "label": value}))
    assert decoded.labels is not None
    assert decoded.labels.classes == [name]
    assert name in configured(labels__classes=[value, "other"]).labels.classes


def test_one_class_too_many_is_a_dead_letter_and_changes_nothing() -> None:
    config = configured(labels__max_classes=2)
    base = [{"time": 1, "a": 1.0, "label": "x"}, {"time": 2, "a": 1.0, "label": "y"}, {"time": 3, "id": "w", "a": 2.0}]
    more = [{"time": 4, "a": 1.0, "label": "z"}, {"time": 5, "id": "w", "label": "z"}]
    unknown = {"time": 6, "id": "nobody", "label": "z"}
    rest = [{"time": 7, "id": "w", "label": "x"}, {"time": 8, "a": 0.5}]
    outcome = run(config, records(*base, *more, *rest))
    assert len(outcome.dead_letters) == 2
    headers = dict(outcome.dead_letters[0].headers)
    assert headers["streamrnn.error.message"] == b"class 'z' is one more than labels.max_classes = 2; known are x, y"
    assert outcome.digest == run(config, records(*base, *rest)).digest
    assert orjson.loads(outcome.outputs[-2].value or b"")["status"] == "joined"
    unmet = run(config, records(*base, unknown))
    assert orjson.loads(unmet.outputs[-1].value or b"")["status"] == "unknown"  # it would have taught nothing


def test_one_key_cannot_take_all_classes() -> None:
    config = configured(labels__max_classes=4)
    greedy = [{"key": "a", "time": n, "a": 1.0, "label": f"class {n}"} for n in range(1, 9)]
    other = [{"key": "b", "time": 9, "a": 1.0, "label": "other"}, {"key": "b", "time": 10, "a": 1.0, "label": "more"}]
    outcome = run(config, records(*greedy, *other))
    messages = [dict(letter.headers)["streamrnn.error.message"].decode() for letter in outcome.dead_letters]
    share = "is one more than the 3 that one key may bring (labels.max_classes_per_key); declare labels.classes"
    assert messages[:5] == [f"class 'class {n}' {share}, or raise it" for n in range(4, 9)]
    assert messages[5:] == [
        "class 'more' is one more than labels.max_classes = 4; known are class 1, class 2, class 3, other"
    ]
    assert outcome == run(config, records(*greedy, *other), range(1, 10), [3, 5, 9])  # wherever it is cut
    raised = configured(labels__max_classes=4, labels__max_classes_per_key=4)
    assert len(run(raised, records(*greedy, *other)).dead_letters) == 6
    assert not run(configured(labels__classes=[f"class {n}" for n in range(1, 9)]), records(*greedy)).dead_letters


def test_a_class_exists_once_a_label_of_it_was_learned_from() -> None:
    config = configured(labels__max_classes=2)
    strays = [{"time": 1, "id": "nobody", "label": f"stray {n}"} for n in range(20)]
    model = LabelledModel(config)
    for event in (*strays, {"time": 2, "a": 1.0, "label": "y"}, *strays, {"time": 3, "a": 1.0, "label": "x"}):
        model.process(make_decoder(config).decode(records(event)))
    assert model.classes == ["y", "x"]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("weights", ["partition", "series"])
def test_whatever_the_numbers_everything_stays_finite(task: str, weights: str) -> None:
    config = configured(task, model__weights=weights)
    source = random.Random(4)
    wild = [1e100, -1e100, 1e-300, 0.0, 1.0, None, 5e99]
    events: list[dict[str, Any] | bytes | None] = []
    for t in range(600):
        value: object = source.choice(["p", "q"]) if task == "classification" else source.choice(wild)
        event = {"key": f"s{t % 2}", "time": t, "id": t, "a": source.choice(wild), "b": source.choice(wild)}
        events.append(event | ({"label": value} if t % 3 else {}))
        if t % 3 == 0 and t > 5 and value is not None:
            events.append({"key": f"s{(t - 3) % 2}", "time": t, "id": t - 3, "label": value})
    model = LabelledModel(config)
    said = model.process(make_decoder(config).decode(records(*events)))
    published = said.predicted[said.outcome == PREDICTED][100:]
    assert np.isfinite(published[:, : 1 if task == "regression" else 2]).all()
    assert np.isfinite(said.error).sum() > 300
    for tree in (model.shared.learned, model.series.arrays.learned):
        for array in (*tree[:-1], *tree.weights):
            assert np.isfinite(array).all()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_records_follow_their_schema(task: str) -> None:
    config = configured(task)
    seen = set()
    for message in run(config, stream(config, 300)).outputs:
        document = json.loads(message.value or b"")
        kind = {"prediction": PredictionRecord, "label": LabelRecord}[document["kind"]]
        kind.model_validate_json(message.value or b"", strict=True)
        assert set(document) <= set(kind.model_fields)
        assert set(document.get("score") or {}) <= set(Score.model_fields)
        seen.add(kind)
    assert len(seen) == 2
    assert set(output_schema()["$defs"]) == {"PredictionRecord", "LabelRecord", "Score", "Source"}
    event = json.loads(schemas()["event"](config))
    assert set(event["properties"]) == {"key", "time", "id", "label", "a", "b"}
    assert "required" not in event


@pytest.mark.parametrize(
    ("task", "overrides", "words"),
    [
        ("regression", {"event__features": []}, "event.features: name the fields to predict from"),
        ("regression", {"event__targets": ["y"]}, "event.targets: nothing is forecast"),
        ("regression", {"labels__classes": ["a", "b"]}, "labels.classes: only for task classification"),
        ("regression", {"event__id": "a"}, "event: used for more than one purpose: a"),
        ("classification", {"model__preset": "lite"}, "model.preset: only for task forecast (task is classification)"),
        ("classification", {"model__horizon": 3}, "model.horizon: only for task forecast (task is classification)"),
        ("classification", {"model__seasonality": ["1d"]}, "model.seasonality: only for task forecast"),
        ("classification", {"model__update_every": 2}, "model.update_every: only for task forecast"),
        ("classification", {"anomaly__limits": {"a": {"upper": 1}}}, "anomaly.limits: only for task forecast"),
        ("classification", {"anomaly__warn_at": 0.5}, "anomaly.warn_at: only for task forecast"),
        ("classification", {"kafka__alerts_topic": "alerts"}, "kafka.alerts_topic: only for task forecast"),
        ("classification", {"labels__classes": ["a"]}, "labels: classes: name at least two"),
        ("classification", {"labels__classes": ["a", "a"]}, "each only once"),
        ("classification", {"labels__pending": 0}, "labels.pending"),
        ("forecast", {"labels__pending": 5}, "labels: only for task regression or classification"),
        ("anything", {}, "task: input should be 'forecast', 'regression' or 'classification'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_path(task: str, overrides: dict[str, Any], words: str) -> None:
    plain = {"event__features": [], "labels__pending": 256, "labels__label_ttl": "7d"} if task == "forecast" else {}
    with pytest.raises(ConfigurationError) as refused:
        configured(task, **{**plain, **overrides})
    assert words in str(refused.value)


def test_commands_that_only_forecast_say_so(inside: Inside) -> None:
    alerting = ["run", "--input", "x.csv", "--output", "-", "--alerts", "alerts"]
    for words in (["demo", "--headless"], ["evaluate", "x.csv"], alerting):
        arguments = ["--set", "task=regression", "--set", "event.features=[a]"]
        ended = inside(*words, *arguments)
        assert ended.code == 2
        assert "task is regression" in ended.err
