"""One log folded as several partitions: the series are dealt out by a hash of their key (`--partitions n`).

Each part is a model of its own, with its own network and counters, and sees its own events in their order; so the law
holds for each. Answers come back in the order of the log, so nobody outside sees a difference but in the numbers: what
a partition shares, series of one part share only. Parts are folded side by side by as many threads as `workers` says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import crc32c
import numpy as np
import numpy.typing as npt

from streamrnn.errors import SnapshotCorrupt, SnapshotMismatch
from streamrnn.records.events import Decoded
from streamrnn.records.latest import Opened
from streamrnn.records.log import Message, Partition
from streamrnn.state.partition_model import PartitionModel
from streamrnn.state.snapshot import PART

SETTING = "partitions"

PIECES = 4
"""Of a batch: while one is folded by other threads, the worker's decodes the next and encodes the one before."""


def part_of(key: str, parts: int) -> int:
    """The part that a series belongs to: of the CRC32C of its key in UTF-8."""
    return int(crc32c.crc32c(key.encode())) % parts


def unprefixed(messages: Iterable[Message]) -> Iterator[tuple[int | None, Message]]:
    """Which part each record of a snapshot belongs to (None: to a log that is not split), and the record itself."""
    for message in messages:
        key = message.key or b""
        if not key.startswith(PART):
            yield None, message
            continue
        number, _, rest = key.removeprefix(PART).partition(b"/")
        if not number.isdigit():
            raise SnapshotCorrupt(f"{key!r:.80} is no key of a streamrnn snapshot")
        yield int(number), message._replace(key=rest)


def records_of(messages: Iterable[Message], key: str) -> Iterator[Message]:
    """The records of the part that a series is in."""
    every = list(unprefixed(messages))
    count = len({number for number, _ in every if number is not None})
    wanted = part_of(key, count) if count else None
    return (message for number, message in every if number == wanted)


class _Series:
    """What is asked of the series of all parts."""

    def __init__(self, parts: Sequence[PartitionModel[Any]]) -> None:
        self._parts = parts

    @property
    def in_memory(self) -> int:
        """How many series are in memory."""
        return sum(part.series.in_memory for part in self._parts)

    def __len__(self) -> int:
        return sum(len(part.series) for part in self._parts)


