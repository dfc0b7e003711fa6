from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import Config, FileConfig
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.connectors.reading.layout import Layout, TimeReading
from streamrnn.connectors.reading.rows import RowReader, row_reader
from streamrnn.errors import EventError, EventInvalid
from streamrnn.records.dead_letters import DeadLetterRecord, dead_letter
from streamrnn.records.event_schema import event_schema
from streamrnn.records.events import Decoded, EventDecoder, format_times
from streamrnn.records.log import Message, Partition
from streamrnn.records.rows import RowDecoder
from streamrnn.records.schemas import schemas

SECOND = 1_000_000
NEW_YEAR = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z


def record(
    value: bytes | None, key: bytes | None = None, timestamp: int | None = None, offset: int = 0
) -> MemoryRecord:
    return MemoryRecord(offset, timestamp, key, value)


def decode(value: bytes | None, event: EventConfig | None = None, **others: Any) -> Decoded:
    return EventDecoder(event or EventConfig()).decode([record(value, **others)])


ROWS = Layout(
    kind="csv",
    names=("key", "time", "value", "f"),
    keys=("key",),
    time=TimeReading(columns=("time",), form="iso"),
    targets=("value",),
    features=("f",),
)
"""What a look at such rows comes to."""


def rows_of(layout: Layout, event: EventConfig) -> RowReader:
    return row_reader(layout, event, FileConfig())


def row(line: bytes, form: str = "epoch") -> Decoded:
    time = TimeReading(columns=("time",), form=form)
    layout = ROWS.model_copy(update={"names": ("key", "time", "value"), "features": (), "time": time})
    return RowDecoder(EventConfig(), rows_of(layout, EventConfig())).decode([record(line)])


def refused(decoded: Decoded) -> str:
    """Why the only record was refused."""
    assert not decoded.keys
    assert decoded.targets.shape[0] == len(decoded.times) == len(decoded.records) == 0
    ((_, error),) = decoded.rejected
    assert isinstance(error, EventInvalid)
    return str(error)


def test_a_whole_event() -> None:
    event = EventConfig(targets=("a", "b"), features=("f",))
    text = b'{"key": "pump-7", "time": "2026-01-01T00:00:00Z", "a": 1.5, "b": -2, "f": 3, "more": [{}]}'
    decoded = decode(text, event)
    assert decoded.keys == ["pump-7"]
    assert decoded.times.tolist() == [NEW_YEAR]
    assert decoded.targets.tolist() == [[1.5, -2.0]]
    assert decoded.features.tolist() == [[3.0]]
    assert decoded.targets.dtype == decoded.features.dtype == np.float64
    assert decoded.times.dtype == np.int64
    assert not decoded.rejected


NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e308", "1.1e100", '"1"', "true", "[1]", "{}", '""']


@pytest.mark.parametrize("number", [*NO_NUMBERS, '"text"', "1" + "0" * 400])
def test_what_is_no_number_is_refused(number: str) -> None:
    assert "value" in refused(decode(b'{"time": 0, "value": %b}' % number.encode()))


def test_an_absurdly_long_number_is_refused() -> None:
    assert "number out of range" in refused(decode(b'{"time": 0, "value": 1%b}' % (b"0" * 5000)))


@pytest.mark.parametrize("number", ["0", "-0.0", "1e100", "-1e100", "5e-324", "123456789012345678901234567890", "1E2"])
def test_what_is_a_number_is_taken(number: str) -> None:
    assert decode(b'{"time": 0, "value": %b}' % number.encode()).targets.tolist() == [[float(number)]]


def test_null_is_missing_and_a_missing_target_is_refused() -> None:
    assert np.isnan(decode(b'{"time": 0, "value": null}').targets).all()
    assert "value: Field required" in refused(decode(b'{"time": 0}'))


