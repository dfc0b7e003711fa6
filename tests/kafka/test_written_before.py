"""A changelog that an earlier streamrnn wrote: read whole through the broker, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from streamrnn.connectors.kafka.operations import reset
from streamrnn.errors import SnapshotMismatch, SnapshotVersion
from streamrnn.records.log import Partition
from streamrnn.runtime.recovery import recover
from streamrnn.runtime.task import task_of
from streamrnn.state.snapshot_folder import SnapshotFolder
from tests.kafka.helpers import Pipeline, poll_until
from tests.state.test_written_before import REFUSAL, changed, refused
from tests.state.written_before import WRITTEN, Written, unpack

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("written", WRITTEN, ids=lambda one: f"{one.version}-{one.task}")
def test_a_changelog_of_before(written: Written, pipeline: Callable[..., Pipeline], tmp_path: Path) -> None:
    made, folder = pipeline(), SnapshotFolder(unpack(written, tmp_path))
    made.feed(0, [(b"s0", b"{}")] * written.offset)
    messages = list(folder.messages())
    folder.close()
    with made.connector() as connector:  # a broker's first group waits for its topic of offsets
        poll_until(connector, lambda polled: bool(polled.assigned))
    reset(made.config, made.application_id, made.changelog, written.offset, lambda _, offset: messages)
    config = written.config.model_copy(update={"application_id": made.application_id})
    partition, decoder = made.partitions[0], task_of(written.config).decoder()
    with made.connector() as connector:
        poll_until(connector, lambda polled: bool(polled.assigned))
        model = task_of(config).model()
        recovery = recover(connector, partition, model, decoder)
        if refused(written):
            with pytest.raises(SnapshotVersion, match=REFUSAL):
                list(recovery)
        else:
            assert list(recovery)[-1].offset == written.offset
            assert len(model.series) == written.series
            assert changed(written) or model.digest() == written.digest


def test_the_changelog_of_another_pipeline_is_refused(pipeline: Callable[..., Pipeline]) -> None:
    """Two that share an application_id and a changelog by mistake."""
    made, config = pipeline(), WRITTEN[0].config
    made.feed(0, [(None, orjson.dumps({"value": 1}))] * 3)
    theirs = Partition("orders", 0)
    reset(
        made.config, made.application_id, made.changelog, 3,
        lambda _, offset: list(task_of(config).model().snapshot(offset, theirs)),
    )  # fmt: skip
    with made.connector() as connector:
        poll_until(connector, lambda polled: bool(polled.assigned))
        recovery = recover(connector, made.partitions[0], task_of(config).model(), task_of(config).decoder())
        with pytest.raises(SnapshotMismatch, match=r"that of orders\[0\] of .*give each pipeline an application_id"):
            list(recovery)
