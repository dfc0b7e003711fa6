"""Forecasts inside Quix Streams: its state store keeps the state of every key, changelog and checkpoints included.

pip install quixstreams streamrnn
python examples/quix_streams.py localhost:9092
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State

import streamrnn
from streamrnn.errors import EventError

stepper = streamrnn.Stepper({"model.preset": "lite"})


def forecast(event: Any, key: Any, timestamp: int, headers: Any, state: State) -> Any:
    """The record that answers the event; None for what is no event."""
    name = key.decode() if isinstance(key, bytes) else key
    try:
        after, record = stepper.step(state.get_bytes("model"), event, key=name, timestamp=timestamp)
    except EventError as error:
        print(f"no event: {error}", file=sys.stderr)
        return None
    state.set_bytes("model", after)
    return record


def application(bootstrap: str, read: str = "events", write: str = "forecasts", **options: Any) -> Application:
    """Reads a topic whose messages have their series as key, and writes another."""
    app = Application(broker_address=bootstrap, consumer_group="forecasts", auto_offset_reset="earliest", **options)
    events = app.topic(read, value_deserializer="json", key_deserializer="str")
    forecasts = app.topic(write, value_serializer="json", key_serializer="str")
    answers = app.dataframe(events).apply(forecast, stateful=True, metadata=True)
    answers.filter(lambda record: record is not None).to_topic(forecasts)
    return app


if __name__ == "__main__":
    application(sys.argv[1]).run()
