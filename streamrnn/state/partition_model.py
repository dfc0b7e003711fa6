"""What every model of a partition has in common: rows of state per series, snapshot and restore, eviction, digest.

What is folded into the rows, and what is answered, is the task's own: `model.py` forecasts, `labelled/model.py` learns
from labels. `tasks.py` picks by the configuration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.errors import EventError, SnapshotCorrupt, SnapshotMismatch
from streamrnn.records.dead_letters import late_event
from streamrnn.records.events import Decoded
from streamrnn.records.log import Message, Partition, Record
from streamrnn.state import migrations
from streamrnn.state.arrays import fields, layout, put_arrays, row_bytes, total_bytes
from streamrnn.state.series_store import ROWS_AT_ONCE, RowStore, SeriesTable
from streamrnn.state.settings import Settings, differences
from streamrnn.state.snapshot import Manifest, Owner, SnapshotReader, digest_of, write

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class AnswersToEvents(Protocol):
    """What every task answers."""

    @property
    def late(self) -> npt.NDArray[np.bool_]:
        """(events,) not processed: older than the series' newest event."""


Answers = TypeVar("Answers", bound=AnswersToEvents)


class PartitionModel(ABC, Generic[Answers]):
    """The state of one partition: `process` folds events into it, `snapshot` and `restore` carry it over."""

    counter_names: ClassVar[tuple[str, ...]]
    """Of `shared.counters`: `events`, `late` and `watermark` are among them."""

    known_settings: ClassVar[Mapping[str, Any]]
    """The settings that give the state its meaning, with the value each has where a state does not name it."""
    part: ClassVar[str]
    """The part of the layout to which the arrays belong that no part names (`migrations.PARTS`)."""

    def __init__(self, config: Config, settings: Settings, shared: Any, rows: Any) -> None:
        """`settings` are those of `known_settings` with their present values, `rows` the arrays of one new series."""
        assert settings.keys() <= self.known_settings.keys(), settings.keys() - self.known_settings.keys()
        self._settings: Settings = _plain(settings)
        self._application = config.application_id
        self._layouts = migrations.Reader(rows, self.part)
        self.shared = shared
        self._late_is_dead = config.event.late == "dead-letter"
        self._ttl = config.state.series_ttl
        evicts = config.state.max_series is not None or self._ttl is not None
        store = RowStore(_store_folder(config)) if evicts else None
        self.series: SeriesTable[Any] = SeriesTable(rows, config.state.max_series, store)

    @abstractmethod
    def _blank_answers(self, decoded: Decoded) -> Answers:
        """Room for the answers to a batch."""

    @abstractmethod
    def _fold(self, decoded: Decoded, part: slice, rows: Int64, answers: Answers) -> None:
        """Fold the events of `part` in, whose series have these rows, and write their answers."""

    @abstractmethod
    def _newest_times(self) -> Int64:
        """Of every row the newest event time, (rows,) microseconds."""

    @abstractmethod
    def encode(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        """The output records of a batch, in order."""

    @abstractmethod
    def warm_up(self) -> None:
        """Compile, or load from the cache, what the configuration needs. The model is of no use afterwards."""

    def process(self, decoded: Decoded) -> Answers:
        """Fold the events in; the answers have one entry per event, in order."""
        answers = self._blank_answers(decoded)
        for part, rows in self.series.batches(decoded.keys):
            self._fold(decoded, part, rows, answers)
        if self._ttl is not None:
            self._store_idle(self._ttl)
        return answers

    def _store_idle(self, ttl: float) -> None:
        watermark = self.shared.counters[self.counter_names.index("watermark")]
        oldest_kept = int(watermark) - round(ttl * 1e6)
        times = self._newest_times()
        while (key := self.series.oldest()) is not None:
            row = self.series.row_of(key)
            if row is None or times[row] >= oldest_kept:
                break
            self.series.store_away(key)

    def unusable(self, decoded: Decoded, answers: Answers) -> list[tuple[Record, EventError]]:
        """The records of a processed batch that are to be dead letters, in log order: no batch's end shall show."""
        return sorted([*decoded.rejected, *self._refused(decoded, answers)], key=lambda one: one[0].offset)

    def _refused(self, decoded: Decoded, answers: Answers) -> list[tuple[Record, EventError]]:
        """Those that are events."""
        if not self._late_is_dead:
            return []
        return [
            (decoded.records[i], late_event(decoded.keys[i], int(decoded.times[i])))
            for i in answers.late.nonzero()[0].tolist()
        ]

    def alerts(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        """The alert records of a batch, in order."""
        return []

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts whose weights can be watched, in the order of their weights."""
        return ()

    def expert_weights(self, key: str) -> Float64 | None:
        """Weights of the experts of a series, `(targets, experts)`, rows adding up to 1; None where it has none."""
        return None

    def statistics(self) -> dict[str, int]:
        """Cumulative counters of the learning: `updates`, `updates_skipped`."""
        return {}

    def snapshot(self, offset: int, partition: Partition | None = None, *, whole: bool = False) -> Iterator[Message]:
        """The records that bring the last snapshot up to `offset` (next to read): only rows that changed.

        Whoever can give the state to another application by mistake names the `partition`, so that it is refused there.
        `whole`: every row, for a snapshot that stands alone; which rows have changed stays as it is.
        """
        manifest = Manifest(
            offset, self._settings, len(self.series), self.counters, __version__, self._owner(partition),
            self._layouts.named,
        )  # fmt: skip
        every = ((key, self.series.data(key)) for key in self.series.all_keys())
        rows = every if whole else self.series.take_dirty()
        return write(manifest, dict(fields(self.shared)), rows, self._layouts.versions)

    def _owner(self, partition: Partition | None) -> Owner | None:
        return None if partition is None else Owner(self._application, *partition)

    def restore(
        self, messages: Iterable[Message], expected: int | None = None, partition: Partition | None = None
    ) -> Generator[int, None, int | None]:
        """Load the newest snapshot of about `expected` records, yielding the number of series read now and then.

        Returns the offset the snapshot stands for, None if there is none. Raises `SnapshotCorrupt`, `SnapshotVersion`
        for a layout that this streamrnn does not read, or `SnapshotMismatch` for a snapshot of another `partition` or
        application and for one made with other settings, naming all that differ.
        """
        reader = SnapshotReader(self._layouts)
        problem: ValueError | None = None
        self.series.reserve(expected or 0)
        count, rows = 0, reader.read(messages)
        # The system clears a page of memory before it gives it away, which takes longer than to fill it.
        with ThreadPoolExecutor(1, "streamrnn-memory") as ahead:
            while some := dict(islice(rows, ROWS_AT_ONCE)):
                ahead.submit(self.series.ask_for_memory)
                try:
                    self.series.put(some)
                except ValueError as error:
                    problem = problem or error  # another shape: the manifest at the end says which
                count += len(some)
                yield count
        found = reader.finish()
        if found is None:
            return None
        manifest, shared = found
        self._refuse_another_owner(manifest.owner, self._owner(partition))
        if differ := differences(manifest.shape, self._settings, self.known_settings):
            raise SnapshotMismatch(
                "the stored state belongs to another model: " + "; ".join(differ) + ". Restore the settings, run "
                "`streamrnn reset` to learn afresh, or choose a new application_id"
            )
        for refused in reader.refused.values():
            if not isinstance(refused, ValueError):
                raise refused
            problem = problem or refused
        try:
            put_arrays(self.shared, self._layouts.shared(reader.versions, shared))
        except ValueError as error:
            problem = problem or error
        if problem is not None:
            raise SnapshotMismatch(
                f"the stored state was made by streamrnn {manifest.version} with another layout ({problem}): "
                "run that version, or `streamrnn reset` to learn afresh"
            )
        if manifest.series != len(self.series):
            raise SnapshotCorrupt(f"the snapshot says {manifest.series} series, but {len(self.series)} are stored")
        return manifest.offset

    @staticmethod
    def _refuse_another_owner(stored: Owner | None, own: Owner | None) -> None:
        """Two pipelines that share an application_id by mistake must not take each other's state for their own."""
        if stored is not None and own is not None and stored != own:
            raise SnapshotMismatch(
                f"the stored state is that of {stored}, and this is {own}: give each pipeline an application_id of its "
                "own, or run `streamrnn reset` to learn afresh"
            )

    def digest(self) -> str:
        """A digest of all learned state, the same whatever rows the series happen to be in."""
        rows = {key: digest_of(self.series.data(key)) for key in self.series.all_keys()}
        return digest_of(dict(fields(self.shared)), rows).hex()

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the partition's first event; `watermark` is its newest event time (microseconds)."""
        return dict(zip(self.counter_names, self.shared.counters.tolist(), strict=True))

    @property
    def bytes_per_series(self) -> int:
        """Bytes of state one series needs."""
        return row_bytes(self.series.arrays)

    @property
    def bytes(self) -> int:
        """Bytes of all arrays in memory."""
        return total_bytes(self.series.arrays) + total_bytes(self.shared)

    @property
    def layout(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Name, type and shape of every array of a series."""
        return layout(self.series.arrays)

    def close(self) -> None:
        """Delete the local store of idle series."""
        self.series.close()


def _plain(shape: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shape.items()}


def _store_folder(config: Config) -> Path | None:
    return config.state.directory / "rows" if config.state.directory is not None else None
