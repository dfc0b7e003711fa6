"""Older layouts become the present one, row by row, in any mixture; what cannot is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from streamrnn.errors import SnapshotMismatch, SnapshotVersion
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.task import make_model
from streamrnn.state import migrations
from streamrnn.state.arrays import Array, get_rows
from streamrnn.state.migrations import PARTS, Field, Migration, Reader, Refused, present
from streamrnn.state.settings import differences
from streamrnn.state.snapshot import SnapshotReader
from tests.streams import configured, restore, run, stream

Float64 = npt.NDArray[np.float64]


class Forecaster(NamedTuple):
    numbers: Float64
    added: Float64


class Common(NamedTuple):
    counts: npt.NDArray[np.int64]


class Series(NamedTuple):
    common: Common
    forecaster: Forecaster


class OldForecaster(NamedTuple):
    values: Float64


class OldSeries(NamedTuple):
    common: Common
    forecaster: OldForecaster


COMMON = Common(np.arange(4).reshape(2, 2))
PRESENT = Series(COMMON, Forecaster(np.arange(6.0).reshape(2, 3), np.full((2, 1), 7.0)))
OLD = OldSeries(COMMON, OldForecaster(np.arange(6.0).reshape(2, 3)))


def renamed(fields: list[Field]) -> list[Field]:
    return [("values" if name == "numbers" else name, kind, shape) for name, kind, shape in fields]


def rename(arrays: dict[str, Array]) -> dict[str, Array]:
    return {"numbers" if name == "values" else name: array for name, array in arrays.items()}


RENAMED = Migration("forecaster", 2, renamed, rename, rename)
ADDED = Migration(
    "forecaster",
    3,
    lambda fields: [field for field in fields if field[0] != "added"],
    lambda arrays: arrays | {"added": np.full(1, 7.0)},
)
GONE = Refused("forecaster", 2, "0.1.0", "its network is another")


ADDED_SINCE = ("remembered", "strangest", "withheld", "allowed", "aftermath", "recurring", "recurred")


def test_alerts_of_before_begin_to_show_their_values() -> None:
    """Rows of an anomaly part that had no values to show are read, and what they do not know is never said."""
    model = make_model(configured(event__targets=["a", "b"]))
    now, before = present(), bytearray(present())
    before[PARTS.index("anomaly")] = 2
    anomaly = model.series.arrays.anomaly
    names = [name for name, _, _ in model._layouts._fields]
    assert "anomaly.shown" in names
    anomaly.alert[0, :6] = np.arange(6)
    anomaly.numbers[0] = np.arange(48)
    anomaly.week_visits[0] = np.arange(84)
    [new] = get_rows(model.series.arrays, [0])
    sizes = {name: int(np.prod(shape)) * np.dtype(kind).itemsize for name, kind, shape in model._layouts._fields}
    old, at = b"", 0
    for name in names:
        part = new[at : at + sizes[name]]
        at += sizes[name]
        if name == "anomaly.week_visits":
            packed = np.frombuffer(part, np.uint8)
            part = np.c_[packed & 15, packed >> 4].tobytes()
        if name == "anomaly.numbers":
            part = np.delete(np.frombuffer(part, np.float32).reshape(2, -1), [8, 9, 10, 11, 25, 35], axis=1).tobytes()
        shorter = {"anomaly.shown": 0, "anomaly.alert": 48, "anomaly.rates": 20, "anomaly.held": 16}
        shorter |= dict.fromkeys(map("anomaly.{}".format, ADDED_SINCE), 0)
        old += part[: shorter.get(name, len(part))]
    read = model._layouts.row(bytes(before), old)
    assert len(read) == len(new)
    start = sum(sizes[name] for name in names[: names.index("anomaly.shown")])
    shown = np.frombuffer(read[start : start + sizes["anomaly.shown"]]).reshape(2, 7)
    assert np.isnan(shown[:, :5]).all()
    assert (shown[:, 5:] == [np.inf, -np.inf]).all()
    start = sum(sizes[name] for name in names[: names.index("anomaly.rates")])
    assert np.frombuffer(read[start : start + 24], np.float32).tolist() == pytest.approx([0, 0, 0, 0, 0.2, 0])
    start = sum(sizes[name] for name in names[: names.index("anomaly.week_visits")])
    assert read[start : start + 168] == new[start : start + 168]
    start = sum(sizes[name] for name in names[: names.index("anomaly.numbers")])
    numbers = np.frombuffer(read[start : start + sizes["anomaly.numbers"]], np.float32).reshape(2, 48)[0]
    assert numbers.tolist() == [0 if k in (8, 9, 10, 11, 25, 35) else k for k in range(48)]
    assert model._layouts.row(now, new) == new
    model.close()


def test_lists_of_episodes_count_the_events_they_have_seen() -> None:
    """Rows of before counted the blocks that filled a list; what a full one has seen is known of its series."""
    lists, gaps = np.zeros((1, 4, 12), np.float32), np.zeros(12, np.float32)
    lists[0, :, 8:] = [[3, 20, 2, 8], [3, 20, 2, 8], [0, 7, 0, 5], [1, 30, 0, 8]]
    gaps[8:] = [0, 11, 0, 3]
    numbers, times = np.zeros((1, 48), np.float32), np.array([0.0, 1.0, 151.0, 0.0])
    numbers[0, 0], numbers[0, 38] = 20_000, 700
    [step] = [change for change in migrations.CHANGES if change.part == "anomaly" and change.version == 9]
    assert isinstance(step, Migration)
    read = step.row({"lists": lists, "gaps": gaps, "numbers": numbers, "times": times})
    assert read["lists"][0, :, 8:].tolist() == [[3, 20, 2, 5000], [3, 20, 2, 5000], [0, 0, 0, 247], [1, 30, 0, 700]]
    assert read["gaps"][8:].tolist() == [0, 0, 0, 155]


def reader(changes: Sequence[Refused | Migration] = (RENAMED, ADDED)) -> Reader:
    return Reader(PRESENT, "common", changes)


def versions(**numbers: int) -> bytes:
    return bytes(numbers.get(part, 1) for part in PARTS).ljust(8, b"\1")


def test_rows_of_every_layout_become_the_present_one() -> None:
    new, old = get_rows(PRESENT, [0, 1]), get_rows(OLD, [0, 1])
    assert [reader().row(versions(), row) for row in old] == new
    assert [reader().row(versions(forecaster=2), row) for row in old] == new
    assert [reader().row(versions(forecaster=3), row) for row in new] == new


def test_arrays_of_the_partition_too() -> None:
    stored = {"forecaster.values": np.arange(3.0), "counters": np.arange(2)}
    found = reader().shared(versions(), stored)
    assert set(found) == {"forecaster.numbers", "counters"}


def test_a_row_of_another_length_is_noticed() -> None:
    with pytest.raises(ValueError, match="a row has 40 bytes, not 41"):
        reader().row(versions(), get_rows(OLD, [0])[0] + b"x")


def test_a_migration_that_forgets_an_array_is_noticed() -> None:
    forgets = ADDED._replace(row=lambda arrays: arrays)
    with pytest.raises(SnapshotMismatch, match="a migration of the forecaster does not give added"):
        reader((RENAMED, forgets)).row(versions(forecaster=2), get_rows(OLD, [0])[0])


def test_what_cannot_follow_says_which_version_reads_it() -> None:
    with pytest.raises(SnapshotVersion) as caught:
        reader((GONE,)).check(versions())
    assert str(caught.value) == (
        "the stored state has layout 1 of the forecaster, which streamrnn 0.1.0 reads and this one does not "
        "(its network is another): run streamrnn 0.1.0, or `streamrnn reset` to learn afresh"
    )
    reader((GONE,)).check(versions(forecaster=2))
    reader((GONE,)).check(versions(forecaster=2, labelled=9))  # a part that this model does not have


def test_a_newer_layout_is_refused() -> None:
    with pytest.raises(SnapshotVersion, match="has layout 4 of the forecaster, and this streamrnn reads up to 3"):
        reader().check(versions(forecaster=4))


def test_versions_follow_each_other() -> None:
    with pytest.raises(AssertionError):
        present((ADDED,))
    assert present((RENAMED, ADDED)) == versions(forecaster=3)


CONFIG = configured()
EVENTS = stream(CONFIG, 30, series=3)


def saved(partition: Partition | None = None, offset: int = 30) -> list[Message]:
    from streamrnn.records.events import EventDecoder

    model = make_model(CONFIG)
    model.process(EventDecoder(CONFIG.event).decode(EVENTS))
    return list(model.snapshot(offset, partition))


def test_rows_that_were_replaced_or_deleted_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = saved()
    keys = [message.key for message in old if (message.key or b"").startswith(b"series/")]
    newest = migrations.present()
    number = newest[PARTS.index("forecaster")]
    refusal = Refused("forecaster", number + 1, "0.1.0", "a test")
    monkeypatch.setattr(migrations, "CHANGES", (*migrations.CHANGES, refusal))
    with pytest.raises(SnapshotVersion, match=r"run streamrnn 0\.1\.0"):
        restore(make_model(CONFIG), old)
    model = make_model(CONFIG)
    assert restore(model, [*old, *saved()]) == 30
    assert model.digest() == run(CONFIG, EVENTS).digest
    unread = SnapshotReader(model._layouts)
    list(unread.read(old))
    assert len(unread.refused) == len(keys) == 3
    list(unread.read([Message(key, None) for key in keys]))
    assert not unread.refused


def test_warnings_may_be_asked_for_later_and_given_up_again() -> None:
    """What is free to change must not make a state unreadable, though only those who warn keep something for it."""
    from streamrnn.records.events import EventDecoder

    warning = configured(anomaly__warn_at=0.9, model__horizon=4)
    silent = configured(model__horizon=4)
    events, sizes = EventDecoder(CONFIG.event).decode(EVENTS), []
    stored: list[Message] = []
    for config in (silent, warning, silent):
        model = make_model(config)
        if stored:
            assert restore(model, stored) == 30
        model.process(events)
        stored = list(model.snapshot(30, whole=True))
        sizes.append(model.bytes_per_series)
    assert sizes[0] == sizes[2] < sizes[1]


def test_state_of_another_pipeline_is_refused() -> None:
    here, there = Partition("events", 0), Partition("orders", 0)
    model = make_model(CONFIG)
    assert list(model.restore(saved(here), None, here)) == [3]
    for stored, own, words in (
        (saved(here), there, r"that of events\[0\] of application 'streamrnn', and this is orders\[0\] of"),
        (saved(here), Partition("events", 1), r"that of events\[0\] .* and this is events\[1\]"),
    ):
        with pytest.raises(SnapshotMismatch, match=words):
            list(make_model(CONFIG).restore(stored, None, own))
    other = CONFIG.model_copy(update={"application_id": "other"})
    with pytest.raises(SnapshotMismatch, match=r"application 'streamrnn', and this is .* of application 'other'"):
        list(make_model(other).restore(saved(here), None, here))
    assert list(make_model(CONFIG).restore(saved(None), None, here)) == [3]  # from before there were names


def test_a_state_with_settings_of_a_newer_version_says_so() -> None:
    """Half-way through an upgrade an old worker is given a partition that a new one had: its turn to be replaced."""
    newer = make_model(CONFIG)
    newer._settings = {**newer._settings, "model.newer": 0}
    with pytest.raises(SnapshotVersion, match=r"newer streamrnn \(.*\): this version does not know model\.newer\. Run"):
        list(make_model(CONFIG).restore(list(newer.snapshot(3)), None))


def test_a_setting_that_is_not_named_has_its_default() -> None:
    known = {"task": "forecast", "model.new": 1, "model.old": 2}
    assert differences({"task": "forecast", "model.old": 2}, {"task": "forecast", "model.new": 1}, known) == []
    assert differences({"task": "forecast"}, {"task": "forecast", "model.new": 3}, known) == ["model.new was 1, is 3"]
    assert differences({"task": "forecast", "model.newer": 0}, {"task": "forecast"}, known) == [
        "model.newer was 0, which this version does not know"
    ]
    assert differences({"task": "forecast", "model.seed": 0}, {"task": "regression"}, known) == [
        "task was 'forecast', is 'regression'"
    ]
