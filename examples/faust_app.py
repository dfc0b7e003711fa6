"""Forecasts inside Faust: a table keeps the state of every key, with its changelog topic.

pip install faust-streaming streamrnn
faust -A examples.faust_app worker
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import faust

import streamrnn
from streamrnn.errors import EventError

app = faust.App(
    "forecasts",
    broker=os.environ.get("BROKER", "kafka://localhost:9092"),
    store=os.environ.get("STORE", "memory://"),  # rocksdb:// outlives the process; the changelog outlives both
    topic_partitions=1,
)
events = app.topic("events", value_serializer="json", key_type=str)
forecasts = app.topic("forecasts", value_serializer="json", key_type=str)
states = app.Table("states", key_type=str, value_type=bytes)
stepper = streamrnn.Stepper({"model.preset": "lite"})


@app.agent(events, sink=[forecasts])
async def forecast(stream: faust.Stream[Any]) -> AsyncIterator[Any]:
    """The record that answers each event."""
    async for event in stream:  # whose messages have their series as key
        try:
            states[event["key"]], record = stepper.step(states.get(event["key"]), event)
        except EventError as error:
            print(f"no event: {error}", file=sys.stderr)
            continue
        yield record
