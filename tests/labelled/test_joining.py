"""Which label meets which prediction: cases by hand, and random ones against a plain model of the rules."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.tree import Config
from streamrnn.labelled.model import LabelledModel
from streamrnn.records.events import Decoded
from streamrnn.runtime.task import make_decoder
from tests.labelled.streams import TTL, answers, configured, records
from tests.streams import run

REGRESSION = configured("regression", event__features=["a"])


def features(name: str | None = None, time: int = 0, key: str = "s", **more: Any) -> dict[str, Any]:
    return {"key": key, "time": time, "a": 1.0, **({} if name is None else {"id": name}), **more}


def label(name: str, value: object = 2.0, time: int = 0, key: str = "s") -> dict[str, Any]:
    return {"key": key, "time": time, "id": name, "label": value}


def folded(config: Config, *events: Any) -> tuple[LabelledModel, Decoded, Any]:
    model = LabelledModel(config)
    decoded = make_decoder(config).decode(records(*events))
    return model, decoded, model.process(decoded)


def statuses(*events: dict[str, Any], config: Config = REGRESSION) -> list[str]:
    return [answer.get("status", "predicted") for answer in answers(config, *events)]


def test_a_prediction_is_published_at_once_and_its_label_says_what_it_was() -> None:
    first, known, label_of_it, second = answers(
        REGRESSION, features("1", 60), features(None, 61, label=5.0), features("2", 62), label("2", 7.0, 90)
    )
    assert first["kind"] == "prediction"
    assert first["prediction"] is None
    assert set(first) == {"kind", "key", "time", "source", "id", "prediction"}
    assert (known["label"], known["score"]) == (5.0, None)  # nothing had been learned, so nothing was predicted
    assert label_of_it["prediction"] == pytest.approx(5.0)
    assert second == {
        "kind": "label",
        "key": "s",
        "time": "1970-01-01T00:01:30Z",
        "source": {"topic": "events", "partition": 0, "offset": 3},
        "id": "2",
        "status": "joined",
        "label": 7.0,
        "prediction": label_of_it["prediction"],
        "predicted_at": "1970-01-01T00:01:02Z",
        "score": {"absolute_error": abs(7.0 - label_of_it["prediction"])},
    }


def test_classes_are_answered_by_name_with_their_probabilities() -> None:
    config = configured(event__features=["a"])
    none, one, both, again = answers(
        config, features(label="ναι"), features("x", label=None), features(label=True), features(label="ναι")
    )
    assert (none["prediction"], none["probabilities"], none["score"]) == (None, {}, None)
    assert (one["prediction"], one["probabilities"]) == ("ναι", {"ναι": 1.0})
    assert '"log_loss":0.0' in str(run(config, records(*[features(label="ναι")] * 2)).outputs[-1].value)
    assert both["score"] == {"correct": False, "log_loss": pytest.approx(-np.log(1e-9))}
    assert set(again["probabilities"]) == {"ναι", "true"}
    assert sum(again["probabilities"].values()) == pytest.approx(1.0)
    assert again["prediction"] == max(again["probabilities"], key=again["probabilities"].__getitem__)
    assert again["score"]["log_loss"] == pytest.approx(-np.log(again["probabilities"]["ναι"]), rel=1e-6)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([features("1"), label("1")], "joined"),
        ([features("1"), label("1"), label("1")], "unknown"),  # labelled already
        ([label("1"), features("1")], "predicted"),  # a label before its prediction belongs to nothing
        ([label("1"), features("1"), label("1")], "joined"),
        ([features("1", label=2.0), label("1")], "unknown"),  # its label came with it
        ([features("1"), label("2")], "unknown"),
        ([features("1"), label("1", key="other")], "unknown"),
        ([features(), label("1")], "unknown"),
        ([features("1", 0), label("1", time=TTL)], "joined"),
        ([features("1", 0), label("1", time=TTL + 1)], "late"),
        ([features("1", 0), label("1", time=TTL + 1), label("1")], "unknown"),
        ([features("1", 1000), label("1", time=0)], "joined"),  # the label's clock may be behind
        ([features("1"), *[features()] * 7, label("1")], "joined"),
        ([features("1"), *[features()] * 8, label("1")], "unknown"),  # labels.pending is 8
        ([features(" "), label(" ")], "joined"),
        ([features("\u00e9"), label("e\u0301")], "unknown"),  # composed and decomposed: ids are compared byte by byte
        ([features("x" * 1000), label("x" * 1000)], "joined"),
        ([{**features(), "id": 7}, {**label(""), "id": "7"}], "joined"),  # a number is its text
    ],
)
def test_what_becomes_of_the_last_event(events: list[dict[str, Any]], expected: str) -> None:
    assert statuses(*events)[-1] == expected


def test_an_id_that_comes_again_means_the_newest_prediction() -> None:
    events = [features("1", 10), features("1", 20), label("1", time=30), label("1", time=31)]
    found = answers(REGRESSION, *events)
    assert found[2]["predicted_at"] == "1970-01-01T00:00:20Z"
    assert found[3]["status"] == "unknown"
    model, _, _ = folded(REGRESSION, *events)
    assert model.counters["labels_expired"] == 1


def test_late_features_are_left_out_but_labels_come_when_they_like() -> None:
    dropping = configured("regression", event__features=["a"], event__late="drop")
    events = [features("1", 100), features("2", 50), label("1", time=50), features("3", 99), features("4", 100)]
    assert [answer.get("id") for answer in answers(dropping, *events)] == ["1", "1", "4"]
    after = [features("1", 100), label("1", time=200), features("2", 150)]
    assert len(answers(dropping, *after)) == 3  # a label moves no time that features are held against


def plain(config: Config, decoded: Decoded) -> tuple[list[str], Counter[str]]:
    """The rules of joining, written down with lists and dictionaries."""
    waiting: dict[str, list[tuple[str | None, int]]] = {}
    found, counts = [], Counter[str]()
    assert decoded.labels is not None
    for i, key in enumerate(decoded.keys):
        name, time = decoded.labels.names[i], int(decoded.times[i])
        place = waiting.setdefault(key, [])
        at = next((k for k, (other, _) in enumerate(place) if name is not None and other == name), None)
        if decoded.labels.alone[i]:
            status = "unknown"
            if at is not None:
                status = "joined" if time - place[at][1] <= TTL * 1_000_000 else "late"
                place[at] = (None, 0)
            counts[f"labels_{status}"] += 1
            found.append(status)
            continue
        counts["predictions"] += 1
        if len(place) == config.labels.pending:
            counts["labels_expired"] += place.pop(0)[0] is not None
            at = None if at is None else at - 1
        if at is not None and at >= 0:
            place[at] = (None, 0)
            counts["labels_expired"] += 1
        labelled = not np.isnan(decoded.targets[i, 0])
        counts["labels_joined"] += labelled
        place.append((None if labelled else name, time))
        found.append("predicted")
    return found, counts


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.none() | st.sampled_from("123456"),
        st.sampled_from([0, 1, TTL, TTL + 1, 2 * TTL]),
        st.sampled_from(["features", "features", "label", "both"]),
    ),
    max_size=60,
)


@given(EVENTS)
def test_joining_follows_the_rules(drawn: list[tuple[str, str | None, int, str]]) -> None:
    events = [
        label(name or "nobody", 1.0, time, key)
        if kind == "label"
        else features(name, time, key, **({"label": 1.0} if kind == "both" else {}))
        for key, name, time, kind in drawn
    ]
    model, decoded, said = folded(configured("regression", event__features=["a"], labels__pending=4), *events)
    config = configured(labels__pending=4)
    expected, counts = plain(config, decoded)
    assert [["predicted", "joined", "late", "unknown"][outcome] for outcome in said.outcome] == expected
    for name in ("predictions", "labels_joined", "labels_late", "labels_unknown", "labels_expired"):
        assert model.counters[name] == counts[name], name
    per_series = model.series.arrays.numbers.sum(axis=0)
    assert per_series[3:8].tolist() == [model.counters[name] for name in model.counter_names[3:8]]
    model.close()