class SplitModel(PartitionModel[Any]):
    """Several models behind the face of one; see `PartitionModel`."""

    def __init__(self, make: Callable[[], PartitionModel[Any]], parts: int, workers: int) -> None:
        self.parts = [make() for _ in range(parts)]
        for part in self.parts:
            part._settings[SETTING] = parts
        self._places: dict[str, int] = {}  # of the keys that came last
        threads = min(workers, parts) if workers > 1 else 0
        self._threads = [ThreadPoolExecutor(1, f"streamrnn-fold-{number}") for number in range(threads)]
        self.pieces = PIECES if threads else 1
        self.series = _Series(self.parts)  # type: ignore[assignment]
        self.store_folder = self.parts[0].store_folder

    # Folding.

    def process(self, decoded: Decoded) -> Any:
        """See `PartitionModel.process`."""
        return self.begin(decoded)()

    def begin(self, decoded: Decoded) -> Callable[[], Any]:
        """See `PartitionModel.begin`. A part is always folded by the same thread, batch after batch."""
        places = self._deal(decoded.keys)
        said = self._deal([told.key for told in decoded.feedback])
        begun: list[tuple[npt.NDArray[np.int64], Decoded, Callable[[], Any]]] = []
        for number, part in enumerate(self.parts):
            indices, own = (places == number).nonzero()[0], said == number
            if len(indices) or own.any():
                events = _taken(decoded, indices, own)
                fold: Callable[[], Any]
                if self._threads:
                    fold = self._threads[number % len(self._threads)].submit(part.process, events).result
                else:
                    fold = part.begin(events)
                begun.append((indices, events, fold))

        def finish() -> Any:
            answers = self._blank_answers(decoded)
            for indices, events, fold in begun:
                for whole, array in zip(answers, fold(), strict=True):
                    whole[indices] = array
                decoded.rejected.extend(events.rejected)  # feedback that was refused
            return answers

        return finish

    def _deal(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        known, count = self._places, len(self.parts)
        if len(known) > 1_000_000:
            known.clear()
        for key in set(keys):
            if key not in known:
                known[key] = part_of(key, count)
        return np.fromiter(map(known.__getitem__, keys), np.int64, len(keys))

    def _blank_answers(self, decoded: Decoded) -> Any:
        return self.parts[0]._blank_answers(decoded)

    def _fold(self, *_: Any) -> None:
        raise NotImplementedError

    newest_times = event_counts = staticmethod(_fold)  # type: ignore[assignment]

    # What is said of a batch depends on the configuration alone, so any part may say it.

    def encode(self, partition: Partition, decoded: Decoded, answers: Any) -> list[Message]:
        """See `PartitionModel.encode`."""
        return self.parts[0].encode(partition, decoded, answers)

    def alerts(self, partition: Partition, decoded: Decoded, answers: Any) -> list[Message]:
        """See `PartitionModel.alerts`."""
        return self.parts[0].alerts(partition, decoded, answers)

    def unusable(self, decoded: Decoded, answers: Any) -> list[Any]:
        """See `PartitionModel.unusable`."""
        return self.parts[0].unusable(decoded, answers)

    def warm_up(self, *beside: Callable[[], object]) -> None:
        """See `PartitionModel.warm_up`."""
        self.parts[0].warm_up(*beside)

    def open_alerts(self) -> list[tuple[str, Opened]]:
        """See `PartitionModel.open_alerts`."""
        return sorted(one for part in self.parts for one in part.open_alerts())

    @property
    def expert_names(self) -> tuple[str, ...]:
        """See `PartitionModel.expert_names`."""
        return self.parts[0].expert_names

    def expert_weights(self, key: str) -> Any:
        """See `PartitionModel.expert_weights`."""
        return self.parts[part_of(key, len(self.parts))].expert_weights(key)

    def statistics(self) -> dict[str, int]:
        """See `PartitionModel.statistics`."""
        every = [part.statistics() for part in self.parts]
        return {name: sum(one[name] for one in every) for name in every[0]}

    @property
    def counters(self) -> dict[str, int]:
        """See `PartitionModel.counters`."""
        every = [part.counters for part in self.parts]
        return {name: (max if name == "watermark" else sum)(one[name] for one in every) for name in every[0]}

    @property
    def bytes_per_series(self) -> int:
        """See `PartitionModel.bytes_per_series`."""
        return self.parts[0].bytes_per_series

    @property
    def bytes(self) -> int:
        """See `PartitionModel.bytes`."""
        return sum(part.bytes for part in self.parts)

    @property
    def layout(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """See `PartitionModel.layout`."""
        return self.parts[0].layout

    @property
    def wants_snapshot(self) -> bool:
        """See `PartitionModel.wants_snapshot`."""
        return any(part.wants_snapshot for part in self.parts)

    def digest(self) -> str:
        """See `PartitionModel.digest`: those of the parts, in order."""
        return "-".join(part.digest() for part in self.parts)

    # Snapshots: those of the parts one after the other, each record with the number of its part before its key.

    def snapshot(self, offset: int, partition: Partition | None = None, *, whole: bool = False) -> Iterator[Message]:
        """See `PartitionModel.snapshot`."""
        parts = [part.snapshot(offset, partition, whole=whole) for part in self.parts]
        return (
            message._replace(key=b"%b%d/%b" % (PART, number, message.key or b""))
            for number, messages in enumerate(parts)
            for message in messages
        )

    def restore(
        self, messages: Iterable[Message], expected: int | None = None, partition: Partition | None = None
    ) -> Generator[int, None, int | None]:
        """See `PartitionModel.restore`. Raises `SnapshotMismatch` where the log was split in another way."""
        dealt: dict[int | None, list[Message]] = {}
        for number, message in unprefixed(messages):
            dealt.setdefault(number, []).append(message)
        if not dealt:
            return None
        stored = 1 if None in dealt else len(dealt)
        if stored != len(self.parts):
            raise split_otherwise(stored, len(self.parts))
        done = 0
        offsets: set[int | None] = set()
        for number, part in enumerate(self.parts):
            restoring = part.restore(dealt.get(number, ()), None, partition)
            while True:
                try:
                    yield done + next(restoring)
                except StopIteration as stop:
                    offsets.add(stop.value)
                    break
            done += len(part.series)
        if len(offsets) > 1:
            raise SnapshotCorrupt(f"the parts of the state stand for different offsets: {offsets}")
        return offsets.pop()

    def close(self) -> None:
        """See `PartitionModel.close`."""
        for thread in self._threads:
            thread.shutdown()
        for part in self.parts:
            part.close()


def split_otherwise(stored: int, asked: int) -> SnapshotMismatch:
    """The error of a state that was split into another number of parts."""
    return SnapshotMismatch(
        f"the stored state belongs to another model: {SETTING} was {stored}, is {asked}. Restore the settings, run "
        "`streamrnn reset` to learn afresh, or choose a new application_id"
    )


def _taken(decoded: Decoded, indices: npt.NDArray[np.int64], said: npt.NDArray[np.bool_]) -> Decoded:
    """Some of the events to forecast and of the feedback, without the records that are neither."""
    numbers = indices.tolist()
    heard = [told for told, own in zip(decoded.feedback, said.tolist(), strict=True) if own]
    before = np.searchsorted(indices, [told.before for told in heard]).tolist()
    return Decoded(
        [decoded.keys[i] for i in numbers],
        decoded.times[indices],
        decoded.targets[indices],
        decoded.features[indices],
        [decoded.records[i] for i in numbers],
        [],
        feedback=[told._replace(before=place) for told, place in zip(heard, before, strict=True)],
    )
