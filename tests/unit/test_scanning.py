"""Plain events are read as the schema reads them; what it would refuse, or read otherwise, is not plain."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.event import EventConfig
from streamrnn.connectors.reading.rows import ObjectRows
from streamrnn.records.events import Decoded, EventDecoder
from tests.inside import Inside
from tests.unit.test_events import record

EVENT = EventConfig(targets=("value", "heat"), features=("f",))

NUMBERS = (
    "0", "-0", "-0.0", "1e5", "1E+5", "01", "1.", "+1", ".5", "-", "1e", "1e400", "-1e101", "1e-400", "NaN", "Infinity",
    "123456789012345678901234567890", "2.2250738585072011e-308", "9007199254740993", "179769313486231570000.5", "true",
    '"1"', "null", "[1]", "18446744073709551616", "0.1", "-12.5e-7",
)  # fmt: skip
TIMES = (
    '"2026-01-01T00:00:00Z"', '"2026-01-01 00:00:00"', '"2024-02-29T23:59:59.5+05:30"', '"2026-02-29T00:00:00Z"',
    '"1900-02-29T00:00:00Z"', '"1969-12-31T23:59:59.999999-11:45"', '"2026-01-01"', '"2026-01-01T24:00:00Z"',
    '"2026-01-01T00:00:60Z"', '"2026-1-01T00:00:00Z"', '"2026-01-01T00:00:00.1234567Z"', '"2026-01-01T00:00:00.Z"',
    '"2026-01-01t00:00:00z"', '"0001-01-01T00:00:00+01:00"', '"9999-12-31T23:59:59Z"', '"2026-01-01T00:00:00+24:00"',
    "0", "20000000000", "20000000001", "253402300799", "253402300799999", "253402300800000", "-1", "999999999999999",
    "9007199254740993", "10000000000000000000000", "01", "1e9", "-0",
    "1700000000", "1700000000000", "1700000000.5", "null", '"x"', "true", '"2026-04-31T00:00:00Z"',
)  # fmt: skip
KEYS = (
    '"a"', '"pump \\u00e9"', '"π"', '""', "null", "5", "5.5", '"\\ud800"', f'"{"x" * 1200}"', f'"{"é" * 600}"', "true",
    '"a\\"b\\\\"', '"tab\\t"', '"raw\ttab"',
)  # fmt: skip
OTHERS = ('"x": "text"', '"x": 01', '"x": {"a": 1}', '"x": nul', '"ü": 1', '"x": "ü"', '"x": "a\\nb"', '"valu": true')


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """An event that may be broken in any place."""
    fields = [
        *(f'"key": {draw(st.sampled_from(KEYS))}' for _ in range(draw(st.integers(0, 1)))),
        *(f'"time": {draw(st.sampled_from(TIMES))}' for _ in range(draw(st.integers(0, 1)))),
        f'"value": {draw(st.sampled_from(NUMBERS))}',
        *(f'"heat": {draw(st.floats(allow_nan=False))!r}' for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2])))),
        *(f'"f": {draw(st.integers())}' for _ in range(draw(st.integers(0, 1)))),
        *draw(st.lists(st.sampled_from(OTHERS), max_size=1)),
    ]
    text = "{" + draw(st.sampled_from([",", " , ", "\n,\t"])).join(draw(st.permutations(fields))) + "}"
    whole = (text + draw(st.sampled_from(["", "", "", " \n", "x", "}", ",", "{}"]))).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(whole) - 1))
        whole = whole[:at] + draw(st.binary(max_size=2)) + whole[at + 1 :]
    return whole


def text_of(decoded: Decoded) -> str:
    """Everything that was read, to the bit: -0.0 is not 0.0."""
    refused = [(one.offset, str(error)) for one, error in decoded.rejected]
    arrays = (decoded.times, decoded.targets, decoded.features)
    return repr([decoded.keys, *(array.tolist() for array in arrays), [r.offset for r in decoded.records], refused])


@given(values=st.lists(events(), min_size=1, max_size=4))
def test_together_or_one_by_one_it_is_the_same(values: list[bytes]) -> None:
    decoder = EventDecoder(EVENT)
    records = [record(value, key=b"from the log", offset=i) for i, value in enumerate(values)]
    assert text_of(decoder.decode(records)) == text_of(decoder._each(records))


def test_numbers_of_any_length_are_read_to_the_bit() -> None:
    source = random.Random(1)
    values = [
        source.choice([repr(source.gauss(0, 1) * 10.0 ** source.randint(-40, 40)), str(source.getrandbits(90) - 2**89)])
        for _ in range(5000)
    ]
    decoder = EventDecoder(EventConfig())
    records = [record(b'{"time":"2026-01-01T00:00:00Z","value":%s}' % v.encode()) for v in values]
    np.testing.assert_array_equal(decoder.decode(records).targets, decoder._each(records).targets)


def test_usual_events_are_plain() -> None:
    scanner = EventDecoder(EVENT)._scanner
    assert scanner is not None
    event = {"key": "pump 7", "time": "2026-01-01T00:00:00.25+01:00", "value": 3.25, "heat": None, "note": "ok"}
    found = scanner.scan([json.dumps(event).encode(), json.dumps(event | {"f": -1e-7}, indent=2).encode()])
    assert found.plain.all()
    assert found.keys == ["pump 7", "pump 7"]
    assert found.times.tolist() == [1_767_222_000_250_000] * 2
    np.testing.assert_array_equal(found.numbers, [[3.25, np.nan, np.nan], [3.25, np.nan, -1e-7]])


def test_times_that_are_whole_numbers_are_plain() -> None:
    scanner = EventDecoder(EVENT)._scanner
    assert scanner is not None
    found = scanner.scan([b'{"time": %d, "value": 1, "heat": 2}' % t for t in (0, 1_767_225_600, 1_767_225_600_123)])
    assert found.plain.all()
    assert found.times.tolist() == [0, 1_767_225_600_000_000, 1_767_225_600_123_000]


def test_one_event_cannot_lean_on_the_next() -> None:
    halves = [b'{"time":"2026-01-01T00:00:00Z","value":1', b',"heat":2,"f":3}']
    decoded = EventDecoder(EVENT).decode([record(half, offset=i) for i, half in enumerate(halves)])
    assert [one.offset for one, _ in decoded.rejected] == [0, 1]


@pytest.mark.parametrize(
    "event", [EventConfig(time_format="%d.%m.%Y"), EventConfig(time_zone="Europe/Berlin")], ids=["format", "zone"]
)
def test_times_of_another_kind_are_left_to_the_schema(event: EventConfig) -> None:
    decoder = EventDecoder(event)
    records = [record(b'{"time": "%s", "value": 1}' % t) for t in (b"2026-07-01T00:00:00", b"01.07.2026")]
    assert text_of(decoder.decode(records)) == text_of(decoder._each(records))


@pytest.mark.parametrize("unit", [None, 1, 1000, 1_000_000, 1_000_000_000])
def test_a_file_of_events_is_read_as_its_rows_are(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, unit: int | None
) -> None:
    def time(minute: int) -> object:
        return f"2026-01-01T00:{minute:02d}:00Z" if unit is None else (1_767_225_600 + 60 * minute) * unit

    lines = [json.dumps({"key": f"k{i % 3}", "time": time(i), "a": i + 0.5, "b": i}) for i in range(50)]
    lines[20] = json.dumps({"key": "k1", "time": str(time(20)), "a": 1, "b": 2})
    lines[21] = json.dumps({"key": "k1", "time": 12, "a": 1, "b": 2})
    lines[22] = json.dumps({"key": "k1", "time": 1_767_225_600.25 * (unit or 1), "a": 1, "b": 2})
    lines[23] = json.dumps({"key": "k1", "time": 10**18, "a": 1, "b": 2})
    lines[7] = '{"key": "k1", "time": "2026-01-01T01:07:00+01:00", "a": null, "b": 1e3, "note": "é"}'
    lines[8] = '{"key": "k\\u00e9", "time": "2026-01-01 00:08:00", "a": "3.5", "b": 1}'
    lines[9] = '{"time": "2026-01-01T00:09:00Z", "b": 1e400}'
    lines[10] = '{"key": "", "time": "2026-01-01T00:10:00.123456789Z", "a": -0, "b": 2, "a": 7}'
    lines[11] = "no event"
    lines[12] = '{"key": 5, "time": "2026-01-01", "a": true, "b": {}}'
    content = "\n".join(lines).encode()
    chosen = ("--target", "a", "--target", "b")
    together = inside.forecast(content, *chosen, name="x.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(ObjectRows, "_plain_fields", lambda self, event: None)
        one_by_one = inside.forecast(content, *chosen, name="x.jsonl")
    assert together.bytes == one_by_one.bytes
    assert together.letters == one_by_one.letters
    assert len(together.records) > 30
