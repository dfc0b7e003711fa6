"""`streamrnn feedback`, and what feedback in files may look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamrnn.records.events import EventDecoder
from tests.commands import SMALL
from tests.inside import Inside
from tests.streams import MemoryRecord, configured

HOURS = 24 * 21


def rows() -> list[str]:
    """Three weeks of a quiet series, and a spike."""
    values = [10 + hour % 24 + (hour * 7919 % 13) / 10 + (60 if hour == HOURS - 5 else 0) for hour in range(HOURS)]
    return [f'{{"time": {1_767_225_600 + 3600 * hour}, "key": "a", "value": {v}}}' for hour, v in enumerate(values)]


def run(inside: Inside, file: Path, *arguments: object) -> tuple[str, list[Any]]:
    ended = inside("run", "--input", file, "--output", file.with_suffix(".out"), *SMALL, *arguments)
    assert ended.code == 0, ended.err
    letters = file.with_name(file.stem + ".out.dead-letters.jsonl")
    return ended.err, [json.loads(line) for line in letters.read_text().splitlines()] if letters.exists() else []


def test_the_command_writes_what_a_run_hears(inside: Inside, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(rows()))  # without an end of its last line
    for verdict, alert in (("expected", 1), ("fault", 1), ("fault", 2)):
        done = inside("feedback", verdict, "a", alert, "--append", file)
        assert done.code == 0, done.err
    said, letters = run(inside, file)
    assert "feedback: 1 expected, 1 fault" in said
    assert [one["streamrnn.error.class"] for one in letters] == ["FeedbackRefused"]
    assert "it has had 1" in letters[0]["streamrnn.error.message"]
    assert file.with_suffix(".out").read_bytes().count(b"\n") == HOURS


def test_lines_between_the_rows_of_a_table(inside: Inside, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    lines = [",".join(str(value) for value in json.loads(row).values()) for row in rows()]
    told = '{"feedback": "expected", "key": "a", "alert": 1}'
    file.write_text("\n".join(["time,key,value", *lines, told, told.replace("1", "0"), ""]))
    said, letters = run(inside, file)
    assert "feedback: 1 expected" in said
    assert [one["streamrnn.error.class"] for one in letters] == ["EventInvalid"]
    assert "feedback: alert" in letters[0]["streamrnn.error.message"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('{"feedback": "expected", "key": "a"}', "alert: Field required"),
        ('{"feedback": null, "key": "a", "alert": 1}', "feedback: Input should be"),
        ('{"feedback": ["expected"], "key": "a", "alert": 1}', "feedback: Input should be"),
        ('{"feedback": "expected", "key": "a", "alert": 1.5}', "alert: Input should be a valid integer"),
        ('{"feedback": "expected", "key": "a", "alert": 1e308}', "alert: Input should be a valid integer"),
        ('{"feedback": "expected", "key": "a", "alert": 99999999999999999999}', "alert: Input should be"),
        ('{"feedback": "expected", "key": "a", "alert": -1}', "alert: Input should be greater than or equal to 1"),
        ('{"feedback": "expected", "key": {}, "alert": 1}', "key: Input should be a valid string"),
        ('{"feedback": "expected", "key": "a", "alert": 1, "kind": "warning"}', "kind: Input should be 'anomaly'"),
        ('{"feedback": "expected", "key": "a", "alert": NaN}', "value: Field required"),
    ],
)
def test_what_is_no_feedback_says_why(value: str, why: str) -> None:
    decoded = EventDecoder(configured().event).decode([MemoryRecord(0, 0, None, value.encode())])
    assert not decoded.feedback
    [(_, error)] = decoded.rejected
    assert why in str(error)


def test_the_key_is_found_as_that_of_an_event() -> None:
    decoder = EventDecoder(configured(event__key="sensor").event)
    values = [b'{"feedback": "fault", "sensor": "\xcf\x80", "alert": 1}', b'{"feedback": "fault", "alert": 2}']
    found = decoder.decode([MemoryRecord(0, 0, None, values[0]), MemoryRecord(1, 0, b"by message", values[1])])
    assert [(one.key, one.alert) for one in found.feedback] == [("π", 1), ("by message", 2)]


def test_what_has_the_targets_of_an_event_is_one() -> None:
    value = b'{"feedback": "expected", "key": "a", "alert": 1, "value": null, "time": 0}'
    decoded = EventDecoder(configured().event).decode([MemoryRecord(0, 0, None, value)])
    assert decoded.keys == ["a"]
    assert not decoded.feedback


def test_flags_that_do_not_go_together(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    for arguments, said in (
        (["sometimes", "a", 1], "'sometimes' is not one of 'expected', 'fault'"),
        (["fault", "a", 0], "0 is not in the range"),
        (["fault", "a", 1, "--append", tmp_path / "x", "--partition", 1], "leave out --topic and --partition"),
    ):
        ended = inside("feedback", *arguments)
        assert ended.code == 2
        assert said in ended.err
