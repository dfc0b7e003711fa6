"""Snapshot records: whatever happened to their bytes, it is the state that was written or a named error."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamrnn.errors import SnapshotCorrupt, SnapshotMismatch, SnapshotVersion, StateError
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.log import Message
from streamrnn.state.arrays import Array
from streamrnn.state.snapshot import FORMAT, LARGEST_RECORD, Manifest, SnapshotReader, digest_of, open_record, write
from tests.streams import configured, restore, run, stream

SHARED = {"weights": np.arange(6.0).reshape(2, 3), "counters": np.arange(3)}
ROWS = [("a", b"row of a"), ("", b"row of nobody"), ("a/b\0π", b""), ("c", b"row of c")]


def records(
    offset: int = 7, rows: list[tuple[str, bytes]] = ROWS, shared: dict[str, Array] | None = None
) -> list[Message]:
    manifest = Manifest(offset, {"model.horizon": 1}, len(rows), {"events": 9}, "0.1.0")
    return list(write(manifest, SHARED if shared is None else shared, rows))


def read(messages: list[Message]) -> tuple[Manifest, dict[str, Array], dict[str, bytes]] | None:
    reader = SnapshotReader()
    rows: dict[str, bytes] = {}
    for key, row in reader.read(messages):
        rows.pop(key, None)
        if row is not None:
            rows[key] = row
    found = reader.finish()
    return None if found is None else (*found, rows)


def same(found: tuple[Manifest, dict[str, Array], dict[str, bytes]] | None) -> bool:
    if found is None:
        return False
    manifest, shared, rows = found
    return (manifest.offset, rows) == (7, dict(ROWS)) and digest_of(shared) == digest_of(SHARED)


def test_what_was_written_is_read() -> None:
    assert same(read(records()))
    assert read([]) is None


def test_later_records_win_and_nulls_delete() -> None:
    later = records(9, [("a", b"newer")])
    found = read([*records(), *later, Message(b"series/0/c", None)])
    assert found is not None
    assert found[0].offset == 9
    assert found[2] == {"a": b"newer", "": b"row of nobody", "a/b\0π": b""}


def test_large_parts_are_cut_into_records_of_bounded_size() -> None:
    random = np.random.Generator(np.random.Philox(key=1))
    row = random.bytes(2 * LARGEST_RECORD + 1)
    shared: dict[str, Array] = {"big": random.normal(size=LARGEST_RECORD // 4)}
    messages = records(7, [("a", row), ("b", row[:LARGEST_RECORD])], shared)
    assert max(len(message.value or b"") for message in messages) < LARGEST_RECORD + 100
    found = read(messages)
    assert found is not None
    assert found[2] == {"a": row, "b": row[:LARGEST_RECORD]}
    assert found[1]["big"].tobytes() == shared["big"].tobytes()
    for missing in range(len(messages)):
        if messages[missing].key != b"series/0/b":  # a whole row is missed by counting, in the model
            with pytest.raises(SnapshotCorrupt):
                read(messages[:missing] + messages[missing + 1 :])


def test_a_torn_row_is_never_put_together_from_two_snapshots() -> None:
    row = bytes(LARGEST_RECORD + 5)
    old, new = records(7, [("a", row)]), records(9, [("a", b"\1" * len(row))])
    torn = [*old, *(message for message in new if message.key == b"series/0/a")]
    with pytest.raises(SnapshotCorrupt):
        read(torn)


def test_a_manifest_of_another_snapshot_than_the_arrays_is_refused() -> None:
    old, new = records(7), records(9)
    with pytest.raises(SnapshotCorrupt, match="not of the same snapshot"):
        read([*old, *(message for message in new if message.key != b"manifest")])


MESSAGES = records()
PLACES = st.integers(0, len(MESSAGES) - 1)


@given(place=PLACES, byte=st.integers(0, 10**6), flip=st.integers(1, 255))
@example(place=0, byte=4, flip=1)  # the format, to one that reads the same
def test_a_flipped_byte_is_noticed(place: int, byte: int, flip: int) -> None:
    value = bytearray(MESSAGES[place].value or b"")
    value[byte % len(value)] ^= flip
    damaged = [*MESSAGES]
    damaged[place] = damaged[place]._replace(value=bytes(value))
    with pytest.raises((SnapshotCorrupt, SnapshotVersion)):
        read(damaged)


@given(place=PLACES, length=st.integers(0, 10**6))
def test_a_cut_record_is_noticed(place: int, length: int) -> None:
    value = MESSAGES[place].value or b""
    damaged = [*MESSAGES]
    damaged[place] = damaged[place]._replace(value=value[: length % len(value)])
    with pytest.raises(SnapshotCorrupt):
        read(damaged)


@given(place=PLACES, other=PLACES)
def test_a_record_under_another_key_is_noticed(place: int, other: int) -> None:
    damaged = [*MESSAGES]
    damaged[place] = damaged[place]._replace(value=MESSAGES[other].value)
    if MESSAGES[place] == MESSAGES[other]:
        assert same(read(damaged))
    else:
        with pytest.raises(SnapshotCorrupt):
            read(damaged)


@given(value=st.binary(max_size=300))
def test_random_bytes_are_never_a_record(value: bytes) -> None:
    for key in (b"manifest", b"shared/0", b"series/0/a"):
        for forged in (value, b"SRNN" + value, b"SRNN\1\0" + value):
            with pytest.raises(StateError):
                open_record(key, forged)
            with pytest.raises(StateError):
                read([Message(key, forged)])


@given(key=st.binary(max_size=30) | st.builds(lambda tail: b"series/" + tail, st.binary(max_size=9)))
def test_foreign_keys_are_refused(key: bytes) -> None:
    with pytest.raises(StateError):
        read([*MESSAGES, Message(key, b"x")])


def test_a_claim_of_many_chunks_allocates_nothing() -> None:
    value = bytearray(MESSAGES[0].value or b"")
    struct.pack_into("<HH", value, 22, 0xFFFE, 0xFFFF)
    tracemalloc.start()
    with pytest.raises(SnapshotCorrupt):
        open_record(b"shared/0", bytes(value))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_a_newer_format_says_what_to_do() -> None:
    value = bytearray(MESSAGES[-1].value or b"")
    value[4] = FORMAT + 1
    with pytest.raises(SnapshotVersion, match="run the newer version, or `streamrnn reset`"):
        open_record(b"manifest", bytes(value))


CONFIG = configured()
EVENTS = stream(CONFIG, 60, series=3)


def saved() -> tuple[list[Message], str]:
    from streamrnn.records.events import EventDecoder

    model = ForecastModel(CONFIG)
    model.process(EventDecoder(CONFIG.event).decode(EVENTS))
    messages = list(model.snapshot(60))
    digest = model.digest()
    model.close()
    return messages, digest


@pytest.fixture(scope="module")
def stored() -> tuple[list[Message], str]:
    return saved()


def test_a_model_is_restored_whole(stored: tuple[list[Message], str]) -> None:
    model = ForecastModel(CONFIG)
    assert restore(model, stored[0]) == 60
    assert model.digest() == stored[1] == run(CONFIG, EVENTS).digest
    assert not [message for message in model.snapshot(60) if (message.key or b"").startswith(b"series/")]


def test_nothing_stored_is_no_state() -> None:
    assert restore(ForecastModel(CONFIG), []) is None


def test_a_missing_series_is_noticed(stored: tuple[list[Message], str]) -> None:
    kept = [message for message in stored[0] if b"series 1" not in (message.key or b"")]
    assert len(kept) == len(stored[0]) - 1
    with pytest.raises(SnapshotCorrupt, match="says 3 series, but 2 are stored"):
        restore(ForecastModel(CONFIG), kept)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"model__hidden_size": 5}, "model.hidden_size was 4, is 5"),
        ({"model__horizon": 2}, "model.horizon was 1, is 2"),
        ({"model__preset": "full"}, "model.preset was 'standard', is 'full'"),
        ({"model__weights": "series"}, "model.weights was 'partition', is 'series'"),
        ({"model__levels": [0.9, 0.5]}, "model.levels was"),
        ({"model__seed": 1}, "model.seed was 0, is 1"),
        ({"event__targets": ["value", "b"]}, "event.targets was"),
        ({"event__features": ["f"]}, "event.features was"),
        ({"model__hidden_size": 5, "model__horizon": 2}, "model.hidden_size was 4, is 5; model.horizon was 1, is 2"),
    ],
)
def test_another_shape_is_refused_with_everything_that_differs(
    stored: tuple[list[Message], str], overrides: dict[str, object], words: str
) -> None:
    with pytest.raises(SnapshotMismatch) as caught:
        restore(ForecastModel(configured(**overrides)), stored[0])
    assert words in str(caught.value)
    assert "streamrnn reset" in str(caught.value)
    assert "application_id" in str(caught.value)


def test_rates_and_thresholds_may_change(stored: tuple[list[Message], str]) -> None:
    changed = configured(model__learning_rate=0.1, model__gradient_clip=1, anomaly__threshold=0.5, event__late="drop")
    assert restore(ForecastModel(changed), stored[0]) == 60


@given(place=st.integers(0, 10**6), byte=st.integers(0, 10**9), flip=st.integers(0, 255), cut=st.booleans())
def test_a_model_never_comes_up_with_another_state(
    stored: tuple[list[Message], str], place: int, byte: int, flip: int, cut: bool
) -> None:
    messages, digest = [*stored[0]], stored[1]
    message = messages[place % len(messages)]
    value = bytearray(message.value or b"")
    at = byte % len(value)
    if cut:
        del value[at:]
    else:
        value[at] ^= flip
    messages[place % len(messages)] = message._replace(value=bytes(value))
    model = ForecastModel(CONFIG)
    try:
        assert restore(model, messages) == 60
    except StateError:
        assert bytes(value) != message.value
    else:
        assert model.digest() == digest


@pytest.mark.slow
def test_a_hundred_thousand_random_strings() -> None:
    random = np.random.Generator(np.random.Philox(key=2))
    for number in range(100_000):
        value = random.bytes(int(random.integers(200)))
        forged = (value, b"SRNN" + value, b"SRNN\1\0" + value)[number % 3]
        with pytest.raises(StateError):
            open_record(b"manifest", forged)
