"""Streams of events to test with, and the fold run over them by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.records.dead_letters import dead_letter
from streamrnn.records.event_schema import targets_of
from streamrnn.records.log import Message, Partition, Record
from streamrnn.runtime.task import make_decoder, make_model
from streamrnn.state.partition_model import PartitionModel

PARTITION = Partition("events", 0)
START = 1_767_225_600_000  # 2026-01-01T00:00:00Z in milliseconds


def configured(**overrides: Any) -> Config:
    """A small model: sizes do not trigger a compilation, types do. `model__horizon=3` sets `model.horizon`."""
    small: dict[str, object] = {"model.hidden_size": 4, "model.truncation_length": 2}
    return load(None, small | {name.replace("__", "."): value for name, value in overrides.items()}, {})


def stream(
    config: Config, count: int, series: int = 7, seed: int = 0, missing: float = 0.1, late: float = 0.0
) -> list[Record]:
    """Events of several series in random turns: waves with noise and spikes, some values missing, some events late."""
    random = np.random.Generator(np.random.Philox(key=seed))
    names = [*targets_of(config.event), *config.event.features]
    records: list[Record] = []
    steps = dict.fromkeys(range(series), 0)
    for offset in range(count):
        number = int(random.integers(series))
        steps[number] += 1
        step = steps[number] - (int(random.integers(2, 6)) if random.random() < late else 0)
        event: dict[str, Any] = {"key": f"series {number} π", "time": START + step * 600_000 + number}
        for position, name in enumerate(names):
            value = 10 * number + 5 * np.sin(2 * np.pi * step / 24 + position) + random.normal()
            if random.random() < 0.01:
                value *= 100
            event[name] = None if random.random() < missing else float(value)
        if config.event.future and random.random() < 0.9:
            steps_known = int(random.integers(config.model.horizon + 1))
            event["future"] = {
                name: [None if random.random() < missing else float(random.normal()) for _ in range(steps_known)]
                for name in config.event.future
            }
        records.append(MemoryRecord(offset, None, None, orjson.dumps(event)))
    return records


class Outcome(NamedTuple):
    """Everything a run leaves behind."""

    outputs: tuple[Message, ...]
    alerts: tuple[Message, ...]
    dead_letters: tuple[Message, ...]
    digest: str


def with_state(config: Config, **state: object) -> Config:
    """The same with other settings of `state`."""
    tree = config.model_dump()
    tree["state"] |= state
    return Config.model_validate(tree)


def cut(records: Sequence[Record], cuts: Iterable[int]) -> Iterator[Sequence[Record]]:
    """`records` in batches that end at `cuts`."""
    marks = sorted({0, len(records), *(mark for mark in cuts if 0 <= mark <= len(records))})
    for start, stop in itertools.pairwise(marks):
        yield records[start:stop]


def every(size: int, count: int) -> range:
    """Cuts after every `size` records."""
    return range(0, count, size)


def run(
    config: Config,
    records: Sequence[Record],
    cuts: Iterable[int] = (),
    reborn: Iterable[int] = (),
    partition: Partition = PARTITION,
) -> Outcome:
    """Process `records` in batches; where a batch ends at an offset of `reborn` the model is snapshotted and dies."""
    model = make_model(config)
    decoder = make_decoder(config)
    changelog: dict[bytes | None, Message] = {}
    outputs: list[Message] = []
    alerts: list[Message] = []
    letters: list[Message] = []
    reborn = set(reborn)
    for batch in cut(records, {*cuts, *reborn}):
        decoded = decoder.decode(batch)
        answers = model.process(decoded)
        outputs += model.encode(partition, decoded, answers)
        alerts += model.alerts(partition, decoded, answers)
        letters += [dead_letter(partition, record, error) for record, error in model.unusable(decoded, answers)]
        offset = batch[-1].offset + 1
        if offset in reborn:
            changelog |= {message.key: message for message in model.snapshot(offset)}
            model.close()
            model = make_model(config)
            assert restore(model, changelog.values()) == offset
    digest = model.digest()
    model.close()
    return Outcome(tuple(outputs), tuple(alerts), tuple(letters), digest)


def restore(model: PartitionModel[Any], messages: Iterable[Message]) -> int | None:
    """Restore to the end."""
    restoring = model.restore(messages)
    while True:
        try:
            next(restoring)
        except StopIteration as stop:
            found: int | None = stop.value
            return found


def last_of_each_key(messages: Iterable[Message]) -> dict[bytes | None, bytes]:
    """What a log says in the end: the last message of a key counts, a null deletes it."""
    found: dict[bytes | None, bytes] = {}
    for message in messages:
        if message.value is None:
            found.pop(message.key, None)
        else:
            found[message.key] = message.value
    return found
