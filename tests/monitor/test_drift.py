"""Changes of regime in the metrics, with the real model."""

from __future__ import annotations

import numpy as np
import orjson

from streamrnn.connectors.memory import MemoryRecord
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message
from tests.monitor.stage import START, Stage, configured, until
from tests.monitor.test_metrics import samples


def test_a_change_of_regime_is_counted_once_however_often_its_series_leaves_the_memory() -> None:
    config = configured(model__preset="lite", state__max_series=1)
    random = np.random.Generator(np.random.Philox(key=1))
    values = np.concatenate([random.normal(size=600), 40 * random.normal(size=200)]).tolist()
    events = [
        orjson.dumps({"key": key, "time": START + 60_000 * step, "value": value})
        for step, value in enumerate(values)
        for key in ("pump", "fan")
    ]
    model = ForecastModel(config)
    decoded = EventDecoder(config.event).decode([MemoryRecord(i, None, None, e) for i, e in enumerate(events)])
    alarms = int(model.process(decoded).drift.sum())
    model.close()
    assert alarms > 0
    with Stage(config) as stage:
        for event in events:
            stage.log.append(0, Message(None, event))
        until(lambda: samples(stage).get("streamrnn_events_total") == len(events))
        assert samples(stage)["streamrnn_drift_alarms_total"] == alarms
