"""Feedback is a record of the log like every other: where batches end and processes die changes no byte."""

from __future__ import annotations

from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.tree import Config
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.log import Record
from streamrnn.runtime.state_cache import StateCache
from streamrnn.runtime.stepper import Stepper
from tests.streams import Outcome, configured, every, run, stream, with_state

EVENTS = 300
CONFIGS = {
    "shared weights": configured(anomaly__threshold=0.05, event__late="dead-letter"),
    "own weights": configured(model__weights="series", anomaly__threshold=0.05, anomaly__only_if_lasting="10m"),
    "forgetting": configured(anomaly__threshold=0.05, state__forget_after="4h"),
}
NAMES = st.sampled_from(sorted(CONFIGS))
COUNT = EVENTS + 100
MARKS = st.lists(st.integers(0, COUNT), max_size=40)


def said(verdict: str, key: str, alert: object) -> bytes:
    return orjson.dumps({"feedback": verdict, "key": key, "alert": alert})


@cache
def records(name: str, heard: bool = True) -> list[Record]:
    """Events, and after each alert of a run without feedback one word on it, some of them wrong."""
    config = CONFIGS[name]
    events = stream(config, EVENTS, late=0.1)
    if not heard:
        return events
    opened: dict[int, list[tuple[str, int]]] = {}
    for message in run(config, events).alerts:
        alert = orjson.loads(message.value or b"")
        if alert["state"] == "opened":
            opened.setdefault(alert["source"]["offset"], []).append((alert["key"], alert["alert"]))
    values: list[bytes | None] = [said("expected", "nobody", 1)]
    count = 0
    for event in events:
        values.append(event.value)
        for key, alert in opened.get(event.offset, ()):
            count += 1
            values.append(said("fault" if count % 4 == 0 else "expected", key, alert))
            if count % 3 == 0:
                values += [said("expected", key, alert), said("expected", key, alert + 1), said("no", key, alert)]
    values += [said("fault", "series 1 π", "1"), said("expected", "series 1 π", 99), said("no", "series 1 π", 1)]
    return [MemoryRecord(offset, None, None, value) for offset, value in enumerate(values)]


@cache
def undisturbed(name: str) -> Outcome:
    return run(CONFIGS[name], records(name))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [1, 7])
def test_batches_of_any_size_give_the_same_bytes(name: str, size: int) -> None:
    assert run(CONFIGS[name], records(name), every(size, COUNT)) == undisturbed(name)


@given(
    name=NAMES,
    cuts=MARKS,
    reborn=st.lists(st.integers(1, COUNT), max_size=6),
    max_series=st.none() | st.integers(1, 8),
)
def test_cuts_restarts_and_eviction_change_no_byte(
    name: str, cuts: list[int], reborn: list[int], max_series: int | None
) -> None:
    last = len(records(name))
    bounded = with_state(CONFIGS[name], max_series=max_series)
    assert run(bounded, records(name), cuts, [one for one in reborn if one <= last]) == undisturbed(name)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_heard(name: str) -> None:
    """What this file compares has feedback in it that changes something, and some that is refused."""
    outcome, plain = undisturbed(name), run(CONFIGS[name], records(name, heard=False))
    assert outcome.digest != plain.digest
    assert outcome.alerts != plain.alerts
    assert len(outcome.outputs) == len(plain.outputs)
    reasons = [dict(message.headers)["streamrnn.error.class"].decode() for message in outcome.dead_letters]
    assert {"FeedbackRefused", "EventInvalid"} <= {*reasons}
    texts = [dict(message.headers)["streamrnn.error.message"].decode() for message in outcome.dead_letters]
    assert any("which has no events here" in text for text in texts)
    assert any("it has had" in text for text in texts)
    assert any("should be 'expected' or 'fault'" in text for text in texts)
    assert any("alert: Input should be a valid integer" in text for text in texts)


def stepped(config: Config, size: int, capacity: int) -> tuple[list[object], list[object], int]:
    states: dict[str, bytes] = {}
    cache = StateCache(Stepper(config), states.get, states.__setitem__, capacity)
    events, found = records("own weights"), []
    for start in range(0, len(events), size):
        found.append(cache.step_many(events[start : start + size]))
        cache.flush()
    assert "nobody" not in states
    return (
        [message and message.value for steps in found for message in steps.records],
        [message.value for steps in found for message in steps.alerts],
        sum(len(steps.dead_letters) for steps in found),
    )


def test_steps_hear_the_same_as_a_run() -> None:
    config, whole = CONFIGS["own weights"], undisturbed("own weights")
    for size, capacity in ((1, 2), (50, 3), (400, 100)):
        forecasts, alerts, letters = stepped(config, size, capacity)
        targets = [orjson.loads(value)["anomaly"] for value in forecasts if value]  # type: ignore[arg-type]
        assert targets == [orjson.loads(message.value or b"")["anomaly"] for message in whole.outputs]
        assert len(alerts) == len(whole.alerts)
        assert letters == len(whole.dead_letters)


def test_one_step_hears_and_refuses() -> None:
    from streamrnn.errors import FeedbackRefused

    stepper = Stepper(CONFIGS["own weights"])
    with pytest.raises(FeedbackRefused, match="no events here"):
        stepper.step(None, said("expected", "a", 1))
    state, _ = stepper.step(None, {"key": "a", "time": 0, "value": 1.0})
    with pytest.raises(FeedbackRefused, match="it has had 0"):
        stepper.step(state, said("expected", "a", 1))
