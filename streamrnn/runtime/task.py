"""What `task` in the configuration picks: how events are read, what is learned from them, what is answered."""

from __future__ import annotations

from typing import Any

from streamrnn.config.tree import Config
from streamrnn.records.events import EventDecoder, Rows
from streamrnn.records.labelled_events import LabelledDecoder
from streamrnn.state.partition_model import PartitionModel


def make_model(config: Config) -> PartitionModel[Any]:
    """An empty model of one partition."""
    if config.labelled:
        from streamrnn.labelled.model import LabelledModel

        return LabelledModel(config)
    from streamrnn.forecasting.model import ForecastModel

    return ForecastModel(config)


def make_decoder(config: Config, rows: Rows | None = None) -> EventDecoder:
    """What turns records into events; see `EventDecoder`."""
    return LabelledDecoder(config, rows) if config.labelled else EventDecoder(config.event, rows)
