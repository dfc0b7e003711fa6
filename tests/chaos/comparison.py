"""Whether two applications gave the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.pipeline.workers import Application


def same_bytes(
    one: Application, digests: Mapping[str, str], other: Application, others: Mapping[str, str], events: int
) -> None:
    """Every event answered once by both, with the same bytes, the same alerts, and the same learned weights behind."""
    expected = {place: without_source(value) for place, value in other.outputs().items()}
    found = {place: without_source(value) for place, value in one.outputs().items()}
    assert len(expected) == events
    assert found == expected
    assert alerts(one) == alerts(other)
    assert digests == others


def alerts(app: Application) -> dict[int, list[bytes]]:
    """The alert records of each partition, in order; none where the application has no topic for them."""
    found: dict[int, list[bytes]] = {}
    for written in app.client.read(app.alerts) if app.alerts else []:
        assert written.value is not None
        found.setdefault(written.partition, []).append(without_source(written.value))
    return found


def without_source(value: bytes) -> bytes:
    """The record without the name of its input topic, which is each application's own."""
    topic = json.loads(value)["source"]["topic"]
    return value.replace(f'"topic":"{topic}"'.encode(), b"")


def same_as_a_calm_run(app: Application, digests: Mapping[str, str], events: Sequence[Any], folder: Path) -> None:
    """Run the events through an application that nobody disturbs, and compare."""
    calm_folder = folder / "calm"
    calm_folder.mkdir()
    with closing(Application(app.client, calm_folder)) as calm:
        calm.client.produce(calm.input, events)
        calm.start(0)
        calm.wait_until_done(timeout=600)
        same_bytes(app, digests, calm, calm.digests(), len(events))
