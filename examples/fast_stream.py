"""Forecasts inside FastStream, which keeps no state: one file of SQLite keeps the state of every key.

An event that comes again after a crash is learned twice; who minds keeps the message's offset beside the state, and
skips what is not newer.

pip install 'faststream[kafka]' streamrnn
faststream run examples.fast_stream:app
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

import streamrnn

broker = KafkaBroker(os.environ.get("BROKER", "localhost:9092"))
app = FastStream(broker)
stepper = streamrnn.Stepper({"model.preset": "lite"})
store = sqlite3.connect(os.environ.get("STORE", ":memory:"), check_same_thread=False)
store.execute("create table if not exists states (key text primary key, state blob)")


@broker.subscriber("events", group_id="forecasts", auto_offset_reset="earliest")
@broker.publisher("forecasts")
async def forecast(event: dict[str, Any], message: KafkaMessage) -> Any:
    """The record that answers the event."""
    held = store.execute("select state from states where key = ?", (event["key"],)).fetchone()
    state, record = stepper.step(held and held[0], event)
    with store:
        store.execute("replace into states values (?, ?)", (event["key"], state))
    return record
