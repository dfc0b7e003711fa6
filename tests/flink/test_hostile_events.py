"""Events that nobody wants, in a task of Flink: what `streamrnn run` makes of them, and no other series notices."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from streamrnn.config.tree import Config
from streamrnn.flink.fold import ALERT, DEAD_LETTER, FORECAST, KeyOf, SeriesFold, packed, unpacked
from streamrnn.flink.job import check
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.stepper import StepEvent
from streamrnn.runtime.task import make_decoder
from tests.flink.test_fold import Checkpointed, by_key
from tests.stepping.test_stepper import of, run
from tests.streams import configured, stream

PLACE = Partition("events", 0)
START = 1_767_225_600
YEAR = 365 * 86_400


def event(**changes: Any) -> bytes:
    return json.dumps({"key": "hostile", "time": START, "value": 1.0, **changes}).encode("utf-8", "surrogatepass")


HOSTILE: list[tuple[bytes | None, bytes | None]] = [
    (None, b"series 1"),
    (b"", None),
    (b"\x00\x00\x00\x00\x01abc", None),
    (b"[" * 50_000, None),
    (event()[:-1], None),
    (event(value=True), None),
    (event(value="1e999"), None),
    (event(value=1.7e308), None),
    (event(value=-1.7e308), None),
    (event(value=None), None),
    (event(key="k" * 1_000), None),
    (event(key="k" * 1_000_000), None),
    (event(key=""), None),
    (event(key="\x00"), None),
    (event(key="\ud800"), None),
    (event(key={"a": 1}), None),
    (event(key=None), b"\xff\xfe"),
    (event(key=None), None),
    (event(key=1e400), None),
    (event(key=10**40), None),
    (event(time=START + 80 * YEAR), None),
    (event(time=START - 80 * YEAR), None),
    (event(time=-(10**20)), None),
    (event(time="yesterday"), None),
    (event(time=START + 1), None),
    (event(time=START), None),
    (event(more="x" * 500_000), None),
]


def hostile_stream(config: Config, count: int, seed: int) -> list[StepEvent]:
    """The usual events, each followed by a hostile one with a chance of one in three."""
    chance = random.Random(seed)
    values: list[tuple[bytes | None, bytes | None]] = []
    for record in stream(config, count, late=0.05, seed=seed):
        values.append((record.value, record.key))
        if chance.random() < 1 / 3:
            values.append(chance.choice(HOSTILE))
    values += HOSTILE
    return [StepEvent(value, key, START * 1000, at, *PLACE) for at, (value, key) in enumerate(values)]


@pytest.mark.parametrize("late", ["process", "dead-letter"])
@pytest.mark.parametrize("held", [0, 2, 100])
def test_hostile_events_come_to_what_a_run_makes_of_them(late: str, held: int) -> None:
    config = check(configured(model__weights="series", model__preset="lite", event__late=late))
    events = hostile_stream(config, 200, seed=held)
    key_of, states = KeyOf(config), Checkpointed()
    folds = [SeriesFold(config, states, held) for _ in range(3)]
    told: list[tuple[str, Message]] = []
    for number, one in enumerate(events):
        bridged = unpacked(packed(one))
        key = key_of(bridged)
        fold = folds[sum(key.encode("utf-8", "surrogatepass")) % len(folds)]
        fold.add(key, bridged)
        if number % 37 == 0:
            for each in folds:
                told += each.answers()
                each.commit()
    for each in folds:
        told += each.answers()
        each.commit()
    forecasts, alerts, letters = run(config, events, PLACE)
    for kind, messages in ((FORECAST, forecasts), (ALERT, alerts)):
        assert by_key([message for what, message in told if what == kind]) == by_key(messages)
    # Dead letters of several tasks come in any order: most have no series.
    assert sorted(repr(message) for what, message in told if what == DEAD_LETTER) == sorted(map(repr, letters))
    assert len(told) >= len(events)  # an answer or a dead letter for each
    assert "k" * 1_000 in states.now
    assert "k" * 1_000_000 not in states.now


def test_hostile_events_change_no_other_series() -> None:
    config = check(of("lite"))
    calm = [record.value for record in stream(config, 200)]
    found = []
    for values in (calm, [one for value in calm for one in (value, HOSTILE[len(value or b"") % len(HOSTILE)][0])]):
        states = Checkpointed()
        fold = SeriesFold(config, states)
        for value in values:
            one = StepEvent(value, None, START * 1000, 0, *PLACE)
            fold.add(KeyOf(config)(one), one)
        list(fold.answers())
        fold.commit()
        found.append({key: state for key, state in states.now.items() if key.startswith("series ")})
    assert len(found[0]) == 7
    assert found[0] == found[1]


PIECES = [
    b'"key"',
    b'"k\\u0065y"',
    b":",
    b",",
    b"{",
    b"}",
    b"null",
    b'"a"',
    b"\\",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"1",
]
PIECES += [b"NaN", b".", b"e5", b"\x00", b'"event":{"key":"z"}', b"\xc3"]


@pytest.mark.parametrize("field", ["key", "event.key"])
def test_the_key_of_damaged_events_is_the_decoders(field: str) -> None:
    config = check(configured(model__weights="series", model__preset="lite", event__key=field))
    key_of, decoder, chance = KeyOf(config), make_decoder(config), random.Random(1)
    keys: list[Any] = ["a", "", None, 1, 1.5, True, [], "ä", "\x00", 10**30, 1e400, -0.0, "\ud800", "key", {"key": "n"}]
    read = 0
    for _ in range(3_000):
        key = chance.choice(keys)
        damaged = event(key=key) if field == "key" else event(event={"key": key})
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            at = chance.randrange(len(damaged) + 1)
            damaged = damaged[:at] + chance.choice(PIECES) + damaged[at + chance.choice((0, 0, 1, 3)) :]
        one = StepEvent(damaged, chance.choice((None, b"m", b"", b"\xff", "ä".encode())))
        for decoded in decoder.decode([one]).keys:
            read += 1
            assert key_of(one) == decoded, damaged
    assert read > 300
