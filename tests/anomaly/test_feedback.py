"""What a person says of an alert changes which ones open, and what the baselines learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest

from streamrnn.connectors.memory import MemoryRecord
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message
from tests.streams import START, configured, run

HOUR = 3_600_000
HOURS = 24 * 70
QUIET = 24 * 21
CONFIG = configured(model__weights="series", model__preset="lite")


def daily(seed: int = 0) -> npt.NDArray[np.float64]:
    random = np.random.Generator(np.random.Philox(key=seed))
    hours = np.arange(HOURS)
    return 20 + 5 * np.sin(2 * np.pi * hours / 24) + random.normal(size=HOURS)


def events(values: npt.NDArray[np.float64], said: dict[int, list[tuple[str, int]]]) -> list[MemoryRecord]:
    """Hourly values, and after some of them feedback."""
    found: list[bytes] = []
    for hour, value in enumerate(values.tolist()):
        found.append(orjson.dumps({"key": "a", "time": START + hour * HOUR, "value": value}))
        found += [orjson.dumps({"feedback": verdict, "key": "a", "alert": n}) for verdict, n in said.get(hour, ())]
    return [MemoryRecord(offset, None, None, value) for offset, value in enumerate(found)]


def alerts(values: npt.NDArray[np.float64], said: dict[int, list[tuple[str, int]]] | None = None) -> list[Any]:
    """Opened and closed, each with the hour of its event."""
    messages: tuple[Message, ...] = run(CONFIG, events(values, said or {})).alerts
    documents = [orjson.loads(message.value or b"") for message in messages]
    for one in documents:
        one["hour"] = int((np.datetime64(one["time"][:-1]) - np.datetime64(START, "ms")) / np.timedelta64(1, "h"))
    return documents


def opened(found: list[Any]) -> list[int]:
    return [one["hour"] for one in found if one["state"] == "opened"]


def near(hours: list[int], at: int, within: int = 3) -> bool:
    return any(at <= hour <= at + within for hour in hours)


SPIKES = [QUIET + 24 * 8 * k + 7 * k for k in range(6)]


@pytest.mark.parametrize("seed", range(3))
def test_the_like_of_what_was_expected_opens_no_alert_and_others_still_do(seed: int) -> None:
    values = daily(seed)
    values[SPIKES] += 14
    dip, stuck = SPIKES[3] + 60, SPIKES[4] + 60
    values[dip] -= 14
    values[stuck : stuck + 60] = values[stuck]
    without = alerts(values)
    hours = opened(without)
    assert sum(near(hours, spike) for spike in SPIKES) >= 5
    first = next(one for one in without if near([one["hour"]], SPIKES[0]))
    told = opened(alerts(values, {SPIKES[0] + 5: [("expected", first["alert"])]}))
    assert near(told, SPIKES[0])
    assert not any(near(told, spike) for spike in SPIKES[1:])
    assert near(told, dip), "the other side"
    assert near(told, stuck, 60), "another kind"


def test_the_last_word_counts_and_the_same_again_changes_nothing() -> None:
    values = daily()
    values[SPIKES] += 14
    number = next(one["alert"] for one in alerts(values) if near([one["hour"]], SPIKES[0]))
    at = SPIKES[0] + 5
    fault = opened(alerts(values, {at: [("expected", number), ("fault", number)]}))
    assert fault == opened(alerts(values))
    once = run(CONFIG, events(values, {at: [("expected", number)]}))
    twice = run(CONFIG, events(values, {at: [("expected", number)] * 2}))
    assert once.digest == twice.digest


def test_a_fault_never_becomes_the_new_normal() -> None:
    values = daily()
    values[QUIET : QUIET + 24 * 7] += 15
    plain = alerts(values)
    first = next(one for one in plain if near([one["hour"]], QUIET))
    ends = {
        name: [one["hour"] for one in found if one["alert"] == first["alert"] and one["state"] == "closed"]
        for name, found in (
            ("plain", plain),
            ("fault", alerts(values, {QUIET + 8: [("fault", first["alert"])]})),
            ("expected", alerts(values, {QUIET + 8: [("expected", first["alert"])]})),
        )
    }
    assert ends["expected"] == [QUIET + 9]
    assert QUIET + 20 < ends["plain"][0] < QUIET + 24 * 3
    assert ends["fault"][0] >= QUIET + 24 * 7


def test_what_was_withheld_is_taught_to_the_hours_it_was_in() -> None:
    values = daily()
    values[QUIET : QUIET + 8] += 15
    number = next(one["alert"] for one in alerts(values[: QUIET + 20]) if near([one["hour"]], QUIET))
    means = {}
    for name, said in (("none", {}), ("fault", [("fault", number)]), ("expected", [("expected", number)])):
        model = ForecastModel(CONFIG)
        records = events(values[: QUIET + 20], {QUIET + 19: said} if said else {})  # type: ignore[dict-item]
        decoded = EventDecoder(CONFIG.event).decode(records)
        model.process(decoded)
        assert not decoded.rejected
        means[name] = model.series.arrays.anomaly.hours[0, 0, :, 0].copy()
        model.close()
    assert (means["fault"] == means["none"]).all()
    moved = means["expected"] - means["none"]
    inside = [(QUIET + k) % 24 for k in range(3, 8)]
    assert (moved[inside] > 0).all()
    outside = [(QUIET + k) % 24 for k in range(12, 24)]
    assert (moved[outside] == 0).all()


def test_only_the_last_alerts_are_remembered() -> None:
    values = daily()
    for k in range(7):
        values[QUIET + 127 * k : QUIET + 127 * k + 2] += 18  # no schedule (`recurring.py`)
    count = max(one["alert"] for one in alerts(values))
    assert count > 4
    told = run(CONFIG, events(values, {HOURS - 1: [("expected", n) for n in range(1, count + 2)]}))
    assert len(told.dead_letters) == count - 4 + 1
    last = dict(told.dead_letters[-1].headers)["streamrnn.error.message"]
    assert last == f"feedback on alert {count + 1} of series 'a': it has had {count}".encode()
