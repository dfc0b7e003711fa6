"""A step at a time gives what a run gives, byte for byte."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pytest

import streamrnn
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.errors import (
    ConfigurationError,
    EventInvalid,
    EventLate,
    SnapshotCorrupt,
    SnapshotMismatch,
    SnapshotVersion,
)
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.log import Message, Partition, Record
from streamrnn.runtime.state_cache import StateCache
from streamrnn.runtime.stepper import StepEvent, Stepper
from streamrnn.runtime.task import task_of
from streamrnn.state import migrations, snapshot
from tests.streams import PARTITION, configured, stream

LABELLED: dict[str, Any] = {"event__features": ["a", "b"], "model__cell": "elman"}
CONFIGS = {
    "lite": {"model__preset": "lite"},
    "standard, three steps, two targets": {
        "model__preset": "standard", "model__horizon": 3, "event__targets": ["value", "other"],
        "event__features": ["input"], "model__levels": [0.8, 0.95],
    },
    "warnings, explained": {
        "model__preset": "lite", "anomaly__limits": {"value": {"upper": 60.0}}, "anomaly__explain": True,
        "anomaly__threshold": 0.05,
    },
    "late events are dead letters": {"model__preset": "lite", "event__late": "dead-letter"},
    "late events are dropped, flat": {"model__preset": "lite", "event__late": "drop", "output__shape": "flat"},
}  # fmt: skip


def of(name: str) -> Config:
    return configured(model__weights="series", **CONFIGS[name])


def placed(records: Sequence[Record]) -> list[StepEvent]:
    """The same records with the place they were read at."""
    return [StepEvent(one.value, one.key, one.timestamp, one.offset, *PARTITION) for one in records]


def run(
    config: Config, records: Sequence[Record], place: Partition = PARTITION
) -> tuple[list[Message], list[Message], list[Message]]:
    """Outputs, alerts and dead letters of `streamrnn run`."""
    task = task_of(config)
    model = task.model()
    decoded = task.decoder().decode(records)
    answers = model.process(decoded)
    letters = [dead_letter(place, *one) for one in model.unusable(decoded, answers)]
    return model.encode(place, decoded, answers), model.alerts(place, decoded, answers), letters


def spoiled(records: list[Record]) -> list[Record]:
    """With some that are no events."""
    for at, value in ((3, b"{"), (50, b'{"key":"x"}'), (51, None), (99, b'{"key":"series 1","value":1e400}')):
        records[at] = StepEvent(value, None, None, at)
    return records


@pytest.mark.parametrize("name", CONFIGS)
def test_batches_of_any_size_are_a_run(name: str) -> None:
    config = of(name)
    records = spoiled(stream(config, 600, late=0.05))
    expected, alerts, letters = run(config, records)
    for sizes in ((600,), (1, 2, 97, 300, 200)):
        stepper, states, at = Stepper(config), {}, 0
        found: list[Message] = []
        opened: list[Message] = []
        dead: list[Message] = []
        for size in sizes:
            changed, steps = stepper.step_many(states, placed(records[at : at + size]))
            states |= changed
            at += size
            assert len(steps.records) == min(size, 600)
            found += [one for one in steps.records if one is not None]
            opened += steps.alerts
            dead += steps.dead_letters
        assert found == expected
        assert opened == alerts
        assert dead == letters


@pytest.mark.parametrize("name", CONFIGS)
def test_single_steps_are_a_run(name: str) -> None:
    config = of(name)
    records = stream(config, 200, series=3, late=0.05)
    expected = [message.value for message in run(config, records)[0]]
    stepper = Stepper(config)
    states: dict[str, bytes] = {}
    found = []
    for record in placed(records):
        key = json.loads(record.value or b"")["key"]
        before = states.get(key)
        try:
            states[key], answer = stepper.step(before, record)
        except EventLate:
            continue
        if answer is None:
            assert states[key] == before
        else:
            found.append(answer)
    assert found == expected


@pytest.mark.parametrize("labels", [{}, {"task": "classification", "labels__classes": ["even", "odd"]}])
def test_labels_that_come_later_are_a_run(labels: dict[str, Any]) -> None:
    config = configured(**{"task": "regression", "model__weights": "series"} | LABELLED | labels)
    random = np.random.Generator(np.random.Philox(key=1))
    records: list[Record] = []
    for offset in range(400):
        number, key = offset // 4, f"shop {offset % 2}"
        a = random.normal()
        event: dict[str, Any] = {"key": key, "time": 1_767_225_600 + 60 * offset, "id": f"{offset}", "a": a, "b": 1}
        if offset % 4 >= 2 and number > 5:
            label = "even" if number % 2 else "odd"
            event = {"key": key, "time": event["time"], "id": f"{offset - 20}", "label": label if labels else number}
        records.append(StepEvent(orjson.dumps(event), None, None, offset, *PARTITION))
    expected = [message.value for message in run(config, records)[0]]
    stepper = Stepper(config)
    states, steps = stepper.step_many({}, records[:150])
    changed, more = stepper.step_many(states, records[150:300])
    states |= changed
    found = [one.value for one in [*steps.records, *more.records] if one is not None]
    for record in records[300:]:
        key = json.loads(record.value or b"")["key"]
        states[key], answer = stepper.step(states[key], record)
        found.append(answer)
    assert found == expected


def test_a_step_changes_nothing_but_what_it_returns() -> None:
    stepper = Stepper(of("lite"))
    records = placed(stream(stepper.config, 40, series=1, missing=0.0))
    state = None
    for record in records[:-1]:
        state, _ = stepper.step(state, record)
    once = stepper.step(state, records[-1])
    other = StepEvent(records[-1].value.replace(b"series 0", b"series 1"))  # type: ignore[union-attr]
    stepper.step(None, other)
    assert stepper.step(state, records[-1]) == once


def test_an_object_gives_an_object() -> None:
    stepper = Stepper(of("lite"))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    of_text, record = stepper.step(None, {"key": "a", "time": "2026-01-01T00:00:00Z", "value": 2.0, "more": object()})
    for time in (moment, moment.replace(tzinfo=None), np.datetime64("2026-01-01"), 1_767_225_600):
        for value in (2, 2.0, Decimal(2), np.float32(2)):
            assert stepper.step(None, {"key": "a", "time": time, "value": value}) == (of_text, record)
    assert stepper.step(None, {"value": 2.0}, key="a", timestamp=1_767_225_600_000) == (of_text, record)
    assert record is not None
    assert record["targets"]["value"]["observed"] == 2.0
    for missing in (None, math.nan, np.float32("nan")):
        assert stepper.step(None, {"key": "a", "time": 0, "value": missing})[1]["targets"]["value"]["observed"] is None


@pytest.mark.parametrize(
    "value", [math.inf, np.float32("-inf"), 10**400, 1e308, "2", True, [], object(), Decimal("inf")]
)
def test_what_is_no_number_is_refused_and_changes_nothing(value: object) -> None:
    stepper = Stepper(of("lite"))
    with pytest.raises(EventInvalid):
        stepper.step(None, {"key": "a", "time": 0, "value": value})
    good = {"key": "a", "time": 0, "value": 1.0}
    states, steps = stepper.step_many({}, [good, {"key": "a", "time": 1, "value": value}, good])
    assert [record is None for record in steps.records] == [False, True, False]
    assert len(steps.dead_letters) == 1
    assert list(states) == ["a"]


def test_states_that_must_not_be_used_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = Stepper(of("lite"))
    event = {"key": "a", "time": 0, "value": 1.0}
    state, _ = stepper.step(None, event)
    with pytest.raises(SnapshotMismatch, match="state of series 'a', and the event is of series 'b'"):
        stepper.step(state, event | {"key": "b"})
    with pytest.raises(SnapshotMismatch, match="horizon was 1, is 3"):
        Stepper(configured(model__weights="series", model__preset="lite", model__horizon=3)).step(state, event)
    for damaged in (state[:-1], state[:10], state[:200] + b"\1" + state[201:], b"x" * 100, state + b"\0"):
        with pytest.raises(SnapshotCorrupt):
            stepper.step(damaged, event)
        with pytest.raises(SnapshotCorrupt):
            stepper.step_many({"a": damaged}, [event])
    part = snapshot.open_record(b"state", state)
    newer = bytes([part.versions[0] + 1, *part.versions[1:]])
    with pytest.raises(SnapshotVersion, match=r"layout .* of the common, and this streamrnn reads up to"):
        stepper.step(snapshot.seal(b"state", bytes(part.payload), newer), event)
    older = bytes([1, *part.versions[1:]])
    assert migrations.present()[0] > 1
    with pytest.raises(SnapshotVersion, match=r"which streamrnn 0\.1\.0 reads"):
        stepper.step(snapshot.seal(b"state", bytes(part.payload), older), event)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model.weights": "partition"}, "model.weights"),
        ({"anomaly.expected_false_alarms": {"number": 1, "over": "all"}}, "over all"),
        ({"task": "classification", "event.features": ["a"]}, "labels.classes"),
        ({"state.forget_after": "30d"}, "forget_after"),
        ({"event.array": "."}, "event.array"),
        ({"event.format": "avro", "schema_registry.url": "http://registry"}, "event.format avro"),
    ],
)
def test_what_makes_series_depend_on_each_other_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Stepper(settings)


def test_the_function_is_the_handle(tmp_path: Any) -> None:
    settings = {"model.preset": "lite", "model.hidden_size": 4, "model.truncation_length": 2}
    file = tmp_path / "pipeline.yaml"
    file.write_text(json.dumps({"model": {"preset": "lite", "hidden_size": 4, "truncation_length": 2}}))
    event = {"key": "a", "time": 0, "value": 1.0}
    expected = streamrnn.step(None, event, settings)
    for stepper in (streamrnn.Stepper(settings), Stepper(file), Stepper(str(file)), Stepper(load(file))):
        assert stepper.step(None, event) == expected


@pytest.mark.parametrize("capacity", [1, 3, 100])
def test_a_cache_in_front_of_a_store_changes_no_byte(capacity: int) -> None:
    config = of("warnings, explained")
    records = spoiled(stream(config, 500, late=0.05))
    expected, alerts, letters = run(config, records)
    stepper = Stepper(config)
    states: dict[str, bytes] = {}
    cache = StateCache(stepper, states.get, states.__setitem__, capacity)
    found: list[Message] = []
    opened: list[Message] = []
    dead: list[Message] = []
    for start in range(0, 500, 70):
        steps = cache.step_many(placed(records[start : start + 70]))
        assert len(cache) <= capacity
        found += [one for one in steps.records if one is not None]
        opened += steps.alerts
        dead += steps.dead_letters
        if start == 210:  # a checkpoint, and a failure after it
            cache.flush()
            cache = StateCache(stepper, states.get, states.__setitem__, capacity)
    assert (found, opened, dead) == (expected, alerts, letters)
    cache.flush()
    assert states == stepper.step_many({}, placed(records))[0]


def test_events_of_several_partitions_are_answered_in_order() -> None:
    stepper = Stepper(of("lite"))
    records = placed(stream(stepper.config, 60))
    split = [one._replace(partition=one.offset % 3) for one in records]
    found = [json.loads(one.value or b"") for one in stepper.step_many({}, split)[1].records if one is not None]
    assert [one["source"]["partition"] for one in found] == [one.partition for one in split]
    whole = [json.loads(one.value or b"") for one in stepper.step_many({}, records)[1].records if one is not None]
    assert [one["targets"] for one in found] == [one["targets"] for one in whole]


def test_the_same_record_twice_is_two_events() -> None:
    stepper = Stepper(of("lite"))
    event = StepEvent(b'{"key": "a", "time": 0, "value": 1.0}')
    assert len([one for one in stepper.step_many({}, [event, event])[1].records if one]) == 2
