"""process(state, a + b) == process(process(state, a), b), bit for bit, for every way to cut the input."""

from __future__ import annotations

from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.records.log import Record
from tests.streams import Outcome, configured, every, run, stream, with_state

COUNT = 300
CONFIGS = {
    "lite": configured(model__preset="lite", model__hidden_size=None, model__truncation_length=None),
    "standard": configured(model__preset="standard", model__hidden_size=None, model__truncation_length=None),
    "full": configured(model__preset="full", model__hidden_size=None, model__truncation_length=None),
    "targets and features": configured(event__targets=["a", "b", "c"], event__features=["f", "g"]),
    "horizon": configured(model__horizon=5, model__levels=[0.9, 0.5]),
    "known ahead": configured(model__horizon=3, event__future=["f"]),
    "own weights": configured(model__weights="series"),
    "own weights, targets": configured(model__weights="series", event__targets=["a", "b"], model__horizon=2),
    "rare updates": configured(model__update_every=5, model__truncation_length=4),
    "season declared": configured(model__seasonality=["4h"]),
    "held in bounds": configured(model__horizon=2, event__minimum=0, event__maximum=60, event__integers=True),
    "late ones dropped": configured(event__late="drop"),
    "late ones put aside": configured(event__late="dead-letter"),
    "rules": configured(
        anomaly__threshold=0.05,
        anomaly__only_if_lasting="20m",
        anomaly__overrides=[
            {"keys": "series [01]*", "direction": "low", "only_if_lasting": 0},
            {"keys": "series 2*", "min_deviation": "50%"},
        ],
        event__ignore=[{"from": "2026-01-01T03:00", "to": "2026-01-01T04:30", "keys": "series [0-3]*"}],
        anomaly__limits={"value": {"upper": 30}},
    ),
    "alerts": configured(model__horizon=3, anomaly__threshold=0.05, anomaly__limits={"value": {"upper": 30}}),
}
NAMES = st.sampled_from(sorted(CONFIGS))
MARKS = st.lists(st.integers(0, COUNT), max_size=40)


@cache
def records(name: str) -> list[Record]:
    return stream(CONFIGS[name], COUNT, late=0.1)


@cache
def undisturbed(name: str) -> Outcome:
    return run(CONFIGS[name], records(name))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_of_any_size_give_the_same_bytes(name: str, size: int) -> None:
    assert run(CONFIGS[name], records(name), every(size, COUNT)) == undisturbed(name)


@given(name=NAMES, cuts=MARKS)
def test_batches_cut_anywhere_give_the_same_bytes(name: str, cuts: list[int]) -> None:
    assert run(CONFIGS[name], records(name), cuts) == undisturbed(name)


@given(name=NAMES, cuts=MARKS, reborn=st.lists(st.integers(1, COUNT), min_size=1, max_size=6))
def test_a_model_restored_from_its_snapshots_goes_on_with_the_same_bytes(
    name: str, cuts: list[int], reborn: list[int]
) -> None:
    assert run(CONFIGS[name], records(name), cuts, reborn) == undisturbed(name)


@given(
    name=NAMES,
    cuts=MARKS,
    reborn=st.lists(st.integers(1, COUNT), max_size=3),
    max_series=st.none() | st.integers(1, 8),
    ttl=st.none() | st.sampled_from(["1s", "30m", "3h"]),
)
def test_series_that_left_the_memory_return_as_if_they_never_had(
    name: str, cuts: list[int], reborn: list[int], max_series: int | None, ttl: str | None
) -> None:
    bounded = with_state(CONFIGS[name], max_series=max_series, series_ttl=ttl)
    assert run(bounded, records(name), cuts, reborn) == undisturbed(name)


@given(seed=st.integers(0, 2**32), extra=st.integers(0, 50), at=st.lists(st.integers(0, COUNT), max_size=5))
def test_two_streams_that_share_a_beginning_share_its_outputs(seed: int, extra: int, at: list[int]) -> None:
    """Nothing looks ahead: what comes later cannot change what was said before."""
    config = CONFIGS["horizon"]
    longer = [*records("horizon"), *stream(config, extra, seed=seed)]
    assert run(config, longer, at).outputs[:COUNT] == undisturbed("horizon").outputs


@pytest.mark.parametrize("name", CONFIGS)
def test_the_streams_of_this_file_exercise_what_they_claim(name: str) -> None:
    outcome = undisturbed(name)
    late = CONFIGS[name].event.late
    assert len(outcome.outputs) < COUNT if late != "process" else len(outcome.outputs) == COUNT
    assert bool(outcome.dead_letters) == (late == "dead-letter")
    if name == "alerts":
        said = [orjson.loads(message.value or b"") for message in outcome.alerts]
        assert {(one["kind"], one["state"]) for one in said} == {
            (kind, state) for kind in ("anomaly", "warning") for state in ("opened", "closed")
        }
    assert outcome.digest != run(CONFIGS[name], records(name)[:-1]).digest


def test_settings_that_shape_the_model_give_different_models() -> None:
    digests = {name: undisturbed(name).digest for name in CONFIGS}
    assert digests.pop("late ones put aside") == digests["late ones dropped"]
    digests["another seed"] = run(configured(model__seed=1), records("standard")).digest
    assert len(set(digests.values())) == len(digests)
