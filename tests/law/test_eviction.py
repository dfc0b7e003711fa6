"""Eviction changes nothing, forgetting depends on the events alone: whatever the cuts, the limits and the deaths.

`ROUNDS=200 pytest tests/law/test_eviction.py` plays more.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import orjson
import pytest

from streamrnn.config.tree import Config
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.log import Record
from streamrnn.runtime.task import make_decoder, make_model
from streamrnn.state.event_clock import EventClock
from tests.streams import START, Outcome, configured, run, with_state

ROUNDS = int(os.environ.get("ROUNDS", "12"))
COUNT = 400
FORGET = 3600  # seconds
LABELLED: dict[str, Any] = {
    "model__hidden_size": 4, "model__truncation_length": 2, "event__features": ["value"], "labels__pending": 8,
}  # fmt: skip
CONFIGS = {
    "forecast": configured(state__forget_after=FORGET),
    "own weights": configured(state__forget_after=FORGET, model__weights="series", event__late="drop"),
    "regression": configured(state__forget_after=FORGET, task="regression", **LABELLED),
    "classification": configured(
        state__forget_after=FORGET, task="classification", event__late="drop", labels__max_classes=3, **LABELLED
    ),
}
POISON = 4_070_908_800_000  # 2099-01-01 in milliseconds


@cache
def records(name: str, seed: int = 0) -> list[Record]:
    """Series that come and go, silent for a while or for good; some events late, some of two series from 2099."""
    random = np.random.Generator(np.random.Philox(key=seed))
    labelled, found, now = CONFIGS[name].labelled, list[Record](), START
    for offset in range(COUNT):
        now += int(random.choice([0, 20_000, 120_000, 3_000_000, 5_000_000], p=[0.2, 0.4, 0.3, 0.06, 0.04]))
        key = int(random.integers(12)) if random.random() < 0.8 else int(random.integers(12, 40))
        time = now - (int(random.integers(1, 2 * FORGET * 1000)) if random.random() < 0.15 else 0)
        if key in (3, 14) and random.random() < 0.3:
            time = POISON + offset
        event: dict[str, Any] = {"key": f"s{key}", "time": time, "value": float(key + random.normal())}
        if labelled and random.random() < 0.7:
            event["label"] = int(random.integers(5)) if name == "classification" else float(random.normal())
        found.append(MemoryRecord(offset, None, None, orjson.dumps(event)))
    return found


@cache
def undisturbed(name: str) -> Outcome:
    return run(CONFIGS[name], records(name))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_cuts_limits_and_deaths_change_nothing(name: str, seed: int) -> None:
    random = np.random.Generator(np.random.Philox(key=1000 + seed))
    row = make_model(CONFIGS[name]).bytes_per_series
    bounded = with_state(
        CONFIGS[name],
        max_series=[None, 1, 3, 10][int(random.integers(4))],
        series_ttl=[None, 60.0, 1800.0, 1e6][int(random.integers(4))],
        max_memory=[None, max(1 << 20, 8 * row)][int(random.integers(2))],
    )
    cuts = random.integers(0, COUNT, int(random.integers(0, 60))).tolist()
    reborn = random.integers(1, COUNT, int(random.integers(0, 6))).tolist()
    assert run(bounded, records(name), cuts, reborn) == undisturbed(name)


def expected_lives(events: list[dict[str, Any]]) -> list[str]:
    """For every event the series' key with the number of its life, told by the rule alone."""
    newest: dict[str, int] = {}
    lives: dict[str, int] = {}
    times: dict[str, int] = {}
    found = []
    for event in events:
        key, time = event["key"], event["time"] * 1000
        times[key] = max(times.get(key, time), time)
        three = sorted(times.values())[-3:]
        if key in newest and len(three) == 3 and three[0] - newest[key] > FORGET * 1_000_000:
            lives[key] = lives.get(key, 0) + 1
            del newest[key]
        newest[key] = max(newest.get(key, time), time)
        found.append(f"{key}#{lives.get(key, 0)}")
    return found


def test_a_forgotten_series_is_a_new_one() -> None:
    """Against a run in which every life of a series has a key of its own, and nothing is ever forgotten."""
    config = CONFIGS["forecast"]
    events = [orjson.loads(record.value or b"") for record in records("forecast")]
    lives = expected_lives(events)
    assert sum(not life.endswith("#0") for life in lives) > 30
    renamed: list[Record] = [
        MemoryRecord(i, None, None, orjson.dumps(event | {"key": life}))
        for i, (event, life) in enumerate(zip(events, lives, strict=True))
    ]
    plain = run(with_state(config, forget_after=None), renamed)
    found = undisturbed("forecast")
    for one, other, life in zip(found.outputs, plain.outputs, lives, strict=True):
        assert one.value is not None
        assert other.value is not None
        assert orjson.loads(one.value) | {"key": life} == orjson.loads(other.value)


def test_what_is_forgotten_is_gone() -> None:
    config = CONFIGS["forecast"]
    model, decoder = make_model(with_state(config, max_series=5)), make_decoder(config)
    model.process(decoder.decode(records("forecast")))
    log = {message.key: message for message in model.snapshot(COUNT)}
    kept = {key for key, message in log.items() if key is not None and key.startswith(b"series/") and message.value}
    assert len(kept) == len(model.series) < 30
    assert set(model.series.all_keys()) == {key.split(b"/", 2)[2].decode() for key in kept}
    model.close()


def events_of(keys: list[str], times: list[int]) -> list[Record]:
    return [
        MemoryRecord(i, None, None, orjson.dumps({"key": key, "time": time, "value": 1.0}))
        for i, (key, time) in enumerate(zip(keys, times, strict=True))
    ]


@pytest.mark.parametrize("poisoned", [1, 2])
@pytest.mark.parametrize("settings", [{"series_ttl": 600.0}, {"forget_after": 600.0}, {"max_series": 4}, {}])
def test_events_from_2099_disturb_nobody_else(poisoned: int, settings: dict[str, Any]) -> None:
    """One or two series with a broken clock: others stay, idle ones still leave, and they themselves go on."""
    config: Config = with_state(configured(), **settings)
    model, decoder = make_model(config), make_decoder(config)
    keys = [f"s{i % 8}" for i in range(160)]
    times = [START + 60_000 * (i // 8) for i in range(160)]
    for i in range(poisoned):
        times[80 + i] = POISON
    idle = ["idle"], [START]
    model.process(decoder.decode(events_of(*idle)))
    for start in range(0, 160, 8):
        answers = model.process(decoder.decode(events_of(keys[start : start + 8], times[start : start + 8])))
    assert not answers.late.any()
    assert np.isfinite(answers.expected).all(), "a series was forgotten"
    in_memory = {key for key in model.series.all_keys() if model.series.row_of(key) is not None}
    if "max_series" not in settings:
        assert in_memory >= {f"s{i}" for i in range(8)}
    assert ("idle" in in_memory) == (not settings)
    assert ("idle" in model.series.all_keys()) == ("forget_after" not in settings)
    model.close()


def test_the_clock_is_what_three_series_agree_on() -> None:
    clock = EventClock()
    read = clock.read(["a", "b", "a", "c", "a", "b", "c", "d"], np.array([5, 7, 9, 6, 99, 98, 8, 10]))
    assert clock.now == 10
    assert read.tolist()[3:] == [6, 6, 6, 8, 10]
    assert read[2] < -(1 << 60)
