"""Facts that contradict each other are an error, never a silent fresh start."""

from __future__ import annotations

import pytest

from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.errors import StateError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.recovery import Progress, check, recover
from tests.streams import PARTITION, configured, run, stream

CONFIG = configured()
EVENTS = stream(CONFIG, 50, series=3)


@pytest.mark.parametrize(
    ("restored", "committed", "first", "end"),
    [
        (None, None, 0, 0),
        (None, None, 5, 9),
        (7, 7, 0, 9),
        (3, 7, 0, 9),
        (3, 7, 3, 9),
        (7, 7, 7, 7),
        (9, 9, 3, 9),
        (0, 0, 0, 9),
    ],
)
def test_facts_that_fit(restored: int | None, committed: int | None, first: int, end: int) -> None:
    check(PARTITION, restored, committed, first, end)


@pytest.mark.parametrize(
    ("restored", "committed", "first", "end", "words"),
    [
        (None, 7, 0, 9, "offset 7 is committed, but there is no state"),
        (None, 0, 0, 9, "offset 0 is committed, but there is no state"),
        (7, None, 0, 9, "there is state for offset 7, but no committed offset"),
        (0, None, 0, 9, "there is state for offset 0, but no committed offset"),
        (8, 7, 0, 9, "after the committed offset 7"),
        (7, 12, 0, 9, "the log ends at 9"),
        (12, 12, 0, 9, "the log ends at 9"),
        (3, 7, 4, 9, "the log now begins at 4"),
        (3, 3, 4, 9, "1 offsets expired before they were processed"),
        (3, 7, 8, 9, "the log now begins at 8"),
    ],
)
def test_contradictory_facts(restored: int | None, committed: int | None, first: int, end: int, words: str) -> None:
    with pytest.raises(StateError) as caught:
        check(PARTITION, restored, committed, first, end)
    assert words in str(caught.value)
    assert str(caught.value).startswith("events[0]: ")
    assert "streamrnn reset" in str(caught.value)


def log_with(snapshot: int | None, committed: int | None) -> MemoryLog:
    """A log of all events, a snapshot at one offset and a commit at another."""
    log = MemoryLog("events")
    for record in EVENTS:
        log.append(0, Message(record.key, record.value))
    if snapshot is not None:
        model = ForecastModel(CONFIG)
        model.process(EventDecoder(CONFIG.event).decode(EVENTS[:snapshot]))
        log.snapshots[PARTITION] = list(model.snapshot(snapshot))
        model.close()
    if committed is not None:
        log.offsets[PARTITION] = committed
    return log


class FromTheEnd(MemoryConnector):
    """One whose partitions begin at the end of their log, as with `kafka.start: latest`."""

    def beginning(self, partition: Partition) -> int:
        return self.bounds(partition)[1]


def recovered(log: MemoryLog, kind: type[MemoryConnector] = MemoryConnector) -> tuple[list[Progress], str]:
    model = ForecastModel(CONFIG)
    with kind(log, max_poll_records=7) as connector:
        steps = list(recover(connector, PARTITION, model, EventDecoder(CONFIG.event)))
    digest = model.digest()
    model.close()
    return steps, digest


@pytest.mark.parametrize(("snapshot", "committed"), [(20, 20), (20, 41), (1, 50), (50, 50)])
def test_restore_and_replay_end_with_the_state_of_the_committed_offset(snapshot: int, committed: int) -> None:
    steps, digest = recovered(log_with(snapshot, committed))
    assert digest == run(CONFIG, EVENTS[:committed]).digest
    assert steps[-1] == Progress("ready", committed - snapshot, committed - snapshot, committed)
    replayed = [step.done for step in steps if step.phase == "replay"]
    assert replayed == sorted(replayed)
    assert len(replayed) == -(-(committed - snapshot) // 7)


@pytest.mark.parametrize(("kind", "offset"), [(MemoryConnector, 0), (FromTheEnd, 50)], ids=["earliest", "latest"])
def test_a_first_start(kind: type[MemoryConnector], offset: int) -> None:
    steps, digest = recovered(log_with(None, None), kind)
    assert steps == [Progress("ready", 0, 0, offset)]
    assert digest == run(CONFIG, []).digest


@pytest.mark.parametrize(("snapshot", "committed"), [(None, 7), (7, None), (8, 7), (50, 51)])
def test_a_contradiction_is_found_before_anything_is_replayed(snapshot: int | None, committed: int | None) -> None:
    with pytest.raises(StateError, match=r"events\[0\]"):
        recovered(log_with(snapshot, committed))
