"""Writes events to a topic at a steady rate, for `streamrnn produce`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from kafka import KafkaProducer

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import client_options, milliseconds, translated
from streamrnn.connectors.kafka.codecs import require
from streamrnn.connectors.kafka.diagnosis import wait_for_broker
from streamrnn.connectors.kafka.topics import require_topic
from streamrnn.records.log import Message

_TICK = 0.05  # seconds between two looks at the clock


def produce(
    config: KafkaConfig,
    topic: str,
    messages: Iterable[Message],
    rate: float | None,
    stop: threading.Event,
    sent: Callable[[int], None] = lambda _: None,
    partition: int | None = None,
) -> int:
    """Send `messages` at `rate` per second (None: as fast as possible) until they end or `stop` is set.

    Each goes into the partition that its key asks for, or into `partition`.

    Returns how many were acknowledged. Raises a `ConnectorError` when the broker or the topic is not there.
    """
    require(config.compression)
    wait_for_broker(config, 0.6 * config.broker_timeout)
    with translated(config, f"writing to {topic}"):
        require_topic(config, config.input_setting if topic in config.inputs else "--topic", topic)
        producer = KafkaProducer(
            **client_options(config, f"{config.client_id}-produce"),
            linger_ms=20,
            batch_size=256 << 10,
            max_block_ms=milliseconds(config.broker_timeout),
            compression_type=None if config.compression == "none" else config.compression,
            allow_auto_create_topics=False,
        )
        try:
            count = 0
            failed: list[BaseException] = []
            started = time.monotonic()
            for message in messages:
                if failed:
                    raise failed[0]
                future = producer.send(
                    topic, message.value, message.key, list(message.headers), partition, message.timestamp
                )
                future.add_errback(failed.append)
                count += 1
                if rate is not None:
                    early = count / rate - (time.monotonic() - started)
                    if early > _TICK:
                        sent(count)
                        if stop.wait(early):
                            break
                elif count % 1000 == 0:
                    sent(count)
                if stop.is_set():
                    break
            producer.flush(timeout=config.broker_timeout)
            if failed:
                raise failed[0]
            sent(count)
        finally:
            producer.close(timeout=config.broker_timeout)
    return count
