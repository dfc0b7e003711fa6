"""What a model says about itself."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamrnn.connectors.memory import MemoryRecord
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder
from tests.streams import START, configured, stream


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model__preset": "lite"},
        {"model__weights": "series"},
        {"model__horizon": 3, "event__targets": ["a", "b"]},
    ],
)
def test_weights_and_counters_of_a_real_model(settings: dict[str, object]) -> None:
    config = configured(**settings)
    model = ForecastModel(config)
    assert model.expert_weights("nobody") is None
    assert model.statistics() == {"updates": 0, "updates_skipped": 0}
    records = stream(config, 1500, series=2)
    model.process(EventDecoder(config.event).decode(records))
    names = model.expert_names
    assert names[:2] == ("last value", "network")
    assert len(set(names)) == len(names)
    weights = model.expert_weights("series 0 π")
    assert weights is not None
    assert weights.shape == (len(config.event.targets or ["value"]), len(names))
    assert (weights >= -1e-9).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert model.statistics()["updates"] > 0
    model.close()


def test_a_change_of_regime_is_noticed_and_learned_from() -> None:
    config = configured(model__preset="lite")
    model = ForecastModel(config)
    random = np.random.Generator(np.random.Philox(key=1))
    values = np.concatenate([random.normal(size=1500), 40 * random.normal(size=300)])
    records = [
        MemoryRecord(i, None, None, orjson.dumps({"key": "pump", "time": START + 60_000 * i, "value": float(value)}))
        for i, value in enumerate(values)
    ]
    decoder = EventDecoder(config.event)
    model.process(decoder.decode(records[:1500]))
    before = model.statistics()
    answers = model.process(decoder.decode(records[1500:]))
    assert answers.drift.any()
    assert model.statistics()["updates"] > before["updates"]
    model.close()
