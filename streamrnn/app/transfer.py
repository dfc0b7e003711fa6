"""`streamrnn state export` and `import`: what was learned, in one file (`state/snapshot_file.py`), and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError, SnapshotCorrupt, SnapshotMismatch, StateError
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.stepper import Stepper
from streamrnn.runtime.task import make_model
from streamrnn.state.partition_model import PartitionModel
from streamrnn.state.snapshot_file import read_file, write_file
from streamrnn.state.snapshot_folder import SnapshotFolder
from streamrnn.state.transfer import Taken, give, take

KIND: Final = "streamrnn state"


class Part(NamedTuple):
    """One partition in a file, or put somewhere."""

    name: str
    offset: int
    series: int
    digest: str


def export_state(config: Config, folder: Path | None, keys: Sequence[str], target: Path) -> list[Part]:
    """Write what is stored, or of it the series that one of the patterns `keys` matches, to `target`.

    Raises `StateError` where there is nothing, or nothing that matches.
    """
    if target.is_dir():
        raise StateError(f"{target} is a folder: name a file")
    found = _in_folder(folder) if folder is not None else _in_kafka(config)
    wanted = _matching(keys)
    records: list[Message] = []
    described: list[dict[str, Any]] = []
    parts: list[Part] = []
    for partition, taken, facts in found:
        some = list(give(taken, wanted))
        chosen = take(some)
        assert chosen is not None
        digest = _digest(some)
        described.append(
            {"topic": partition.topic, "partition": partition.number, "offset": taken.manifest.offset,
             "records": len(some), "series": len(chosen.series), "digest": digest, "folder": facts}
        )  # fmt: skip
        records += some
        parts.append(Part(f"{partition.topic}[{partition.number}]", taken.manifest.offset, len(chosen.series), digest))
    if keys and not any(part.series for part in parts):
        raise StateError(f"no series matches {', '.join(keys)}")
    about = {"kind": KIND, "version": __version__, "keys": [*keys], "partitions": described}
    write_file(target, records, about, {})
    return parts


def _matching(keys: Sequence[str]) -> Callable[[str], bool] | None:
    return (lambda key: any(fnmatchcase(key, pattern) for pattern in keys)) if keys else None


def _in_folder(path: Path) -> Iterator[tuple[Partition, Taken, Mapping[str, object] | None]]:
    if not path.is_dir():
        raise StateError(f"{path} is no folder")
    folder = SnapshotFolder(path, look_only=True)
    try:
        taken = take(folder.messages())
        if taken is None:
            raise StateError(f"{path} holds no snapshot")
        yield Partition(path.name or str(path), 0), taken, folder.facts
    finally:
        folder.close()


def _in_kafka(config: Config) -> Iterator[tuple[Partition, Taken, None]]:
    from streamrnn.connectors.kafka.operations import stored

    places = stored(config.kafka, config.application_id, config.changelog)
    found = [(place.partition, take(place.snapshots())) for place in places]
    if empty := [f"{p.topic}[{p.number}]" for p, taken in found if taken is None]:
        if len(empty) == len(found):
            raise StateError(f"{config.application_id!r} has no state at {config.kafka.bootstrap_servers}")
        raise StateError(f"{empty[0]} has no state yet, others have: let the workers take a snapshot first")
    yield from ((partition, taken, None) for partition, taken in found if taken is not None)


def _digest(messages: Sequence[Message]) -> str:
    from streamrnn.state.snapshot import SnapshotReader, digest_of

    reader = SnapshotReader()
    rows = {key: digest_of(row) for key, row in reader.read(messages) if row is not None}
    found = reader.finish()
    assert found is not None
    return digest_of(found[1], rows).hex()


class _Stored(NamedTuple):
    partition: Partition
    offset: int
    messages: Sequence[Message]
    folder: Mapping[str, object] | None


def _read(source: Path) -> list[_Stored]:
    """The partitions of a file of `export_state`, or the one that `StreamModel.save` wrote."""
    facts, messages, _ = read_file(source)
    every = list(messages)
    if facts.get("kind") != KIND:
        if "settings" not in facts or "rows" not in facts:
            raise SnapshotCorrupt(f"{source} is a state, but neither `state export` nor StreamModel.save wrote it")
        return [_Stored(Partition("frame", 0), int(facts["rows"]), every, None)]
    found, at = [], 0
    try:
        for part in facts["partitions"]:
            count, place = int(part["records"]), Partition(str(part["topic"]), int(part["partition"]))
            found.append(_Stored(place, int(part["offset"]), every[at : at + count], part["folder"]))
            at += count
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotCorrupt(f"{source}: its description of the partitions cannot be read: {error}") from error
    if at != len(every) or not found:
        raise SnapshotCorrupt(f"{source} holds {len(every)} records, and its description says {at}")
    return found


def _restored(config: Config, stored: _Stored, wanted: Callable[[str], bool] | None) -> PartitionModel[Any]:
    """A model with that state: whatever does not fit the configuration is refused here, with all that differs."""
    taken = take(stored.messages)
    if taken is None:
        raise SnapshotCorrupt("the file holds no snapshot")
    model = make_model(config)
    try:
        for _ in model.restore(give(taken, wanted)):
            pass
    except BaseException:
        model.close()
        raise
    return model


class ByKey(NamedTuple):
    """A state taken apart into the states of its series, as `Stepper` has them."""

    offsets: Mapping[Partition, int]
    states: Iterator[tuple[str, bytes]]


def by_key(config: Config, source: Path) -> ByKey:
    """What is in a file of `export_state`, for whoever keeps each series' state by itself; `states` are read once.

    Raises `SnapshotMismatch` where the configuration is another than the one that it was learned with.
    """
    stepper, stored = Stepper(config), _read(source)

    def states() -> Iterator[tuple[str, bytes]]:
        for part in stored:
            model = _restored(stepper.config, part, None)
            try:
                for key in sorted(model.series.all_keys()):
                    yield key, stepper.states.encode(key, model.series.data(key))
            finally:
                model.close()

    return ByKey({part.partition: part.offset for part in stored}, states())


def import_to_folder(config: Config, source: Path, folder: Path, *, keep: bool) -> list[Part]:
    """Put a state into an empty folder. With `keep` a run goes on in the very input and outputs it was taken from, else
    it begins at the first row of the one it is given.

    Raises `StateError` for a folder that holds something, or a file of several partitions.
    """
    from streamrnn.config.loading import load

    parts = _read(source)
    if len(parts) > 1:
        raise StateError(f"{source} holds {len(parts)} partitions, and a folder is the state of one")
    (stored,) = parts
    if keep and not (stored.folder and "fingerprint" in str(stored.folder)):
        raise StateError(f"{source} was not taken from a folder that knows its input: give --to earliest")
    taken = take(stored.messages)
    if taken is None:
        raise SnapshotCorrupt(f"{source} holds no snapshot")
    # What a file's columns decide is not in the configuration: the state says it, and the next run compares.
    model = _restored(load(None, taken.manifest.shape, environment={}), stored, None)
    try:
        kept = SnapshotFolder(folder)
        try:
            if kept.facts is not None:
                raise StateError(f"{folder} holds a state already: choose another, or `streamrnn reset --state` first")
            facts = dict(stored.folder or {}) if keep else {"offset": 0, "begins": True}
            facts = {name: value for name, value in facts.items() if name not in ("parent", "records", "number")}
            kept.write([*model.snapshot(stored.offset if keep else 0, whole=True)], facts)
        finally:
            kept.close()
        return [Part(str(folder), stored.offset if keep else 0, len(model.series), model.digest())]
    finally:
        model.close()


def import_to_kafka(config: Config, source: Path, target: Any, *, keep: bool, replace: bool) -> list[Part]:
    """Make a state that of the application; `target` is where it goes live (`operations.Target`), with `keep` at the
    offsets that it stands for.

    Partition N becomes partition N of the input topic. A state of one partition can become that of several: its series
    go where Kafka's clients put their keys, and each partition begins with the same shared network.

    Raises `StateError` where workers run, where there is state that `replace` does not allow to forget, where the
    numbers of partitions do not fit, and where the log does not have an offset that is to be kept.
    """
    from streamrnn.connectors.kafka.operations import refuse_begun, reset
    from streamrnn.connectors.kafka.operations import stored as at_broker

    parts = _read(source)
    places = at_broker(config.kafka, config.application_id, config.changelog)
    if not replace:
        refuse_begun(places, config.application_id)
    inputs = [place.partition for place in places]
    models: dict[Partition, PartitionModel[Any]] = {}
    offsets: dict[Partition, int] = {}
    try:
        for partition, stored, wanted in _assigned(source, parts, inputs):
            models[partition], offsets[partition] = _restored(config, stored, wanted), stored.offset
        if keep and len(parts) != len(inputs):
            raise ConfigurationError("--to keep: the state is of one partition and the input has several; name a place")

        def fresh(partition: Partition, offset: int) -> list[Message]:
            return list(models[partition].snapshot(offset, partition, whole=True))

        begins = reset(config.kafka, config.application_id, config.changelog, offsets if keep else target, fresh)
        return [
            Part(f"{p.topic}[{p.number}]", begins[p], len(models[p].series), models[p].digest()) for p in sorted(begins)
        ]
    finally:
        for model in models.values():
            model.close()


def _assigned(
    source: Path, parts: Sequence[_Stored], inputs: Sequence[Partition]
) -> Iterator[tuple[Partition, _Stored, Callable[[str], bool] | None]]:
    from streamrnn.connectors.kafka.placement import partition_of

    if len(parts) == 1 and len(inputs) > 1 and len({partition.topic for partition in inputs}) == 1:
        for partition in inputs:
            yield partition, parts[0], lambda key, n=partition.number: partition_of(key.encode(), len(inputs)) == n  # type: ignore[misc]
        return
    topics = [sorted({place.topic for place in places}) for places in ([p.partition for p in parts], inputs)]
    renamed = dict(zip(*topics, strict=True)) if [len(one) for one in topics] == [1, 1] else {t: t for t in topics[0]}
    found = {part.partition._replace(topic=renamed[part.partition.topic]): part for part in parts}
    if found.keys() != {*inputs}:
        raise SnapshotMismatch(
            f"{source} holds {_listed(found)}, and the input has {_listed(inputs)}: what a partition has learned is of "
            "use to one of the same series alone. `streamrnn repartition` makes a topic with as many"
        )
    for partition in inputs:
        yield partition, found[partition], None


def _listed(partitions: Any) -> str:
    counts: dict[str, int] = {}
    for partition in partitions:
        counts[partition.topic] = counts.get(partition.topic, 0) + 1
    return ", ".join(f"{count} partition{'s' * (count > 1)} of {topic}" for topic, count in sorted(counts.items()))
