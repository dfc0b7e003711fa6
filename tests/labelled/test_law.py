"""process(state, a + b) == process(process(state, a), b), bit for bit, for labelled streams too."""

from __future__ import annotations

from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.records.log import Record
from tests.labelled.streams import configured, stream
from tests.streams import Outcome, every, run, with_state

COUNT = 400
CONFIGS = {
    "classification": configured(),
    "regression": configured("regression"),
    "classes declared": configured(labels__classes=["up", "down", "sideways", "ντάξει", "never"]),
    "classes beyond the most": configured(labels__max_classes=2),
    "own weights": configured(model__weights="series"),
    "own weights, regression": configured("regression", model__weights="series"),
    "late ones dropped": configured(event__late="drop"),
    "late ones put aside": configured("regression", event__late="dead-letter"),
}
NAMES = st.sampled_from(sorted(CONFIGS))
MARKS = st.lists(st.integers(0, COUNT), max_size=40)


@cache
def records(name: str) -> list[Record]:
    return stream(CONFIGS[name], COUNT)


@cache
def undisturbed(name: str) -> Outcome:
    return run(CONFIGS[name], records(name))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_of_any_size_give_the_same_bytes(name: str, size: int) -> None:
    assert run(CONFIGS[name], records(name), every(size, COUNT)) == undisturbed(name)


@given(name=NAMES, cuts=MARKS, reborn=st.lists(st.integers(1, COUNT), max_size=6))
def test_a_model_restored_from_its_snapshots_goes_on_with_the_same_bytes(
    name: str, cuts: list[int], reborn: list[int]
) -> None:
    assert run(CONFIGS[name], records(name), cuts, reborn) == undisturbed(name)


@given(
    name=NAMES,
    cuts=MARKS,
    reborn=st.lists(st.integers(1, COUNT), max_size=3),
    max_series=st.none() | st.integers(1, 6),
    ttl=st.none() | st.sampled_from(["1s", "30m", "3h"]),
)
def test_series_that_left_the_memory_return_as_if_they_never_had(
    name: str, cuts: list[int], reborn: list[int], max_series: int | None, ttl: str | None
) -> None:
    bounded = with_state(CONFIGS[name], max_series=max_series, series_ttl=ttl)
    assert run(bounded, records(name), cuts, reborn) == undisturbed(name)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_streams_of_this_file_exercise_what_they_claim(name: str) -> None:
    outcome, config = undisturbed(name), CONFIGS[name]
    documents = [orjson.loads(message.value or b"") for message in outcome.outputs]
    assert {document.get("status") for document in documents} == {None, "joined", "late", "unknown"}
    assert len([one for one in documents if one.get("score")]) > 50
    errors = b"".join(value for letter in outcome.dead_letters for name, value in letter.headers if "message" in name)
    assert (b"one more than labels.max_classes" in errors) == (name == "classes beyond the most")
    letters = len(outcome.dead_letters)
    assert letters > 10
    assert (len(documents) + letters < COUNT) == (config.event.late == "drop")
    assert outcome.digest != run(config, records(name)[:-1]).digest


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(("cell", "layers"), [("lstm", 2), ("lru", 1), ("elman", 1), ("jordan", 1), ("mlp", 1)])
def test_the_law_holds_for_every_cell(task: str, cell: str, layers: int) -> None:
    config = configured(task, model__cell=cell, model__layers=layers)
    events = stream(config, COUNT)
    assert run(config, events, every(7, COUNT), [50, 133, 390]) == run(config, events)