def test_features_may_be_null_or_not_there() -> None:
    event = EventConfig(features=("f", "g"))
    assert np.isnan(decode(b'{"time": 0, "value": 1, "f": null}', event).features).tolist() == [[True, True]]
    assert "f: " in refused(decode(b'{"time": 0, "value": 1, "f": "x"}', event))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"\x00",
        b"not json",
        b"[]",
        b"5",
        b'"text"',
        b"null",
        b'{"value": 1',
        b'{"value": 1}}',
        b"{'value': 1}",
        b'{"time": 0, "value": 1} {"time": 0, "value": 1}',
        b'{"time": 0, "value": 1, "key": "\xff"}',
        b'{"time": 0, "value": 1, "key": "\\ud800"}',
        b'{"time": 0, "value": 1, "key": {}}',
        b'{"time": 0, "value": 1, "key": true}',
        b'{"time": 0, "value": 1, "key": ["a"]}',
        b'{"time": 0, "value": 1, "key": "%b"}' % (b"k" * 1001),
        b'{"time": "yesterday", "value": 1}',
        b'{"time": true, "value": 1}',
        b'{"time": 1e400, "value": 1}',
        b'{"time": NaN, "value": 1}',
        b'{"time": 1e300, "value": 1}',
        b'{"time": -1e18, "value": 1}',
        b'{"time": "2026-02-30T00:00:00Z", "value": 1}',
        b'{"time": {}, "value": 1}',
        b'{"value": 1}',
        b"\xef\xbb\xbf" + b'{"time": 0, "value": 1}',
        b'{"time": 0, "value": 1, "deep": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"time": 0, "value": 1, "deep": ' + b'{"a":' * 100_000,
    ],
)
def test_a_malformed_event_is_refused_alone(value: bytes | None) -> None:
    assert refused(decode(value))
    good = b'{"time": 0, "value": 1}'
    records = [record(good, offset=0), record(value, offset=1), record(good, offset=2)]
    decoded = EventDecoder(EventConfig()).decode(records)
    assert [one.offset for one in decoded.records] == [0, 2]
    assert [one.offset for one, _ in decoded.rejected] == [1]


def test_too_long_an_event_is_refused() -> None:
    text = b'{"time": 0, "value": 1, "more": "%b"}' % (b"x" * 100)
    assert "more than event.max_bytes = 100" in refused(decode(text, EventConfig(max_bytes=100)))
    assert decode(text, EventConfig(max_bytes=1000)).keys


def test_the_last_of_doubled_keys_counts() -> None:
    assert decode(b'{"time": 0, "value": 1, "value": 2}').targets.tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("field", "message_key", "series"),
    [
        (b'"a"', b"b", "a"),
        (b'""', b"b", ""),
        (b"7", None, "7"),
        (b"null", b"b", "b"),
        (None, b"b", "b"),
        (None, "ключ".encode(), "ключ"),
        (None, b"", ""),
        (None, None, "default"),
        ('"😀\\u0000/"'.encode(), None, "😀\0/"),
    ],
)
def test_the_series_key(field: bytes | None, message_key: bytes | None, series: str) -> None:
    key = b'"key": %b,' % field if field is not None else b""
    assert decode(b'{%b "time": 0, "value": 1}' % key, key=message_key).keys == [series]


def test_a_message_key_that_cannot_name_a_series_is_refused() -> None:
    text = b'{"time": 0, "value": 1}'
    assert "not UTF-8" in refused(decode(text, key=b"\xff"))
    assert "1000" in refused(decode(text, key=b"k" * 1001))  # it would not fit into a changelog record's key
    assert decode(text, key=b"k" * 1000).keys


@pytest.mark.parametrize(
    ("time", "microseconds"),
    [
        ('"2026-01-01T00:00:00Z"', NEW_YEAR),
        ('"2026-01-01 00:00:00"', NEW_YEAR),
        ('"2026-01-01T01:00:00+01:00"', NEW_YEAR),
        ('"2026-01-01T00:00:00.123456Z"', NEW_YEAR + 123_456),
        ('"2026-01-01"', NEW_YEAR),
        ("1767225600", NEW_YEAR),
        ("1767225600.5", NEW_YEAR + 500_000),
        ("1767225600000", NEW_YEAR),
        ('"1767225600"', NEW_YEAR),
        ("0", 0),
        ("-1", -SECOND),
        ('"1900-01-01T00:00:00Z"', -2_208_988_800 * SECOND),
        ('"9999-12-31T23:59:59Z"', 253_402_300_799 * SECOND),
    ],
)
def test_times(time: str, microseconds: int) -> None:
    assert decode(b'{"time": %b, "value": 1}' % time.encode()).times.tolist() == [microseconds]


def test_a_declared_time_format() -> None:
    event = EventConfig(time_format="%d.%m.%Y %H:%M")
    assert decode(b'{"time": "01.01.2026 00:00", "value": 1}', event).times.tolist() == [NEW_YEAR]
    assert "does not match format" in refused(decode(b'{"time": "2026-01-01", "value": 1}', event))


