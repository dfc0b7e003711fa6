"""What is known ahead, from every front door: a table's rows to come, events that say it, a step, a data frame."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import streamrnn
from streamrnn.app.produce import messages
from streamrnn.config.loading import load
from streamrnn.errors import ConfigurationError
from streamrnn.records.future import RowsToCome
from streamrnn.runtime.stepper import Stepper
from tests.commands import SMALL
from tests.inside import Inside

HORIZON, ROWS = 3, 150
SETTINGS = ("--set", "model.preset=lite", "--set", f"model.horizon={HORIZON}", *SMALL)

Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def events() -> Events:
    """Two series in turns, which follow a temperature; some cells are missing."""
    random = np.random.default_rng(1)
    rows: Events = []
    for i in range(ROWS):
        for key in ("a", "b"):
            warm = float(random.normal())
            missing = i % 29 == 7
            rows.append(
                {
                    "key": key, "time": f"2026-01-{1 + i // 24:02}T{i % 24:02}:00:00Z",
                    "load": None if missing else 3 * warm + float(random.normal()), "temperature": warm,
                }
            )  # fmt: skip
    return rows


def saying(events: Events) -> Events:
    """The same events, each with the temperatures of the next ones of its series."""
    told = []
    for i, event in enumerate(events):
        later = [one["temperature"] for one in events[i + 1 :] if one["key"] == event["key"]][:HORIZON]
        told.append({**event, "future": {"temperature": later}})
    return told


def written(path: Path, events: Events) -> Path:
    if path.suffix == ".csv":
        pd.DataFrame(events).drop(columns="future", errors="ignore").to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def targets(path: Path) -> list[Any]:
    return [json.loads(line)["targets"] for line in path.read_text().splitlines()]


def ran(inside: Inside, source: Path, *more: str, name: str = "out") -> list[Any]:
    output = source.with_name(f"{source.name}.{name}")
    done = inside("run", "--input", source, "--output", output, "--target", "load", *more, *SETTINGS)
    assert done.code == 0, done.err
    return targets(output)


def test_a_table_looks_ahead_and_an_event_says_it(inside: Inside, tmp_path: Path, events: Events) -> None:
    table = written(tmp_path / "x.csv", events)
    found = ran(inside, table, "--future", "temperature")
    assert found == ran(inside, written(tmp_path / "x.jsonl", saying(events)), "--future", "temperature")
    assert found == ran(inside, written(tmp_path / "y.jsonl", events), "--future", "temperature")
    assert found != ran(inside, table, "--feature", "temperature", name="without")
    stepper = Stepper(
        {
            "model.preset": "lite", "model.horizon": HORIZON, "model.hidden_size": 4, "model.truncation_length": 2,
            "event.targets": ["load"], "event.future": ["temperature"],
        }
    )  # fmt: skip
    one = [event for event in saying(events) if event["key"] == "a"]
    state = None
    for event in one:
        state, record = stepper.step(state, event)
    assert record is not None
    alone = ran(inside, written(tmp_path / "a.csv", one), "--future", "temperature", "--set", "model.weights=series")
    assert record["targets"] == alone[-1]


def test_a_run_in_two_parts_looks_ahead_as_one(inside: Inside, tmp_path: Path, events: Events) -> None:
    """The second one begins in the middle of the file, whose rows to come are found by their number."""
    table = written(tmp_path / "x.csv", events)
    state = ("--state", str(tmp_path / "state"), "--future", "temperature")
    whole = ran(inside, table, "--future", "temperature", name="whole")
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[: len(events) // 2]))
    ran(inside, table, *state)
    table.write_text("".join(lines))
    again = ran(inside, table, *state)
    first = len(events) // 2 - 2 * HORIZON - 2
    assert again[:first] == whole[:first]
    assert len(again) == len(whole)
    assert all(math.isfinite(one["load"]["forecast"][-1]["mean"]) for one in again[-2:])


def test_how_much_is_known_is_said(inside: Inside, tmp_path: Path, events: Events) -> None:
    table = written(tmp_path / "x.csv", events)
    done = inside("check", table, "--future", "temperature", "--set", "model.horizon=3")
    assert "future     temperature: known 3 steps ahead" in done.out
    done = inside("evaluate", table, "--future", "temperature", "--target", "load", "--baselines", "none", *SETTINGS)
    assert done.code == 0, done.err
    assert "known ahead of temperature: the next 3 rows of each series" in " ".join(done.err.split())
    lines = written(tmp_path / "x.jsonl", saying(events))
    done = inside("evaluate", lines, "--future", "temperature", "--target", "load", "--baselines", "none", *SETTINGS)
    assert "known ahead of temperature: what events say in their field 'future'" in " ".join(done.err.split())


def test_a_table_that_grows_has_no_rows_to_come(inside: Inside, tmp_path: Path, events: Events) -> None:
    table = written(tmp_path / "x.csv", events)
    done = inside(
        "run", "--input", table, "--output", tmp_path / "out", "--follow", "--future", "temperature", *SETTINGS
    )
    assert done.code == 2
    assert "a stream does not have them yet" in done.err


def test_rows_to_come_are_those_of_the_same_series() -> None:
    offsets, series = np.array([0, 1, 3, 4, 5]), np.array([0, 1, 0, 1, 0])
    rows = RowsToCome(offsets, series, np.array([[10.0], [11], [12], [13], [14]]), 2)
    nan = math.nan
    np.testing.assert_array_equal(rows(offsets), [[12, 14], [13, nan], [14, nan], [nan, nan], [nan, nan]])
    np.testing.assert_array_equal(rows(np.array([2, 9])), np.full((2, 2), nan))  # no such rows


def frame(events: Events) -> pd.DataFrame:
    return pd.DataFrame(events)


def test_a_frame_says_of_the_rows_after_the_last_value(inside: Inside, tmp_path: Path, events: Events) -> None:
    """What is told by a frame is told by a file with the same rows, and those without a value are not learned."""
    settings: dict[str, Any] = {"preset": "lite", "settings": {"model.hidden_size": 4, "model.truncation_length": 2}}
    model = streamrnn.StreamModel(HORIZON, target="load", future=["temperature"], **settings)
    rows = frame(events)
    rows.loc[rows.index[-2 * HORIZON :], "load"] = np.nan
    said = model.update(rows)
    assert len(said) == len(rows)
    assert said["expected"].isna().tolist()[-2 * HORIZON :] == [True] * (2 * HORIZON)
    newest = model.forecast()
    assert newest["time"].min() == pd.to_datetime(rows["time"].iloc[-2 * HORIZON]).tz_localize(None)
    found = ran(inside, written(tmp_path / "x.csv", rows.to_dict("records")), "--future", "temperature")
    expected = [step["mean"] for one in found[-2 * HORIZON - 2 : -2 * HORIZON] for step in one["load"]["forecast"]]
    assert newest["mean"].tolist() == expected
    model.save(tmp_path / "m")
    assert streamrnn.StreamModel.load(tmp_path / "m").forecast()["mean"].tolist() == expected


def test_a_frame_without_a_value_is_refused(events: Events) -> None:
    model = streamrnn.StreamModel(HORIZON, preset="lite", target="load", future=["temperature"])
    with pytest.raises(ConfigurationError, match="no row has a target"):
        model.update(frame(events).assign(load=np.nan))


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl"])
def test_produce_sends_what_is_known_ahead_with_every_row(name: str, events: Events, tmp_path: Path) -> None:
    config = load(None, {"event.targets": ["load"], "event.future": ["temperature"], "model.horizon": HORIZON}, {})
    path, said = written(tmp_path / name, events), []
    sent = [json.loads(message.value or b"") for message in messages(path, config, False, said.append)]
    assert [event.get("future", {"temperature": []}) for event in sent] == [event["future"] for event in saying(events)]
    assert [event["load"] for event in sent] == pytest.approx([event["load"] for event in events], nan_ok=True)
    told = written(tmp_path / "told.jsonl", saying(events))
    assert [message.value for message in messages(told, config, False)] == told.read_bytes().splitlines()


def test_a_step_that_is_not_known_is_null_and_nothing_stands_behind_the_last_known(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("time,load,t\n" + "".join(f"{i},1,{cell}\n" for i, cell in enumerate(("1", "", "3", "", ""))))
    config = load(None, {"event.targets": ["load"], "event.future": ["t"], "model.horizon": HORIZON}, {})
    sent = [json.loads(message.value or b"") for message in messages(path, config, False)]
    assert [event.get("future") for event in sent] == [{"t": [None, 3.0]}, {"t": [3.0]}, None, None, None]
