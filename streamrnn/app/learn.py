"""`streamrnn learn`: history is folded into state without an answer to anybody; then a run or a worker goes live.

The fold is that of a worker, so what it publishes afterwards is what it would have published had it seen the history
itself, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from streamrnn.config.tree import Config
from streamrnn.connectors.base import Connector
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.connectors.rows_to_come import look_ahead
from streamrnn.errors import ConfigurationError, StateError
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import EventDecoder
from streamrnn.records.log import Message, Partition, Record
from streamrnn.runtime.task import task_of
from streamrnn.state.partition_model import PartitionModel
from streamrnn.state.snapshot_folder import SnapshotFolder

Say = Callable[[str], None]
PAUSE = 2.0  # seconds between two words about how far it is


class Learned(NamedTuple):
    """What a history came to."""

    records: int
    events: int
    unusable: int  # neither events nor, where that is asked for, in time
    series: int


class _Count:
    """How much was folded; says so now and then."""

    def __init__(self, say: Say) -> None:
        self.records = self.unusable = 0
        self._say, self._said = say, time.monotonic()

    def add(self, records: int, unusable: int) -> None:
        self.records += records
        self.unusable += unusable
        if time.monotonic() - self._said > PAUSE:
            self._said = time.monotonic()
            self._say(f"{self.records:,} records learned")


def _result(count: _Count, models: Sequence[PartitionModel[Any]]) -> Learned:
    events = sum(model.counters["events"] for model in models)
    if not events:
        raise StateError(f"there is nothing to learn: none of {count.records:,} records is an event")
    return Learned(count.records, events, count.unusable, sum(len(model.series) for model in models))


def _fold(model: PartitionModel[Any], decoder: EventDecoder, records: Sequence[Record], count: _Count) -> None:
    decoded = decoder.decode(records)
    answers = model.process(decoded)
    count.add(len(records), len(model.unusable(decoded, answers)))


class _History(NamedTuple):
    """A file that is read: its configuration, what decodes it, and its rows."""

    config: Config
    decoder: EventDecoder
    records: Iterator[Sequence[Record]]
    row_clock: bool


def _opened(connector: FileConnector, source: Path, config: Config, say: Say) -> _History:
    found = connector.look(config)
    fitted = config.model_copy(update={"event": found.event})
    rows = row_reader(found.layout, found.event, config.file)
    decoder = task_of(fitted).decoder(rows)
    for note in [*found.notes, *look_ahead(decoder, [source], config, found)]:
        say(note)
    return _History(fitted, decoder, _polled(connector), connector.row_clock)


def _polled(connector: Connector) -> Iterator[Sequence[Record]]:
    """The log of a connector from its beginning to its end."""
    for partition in connector.poll(0).assigned:
        connector.start(partition, connector.beginning(partition))
    while True:
        polled = connector.poll(1.0)
        yield from polled.records.values()
        if polled.finished:
            return


def learn_to_folder(config: Config, sources: Sequence[Path], folder: Path, say: Say) -> Learned:
    """Fold the files, one after the other, into a state folder; `run --input` with it goes on from there.

    Raises `StateError` for a folder that holds something, `ConfigurationError` for files that do not go together.
    """
    with empty_folder(folder) as kept:
        model: PartitionModel[Any] | None = None
        before: _History | None = None
        count, clock = _Count(say), 0
        try:
            for source in sources:
                # Nothing is ever committed, so the outputs (the standard streams) stay untouched.
                with FileConnector(source, None) as connector:
                    history = _opened(connector, source, config, say)
                    connector.count_rows_from(clock)
                    model = model or task_of(history.config).model()
                    before = _alike(source, history, before)
                    for records in history.records:
                        _fold(model, history.decoder, records, count)
                        clock += len(records)
            assert model is not None
            result = _result(count, [model])
            kept.write([*model.snapshot(0)], {"offset": 0, "begins": True, "clock_base": clock})
            return result
        finally:
            if model is not None:
                model.close()


@contextmanager
def empty_folder(folder: Path) -> Iterator[SnapshotFolder]:
    """A state folder to write the first snapshot to, locked until the block ends.

    Raises `StateError` for one that holds something.
    """
    with closing(SnapshotFolder(folder)) as kept:
        if kept.facts is not None:
            raise StateError(
                f"{folder} holds a state already: choose another folder, or `streamrnn reset --state` first"
            )
        yield kept


def fold_all(model: PartitionModel[Any], decoder: EventDecoder, connector: Connector, say: Say) -> tuple[Learned, int]:
    """Fold the one partition of a connector to its end: what it came to, and the offset that the model stands for.

    Raises `StateError` where nothing is an event.
    """
    count, end = _Count(say), 0
    for records in _polled(connector):
        _fold(model, decoder, records, count)
        end = records[-1].offset + 1
    return _result(count, [model]), end


def _alike(source: Path, history: _History, before: _History | None) -> _History:
    if before is None:
        return history
    now, then = history.config, before.config
    if (targets_of(now.event), now.event.features) != (targets_of(then.event), then.event.features):
        raise ConfigurationError(
            f"{source} has other targets or features ({_columns(now)}) than the files before it "
            f"({_columns(then)}): name them with --target and --feature"
        )
    if history.row_clock != before.row_clock:
        has, had = ("no times", "have") if history.row_clock else ("times", "have none")
        raise ConfigurationError(
            f"{source} has {has}, and the files before it {had}: name the column of the times with --time, or learn "
            "such files separately"
        )
    return history


def _columns(config: Config) -> str:
    return ", ".join((*targets_of(config.event), *config.event.features))


def learn_to_kafka(
    config: Config,
    sources: Sequence[Path],
    topic: str | None,
    *,
    until: datetime | None,
    then: Any,
    replace: bool,
    say: Say,
) -> tuple[Learned, dict[Partition, int]]:
    """Fold files, or a topic, into the state of the application; returns where each partition goes live.

    A file's series go where Kafka's clients put their keys; partition N of a topic is learned by partition N. `then`
    is where to go live (`operations.Target`); None: where the reading of the input topic itself ended.

    Raises `StateError` where workers run, or where there is state and `replace` does not allow to forget it.
    """
    from streamrnn.connectors.kafka.operations import read_topic, refuse_begun, reset, stored
    from streamrnn.connectors.schema_registry import reader_of

    places = stored(config.kafka, config.application_id, config.changelog)
    if not replace:
        refuse_begun(places, config.application_id)
    partitions = [place.partition for place in places]
    models = {partition: task_of(config).model() for partition in partitions}
    count = _Count(say)
    try:
        if topic is not None:
            decoder, ends = task_of(config).decoder(read=reader_of(config)), {}
            targets = _numbered(partitions, topic)
            for source, end, slices in read_topic(config.kafka, topic, until, partitions=len(targets)):
                ends[targets[source.number]] = end
                for records in slices:
                    _fold(models[targets[source.number]], decoder, records, count)
            if then is None and topic in {partition.topic for partition in partitions}:
                then = ends
        else:
            _learn_files(config, sources, models, count, say)
        if then is None:
            raise ConfigurationError("say where to go live: --then earliest, latest, OFFSET or TIME")
        result = _result(count, [*models.values()])

        def fresh(partition: Partition, offset: int) -> list[Message]:
            return list(models[partition].snapshot(offset, partition))

        return result, reset(config.kafka, config.application_id, config.changelog, then, fresh)
    finally:
        for model in models.values():
            model.close()


def _numbered(partitions: Sequence[Partition], topic: str) -> dict[int, Partition]:
    """The partitions that learn from those of `topic`: its own, else those of the one input topic."""
    names = {partition.topic for partition in partitions}
    if topic not in names and len(names) > 1:
        raise ConfigurationError(f"there are several input topics ({', '.join(sorted(names))}), and {topic!r} is none")
    of = topic if topic in names else names.pop()
    return {partition.number: partition for partition in partitions if partition.topic == of}


def _learn_files(
    config: Config, sources: Sequence[Path], models: dict[Partition, PartitionModel[Any]], count: _Count, say: Say
) -> None:
    from streamrnn.connectors.kafka.placement import partition_of

    partitions = sorted(models)
    if len({partition.topic for partition in partitions}) > 1:
        raise ConfigurationError("files can be learned where there is one input topic; there are several")
    wanted = (task_of(config).taught_by, config.event.features)
    for source in sources:
        with FileConnector(source, None) as connector:
            history = _opened(connector, source, config, say)
            if (task_of(history.config).taught_by, history.config.event.features) != wanted:
                raise ConfigurationError(
                    f"{source} would be read as {_columns(history.config)}, and the pipeline forecasts "
                    f"{_columns(config)} (event.targets, event.features): name the columns alike"
                )
            if history.row_clock:
                raise ConfigurationError(f"{source} has no times, and the events of a topic have: nothing would fit")
            for records in history.records:
                if len(partitions) == 1:
                    _fold(models[partitions[0]], history.decoder, records, count)
                    continue
                decoded = history.decoder.decode(records)
                count.add(len(decoded.rejected), len(decoded.rejected))
                parted: dict[int, list[Record]] = {}
                for key, record in zip(decoded.keys, decoded.records, strict=True):
                    parted.setdefault(partition_of(key.encode(), len(partitions)), []).append(record)
                for number, some in sorted(parted.items()):
                    _fold(models[partitions[number]], history.decoder, some, count)