@pytest.mark.parametrize("time", [b"", b'"time": null,'])
def test_the_records_own_time_is_the_last_resort(time: bytes) -> None:
    text = b'{%b "value": 1}' % time
    assert decode(text, timestamp=NEW_YEAR // 1000).times.tolist() == [NEW_YEAR]
    assert "no timestamp" in refused(decode(text))


@pytest.mark.parametrize("timestamp", [2**63 - 1, -(2**63), 2**60, -1])
def test_a_records_time_outside_the_calendar_is_no_time(timestamp: int) -> None:
    """Whoever produces a record chooses its timestamp; Kafka itself says -1 where there is none."""
    assert "timestamp" in refused(decode(b'{"value": 1}', timestamp=timestamp))
    bad = record(b"x", timestamp=timestamp)
    headers = dict(dead_letter(Partition("t", 0), bad, EventInvalid("why")).headers)
    assert headers["streamrnn.error.time"] == b""


def test_csv_rows() -> None:
    decoded = row(b' pump , 2026-01-01 ," 1.5 "', form="iso")
    assert (decoded.keys, decoded.times.tolist(), decoded.targets.tolist()) == (["pump"], [NEW_YEAR], [[1.5]])
    assert row(b'"a,""b""",0,1').keys == ['a,"b"']
    assert row("ключ\0π,0,1".encode()).keys == ["ключ\0π"]


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "NaN", "null", "None"])
def test_empty_cells_are_missing(cell: str) -> None:
    assert np.isnan(row(f"a,0,{cell}".encode()).targets).all()
    assert row(f"{cell},0,1".encode()).keys == ["default"]


@pytest.mark.parametrize(
    "line",
    [b"a,0", b"a,0,1,2", b"", b"a,never,1", b"a,,1", b"k" * 1001 + b",0,1", b"x" * 200_000 + b",0,1", b"\xff,0,1"],
)
def test_a_malformed_row_is_refused(line: bytes) -> None:
    assert refused(row(line))


@pytest.mark.parametrize(
    "cell", [b"inf", b"1e400", b"1e308", b"true", b"1x", b"0x10", b'"1,5"', b"1\r2", b"\x001", b"\xff", b"Bad"]
)
def test_a_cell_that_is_no_number_is_missing_and_its_row_stays(cell: bytes) -> None:
    decoded = row(b"a,0," + cell)
    assert (decoded.keys, decoded.times.tolist()) == (["a"], [0])
    assert np.isnan(decoded.targets).all()


ANYTHING = st.binary(max_size=60) | st.builds(
    lambda fields: orjson.dumps(fields),
    st.dictionaries(
        st.sampled_from(["key", "time", "value", "f", "x"]),
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.just([]),
    ),
)


@given(values=st.lists(ANYTHING, max_size=8), text=st.booleans())
def test_whatever_comes_every_record_is_an_event_or_refused_and_order_is_kept(values: list[bytes], text: bool) -> None:
    event = EventConfig(features=("f",))
    decoder = RowDecoder(event, rows_of(ROWS, event)) if text else EventDecoder(event)
    records = [record(value, offset=offset) for offset, value in enumerate(values)]
    decoded = decoder.decode(records)
    good, bad = [one.offset for one in decoded.records], [one.offset for one, _ in decoded.rejected]
    assert sorted(good + bad) == list(range(len(values)))
    assert good == sorted(good)
    assert bad == sorted(bad)
    assert len(good) == len(decoded.keys) == len(decoded.times) == len(decoded.targets) == len(decoded.features)
    assert all(isinstance(error, EventError) and len(str(error)) < 500 for _, error in decoded.rejected)
    assert (np.isnan(decoded.targets) | (np.abs(decoded.targets) <= 1e100)).all()
    assert all(key.encode() is not None for key in decoded.keys)
    format_times(decoded.times)
    for one, error in decoded.rejected:
        dead_letter(Partition("t", 0), one, error)
    # and one by one they are what they are together
    alone = [decoder.decode([one]) for one in records]
    assert decoded.keys == [key for each in alone for key in each.keys]


