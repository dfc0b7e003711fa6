from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import Config
from streamrnn.forecasting.answers import Answers, blank_answers
from streamrnn.records.events import Decoded, EventDecoder, Float64, format_times
from streamrnn.records.forecasts import ForecastRecord, encode
from streamrnn.records.log import Partition
from streamrnn.records.schemas import schemas
from streamrnn.records.step_times import format_steps, step_times
from tests.unit.test_events import decode, record


def answers(count: int = 1, horizon: int = 2, targets: int = 1) -> Answers:
    """Nothing expected, a forecast that counts up, no alarm."""
    steps = np.arange(count * horizon * targets, dtype=np.float64).reshape(count, horizon, targets)
    return blank_answers(count, 1, horizon, targets)._replace(
        interval=np.full(count, 3_600_000_000),
        forecast=steps,
        forecast_median=steps - 0.25,
        forecast_lower=steps[:, None] - 1,
        forecast_upper=steps[:, None] + 1,
        score=np.full(count, 0.25),
    )


def test_the_forecast_record_is_what_its_schema_says() -> None:
    event = EventConfig(targets=("a", "b"))
    decoded = decode(b'{"key": "pump-7", "time": 0, "a": 1, "b": null}', event)
    (message,) = encode(Partition("events", 3), ("a", "b"), ("jump", "drift"), decoded, answers(targets=2))
    assert message.key == b"pump-7"
    assert message.value is not None
    read = ForecastRecord.model_validate_json(message.value, strict=True)
    assert read.source.model_dump() == {"topic": "events", "partition": 3, "offset": 0}
    assert (read.targets["a"].observed, read.targets["b"].observed, read.targets["a"].expected) == (1.0, None, None)
    assert [step.mean for step in read.targets["b"].forecast] == [1.0, 3.0]
    assert [step.median for step in read.targets["b"].forecast] == [0.75, 2.75]
    assert [(step.step, step.time) for step in read.targets["b"].forecast] == [
        (1, datetime(1970, 1, 1, 1, tzinfo=UTC)),
        (2, datetime(1970, 1, 1, 2, tzinfo=UTC)),
    ]
    document = json.loads(message.value)
    schema = json.loads(schemas()["forecast"](Config(event=event)))
    assert set(document) == set(schema["required"])
    assert set(document["anomaly"]) == {"score", "is_anomaly"}


def test_several_levels_and_drift_are_in_the_record() -> None:
    decoded = decode(b'{"time": 0, "a": 1, "b": 2}', EventConfig(targets=("a", "b")))
    said = answers(targets=2)
    said = said._replace(
        lower=np.full((1, 2, 2), np.nan),
        upper=np.array([[[np.nan] * 2, [7.0] * 2]]),
        forecast_lower=np.concatenate([said.forecast_lower, said.forecast_lower - 1], axis=1),
        forecast_upper=np.concatenate([said.forecast_upper, said.forecast_upper + 1], axis=1),
    )
    said.drift[0, 1] = True
    (message,) = encode(Partition("e", 0), ("a", "b"), (), decoded, said, levels=(0.5, 0.9))
    ForecastRecord.model_validate_json(message.value or b"", strict=True)
    a, b = json.loads(message.value or b"")["targets"].values()
    assert a["intervals"] == {"0.5": [None, None], "0.9": [None, 7.0]}
    assert a["forecast"][1]["intervals"] == {"0.5": [1.0, 3.0], "0.9": [0.0, 4.0]}
    assert ("drift" in a, b["drift"]) == (False, True)


def test_an_alarm_names_its_alert_target_and_channel() -> None:
    event = EventConfig(targets=("a", "b"))
    records = [record(b'{"time": 0, "a": 1, "b": 2}', offset=i) for i in range(3)]
    said = answers(3, targets=2)
    said.is_anomaly[1:] = True
    said.alert[1:] = 7
    said.driver[1], said.channel[1] = 1, 0
    messages = encode(Partition("e", 0), ("a", "b"), ("jump", "drift"), EventDecoder(event).decode(records), said)
    assert [json.loads(message.value or b"")["anomaly"] for message in messages] == [
        {"score": 0.25, "is_anomaly": False},
        {"score": 0.25, "is_anomaly": True, "alert": 7, "target": "b", "channel": "jump"},
        {"score": 0.25, "is_anomaly": True, "alert": 7, "target": None, "channel": None},
    ]
    for message in messages:
        ForecastRecord.model_validate_json(message.value or b"", strict=True)


