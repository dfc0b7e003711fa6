"""What `task` in the configuration picks: how events are read, what is learned from them, what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamrnn.config import Config
from streamrnn.events import EventDecoder
from streamrnn.keeping import KeptModel
from streamrnn.labelled.decoding import LabelledDecoder


def make_model(config: Config) -> KeptModel[Any]:
    """An empty model of one partition."""
    if config.labelled:
        from streamrnn.labelled.model import LabelledModel

        return LabelledModel(config)
    from streamrnn.model import PartitionModel

    return PartitionModel(config)


def make_decoder(config: Config, columns: Sequence[str] | None = None, delimiter: str = ",") -> EventDecoder:
    """What turns records into events; see `EventDecoder`."""
    if config.labelled:
        return LabelledDecoder(config, columns, delimiter)
    return EventDecoder(config.event, columns, delimiter)
