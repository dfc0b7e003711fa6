from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading.look import Lines, Look, look
from streamrnn.errors import ConfigurationError


def csv(header: str, *rows: str, file: FileConfig | None = None, **event: object) -> Look:
    lines = Lines([line.encode() for line in (header, *rows)])
    return look(lines, EventConfig.model_validate(event), file or FileConfig(), json=False)


def lines(*rows: str, **event: object) -> Look:
    return look(Lines([row.encode() for row in rows]), EventConfig.model_validate(event), FileConfig(), json=True)


def test_the_default_names_need_no_finding_out() -> None:
    found = csv("key,time,value", "a,2026-01-01,1", "a,2026-01-02,2")
    assert (found.event.key, found.event.time, found.event.targets, found.notes) == ("key", "time", (), [])
    assert found.layout.names == ("key", "time", "value")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    columns = csv(delimiter.join(["date", "a b", "c"]), delimiter.join(["2026-01-01", "1", "x"]))
    assert columns.layout.delimiter == delimiter
    assert columns.layout.targets == ("a b",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "2016-07-01 00:00:00"),
        ("Timestamp", "1767225600"),
        ("ds", "2026-01-01"),
        ("TS", "1767225600000"),
        ("when", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_time_column_is_found(name: str, value: str) -> None:
    columns = csv(f"{name},x", f"{value},1")
    assert (columns.event.time, columns.event.targets) == (name, ("x",))
    assert columns.notes[0].startswith(f"time column: {name}")
    assert columns.notes[1:] == ["targets: x"]


def test_a_likely_name_is_preferred() -> None:
    assert csv("created,timestamp,x", "2026-01-01,2026-01-02,1").event.time == "timestamp"


def test_a_number_is_no_time_unless_its_column_says_so() -> None:
    columns = csv("speed,x", "1767225600,1")
    assert columns.layout.time is None
    assert columns.event.targets == ("speed", "x")
    assert "rows count as one second apart" in columns.notes[0]


def test_every_numeric_column_is_a_target_but_not_key_time_features_or_text() -> None:
    columns = csv("time,key,a,b,f,name,empty", "0,7,1,,3,x,", "1,8,,2.5,4,y,", features=["f"])
    assert "left out: name (text), empty (empty in all rows that were looked at)" in columns.notes
    assert columns.event.targets == ("a", "b")
    assert columns.event.features == ("f",)


@pytest.mark.parametrize("name", ["device_id", "sensor.id", "symbol", "Station ID"])
@pytest.mark.parametrize("ids", [("1", "2", "3"), ("a", "b", "c")])
def test_series_that_take_turns_are_told_apart(name: str, ids: tuple[str, ...]) -> None:
    rows = [f"{1_700_000_000 + 7 * i + i % 2},{ids[i * 5 % 3]},{20 + 5 * (i % 3)}" for i in range(60)]
    found = csv(f"time,{name},temp", *rows)
    assert found.layout.keys == (name,)
    assert found.layout.targets == ("temp",)
    assert any("take turns" in note and f"--exclude {name}" in note for note in found.notes)


def test_the_number_of_a_mode_cuts_no_even_series_into_pieces() -> None:
    modes = "112123312213113221" * 4
    found = csv("time,temp,mode_id", *(f"{1_700_000_000 + 60 * i},{20 + i % 7},{modes[i]}" for i in range(60)))
    assert found.layout.keys == ()
    found = csv("time,temp,status_code", *(f"{1_700_000_000 + i * i},{20 + i % 7},{modes[i]}" for i in range(60)))
    assert found.layout.keys == ()


def test_value_is_the_target_where_there_is_one() -> None:
    assert csv("time,value,other", "0,1,2").layout.targets == ("value",)


def test_named_targets_are_kept() -> None:
    columns = csv("time,a,b", "0,1,2", targets=["b"])
    assert columns.event.targets == ("b",)


@pytest.mark.parametrize("event", [{"targets": ["x"]}, {"features": ["x"]}, {"time": "x"}, {"key": "x"}])
def test_a_named_column_that_is_not_there_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'x' for event\.\w+; there are: time, a"):
        csv("time,a", "0,1", **event)
    with pytest.raises(ConfigurationError, match=r"no column 'x' for event\.\w+; there are: time, a"):
        lines('{"time": 0, "a": 1}', **event)


def test_a_broken_row_does_not_decide_what_a_column_is() -> None:
    rows = [f"{i},{i},x" for i in range(30)]
    columns = csv("time,a,b", *rows[:3], "yesterday,text,1", 'x,"', "\r1,2,3", *rows[3:])
    assert (columns.event.targets, columns.event.time) == (("a",), "time")


def test_nothing_numeric_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no numeric column to forecast; there are: time, name"):
        csv("time,name", "0,x")


def test_a_header_without_rows_is_no_error() -> None:
    assert csv("time,a").layout.names == ("time", "a")


def test_names_that_come_twice_or_not_at_all_are_told_apart() -> None:
    found = csv("time,a,a,", "0,1,2,3", "1,5,6,7")
    assert found.layout.names == ("time", "a", "a.1", "column4")
    assert "two columns are called a: the later one is a.1 here" in found.notes


def test_quoted_and_padded_names() -> None:
    assert csv('"a, b" , time', "1,0").layout.names == ("a, b", "time")


def test_json_lines() -> None:
    columns = lines('{"ts": 1767225600, "a": 1, "b": "x", "ok": true}', '{"ts": 1767225601, "a": null, "c": 2}')
    assert (columns.layout.names, columns.event.time, columns.event.targets) == ((), "ts", ("a", "c"))
    assert "left out: b (text), ok (true or false)" in columns.notes


def test_broken_json_lines_are_overlooked() -> None:
    columns = lines("garbage", "[1]", '{"time": 0, "a": 1}', "\xff{")
    assert columns.event.targets == ("a",)
    assert lines("garbage").event.targets == ()


@given(rows=st.lists(st.binary(max_size=30), max_size=6), json=st.sampled_from([True, False, None]))
def test_whatever_a_file_holds_it_is_understood_or_one_named_error(rows: list[bytes], json: bool | None) -> None:
    with contextlib.suppress(ConfigurationError):
        look(Lines(rows), EventConfig(), FileConfig(), json=json)
