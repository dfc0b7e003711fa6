"""Taking over a partition: restore the last snapshot, replay to the committed offset without publishing, go live.

A crash, a rebalance and a first start are the same path. Where the stored facts contradict each other the outcome is
an error that says so, never a silent fresh start: that would publish forecasts of a model that knows nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Literal, NamedTuple

from streamrnn.connectors.base import Connector
from streamrnn.errors import StateError
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Partition
from streamrnn.state.partition_model import PartitionModel


class Progress(NamedTuple):
    """How far a recovery is."""

    phase: Literal["restore", "replay", "ready"]
    done: int  # series restored, or offsets replayed
    total: int | None
    offset: int = -1  # when ready: where to go live


def recover(
    connector: Connector,
    partition: Partition,
    model: PartitionModel[Any],
    decoder: EventDecoder,
) -> Iterator[Progress]:
    """Bring `model` to the committed offset, a slice of work per step; the last step is `ready`.

    Raises `StateError` when the stored facts do not fit together.
    """
    committed = connector.committed(partition)
    first, end = connector.bounds(partition)
    records = connector.snapshot_records(partition)
    owner = partition if connector.state_is_named else None
    snapshots = connector.snapshots(partition)
    restoring = model.restore(snapshots, records, owner)
    restored: int | None = None
    try:
        while True:
            yield Progress("restore", next(restoring), records)
    except StopIteration as stop:
        restored = stop.value
    finally:
        if isinstance(snapshots, Generator):  # where a record is refused a file stays open behind it
            snapshots.close()
    why = connector.why_uncommitted(partition) if restored is not None and committed is None else ""
    check(partition, restored, committed, first, end, why)
    if restored is None or committed is None:
        yield Progress("ready", 0, 0, connector.beginning(partition))
        return
    for some in connector.replay(partition, restored, committed):
        model.process(decoder.decode(some))
        yield Progress("replay", some[-1].offset + 1 - restored, committed - restored)
    yield Progress("ready", committed - restored, committed - restored, committed)


def check(
    partition: Partition, restored: int | None, committed: int | None, first: int, end: int, why: str = ""
) -> None:
    """Raise `StateError` unless the state can be brought to the committed offset and the log goes on from there.

    Args:
        partition: named in the message.
        restored: offset that the stored state stands for, None without state.
        committed: offset of the consumer group, None if it has none.
        first: first offset still in the log.
        end: offset the log's next record will get.
        why: what is known of why nothing is committed.
    """
    where = f"{partition.topic}[{partition.number}]"
    remedy = "run `streamrnn reset` to choose where to start again"
    if restored is None and committed is None:
        return
    if restored is None:
        raise StateError(
            f"{where}: offset {committed} is committed, but there is no state (changelog empty or deleted, or "
            f"another application commits as this application_id); {remedy}"
        )
    if committed is None:
        raise StateError(
            f"{where}: there is state for offset {restored}, but no committed offset ({why}), so what was published "
            f"since is unknown; {remedy}"
        )
    if restored > committed:
        raise StateError(
            f"{where}: the state stands for offset {restored}, after the committed offset {committed} (was the group "
            f"moved by hand?); {remedy}"
        )
    if committed > end:
        raise StateError(
            f"{where}: offset {committed} is committed, but the log ends at {end} (was the topic made anew, or cut by "
            f"an unclean leader election or a broker whose disk was restored?); {remedy}"
        )
    if restored < committed and restored < first:
        raise StateError(
            f"{where}: the state stands for offset {restored}; the events up to the committed offset {committed} are "
            f"needed to bring it forward, but the log now begins at {first} (retention is too short); {remedy}"
        )
    if committed < first:
        raise StateError(
            f"{where}: offset {committed} is committed, but the log now begins at {first}: {first - committed} offsets "
            f"expired before they were processed (retention is too short, or the application was stopped too long); "
            f"{remedy}"
        )
