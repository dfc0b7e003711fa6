"""Compressed batches: which package reads which codec, and what is said where one cannot be read.

Producers choose the codec batch by batch, so any partition of an input may hold any of them. The packages come with
streamrnn; where one is missing, or a batch is damaged, the worker stops and says which, and where: skipping it would
lose events in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

from streamrnn.connectors.kafka.internals import batch_at_hand
from streamrnn.errors import BatchUnreadable, ConfigurationError, StreamRNNError

PACKAGES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
_MODULES = {"snappy": "snappy", "lz4": "lz4", "zstd": "zstandard"}


def require(codec: str) -> None:
    """Raise ConfigurationError unless `kafka.compression: codec` can be written here."""
    if codec in PACKAGES and find_spec(_MODULES[codec]) is None:
        raise ConfigurationError(
            f"kafka.compression {codec} needs the package {PACKAGES[codec]}, which is not installed: "
            f"pip install {PACKAGES[codec]}, or set kafka.compression to gzip or none"
        )


def unreadable(where: str, error: Exception) -> StreamRNNError:
    """Our error for a batch at `where` (topic, partition, offset) that the client could not unpack."""
    what = " ".join(str(error).split())
    if isinstance(error, UnsupportedCodecError):
        missing = next((codec for codec in PACKAGES if codec in what.lower()), None)
        if missing is not None:
            return BatchUnreadable(
                f"{where}: the batch is compressed with {missing}, and the package {PACKAGES[missing]} is not "
                f"installed: pip install {PACKAGES[missing]}, or let the producers use another compression.type"
            )
    return BatchUnreadable(
        f"{where}: the batch cannot be read ({type(error).__name__}: {what}): it is damaged, or compressed in a way "
        "that this client does not know; look at it with `kafka-dump-log.sh`"
    )


@contextmanager
def unpacking(consumer: Any) -> Iterator[None]:
    """Around the client's `poll`: raise BatchUnreadable for a batch that it cannot unpack, naming its place."""
    try:
        yield
    except Exception as error:
        batch = batch_at_hand(consumer)
        told = isinstance(error, KafkaError) and not isinstance(error, UnsupportedCodecError | CorruptRecordError)
        if batch is None or told:
            raise
        (topic, number), offset = batch
        raise unreadable(f"{topic}[{number}], offset {offset}", error) from error
