"""Whether two applications gave the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.pipeline.workers import Application


def same_bytes(
    one: Application, digests: Mapping[str, str], other: Application, others: Mapping[str, str], events: int
) -> None:
    """Every event answered once by both, with the same bytes, and the same learned weights behind them."""
    expected = {place: without_source(value) for place, value in other.outputs().items()}
    found = {place: without_source(value) for place, value in one.outputs().items()}
    assert len(expected) == events
    assert found == expected
    assert digests == others


def without_source(value: bytes) -> bytes:
    """The record without the name of its input topic, which is each application's own."""
    topic = json.loads(value)["source"]["topic"]
    return value.replace(f'"topic":"{topic}"'.encode(), b"")