def test_an_empty_batch() -> None:
    decoded = EventDecoder(EventConfig(features=("f",))).decode([])
    assert decoded.targets.shape == (0, 1)
    assert decoded.features.shape == (0, 1)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (NEW_YEAR, "2026-01-01T00:00:00Z"),
        (NEW_YEAR + 1, "2026-01-01T00:00:00.000001Z"),
        (NEW_YEAR + 500_000, "2026-01-01T00:00:00.500000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_times_are_written_in_utc(microseconds: int, text: str) -> None:
    assert format_times(np.array([microseconds])) == [text]


def test_a_dead_letter_keeps_the_bytes_and_says_why() -> None:
    bad = record(b"\xff\x00", b"\xfe", NEW_YEAR // 1000, 41)
    ((same, error),) = EventDecoder(EventConfig()).decode([bad]).rejected
    letter = dead_letter(Partition("events", 2), same, error)
    assert isinstance(letter, Message)
    assert (letter.key, letter.value) == (b"\xfe", b"\xff\x00")
    assert dict(letter.headers) == {
        "streamrnn.error.class": b"EventInvalid",
        "streamrnn.error.message": str(error).encode(),
        "streamrnn.error.topic": b"events",
        "streamrnn.error.partition": b"2",
        "streamrnn.error.offset": b"41",
        "streamrnn.error.time": b"2026-01-01T00:00:00Z",
    }


def test_the_schemas_say_what_is_accepted() -> None:
    event = EventConfig(targets=("a",), features=("f",), key="k")
    schema = json.loads(schemas()["event"](Config(event=event)))
    assert set(schema["properties"]) == {"k", "time", "a", "f"}
    assert schema["required"] == ["a"]
    assert event_schema(event).validate_json(b'{"a": 1}') == {"a": 1.0}
    assert set(json.loads(schemas()["dead-letter"](Config(event=event)))["properties"]) == {
        field.alias or name for name, field in DeadLetterRecord.model_fields.items()
    }


KNOWN = EventConfig(future=("f",))


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize(
    ("future", "numbers"),
    [
        ('{"f": [1, null]}', [1, None, None]),
        ('{"f": [1, 2, 3.5]}', [1, 2, 3.5]),
        ('{"f": []}', [None] * 3),
        ('{"f": null}', [None] * 3),
        ("{}", [None] * 3),
        ("null", [None] * 3),
    ],
)
def test_what_is_known_ahead_follows_the_features(future: str, numbers: list[float | None], rows: bool) -> None:
    line = f'{{"time": "2026-01-01T00:00:00Z", "value": 1.0, "f": 7, "future": {future}}}'.encode()
    decoded = known_ahead(line, rows)
    assert not decoded.rejected
    np.testing.assert_array_equal(decoded.features, [[7, *(math.nan if one is None else one for one in numbers)]])


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize(
    ("future", "why"),
    [
        ("[1]", "future: Input should be an object|future: Input should be a valid dict"),
        ('{"g": [1]}', "future.g: not among event.future"),
        ('{"f": 1}', "future.f: Input should be a valid (array|list)"),
        ('{"f": [1, "2"]}', "future.f.1: Input should be a valid number"),
        ('{"f": [true]}', "future.f.0: Input should be a valid number"),
        ('{"f": [1e101]}', "future.f.0: Input should be less than"),
        ('{"f": [1, 2, 3, 4]}', "future.f: .*4 numbers for a horizon of 3: the first is of the next step"),
    ],
)
def test_what_is_known_ahead_and_is_none_is_refused(future: str, why: str, rows: bool) -> None:
    line = f'{{"time": "2026-01-01T00:00:00Z", "value": 1.0, "f": 7, "future": {future}}}'.encode()
    assert re.search(why, refused(known_ahead(line, rows)))


def known_ahead(line: bytes, rows: bool) -> Decoded:
    """With a horizon of three; as an event of a topic or as a row of a file."""
    if not rows:
        return EventDecoder(KNOWN, horizon=3).decode([record(line)])
    layout = Layout(
        kind="json", names=("time", "value", "f"), time=TimeReading(columns=("time",), form="iso"), targets=("value",),
        features=("f",),
    )  # fmt: skip
    return RowDecoder(KNOWN, rows_of(layout, KNOWN), horizon=3).decode([record(line)])


def test_the_field_of_what_is_known_ahead_is_nothing_without_it() -> None:
    assert not decode(b'{"time": 0, "value": 1.0, "future": "soon"}').rejected
