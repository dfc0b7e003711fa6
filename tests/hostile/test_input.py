"""Whatever a file holds: one record per good row, in order, one dead letter per bad one, no row leans on another."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.records.dead_letters import DeadLetterRecord
from streamrnn.records.forecasts import ForecastRecord
from streamrnn.records.log import Message
from streamrnn.runtime.task import task_of
from streamrnn.runtime.worker import Worker
from tests.commands import SMALL
from tests.inside import Inside
from tests.streams import configured

HEADER = b"time,key,value\n"


def moment(step: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * step)).isoformat().replace("+00:00", "Z")


def csv_row(step: int) -> bytes:
    return f"{moment(step)},s{step % 3},{step % 7 + step % 3 / 4}\n".encode()


def json_row(step: int) -> bytes:
    return f'{{"time": "{moment(step)}", "key": "s{step % 3}", "value": {step % 7 + step % 3 / 4}}}\n'.encode()


GOOD = HEADER + b"".join(map(csv_row, range(40)))


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n  \n\t\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.txt"])
def test_an_empty_file_is_no_event(inside: Inside, content: bytes, name: str) -> None:
    done = inside.forecast(content, name=name)
    assert (done.bytes, done.letters) == (b"", [])


@pytest.mark.parametrize("content", [b"time,value", b"time,value\n", b"\xef\xbb\xbftime,value\r\n\r\n"])
def test_a_header_alone_is_no_event(inside: Inside, content: bytes) -> None:
    assert inside.forecast(content).bytes == b""


def test_a_run_that_finds_nothing_to_read_says_so(inside: Inside, tmp_path: Path) -> None:
    source, empty = tmp_path / "x.csv", tmp_path / "empty.csv"
    source.write_bytes(GOOD)
    empty.write_bytes(b"")
    files = ["--input", source, "--output", tmp_path / "o.jsonl", "--state", tmp_path / "state", *SMALL]
    assert "nothing new" not in inside("run", *files).err
    again = inside("run", *files)
    said = "".join(again.err.split())  # lines are cut at the terminal's width
    assert again.code == 0
    assert said.endswith(f"nothing new: the state in {tmp_path / 'state'} has all rows already".replace(" ", ""))
    assert inside("run", "--input", empty, "--output", "-", *SMALL).err.splitlines()[-1] == "there are no rows"


def test_one_event(inside: Inside) -> None:
    (record,) = inside.forecast(b"time,value\n2026-01-01,5").records
    ForecastRecord.model_validate(record)
    assert record["key"] == "default"
    assert record["time"] == "2026-01-01T00:00:00Z"
    assert record["source"] == {"topic": "x.csv", "partition": 0, "offset": 0}
    target = record["targets"]["value"]
    assert (target["observed"], target["expected"], target["lower"], target["upper"]) == (5.0, None, None, None)
    assert record["anomaly"]["is_anomaly"] is False


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.rstrip(b"\n"), id="no line end at the end"),
        pytest.param(lambda text: text.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text, id="BOM"),
        pytest.param(lambda text: text.replace(b"\n", b"\n\n  \n"), id="blank lines"),
        pytest.param(lambda text: b"\n\r\n" + text, id="blank lines first"),
        pytest.param(lambda text: text.replace(b",", b" , "), id="padded"),
        pytest.param(lambda text: text.replace(b",", b";"), id="semicolons"),
        pytest.param(lambda text: text.replace(b",", b"\t"), id="tabs"),
        pytest.param(lambda text: text.replace(b",s", b',"s').replace(b",", b'",').replace(b'Z"', b"Z"), id="quoted"),
    ],
)
def test_the_same_rows_in_other_clothes_give_the_same_forecasts(inside: Inside, change: object) -> None:
    plain = inside.forecast(GOOD)
    assert plain.offsets == list(range(40))
    assert callable(change)
    changed = inside.forecast(change(GOOD).replace(b'key"', b"key"))
    assert not changed.letters
    assert changed.bytes == plain.bytes


def test_json_lines_and_csv_give_the_same_forecasts(inside: Inside) -> None:
    plain = inside.forecast(GOOD)
    lines = inside.forecast(b"".join(map(json_row, range(40))), name="x.jsonl")
    assert lines.bytes.replace(b"x.jsonl", b"x.csv") == plain.bytes


CSV_POISON = [
    b"x",
    b"1,2",
    b"a,b,c,d",
    b"yesterday,s0,1",
    b",s0,1",
    b"\xff\xfe,s0,1",
    b"\x00\x00",
    b"2026-01-01T00:00:00Z," + b"k" * 2000 + b",1",
    b'{"time": 0, "value": 1}',
    b'"' * 1001,
    b"x" * 10_000_000,
]
JSON_POISON = [
    b"not json",
    b"[]",
    b"[" * 100_000,
    b'{"time": 0, "value": 1',
    b'{"time": 0, "key": "s0"}',
    b'{"time": 0, "key": "s0", "value": NaN}',
    b'{"time": 0, "key": "s0", "value": 1e400}',
    b'{"time": "never", "key": "s0", "value": 1}',
    b'{"time": 0, "key": "\xff", "value": 1}',
    b'{"time": 0, "key": "\\udc00", "value": 1}',
    b'{"time": 0, "key": {}, "value": 1}',
    b"null",
    b"\x00",
    b"time,key,value",
    b'{"time": 0, "key": "s0", "value": 1, "more": "%b"}' % (b"x" * 5_000_000),
]


BROKEN_CELLS = {
    "csv": [b"text", b"inf", b"1e400", b"1e308", b"true", b"1\x00", b"1\r2", b"\xff", b"Bad Input", b"12 kW", b"0x10"],
    "jsonl": [b'"text"', b"true", b"1e308", b"[1]", b"{}", b'"Bad Input"', b'"12 kW"'],
}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_broken_cell_is_missing_and_its_row_stays(inside: Inside, kind: str) -> None:
    def content(cells: list[bytes]) -> bytes:
        rows = []
        for step in range(60):
            row = csv_row(step) if kind == "csv" else json_row(step)
            cell = cells[step // 5] if step % 5 == 3 and step // 5 < len(cells) else None
            if cell is not None:
                before, mark, _ = row.rpartition(b"," if kind == "csv" else b'"value": ')
                row = before + mark + cell + (b"\n" if kind == "csv" else b"}\n")
            rows.append(row)
        return b"".join([HEADER * (kind == "csv"), *rows])

    cells = BROKEN_CELLS[kind]
    broken = inside.forecast(content(cells), name=f"x.{kind}")
    missing = inside.forecast(content([b"" if kind == "csv" else b"null"] * len(cells)), name=f"x.{kind}")
    assert broken.offsets == list(range(60))
    assert broken.bytes == missing.bytes
    # "Bad Input" is a usual spelling of a missing value and needs no word.
    assert f"{len(cells) - 1} of 60 cells of value are no numbers and were taken as missing" in broken.err


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("first", [False, True], ids=["in between", "first"])
def test_poison_is_put_aside_whole_and_changes_no_forecast(inside: Inside, kind: str, first: bool) -> None:
    poison, good = (CSV_POISON, csv_row) if kind == "csv" else (JSON_POISON, json_row)
    rows = [good(step) for step in range(60)]
    clean = inside.forecast(b"".join([HEADER * (kind == "csv"), *rows]), name=f"clean.{kind}")
    places = range(0 if first else 1, 3 * len(poison), 3)
    dirty: list[bytes] = [*rows]
    for place, bad in zip(places, poison, strict=False):
        dirty.insert(place, bad + b"\n")
    done = inside.forecast(b"".join([HEADER * (kind == "csv"), *dirty]), name=f"dirty.{kind}")
    assert done.rejected == list(places)[: len(poison)]
    assert done.offsets == [offset for offset in range(len(dirty)) if offset not in done.rejected]
    assert done.without_offsets() == clean.without_offsets()
    for letter, bad in zip(done.letters, poison, strict=True):
        read = DeadLetterRecord.model_validate(letter)
        assert base64.b64decode(read.value or "") == bad
        assert (read.topic, read.partition, read.error_class) == (f"dirty.{kind}", "0", "EventInvalid")
        assert 0 < len(read.message) < 500


def test_the_same_poison_in_memory() -> None:
    config = configured()

    def outputs(values: list[bytes | None]) -> tuple[list[Message], int]:
        log = MemoryLog("events")
        for value in values:
            log.append(0, Message(b"k", value))
        log.finish()
        Worker(task_of(config), lambda: MemoryConnector(log, 13), keep_state=False).run()
        return log.outputs[log.partitions[0]], len(log.dead_letters[log.partitions[0]])

    rows: list[bytes | None] = [json_row(step) for step in range(60)]
    clean, none = outputs(rows)
    dirty, many = outputs(
        [one for row, bad in zip(rows, [None, *JSON_POISON, *[None] * 60], strict=False) for one in (bad, row)]
    )
    assert (none, many) == (0, 60)

    def answers(messages: list[Message]) -> list[object]:
        documents = [json.loads(message.value or b"") for message in messages]
        return [{name: value for name, value in one.items() if name != "source"} for one in documents]

    assert answers(dirty) == answers(clean)


def test_a_line_of_ten_megabytes_is_an_event_where_it_is_allowed(inside: Inside) -> None:
    row = b'{"time": 0, "value": 1, "more": "%b"}\n' % (b"x" * 10_000_000)
    (inside.folder / "x.jsonl").write_bytes(row * 2)
    ended = inside("run", "--input", inside.folder / "x.jsonl", "--output", inside.folder / "out", "--quiet", *SMALL)
    assert ended.code == 1
    assert "2 of 2 rows were refused. The first, row 0: the event has 10000" in ended.err
    done = inside.forecast(row * 2, "--set", "event.max_bytes=20000000", name="x.jsonl")
    assert done.offsets == [0, 1]


def test_missing_numbers_are_answered_and_never_written_as_nan(inside: Inside) -> None:
    rows = [csv_row(step) if step % 4 else f"{moment(step)},s{step % 3},\n".encode() for step in range(60)]
    done = inside.forecast(HEADER + b"".join(rows))
    assert done.offsets == list(range(60))
    assert b"NaN" not in done.bytes
    assert [record["targets"]["value"]["observed"] is None for record in done.records] == [not s % 4 for s in range(60)]


def test_a_series_that_begins_with_missing_values(inside: Inside) -> None:
    done = inside.forecast(b"time,a,b\n0,,1\n1,,2\n2,,3\n3,5,\n4,6,5\n", "--target", "a", "--target", "b")
    assert done.offsets == [0, 1, 2, 3, 4]
    for record in done.records:
        for step in (step for target in record["targets"].values() for step in target["forecast"]):
            assert step["mean"] is None or np.isfinite(step["mean"])


def test_only_missing_values(inside: Inside) -> None:
    done = inside.forecast(b"time,value\n" + b"".join(b"%d,\n" % step for step in range(30)))
    assert done.offsets == list(range(30))


@pytest.mark.parametrize("number", ["1e100", "-1e100", "1e-300", "5e-324", "-0.0", "123456789012345678901234567890"])
def test_extreme_numbers_leave_the_forecasts_finite(inside: Inside, number: str) -> None:
    rows = [csv_row(step) for step in range(60)]
    rows[30] = f"{moment(30)},s0,{number}\n".encode()
    done = inside.forecast(HEADER + b"".join(rows), "--set", "model.horizon=3")
    assert done.offsets == list(range(60))
    for record in done.records:
        target = record["targets"]["value"]
        for step in target["forecast"]:
            assert all(step[name] is not None for name in ("mean", "lower", "upper")), record
            assert step["lower"] <= step["mean"] <= step["upper"]
        assert 0 <= record["anomaly"]["score"] <= 1


@pytest.mark.parametrize("late", ["process", "drop", "dead-letter"])
def test_a_clock_that_goes_backwards_and_stands_still(inside: Inside, late: str) -> None:
    steps = [0, 1, 2, 2, 2, 3, 1, 0, 4, 4, 3, 5]
    rows = b"".join(f"{moment(step)},s,{number}\n".encode() for number, step in enumerate(steps))
    done = inside.forecast(HEADER + rows, "--set", f"event.late={late}")
    old = [6, 7, 10]
    kept = [number for number in range(len(steps)) if number not in old]
    assert done.offsets == (kept if late != "process" else list(range(len(steps))))
    assert done.rejected == (old if late == "dead-letter" else [])
    if late == "dead-letter":
        assert {letter["streamrnn.error.class"] for letter in done.letters} == {"EventLate"}


def test_times_at_both_ends_of_the_calendar(inside: Inside) -> None:
    times = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    rows = "".join(f"{time},s,{number}\n" for number, time in enumerate(times * 3))
    done = inside.forecast(HEADER + rows.encode())
    assert [record["time"] for record in done.records] == times * 3


def test_series_keys_of_every_kind(inside: Inside) -> None:
    keys = [
        "ключ",
        "😀",
        "a/b",
        "a b",
        "nul\0l",
        "é",
        "e\u0301",
        "x" * 1000,
        "default",
        "manifest",
        "series/0/x",
        "\u202e",
    ]
    lines = [json.dumps({"time": 60 * step, "key": key, "value": step}) for step in range(3) for key in keys]
    content = "\n".join(lines).encode()
    done = inside.forecast(content, name="x.jsonl")
    assert [record["key"] for record in done.records] == keys * 3
    first = [record["targets"]["value"]["expected"] is None for record in done.records]
    assert first == [True] * len(keys) + [False] * 2 * len(keys)
    bounded = inside.forecast(content, "--set", "state.max_series=2", name="x.jsonl")
    assert bounded.bytes == done.bytes


def test_quoted_commas_and_extra_columns(inside: Inside) -> None:
    done = inside.forecast(b'time,key,note,value\n0,"a, b","say ""hi""",1\n60,"a, b",,2\n')
    assert [record["key"] for record in done.records] == ["a, b", "a, b"]
    assert [record["targets"]["value"]["observed"] for record in done.records] == [1.0, 2.0]