@pytest.mark.parametrize("explain", [False, True])
def test_every_byte_is_the_json_librarys(explain: bool) -> None:
    random = np.random.default_rng(3)
    count, names, levels = 200, ("a", 'b "quoted" π'), (0.5, 0.9)
    odd = [np.nan, np.inf, 0.0, -0.0, 3.0, 1e16, 1e-7, 5e-324, 123456789.0, 1e22, -1.5e300]

    def some(*shape: int) -> Float64:
        values = random.normal(size=shape) * 10.0 ** random.integers(-9, 20, size=shape)
        return np.where(random.random(shape) < 0.3, random.choice(odd, shape), values)

    said = blank_answers(count, 2, 3, 2)
    floats = {name: some(*array.shape) for name, array in said._asdict().items() if array.dtype == np.float64}
    said = said._replace(
        **floats,
        interval=random.choice([0, 1_000_001, 3_600_000_000], count),
        late=random.random(count) < 0.1,
        drift=random.random((count, 2)) < 0.2,
        is_anomaly=random.random(count) < 0.2,
    )
    said.warning[:, 2] = random.integers(-1, 2, count)
    channels = [f"channel {i}" for i in range(said.channels.shape[1])]
    keys = random.choice(["a", "", 'π "q" \\ \n', "key"], count).tolist()
    times = random.choice([0, -1, 951_782_400_000_000, 253_402_300_799_999_999], count)
    records = [record(b"", offset=i * 10**12) for i in range(count)]
    decoded = Decoded(keys, times, some(count, 2), np.zeros((count, 0)), records, [])
    messages = encode(Partition('to"pic', 3), names, channels, decoded, said, levels=levels, explain=explain)
    kept = (~said.late).nonzero()[0].tolist()
    assert len(messages) == len(kept)
    for i, message in zip(kept, messages, strict=True):
        assert message.key == keys[i].encode()
        document = orjson.loads(message.value or b"")
        assert orjson.dumps(document) == message.value
        targets = list(document["targets"].values())
        assert [document["key"], document["source"]["offset"]] == [keys[i], i * 10**12]
        assert [document["time"]] == format_times(times[i : i + 1])
        assert list(document["targets"]) == list(names)
        for k, target in enumerate(targets):
            ahead = target["forecast"]
            same(target["expected_median"], said.expected_median[i, k])
            same(target["intervals"]["0.9"], [said.lower[i, 1, k], said.upper[i, 1, k]])
            same([step["median"] for step in ahead], said.forecast_median[i, :, k])
            same([step["intervals"]["0.5"][1] for step in ahead], said.forecast_upper[i, 0, :, k])
            assert [step["time"] for step in ahead] == format_steps(step_times(times, said.interval, 3))[i]
            assert target.get("drift", False) == said.drift[i, k]
        assert document["anomaly"]["is_anomaly"] == said.is_anomaly[i]
        same(document["anomaly"]["score"], said.score[i])
        if explain:
            same(list(document["anomaly"]["channels"].values()), said.channels[i])
        assert ("warning" in document) == (not np.isnan(said.warning[i, 0]))

    alone = []
    for i in range(count):
        only = slice(i, i + 1)
        event = Decoded(keys[only], times[only], decoded.targets[only], np.zeros((1, 0)), records[only], [])
        own = type(said)._make(array[only] for array in said)
        alone += encode(Partition('to"pic', 3), names, channels, event, own, levels=levels, explain=explain)
    assert alone == messages  # one event is written without arrays


def same(read: object, written: object) -> None:
    """Null stands for what is not finite."""
    expected = np.array(written, float)
    np.testing.assert_array_equal(np.array(read, float), np.where(np.isfinite(expected), expected, np.nan))


def test_late_events_have_no_record() -> None:
    decoded = EventDecoder(EventConfig()).decode([record(b'{"time": 0, "value": %d}' % i, offset=i) for i in range(3)])
    said = answers(3)
    said.late[1] = True
    messages = encode(Partition("events", 0), ("value",), (), decoded, said)
    assert [json.loads(message.value or b"")["source"]["offset"] for message in messages] == [0, 2]
