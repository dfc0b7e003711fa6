"""`streamrnn repartition`: a copy of the input whose messages have their series as key, exactly once.

What is no event is copied with the key it has: the pipeline that reads the copy makes a dead letter of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from streamrnn.config.kafka import KafkaConfig
from streamrnn.config.tree import Config
from streamrnn.connectors.base import Commit, Connector
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.connectors.schema_registry import reader_of
from streamrnn.errors import CommitFailed
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message, Partition, Record, headers_of, offsets_after
from streamrnn.runtime.task import task_of

log = logging.getLogger(__name__)

ATTEMPTS = 5  # commits that fail one after the other


def repartition(config: Config, topic: str, *, stop: threading.Event, follow: bool = False) -> int:
    """Copy until `stop` is set or, without `follow`, nothing is left; returns how many messages were copied."""
    target = {"output_topic": topic, "dead_letter_topic": topic, "alerts_topic": None, "placement": "key"}
    kafka = KafkaConfig.model_validate(config.kafka.model_dump() | target | {"start": "earliest"})
    decoder, copied, failures = task_of(config).decoder(read=reader_of(config)), 0, 0
    while True:
        connector = KafkaConnector(kafka, application_id=f"{config.application_id}-repartition", changelog_topic=None)
        try:
            with connector:
                for count in _copied(connector, decoder, stop, follow):
                    copied, failures = copied + count, 0
            return copied
        except CommitFailed as error:
            failures += 1
            if failures == ATTEMPTS:
                raise
            log.warning("commit failed, going on where it was: %s", error)


def _copied(connector: Connector, decoder: EventDecoder, stop: threading.Event, follow: bool) -> Iterator[int]:
    """The messages of each commit."""
    running: set[Partition] = set()
    while not stop.is_set():
        polled = connector.poll(0.25)
        running -= {*polled.revoked}
        for partition in polled.assigned:
            committed = connector.committed(partition)
            connector.start(partition, connector.beginning(partition) if committed is None else committed)
            running.add(partition)
        if polled.records:
            commit = Commit(
                offsets={partition: offsets_after(records) for partition, records in polled.records.items()},
                outputs={
                    partition: [_keyed(record, decoder) for record in records]
                    for partition, records in polled.records.items()
                },
            )
            connector.commit(commit)
            yield sum(map(len, commit.outputs.values()))
        elif not follow and running and all(connector.lag(partition) == 0 for partition in running):
            return


def _keyed(record: Record, decoder: EventDecoder) -> Message:
    """The same message with its series as key; one of several series keeps the key that it has."""
    decoded = decoder.decode([record])
    series = {*decoded.keys, *(told.key for told in decoded.feedback)}
    key = series.pop().encode() if len(series) == 1 else record.key
    return Message(key, record.value, headers_of(record), record.timestamp)
