"""What the monitor reads from the inside of a model; when the model's inside changes, this fails first."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.events import EventDecoder
from streamrnn.model import PartitionModel
from streamrnn.monitor import insight
from tests.streams import configured, stream


@pytest.mark.parametrize(
    "settings", [{}, {"model__preset": "lite"}, {"model__horizon": 3, "event__targets": ["a", "b"]}]
)
def test_weights_and_counters_of_a_real_model(settings: dict[str, object]) -> None:
    config = configured(**settings)
    model = PartitionModel(config)
    assert insight.expert_weights(model, "nobody") is None
    assert insight.statistics(model) == {"updates": 0, "updates_skipped": 0, "drift_alarms": 0}
    records = stream(config, 1500, series=2)
    model.process(EventDecoder(config.event).decode(records))
    names = insight.expert_names(model)
    assert names[:2] == ("last value", "network")
    assert len(set(names)) == len(names)
    weights = insight.expert_weights(model, "series 0 π")
    assert weights is not None
    assert weights.shape == (len(config.event.targets or ["value"]), len(names))
    assert (weights >= -1e-9).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert insight.statistics(model)["updates"] > 0
    model.close()
