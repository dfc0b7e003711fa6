"""What every model of a partition has in common: rows of state per series, snapshot and restore, eviction, digest.

What is folded into the rows, and what is answered, is the task's own: `forecasting/model.py` forecasts,
`labelled/model.py` learns from labels. `runtime/task.py` picks by the configuration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.errors import (
    ConfigurationError,
    EventError,
    FeedbackRefused,
    SnapshotCorrupt,
    SnapshotMismatch,
    SnapshotVersion,
)
from streamrnn.records.dead_letters import late_event
from streamrnn.records.events import Decoded
from streamrnn.records.feedback import Feedback
from streamrnn.records.latest import Opened
from streamrnn.records.log import Message, Partition, Record
from streamrnn.state import holidays_over, migrations
from streamrnn.state.arrays import fields, layout, map_arrays, put_arrays, row_bytes, total_bytes, with_rows
from streamrnn.state.event_clock import NONE, EventClock
from streamrnn.state.memory import default_budget
from streamrnn.state.row_store import RowStore, store_folder
from streamrnn.state.series_store import ROWS_AT_ONCE, SeriesTable
from streamrnn.state.settings import Settings, differences, unknown
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

    def __init__(self, config: Config, settings: Settings, shared: Any, rows: Any, *, optional: int = 0) -> None:
        """`settings` are those of `known_settings` with their present values, `rows` the arrays of one new series.

        The last part of a row may be there or not, as settings that are free to change say: `optional` bytes if it is.
        """
        assert settings.keys() <= self.known_settings.keys(), settings.keys() - self.known_settings.keys()
        self._settings: Settings = _plain(settings)
        self._application = config.application_id
        self._layouts = migrations.Reader(rows, self.part, optional=optional)
        self.shared = shared
        self._holidays = config.event.holidays
        self._late_is_dead = config.event.late == "dead-letter"
        state = config.state
        self._ttl, self._forget_after = map(_microseconds, (state.series_ttl, state.forget_after))
        self._clock = EventClock() if self._ttl or self._forget_after else None
        self._swept: int | None = None
        budget, size = state.max_memory or default_budget(), row_bytes(rows)
        if budget < size:
            raise ConfigurationError(f"state.max_memory is {budget:,} bytes, and one series takes {size:,}")
        self.store_folder = store_folder(state.store, state.directory)
        """Where series wait that are not in memory."""
        store = RowStore(self.store_folder)
        self.series: SeriesTable[Any] = SeriesTable(
            rows, store, limit=state.max_series, budget=budget, newest=self.newest_times
        )

    @abstractmethod
    def _blank_answers(self, decoded: Decoded) -> Answers:
        """Room for the answers to a batch."""

    @abstractmethod
    def _fold(self, series: Any, decoded: Decoded, part: slice, rows: Int64, answers: Answers) -> None:
        """Fold the events of `part` into these rows of the arrays `series`, and write their answers."""

    @staticmethod
    @abstractmethod
    def newest_times(rows: Any) -> Int64:
        """Of every row the newest event time, (rows,) microseconds."""

    @staticmethod
    @abstractmethod
    def event_counts(rows: Any) -> Int64:
        """Of every row how many events it has seen, (rows,)."""

    @abstractmethod
    def encode(self, partition: Partition, decoded: Decoded, answers: Answers) -> list[Message]:
        """The output records of a batch, in order."""

    @abstractmethod
    def warm_up(self, *beside: Callable[[], object]) -> None:
        """Compile, or load from the cache, what the configuration needs, and what is run `beside` it.

        The model is of no use afterwards.
        """

    def process(self, decoded: Decoded) -> Answers:
        """Fold the events in; the answers have one entry per event, in order.

        Feedback is taken where it stands between them; what is refused of it is added to `decoded.rejected`.
        """
        answers = self._blank_answers(decoded)
        start = 0
        for told in decoded.feedback:
            self._fold_span(decoded, start, told.before, answers)
            start = told.before
            try:
                self._hear(told)
            except FeedbackRefused as error:
                decoded.rejected.append((told.record, error))
        self._fold_span(decoded, start, len(decoded.keys), answers)
        self._sweep()
        return answers

    pieces = 1
    """Into how many a batch is best cut, so that some are folded while others are decoded and encoded."""

    def begin(self, decoded: Decoded) -> Callable[[], Answers]:
        """Begin to `process` the events; returns what waits for the answers. Batches are folded as they were begun."""
        answers = self.process(decoded)
        return lambda: answers

    def _fold_span(self, decoded: Decoded, start: int, stop: int, answers: Answers) -> None:
        """Fold the events from `start` on."""
        keys, times = decoded.keys, decoded.times
        if (start, stop) != (0, len(keys)):
            keys, times = keys[start:stop], times[start:stop]
        clock = self._clock.read(keys, times) if self._clock is not None else None
        for part, rows in self.series.batches(keys):
            first = start + part.start
            if clock is None or self._forget_after is None:
                self._fold(self.series.arrays, decoded, slice(first, start + part.stop), rows, answers)
                continue
            for span in self._renewed(rows, times[part], clock[part], self._forget_after):
                place = slice(first + span.start, first + span.stop)
                self._fold(self.series.arrays, decoded, place, rows[span], answers)

    def _hear(self, told: Feedback) -> None:
        """Take feedback. Raises `FeedbackRefused`, and nothing has changed."""
        if told.key in self.series:
            _, rows = next(self.series.batches([told.key]))
            newest, now = int(self.newest_times(self.series.arrays)[rows[0]]), self._clock.now if self._clock else None
            if now is None or self._forget_after is None or now - newest <= self._forget_after:
                self.hear(self.series.arrays, int(rows[0]), told)
                return
        raise unknown_series(told)

    def hear(self, series: Any, row: int, told: Feedback) -> None:
        """Take feedback into this row of the arrays `series`. Raises `FeedbackRefused`, and nothing has changed."""
        raise unknown_series(told)

    def new_rows(self, count: int) -> Any:
        """Arrays of `count` new series that are nobody's yet: whoever keeps states elsewhere folds into them."""
        return with_rows(map_arrays(self.series.arrays, lambda array: array[:0]), count)

    def fold_into(self, series: Any, decoded: Decoded, rows: Int64) -> Answers:
        """Fold the events into these rows, one per event, of the arrays `series` (`new_rows`)."""
        answers = self._blank_answers(decoded)
        self._fold(series, decoded, slice(0, len(decoded.keys)), rows, answers)
        return answers

    def one_at_a_time(self, series: Any) -> Callable[[Decoded], Answers]:
        """What folds single events into row 0 of the arrays `series`, as `fold_into` does.

        Its answers are good until the next event.
        """
        row = np.zeros(1, np.int64)
        return lambda decoded: self.fold_into(series, decoded, row)

    @property
    def layouts(self) -> migrations.Reader:
        """What brings stored rows to the present layout."""
        return self._layouts

    @property
    def settings(self) -> Settings:
        """Those that give the state its meaning."""
        return dict(self._settings)

    def _renewed(self, rows: Int64, times: Int64, clock: Int64, forget_after: int) -> Iterator[slice]:
        """Cut events into spans, and before each make those of its series new that were silent for too long.

        Whether a series begins anew is a matter of its newest event and the clock at its next one. Where both are in
        the same span that can only be told in between, so the span ends there if it could be.
        """
        start = 0
        while start < len(rows):
            span, moments = rows[start:], clock[start:]
            series, first, of = np.unique(span, return_index=True, return_inverse=True)
            arrays = self.series.arrays
            newest, seen = self.newest_times(arrays)[series], self.event_counts(arrays)[series] > 0
            silent = seen & _older(newest, moments[first], forget_after)
            self.series.renew(series[silent])
            # The newest event before any but the first is at least this old.
            bound = np.full(len(series), -NONE)
            np.minimum.at(bound, of, times[start:])
            bound = np.where(seen & ~silent, newest, bound)
            doubtful = _older(bound[of], moments, forget_after)
            doubtful[first] = False
            stop = start + (int(doubtful.argmax()) if doubtful.any() else len(span))
            yield slice(start, stop)
            start = stop

    def _sweep(self, *, fully: bool = False) -> None:
        """Store away, or forget, what was silent for too long: when the clock has moved on a little, or `fully`."""
        now = self._clock.now if self._clock is not None else None
        if now is None:
            return
        pause = min(span for span in (self._ttl, self._forget_after) if span) // 64
        if not fully and self._swept is not None and now - self._swept <= pause:
            return
        self._swept = now
        if self._forget_after:
            self.series.forget(now - self._forget_after)
        if self._ttl:
            self.series.store_away(self.series.idle(now - self._ttl))

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

    def open_alerts(self) -> list[tuple[str, Opened]]:
        """The alerts that are open, of every series in memory, in the order of their keys."""
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

        They may be asked for little by little while events are folded in: they are of the state as it is now. The next
        snapshot begins when all have been.

        Whoever can give the state to another application by mistake names the `partition`, so that it is refused there.
        `whole`: every row, for a snapshot that stands alone, all asked for before the next event; which rows have
        changed stays as it is.
        """
        self._sweep(fully=True)
        manifest = Manifest(
            offset, self._settings, len(self.series), self.counters, __version__, self._owner(partition),
            self._layouts.named, self._clock.witnesses if self._clock is not None else [], self._holidays_over(),
        )  # fmt: skip
        every: Iterator[tuple[str, bytes | None]]
        every = ((key, self.series.data(key)) for key in self.series.all_keys())
        rows = every if whole else self.series.take_dirty()
        return write(manifest, dict(fields(self.shared)), rows, self._layouts.versions, self.bytes_per_series)

    def _holidays_over(self) -> dict[str, Any] | None:
        if not self._holidays:
            return None
        arrays = self.series.arrays
        newest = self.newest_times(arrays)[self.event_counts(arrays) > 0]
        last = holidays_over.until(newest)
        return None if last is None else holidays_over.described(self._holidays, last)

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
        if newer := unknown(manifest.shape, self._settings, self.known_settings):
            raise SnapshotVersion(
                f"the stored state was written by a newer streamrnn ({manifest.version}): this version does not know "
                f"{', '.join(newer)}. Run that version here, too, or `streamrnn reset` to learn afresh"
            )
        differ = differences(manifest.shape, self._settings, self.known_settings)
        if holidays := holidays_over.difference(manifest.holidays, self._holidays):
            differ.append(holidays)
        if differ:
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
            raise SnapshotCorrupt(
                f"the snapshot says {manifest.series} series, but {len(self.series)} are stored: records of it are "
                "gone (a changelog that was not always cleanup.policy=compact, a folder that lost files); "
                "`streamrnn reset` to learn afresh"
            )
        if self._clock is not None:
            self._clock.witnesses = [(digest, time) for digest, time in manifest.witnesses]
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
        self._sweep(fully=True)
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
        return self.series.memory + total_bytes(self.shared)

    @property
    def layout(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Name, type and shape of every array of a series."""
        return layout(self.series.arrays)

    @property
    def wants_snapshot(self) -> bool:
        """Whether so much has left the memory since the last snapshot that the next one should not wait."""
        return self.series.much_left

    def close(self) -> None:
        """Delete the local store of idle series."""
        self.series.close()


def unknown_series(told: Feedback) -> FeedbackRefused:
    """The reason feedback on a series that is not there is a dead letter."""
    return FeedbackRefused(
        f"feedback on alert {told.alert} of series {told.key!r}, which has no events here: feedback goes into the "
        "partition of its series"
    )


def _plain(shape: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shape.items()}


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1e6))


def _older(times: Int64, now: Int64, span: int) -> npt.NDArray[np.bool_]:
    """Whether each time is more than `span` before `now`."""
    return np.asarray(now - times > span)
