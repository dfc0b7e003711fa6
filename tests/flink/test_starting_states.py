"""A job that begins with what a worker has learned goes on as that worker would have; without a cluster."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamrnn.app.transfer import by_key, export_state
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError, SnapshotCorrupt, SnapshotMismatch, StateError
from streamrnn.flink.fold import ALERT, DEAD_LETTER, FORECAST, KeyOf, SeriesFold
from streamrnn.flink.job import Begun, Plan, check, operator_id, tables
from streamrnn.flink.starting_states import NAME, StartingStates, write_states
from streamrnn.records.log import Partition
from streamrnn.runtime.stepper import Stepper
from streamrnn.runtime.task import task_of
from streamrnn.state.snapshot_folder import SnapshotFolder
from tests.flink.test_fold import Checkpointed
from tests.flink.test_fold import by_key as in_order
from tests.stepping.test_stepper import of, placed, run
from tests.streams import stream

HALF = 200


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    """A file of `streamrnn state export` of what the first half taught."""

    def make(config: Config, events: Any) -> Path:
        task = task_of(config)
        model = task.model()
        model.process(task.decoder().decode(events))
        folder = SnapshotFolder(tmp_path / "state")
        folder.write(list(model.snapshot(len(events))), {"offset": len(events)})
        folder.close()
        export_state(config, tmp_path / "state", (), tmp_path / "learned.state")
        return tmp_path / "learned.state"

    return make


def unpacked(folder: Path, source: Path, config: Config) -> Path:
    archive = folder / "states.zip"
    write_states(archive, by_key(config, source).states)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder / "starting")
    return folder / "starting"


@pytest.mark.parametrize("name", ["lite", "warnings, explained"])
def test_a_job_goes_on_where_a_worker_stood(name: str, exported: Callable[..., Path], tmp_path: Path) -> None:
    config = check(of(name))
    events = placed(stream(config, 2 * HALF, late=0.05))
    source = exported(config, events[:HALF])
    folder = unpacked(tmp_path, source, config)
    managed = Checkpointed()
    states = StartingStates(managed, folder)
    begun, _ = Stepper(config).step_many({}, events[:HALF])
    assert {key: states.get(key) for key in begun} == begun  # the very bytes of steps
    assert managed.now == {}
    key_of, fold = KeyOf(config), SeriesFold(config, states, held=1)
    answers = []
    for event in events[HALF:]:
        fold.add(key_of(event), event)
        answers += fold.answers()
    fold.commit()
    states.close()
    for kind, whole, first in zip(
        (FORECAST, ALERT, DEAD_LETTER), run(config, events), run(config, events[:HALF]), strict=True
    ):
        assert in_order([one for told, one in answers if told == kind]) == in_order(whole[len(first) :])
    again = StartingStates(managed, folder)
    after, _ = Stepper(config).step_many({}, events)
    assert {key: again.get(key) for key in after} == after  # Flink's own come first, whoever was silent is still there
    again.close()


def test_what_does_not_fit_is_refused(exported: Callable[..., Path], tmp_path: Path) -> None:
    config = check(of("lite"))
    source = exported(config, placed(stream(config, HALF)))
    with pytest.raises(SnapshotMismatch, match=r"model\.horizon"):
        list(by_key(check(load(None, {"model.preset": "lite", "model.horizon": 3}, {})), source).states)
    with pytest.raises(ConfigurationError, match="a step knows one series alone"):
        by_key(load(None, {"model.preset": "lite", "model.weights": "partition"}, {}), source)
    with pytest.raises(StateError, match="'a' has two states, in two partitions"):
        write_states(tmp_path / "twice.zip", iter([("a", b"1"), ("b", b"2"), ("a", b"3")]))
    damaged = bytearray(source.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    source.write_bytes(bytes(damaged))
    with pytest.raises(SnapshotCorrupt):
        list(by_key(config, source).states)


def test_states_that_did_not_arrive_stop_the_task(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=f"{NAME} is not there"):
        StartingStates(Checkpointed(), tmp_path)


def test_the_job_reads_on_where_the_state_stands_and_flink_asks_for_the_same_states_again(tmp_path: Path) -> None:
    config = check(load(None, {"kafka.input_topic": "events"}, {}))
    offsets = {Partition("events", 1): 7, Partition("events", 0): 300}
    made = tables(config, offsets)["events"]
    assert "'scan.startup.mode' = 'specific-offsets'" in made
    assert "'scan.startup.specific-offsets' = 'partition:0,offset:300;partition:1,offset:7'" in made
    with pytest.raises(ConfigurationError, match="stands at offsets of others, and the input is events: "):
        tables(config, {Partition("others", 0): 1})
    one, other = (
        operator_id(Plan(states=Begun(tmp_path / "x", write_states(tmp_path / "x", iter([("a", value)])), offsets)))
        for value in (b"1", b"2")
    )
    assert len({operator_id(Plan()), one, other}) == 3
