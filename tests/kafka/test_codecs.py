"""Every codec of a producer is read, on any partition, before and after a restart; what cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition

from streamrnn.errors import BatchUnreadable, ConfigurationError
from tests.broker.client import Client
from tests.kafka.client_inside import replace_decoder, take_away_codec
from tests.kafka.helpers import Pipeline, echo, poll_until, take, take_over

pytestmark = pytest.mark.kafka

CODECS = ("gzip", "snappy", "lz4", "zstd")


def compressed(bootstrap: str, topic: str, number: int, kind: str, values: range) -> None:
    """One batch of `values`; the long keys make it worth compressing, or the client would leave it plain."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=kind, linger_ms=50)
    try:
        for value in values:
            producer.send(topic, b"%d" % value, b"k" * 200, partition=number)
        producer.flush(timeout=30)
    finally:
        producer.close(timeout=5)


@pytest.mark.parametrize("kind", CODECS)
def test_a_codec_is_read_on_every_partition_and_after_a_restart(pipeline: Callable[..., Pipeline], kind: str) -> None:
    made = pipeline(2, compression=kind)
    topic = made.config.input_topic
    for number in range(2):
        made.feed(number, [(b"k", b"0"), (b"k", b"1")])  # a plain batch before and after
        compressed(made.config.bootstrap_servers, topic, number, kind, range(2, 12))
        made.feed(number, [(b"k", b"12"), (b"k", b"13")])
    with made.connector(max_poll_records=3) as connector:
        take_over(connector, 2)
        done = 0
        while done < 10:  # stops inside a compressed batch
            records = take(connector, 1)
            connector.commit(echo(records))
            done += sum(map(len, records.values()))
    with made.connector() as connector:
        owned = take_over(connector, 2)
        at = {partition: connector.committed(partition) or 0 for partition in owned}
        replayed = {p: [r.offset for some in connector.replay(p, 0, at[p]) for r in some] for p in owned}
        assert replayed == {partition: list(range(offset)) for partition, offset in at.items()}
        connector.commit(echo(take(connector, 28 - done)))
    assert made.outputs() == {number: [b"%d:%d" % (i, i) for i in range(14)] for number in range(2)}


@pytest.mark.parametrize(
    ("kind", "package"), [("snappy", "python-snappy"), ("lz4", "lz4"), ("zstd", "zstandard")], ids=CODECS[1:]
)
def test_a_package_that_is_missing_is_named(
    pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    made = pipeline(1)
    made.feed(0, [(b"k", b"plain")])
    compressed(made.config.bootstrap_servers, made.config.input_topic, 0, kind, range(5))
    take_away_codec(monkeypatch, kind)
    with made.connector() as connector:
        take_over(connector)
        connector.commit(echo(take(connector, 1)))
        with pytest.raises(BatchUnreadable) as raised:
            poll_until(connector, lambda _: False, seconds=20)
    message = str(raised.value)
    assert f"{made.config.input_topic}[0], offset 1: " in message
    assert f"pip install {package}," in message
    assert made.outputs() == {0: [b"0:plain"]}


def test_a_damaged_batch_is_named(pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> bytes:
        raise RuntimeError("LZ4F_decompress failed with code: ERROR_frameType_unknown")

    made = pipeline(1)
    compressed(made.config.bootstrap_servers, made.config.input_topic, 0, "lz4", range(5))
    replace_decoder(monkeypatch, "lz4", broken)
    with made.connector() as connector:
        take_over(connector)
        with pytest.raises(BatchUnreadable, match=r"\[0\], offset 0: .*ERROR_frameType_unknown.*kafka-dump-log"):
            poll_until(connector, lambda _: False, seconds=20)
        with pytest.raises(BatchUnreadable, match="offset 0"):
            list(connector.replay(made.partitions[0], 0, 5))


def test_what_is_written_needs_its_package(pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch) -> None:
    from streamrnn.connectors.kafka import codecs

    monkeypatch.setattr(codecs, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"kafka\.compression zstd needs the package zstandard"):
        pipeline(1, compression="zstd").connector().open()


def test_java_clients_write_what_is_read(client: Client, pipeline: Callable[..., Pipeline]) -> None:
    """The broker itself compresses anew where the topic says so: Java's own codecs, in Java's framing."""
    for kind in CODECS:
        topic = client.create_topic(client.unique("events"), 1, compression_type=kind)
        made = pipeline(1, input_topic=topic)
        made.partitions = [made.partitions[0]._replace(topic=topic)]
        client.produce(topic, [(0, b"k" * 50, b"%d" % i) for i in range(2000)])
        with made.connector() as connector:
            take_over(connector)
            found: Any = take(connector, 2000)[made.partitions[0]]
        assert [record.value for record in found] == [b"%d" % i for i in range(2000)], kind
        assert client.end_offsets(topic)[TopicPartition(topic, 0).partition] == 2000