def test_the_first_value_alone_is_not_expected(inside: Inside) -> None:
    done = inside.forecast(GOOD)
    expected = [record["targets"]["value"]["expected"] for record in done.records]
    assert [value is None for value in expected] == [True] * 3 + [False] * 37


def test_several_targets_on_their_own_note(inside: Inside) -> None:
    rows = b"".join(f"{moment(step)},{step},{-step},x\n".encode() for step in range(30))
    done = inside.forecast(b"date,HUFL,OT,name\n" + rows)
    assert "time column: date" in done.err
    assert "targets: HUFL, OT" in done.err
    assert set(done.records[-1]["targets"]) == {"HUFL", "OT"}


def test_without_a_time_column_rows_are_seconds_apart(inside: Inside) -> None:
    done = inside.forecast(b"value\n1\n2\n\n3\n")
    assert [record["time"] for record in done.records] == [f"1970-01-01T00:00:0{i}Z" for i in range(3)]
    assert "rows count as one second apart" in done.err


def test_the_same_file_twice_gives_the_same_bytes(inside: Inside, tmp_path: Path) -> None:
    first = inside.forecast(GOOD)
    assert inside.forecast(GOOD).bytes == first.bytes
    for record in first.records:
        ForecastRecord.model_validate(record)


def test_what_came_too_late_is_among_the_dead_letters_of_the_summary(inside: Inside) -> None:
    rows = b"time,value\n60,1\n0,2\nnever,4\n120,2\n180,3\n"
    done = inside.forecast(rows, "--set", "event.late=dead-letter")
    assert done.rejected == [1, 2]
    assert "dead letters: 2" in done.err
