"""The same series in every layout: the same events, or an error that names the flag, and with that the same events."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streamrnn.errors import ConfigurationError, ConnectorError
from tests.inside import Inside
from tests.reading.exports import PAIRS, exported
from tests.reading.runs import events
from tests.reading.written import ROWS, START, TIMES, VALUES, Written, every, german, plain, table

EVERY = [*every(), *exported()]
MICROSECONDS = [int(time.timestamp()) * 1_000_000 for time in TIMES]


def check_is_the_series(path: Path, *flags: str) -> None:
    found, keys, times, values, refused = events(path, *flags)
    assert times == MICROSECONDS, found
    assert list(values.values()) == [VALUES], found
    assert set(keys) <= {"default", "power"}
    assert refused == 0


@pytest.mark.parametrize("written", EVERY, ids=lambda written: written.name)
def test_every_layout_is_read_or_refused_with_the_flag_that_mends_it(written: Written, tmp_path: Path) -> None:
    path = tmp_path / written.name
    path.write_bytes(written.content)
    if written.asks:
        with pytest.raises(ConfigurationError, match=written.asks):
            events(path)
    check_is_the_series(path, *written.flags)


@pytest.mark.parametrize("written", EVERY[zlib.crc32(b"which") % 5 :: 9], ids=lambda written: written.name)
def test_the_forecasts_are_those_of_the_plain_file(written: Written, inside: Inside) -> None:
    def answers(name: str, content: bytes, *flags: str) -> list[Any]:
        done = inside.forecast(content, *flags, name=name)
        assert not done.letters
        return [[list(one["targets"].values()), one["time"], one["anomaly"]] for one in done.records]

    assert answers(written.name, written.content, *written.flags) == answers("plain.csv", plain().encode())


def test_day_or_month_first_is_asked_for_where_no_row_tells(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("date,value\n" + "".join(f"{day:02}/01/2024,{day}\n" for day in range(1, 13)))
    with pytest.raises(ConfigurationError, match="is it day or month first in '02/01/2024'") as asked:
        events(path)
    for form in ("%d/%m/%Y", "%m/%d/%Y"):
        assert f"--time-format '{form}'" in str(asked.value)
        _, _, times, _, _ = events(path, "--time-format", form)
        assert len(set(np.diff(times))) == (1 if form == "%d/%m/%Y" else 3)


def test_a_day_that_no_month_has_decides_for_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("date,value\n" + "".join(f"{day:02}/01/2024,{day}\n" for day in range(1, 14)))
    _, _, times, _, _ = events(path)
    assert set(np.diff(times)) == {86_400_000_000}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_mark_that_may_part_thousands_or_decimals_is_asked_for(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    rows = [[f"2024-01-01 0{hour}:00", f"{hour + 1},{hour}25"] for hour in range(9)]
    path.write_text(table([["time", "value"], *rows], delimiter))
    with pytest.raises(ConfigurationError, match=r"may have a decimal mark or part thousands.*--decimal"):
        events(path)
    assert events(path, "--decimal", ",")[3]["value"][:2] == [1.025, 2.125]
    assert events(path, "--decimal", ".")[3]["value"][:2] == [1025, 2125]


def test_another_column_tells_what_the_mark_is(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [[f"2024-01-01 0{hour}:00", f"{hour + 1},{hour}25", f"0,{hour}"] for hour in range(9)]
    path.write_text(table([["time", "a", "b"], *rows], ";"))
    assert events(path)[3]["a"][:2] == [1.025, 2.125]


def test_a_zone_is_said_once_for_all_times(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value\n2024-01-01 01:00,1\n2024-07-01 02:00,2\n")
    _, _, times, _, _ = events(path, "--time-zone", "Europe/Berlin")
    assert times == [1_704_067_200_000_000, 1_719_792_000_000_000]


def test_units_of_numbers_as_times(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value\n1000,1\n2000,2\n")
    assert events(path)[2] == [1_000_000_000, 2_000_000_000]
    assert events(path, "--time-unit", "ms")[2] == [1_000_000, 2_000_000]


LONG = ["north", "south", "west"]


def long_rows() -> list[list[str]]:
    return [
        [key, f"{time:%Y-%m-%d %H:%M:%S}", str(value + at)]
        for time, value in zip(TIMES, VALUES, strict=True) for at, key in enumerate(LONG)
    ]  # fmt: skip


@pytest.mark.parametrize("header", [["unique_id", "ds", "y"], ["Series", "Time", "Value"], ["where", "when", "what"]])
@pytest.mark.parametrize("order", ["interleaved", "blocks"])
def test_long_files_have_a_series_per_key(tmp_path: Path, header: list[str], order: str) -> None:
    rows = long_rows()
    if order == "blocks":
        rows.sort(key=lambda row: row[0])
    path = tmp_path / "x.csv"
    path.write_text(table([header, *rows], ";"))
    found, keys, _, values, _ = events(path)
    assert found.layout.keys == (header[0],)
    assert any(note.startswith(f"key: {header[0]}") for note in found.notes)
    assert keys == [row[0] for row in rows]
    assert values[header[2]] == [float(row[2]) for row in rows]


def test_numbers_are_keys_and_not_targets_where_they_tell_the_series_apart(tmp_path: Path) -> None:
    rows = [["101" if key == "north" else "205" if key == "south" else "7", *rest] for key, *rest in long_rows()]
    path = tmp_path / "x.csv"
    path.write_text(table([["station", "time", "level"], *rows]))
    found, keys, *_ = events(path)
    assert (found.layout.keys, found.layout.targets) == (("station",), ("level",))
    assert keys[:3] == ["101", "205", "7"]


def test_words_beside_rows_that_come_twice_are_no_key(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [[f"{time:%Y-%m-%d %H:%M}", ("rain", "mist", "snow")[at // 5 % 3], str(at)] for at, time in enumerate(TIMES)]
    twice = [row for at, row in enumerate(rows) for row in ([row, [row[0], "fog", row[2]]] if at % 9 == 4 else [row])]
    path.write_text(table([["time", "weather", "volume"], *twice]))
    found, keys, *_ = events(path)
    assert found.layout.keys == ()
    assert set(keys) == {"default"}
    assert any(
        "the same time comes up to 2 times, and no column tells those rows apart" in note for note in found.notes
    )


def test_a_short_series_beside_a_long_one_has_a_key(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [[f"{time:%Y-%m-%d %H:%M}", "long", str(at)] for at, time in enumerate(TIMES)]
    rows += [[f"{time:%Y-%m-%d %H:%M}", "short", str(at)] for at, time in enumerate(TIMES[-12:])]
    path.write_text(table([["time", "kind", "volume"], *sorted(rows)]))
    assert events(path)[0].layout.keys == ("kind",)


@pytest.mark.parametrize(
    ("form", "months"),
    [
        (lambda year, month: f"{year}-{'JanFebMarAprMayJunJulAugSepOctNovDec'[3 * month - 3 :][:3]}", 1),
        (lambda year, month: f"{'JanFebMarAprMayJunJulAugSepOctNovDec'[3 * month - 3 :][:3]}-1-{year}", 1),
        (lambda year, month: f"{year},{(month + 2) // 3}", 3),
    ],
    ids=["year and month", "month, day, year", "year and quarter"],
)
def test_months_and_quarters(tmp_path: Path, form: Callable[[int, int], str], months: int) -> None:
    path = tmp_path / "x.csv"
    dates = [(1999 + month // 12, month % 12 + 1) for month in range(0, 72, months)]
    header = "year,quarter,value" if months == 3 else "date,value"
    path.write_text(f"{header}\n" + "".join(f"{form(*date)},{at}.5\n" for at, date in enumerate(dates)))
    _, _, times, values, refused = events(path)
    assert [datetime.fromtimestamp(time / 1e6, UTC) for time in times] == [
        datetime(year, month, 1, tzinfo=UTC) for year, month in dates
    ]
    assert (list(values), refused) == (["value"], 0)


def test_years_and_weeks(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    mondays = [datetime(2019, 12, 2, tzinfo=UTC) + timedelta(weeks=week) for week in range(120)]
    rows = [",".join(map(str, [*monday.isocalendar()[:2], monday.day])) for monday in mondays]
    path.write_text("year,week,value\n" + "\n".join(rows) + "\n")
    assert events(path)[2] == [int(monday.timestamp()) * 1_000_000 for monday in mondays]


def test_a_column_with_the_name_of_an_hour_that_is_none_is_a_target(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,hour,load\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v:.0f},{v}\n" for t, v in PAIRS))
    assert list(events(path)[3]) == ["hour", "load"]


def test_series_of_the_monash_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tsf"
    head = "@relation x\n@attribute series_name string\n{start}@frequency {frequency}\n@missing true\n@data\n"
    path.write_text(
        head.format(start="@attribute start_timestamp date\n", frequency="monthly")
        + "T1:2000-01-31 00-00-00:1,?,3\nT2:1999-12-31 00-00-00:4,5\n"
    )
    _, keys, times, values, _ = events(path)
    assert keys == ["T1", "T1", "T1", "T2", "T2"]
    days = [datetime.fromtimestamp(time / 1e6, UTC).strftime("%Y-%m-%d") for time in times]
    assert days == ["2000-01-31", "2000-02-29", "2000-03-31", "1999-12-31", "2000-01-31"]
    assert str(values["value"]) == "[1.0, nan, 3.0, 4.0, 5.0]"
    path.write_text(head.format(start="", frequency="10_minutes") + "T1:1,2\nT2:3,4\n")
    assert events(path)[2] == [0, 600_000_000] * 2
    path.write_text(head.format(start="", frequency="fortnightly") + "T1:1,2\n")
    with pytest.raises(ConnectorError, match="@frequency 'fortnightly' is not known"):
        events(path)


def test_two_columns_are_the_key_together(tmp_path: Path) -> None:
    rows = [[key, kind, *rest] for key, *rest in long_rows() for kind in ("a", "b")]
    path = tmp_path / "x.csv"
    path.write_text(table([["site", "metric", "time", "value"], *rows]))
    for flags in ((), ("--key", "site", "--key", "metric")):
        found, keys, *_ = events(path, *flags)
        assert found.layout.keys == ("site", "metric")
        assert keys[:3] == ["north/a", "north/b", "south/a"]


def test_further_spellings_of_missing_and_columns_to_leave_out(tmp_path: Path) -> None:
    rows = [[f"2024-01-01 {hour:02}:00", "-9999" if hour % 5 == 4 else str(hour), "3"] for hour in range(24)]
    path = tmp_path / "x.csv"
    path.write_text(table([["time", "a", "b"], *rows]))
    found, *_ = events(path)
    assert any("--na -9999" in note for note in found.notes)
    found, _, _, values, _ = events(path, "--na", "-9999", "--exclude", "b")
    assert list(values) == ["a"]
    assert np.isnan(values["a"]).tolist() == [hour % 5 == 4 for hour in range(24)]


SPELLINGS = "|NA|n/a|NaN|null|None|-|--|?|.|#N/A|#DIV/0!|missing|unavailable|unknown|<NA>|No Data|Bad Input|nil|\\N"


@pytest.mark.parametrize("spelling", SPELLINGS.split("|"))
@pytest.mark.parametrize("form", [str, german, lambda value: f"{value} kW"])
def test_the_usual_spellings_of_missing(tmp_path: Path, spelling: str, form: Any) -> None:
    rows = [
        [f"{time:%Y-%m-%d %H:%M}", spelling if at % 6 == 2 else form(value)]
        for at, (time, value) in enumerate(zip(TIMES, VALUES, strict=True))
    ]
    path = tmp_path / "x.csv"
    path.write_text(table([["time", "value"], *rows], ";"), encoding="utf-8")
    _, _, times, values, refused = events(path)
    assert (times, refused) == (MICROSECONDS, 0)
    assert [None if number != number else number for number in values["value"]] == [
        None if at % 6 == 2 else value for at, value in enumerate(VALUES)
    ]


def test_text_for_a_target_or_a_feature_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([["time", "value", "sky"], *[[f"{t:%Y-%m-%d %H:%M}", "1", "sun"] for t in TIMES]]))
    for flag in ("--feature", "--target"):
        with pytest.raises(ConfigurationError, match="column 'sky' has text, not numbers: 'sun' in row 0"):
            events(path, flag, "sky")


def test_booleans_are_numbers_where_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        table(
            [["time", "value", "on"], *[[f"{t:%Y-%m-%d %H:%M}", "1", str(at % 2 == 0)] for at, t in enumerate(TIMES)]]
        )
    )
    found, _, _, values, _ = events(path, "--target", "on")
    assert values["on"] == [float(at % 2 == 0) for at in range(ROWS)]
    assert "numbers of on: true is 1, false is 0" in found.notes


def test_nested_objects_are_columns_by_their_path(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        "".join(
            f'{{"at": {{"time": {int(t.timestamp())}}}, "p": {{"v": {v}, "s": "x"}}}}\n'
            for t, v in zip(TIMES, VALUES, strict=True)
        )
    )
    _, _, times, values, _ = events(path)
    assert (times, values) == (MICROSECONDS, {"p.v": VALUES})
    assert events(path, "--target", "p.v")[3] == values


def test_an_event_with_some_of_the_targets_is_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        "".join(f'{{"time": {60 * at}, "{"ab"[at % 2]}": {at}}}\n' for at in range(60)) + '{"time": 3600}\n'
    )
    _, _, times, values, refused = events(path)
    assert (len(times), refused) == (60, 1)
    assert np.isnan(values["a"]).tolist() == [at % 2 == 1 for at in range(60)]


def test_a_time_that_stands_still_is_none_where_another_moves(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([["time", "seen", "value"], *[["2024-01-01", f"{t:%Y-%m-%d %H:%M}", "1"] for t in TIMES]]))
    assert events(path)[0].event.time == "seen"


def test_times_of_day_that_begin_anew_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value\n" + "".join(f"{t:%H:%M},{v}\n" for t, v in zip(TIMES, VALUES, strict=True)))
    with pytest.raises(
        ConfigurationError, match=r"times of day without a date, and they begin anew 4 times.*--exclude"
    ):
        events(path)
    assert events(path, "--exclude", "time")[3] == {"value": VALUES}


def long_by_metric(order: int) -> list[list[str]]:
    rows = [
        [f"{t:%Y-%m-%d %H:%M}", key, metric, str(v + more)]
        for t, v in zip(TIMES, VALUES, strict=True)
        for key in ("a", "b")
        for more, metric in enumerate(("temp", "hum"))
    ]
    return sorted(rows, key=lambda row: row[order]) if order else rows


@pytest.mark.parametrize("kind", ["csv", "csv;", "jsonl", "points"])
def test_rows_of_one_metric_each_are_joined(tmp_path: Path, kind: str) -> None:
    rows, names = long_by_metric(0), ["time", "device", "metric", "value"]
    path = tmp_path / ("x.jsonl" if kind in ("jsonl", "points") else "x.csv")
    if kind == "jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    elif kind == "points":
        some = [{"time": row[0], "metric": row[2], "value": float(row[3]), "device": row[1]} for row in rows]
        path.write_text("".join(json.dumps({"points": some[at : at + 30]}) + "\n" for at in range(0, len(some), 30)))
    elif kind == "csv;":
        path.write_text(table([names, *[[*row[:3], row[3].replace(".", ",")] for row in rows]], ";"))
    else:
        path.write_text(table([names, *rows]))
    found, keys, times, values, refused = events(path, "--metric", "metric")
    assert refused == 0
    assert (keys, times) == (["a", "b"] * ROWS, [moment for moment in MICROSECONDS for _ in "ab"])
    assert values == {"temp": [v for v in VALUES for _ in "ab"], "hum": [v + 1 for v in VALUES for _ in "ab"]}
    assert found.layout.long is not None
    assert events(path, "--metric", "metric", "--target", "hum")[3] == {"hum": values["hum"]}


def test_metrics_one_behind_the_other_are_sorted_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([["time", "device", "metric", "value"], *long_by_metric(2)]))
    with pytest.raises(ConfigurationError, match=r"do not stand together.*--sort"):
        events(path, "--metric", "metric")
    assert events(path, "--metric", "metric", "--sort")[3]["temp"] == [v for v in VALUES for _ in "ab"]
    with pytest.raises(ConfigurationError, match="no column 'nope' for --metric"):
        events(path, "--metric", "nope")


def test_metrics_that_were_not_named_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [["2024-01-01", "a", "1"], ["2024-01-02", "a", "2"], ["2024-01-02", "b", "2"]]
    path.write_text(table([["time", "metric", "value"], *rows]))
    look_at = events(path, "--metric", "metric", "--target", "a")
    assert (look_at[3], look_at[4]) == ({"a": [1.0, 2.0]}, 0)


def test_points_share_what_their_message_says(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [
        {"device": name, "more": {"site": 7}, "points": [{"ts": 60 * (2 * at + i), "v": at + i} for i in range(2)]}
        for at in range(30)
        for name in "ab"
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"device": "a", "points": 3}\n')
    found, keys, times, values, refused = events(path, "--key", "device")
    assert "every object in points is a row, with the other fields of its message" in found.notes
    assert (keys[:4], times[:4], refused) == (["a", "a", "b", "b"], [0, 60_000_000] * 2, 1)
    assert values["v"][:6] == [0, 1, 0, 1, 1, 2]


def test_details_of_an_event_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    line = {"time": 0, "value": 1.5, "alarms": [{"time": 3, "code": 1}]}
    path.write_text("".join(json.dumps({**line, "time": 60 * at}) + "\n" for at in range(9)))
    assert events(path)[3] == {"value": [1.5] * 9}
    assert events(path, "--target", "code", assignments={"event.array": "alarms"})[3] == {"code": [1.0] * 9}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "time,value\n" + "".join(f"{t:%Y-%m-%d %H:%M},{v}{'%' if t.hour % 3 else ''}\n" for t, v in PAIRS),
            "numbers in different forms: '719.25%' in row 1, '700.0' elsewhere",
        ),
        ("time,value\n" + "".join(f"{t:%Y-%m-%d %H:%M},0x{int(v):X}\n" for t, v in PAIRS), "'0x2BC' in row 0"),
        (
            "Month,"
            + ",".join(map(str, range(1950, 1990)))
            + "\n"
            + "".join(f"{name}," + ",".join(str(at % 13) for at in range(40)) + "\n" for name in ("Jan", "Feb", "Mar")),
            "the columns are times",
        ),
        (
            "City,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec\n"
            + "".join(f"c{at}," + ",".join(str((at * 7 + m) % 13) for m in range(12)) + "\n" for at in range(40)),
            "the columns are times",
        ),
    ],
    ids=["units in some rows", "hexadecimal", "on its side", "months beside each other"],
)
def test_what_would_be_read_wrongly_stops(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as asked:
        events(path)
    assert says in str(asked.value)


def test_nan_of_python_is_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [{"time": 60 * at, "value": float("nan") if at == 3 else at} for at in range(9)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = events(path)
    assert (found[4], np.isnan(found[3]["value"]).nonzero()[0].tolist()) == (0, [3])


def test_markup_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("<table><tr><td>2024-01-01</td><td>1</td></tr></table>")
    with pytest.raises(ConfigurationError, match="is HTML or XML"):
        events(path)


def _coarse(form: str, first: datetime, months: int = 0, days: int = 0, count: int = 40) -> tuple[str, list[int]]:
    """Rows whose first cells are times written in a form, and those times in seconds."""
    times = [
        datetime(
            first.year + (first.month - 1 + at * months) // 12, (first.month - 1 + at * months) % 12 + 1, 1, tzinfo=UTC
        )
        if months
        else first + timedelta(days=days * at)
        for at in range(count)
    ]
    fields = [
        {
            "y": time.year, "yy": time.year % 100,
            "q": (time.month + 2) // 3, "m": time.month,
            "half": (time.month + 5) // 6,
            "w": time.isocalendar().week, "wy": time.isocalendar().year, "name": f"{time:%b}",
        }
        for time in times
    ]  # fmt: skip
    return "".join(form.format(**one) + f",{at}\n" for at, one in enumerate(fields)), [
        int(t.timestamp()) for t in times
    ]


@pytest.mark.parametrize(
    ("header", "form", "steps"),
    [
        *[("Quarter", form, {"months": 3}) for form in ("Q{q} {y}", "{y}Q{q}", "{q}Q{yy:02}", "Q{q}-{yy:02}")],
        ("Quartal", "{q}. Quartal {y}", {"months": 3}),
        ("TIME_PERIOD", "{y}-T{q}", {"months": 3}),
        ("TIME_PERIOD", "{y}-S{half}", {"months": 6}),
        ("year,quarter", "{y},{q}", {"months": 3}),
        ("Month", "{name}-{yy:02}", {"months": 1}),
        ("Year,Month", "{y},{name}", {"months": 1}),
        ("year,period", "{y},M{m:02}", {"months": 1}),
        *[("week", form, {"days": 7}) for form in ("KW {w}/{wy}", "{wy} KW{w:02}", "{wy} W{w}", "Wk {w} {wy}")],
        ("vecka", "{wy}v{w:02}", {"days": 7}),
        ("week", "{wy}{w:02}", {"days": 7}),
        ("year,week", "{wy},{w}", {"days": 7}),
    ],
)  # fmt: skip
def test_quarters_weeks_and_months(header: str, form: str, steps: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    text, times = _coarse(form, datetime(2018, 1, 1, tzinfo=UTC), **steps)
    path.write_text(f"{header},value\n{text}")
    _, keys, found, values, refused = events(path)
    assert [time // 1_000_000 for time in found] == times
    assert (set(keys), values["value"], refused) == ({"default"}, [float(at) for at in range(40)], 0)


@pytest.mark.parametrize("per_day", [48, 96, 288])
def test_parts_of_a_day_that_are_counted(per_day: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [(START + timedelta(days=at // per_day), at % per_day + 1) for at in range(2 * per_day + 7)]
    path.write_text("SETTLEMENT_DATE,PERIOD,ND\n" + "".join(f"{day:%d-%b-%Y},{part},{part}\n" for day, part in rows))
    _, keys, times, values, _ = events(path)
    assert set(keys) == {"default"}
    assert list(values) == ["ND"]
    assert set(np.diff(times)) == {86_400_000_000 // per_day}


@pytest.mark.parametrize("hole", [1, 2, 3])
def test_a_cell_that_is_missing_between_blanks_is_told_by_where_it_would_stand(hole: int, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    rows = [[f"{at:6.1f}", f"{at + 100:6.1f}", f"{at + 200:6.1f}"] for at in range(60)]
    for row in rows[::4]:
        row[hole - 1] = " " * 6
    lines = [f"{time:%Y-%m-%d} {time:%H:%M} {'  '.join(row)}".rstrip() for time, row in zip(TIMES, rows, strict=False)]
    path.write_text("date       time    temp    wind    rain\n" + "\n".join(lines) + "\n")
    found, _, _, values, refused = events(path)
    assert refused == 0
    for at, name in enumerate(("temp", "wind", "rain")):
        expected = [np.nan if at == hole - 1 and row % 4 == 0 else row + 100.0 * at for row in range(60)]
        np.testing.assert_array_equal(values[name], expected, str(found))


def _numbers(first: Callable[[int], str], columns: int, rows: int) -> list[list[str]]:
    return [[first(row), *(str(row + at) for at in range(columns))] for row in range(rows)]


WRONG: list[tuple[list[str], list[list[str]], str]] = [
    (["V1", *(f"V{n}" for n in range(2, 30))], _numbers("H{}".format, 28, 9), "a name of its own in 'V1'"),
    (["week", "value"], _numbers(lambda row: f"FY24 W{row + 1:02}", 1, 40), "'week' looks like the time.*FY24 W01"),
    (["elapsed", "value"], _numbers("PT{}M".format, 1, 40), "'elapsed' looks like the time.*PT0M"),
    (["Month", "value"], _numbers(lambda row: f"Jan-{row + 1:02}", 1, 30), "'Month' looks like the time.*Jan-01"),
    (
        ["time", "value"],
        [[f"2024-01-01 00:{row:02}", f"{row}{'%' * (row % 2)}"] for row in range(40)],
        "different forms: '1%' in row 1.*--exclude",
    ),
    (["plant/a/temp", "1"], _numbers(lambda row: f"plant/{'ab'[row % 2]}/temp", 1, 40), "has 2 names.*--key 'column1'"),
]


@pytest.mark.parametrize(("header", "rows", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_what_would_be_learned_wrong_is_asked_about(
    header: list[str], rows: list[list[str]], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([header, *rows]))
    with pytest.raises(ConfigurationError, match=says):
        events(path)


def test_words_for_why_there_is_no_number_are_missing_values_and_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    cells = ["M" if at % 5 == 1 else "T" if at % 7 == 1 else str(at) for at in range(60)]
    path.write_text(
        "time,rain\n" + "".join(f"{time:%Y-%m-%d %H:%M},{cell}\n" for time, cell in zip(TIMES, cells, strict=False))
    )
    found, _, _, values, _ = events(path)
    assert sum(np.isnan(values["rain"])) == sum(not cell.isdigit() for cell in cells)
    assert any("'M' in rain is no number" in note and "--na" in note for note in found.notes)


def test_an_hour_that_comes_twice_is_named_and_not_sorted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    berlin = ZoneInfo("Europe/Berlin")
    local = [datetime(2024, 10, 26, 22, tzinfo=UTC) + timedelta(minutes=15 * at) for at in range(200)]
    path.write_text(
        "zeit,wert\n" + "".join(f"{t.astimezone(berlin):%d.%m.%Y %H:%M},{at}\n" for at, t in enumerate(local))
    )
    found, _, _, values, _ = events(path)
    assert values["wert"] == [float(at) for at in range(200)]
    assert any("clocks were put back at 2024-10-27 02:00" in note for note in found.notes)
    assert not any("--sort" in note for note in found.notes)
