"""Tables that are no tables, that hold two of them, or whose text is in another encoding: read, or asked about."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamrnn.connectors.reading.encodings import find_encoding
from streamrnn.errors import ConfigurationError
from tests.reading.exports import PAIRS
from tests.reading.runs import events
from tests.reading.written import VALUES

ROWS = [f"{time:%Y-%m-%d %H:%M},{value}" for time, value in PAIRS]
PLAIN = "time,value\n" + "\n".join(ROWS) + "\n"


def comma(cell: float) -> str:
    return str(cell).replace(".", ",")


def of_rows(header: str, form: str) -> bytes:
    lines = [form.format(t=f"{t:%Y-%m-%d %H:%M}", v=v, c=comma(v), w=round(v)) for t, v in PAIRS]
    return (header + "".join(line + "\n" for line in lines)).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (of_rows("time,value\n", "{t},{c}"), "2 names .* rows have 3 cells.*decimal comma must be in quotes"),
        (of_rows("time,a,b\n", "{t},{c},{c}"), "3 names .* rows have 5 cells.*decimal comma must be in quotes"),
        (of_rows("time,a\n", "{t},{v},x"), "2 names .* rows have 3 cells.*write a name for each column"),
        ((PLAIN + "\n" + PLAIN.replace("value", "other")).encode(), "line 123 begins another table .time, other"),
        ((PLAIN + "\nday,least,most\n2024-01-25,1,2\n").encode(), "line 123 begins another table .day, least, most"),
        (of_rows("STATION,DATE,TMP\n", '725030,{t},"+{w:04},1"'),
         "no numeric column.*TMP: numbers in a form that is not read.*STATION: one and the same"),
        (" ".join(map(str, VALUES)).encode() + b"\n", "one line holds all 120 numbers"),
        (b"\x89HDF\r\n\x1a\n" + bytes(range(200)), "is HDF5 .*: write its rows as CSV"),
        (b"%PDF-1.4\n1 0 obj\n", "is a PDF"),
        (b"-- dump\nSET x = 1;\nINSERT INTO m VALUES (1,'2024-01-01',2);\n", "has statements of SQL"),
    ],
    ids=[
        "decimal commas parted", "two columns of them", "a column without a name", "two tables", "tables of two shapes",
        "a code behind a comma", "one line", "HDF5", "PDF", "SQL",
    ],
)  # fmt: skip
def test_what_would_be_read_wrongly_stops_and_says_why(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        events(path)


def test_zeros_behind_a_loss_of_power_are_one_row_that_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(PLAIN.encode() + bytes(4000))
    found, _, _, values, refused = events(path)
    assert (values["value"], refused) == (VALUES, 1), found


def test_a_column_without_any_value_is_named_and_its_delimiter_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value\n" + "".join(f"{time:%Y-%m-%d %H:%M},\n" for time, _ in PAIRS))
    found, keys, _, values, _ = events(path)
    assert (set(keys), found.layout.delimiter) == ({"default"}, ",")
    assert all(map(math.isnan, values["value"]))
    assert "value: empty in all rows that were looked at" in found.notes


def test_the_one_number_below_zero_is_pointed_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [f"{time:%Y-%m-%d %H:%M},{-1 if at % 9 == 4 else value % 20}" for at, (time, value) in enumerate(PAIRS)]
    path.write_text("time,value\n" + "\n".join(rows) + "\n")
    assert any("--na -1" in note for note in events(path)[0].notes)


TEXTS = {
    "cp1251": ["время;температура;город;Москва", "Дата;Значение, кВт·ч", "Дата;Цена"],
    "koi8_r": ["время;температура;город;Москва"],
    "cp866": ["время;температура;город;Москва"],
    "cp1253": ["χρόνος;θερμοκρασία", "Ημερομηνία;Τιμή"],
    "cp1255": ["תאריך;ערך"],
    "cp1256": ["التاريخ;القيمة"],
    "gb18030": ["时间;温度", "日期;数值;站点名称"],
    "big5": ["時間;溫度", "測站;日期;數值"],
    "cp932": ["日時;温度", "年月日時;気温(℃);降水量(mm)", "センサー;ばしょ"],
    "cp949": ["시간;온도", "일시;측정소;값"],
    "cp1250": ["čas;teplota;místo;Plzeň", "data;wartość;miejscowość;Łódź"],
    "cp1254": ["tarih;sıcaklık;yer;Şişli"],
    "cp850": ["Zeit;Wärme;Ort;Köln"],
    "cp1252": [
        "Zeit;Wärme;Ort;Köln",
        "date;élévation;à",
        "fecha;año",
        "tid;værdi;Århus;ø",
        "°C;µg/m³",
        "medição;estação",
    ],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_an_encoding_is_found_by_its_letters_and_named(encoding: str, text: str, tmp_path: Path) -> None:
    assert find_encoding([text.encode(encoding)]) == encoding
    names = text.split(";")
    path = tmp_path / "x.csv"
    rows = [";".join([f"{time:%Y-%m-%d %H:%M}", str(value), *["x"] * (len(names) - 2)]) for time, value in PAIRS]
    path.write_bytes("\n".join([text, *rows, ""]).encode(encoding))
    found, _, _, values, _ = events(path)
    assert values == {names[1]: VALUES}
    assert any("--encoding" in note for note in found.notes)


def test_an_encoding_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(PLAIN.replace("value", "hőmérséklet").encode("cp1250"))
    assert events(path, "--encoding", "cp1250")[3] == {"hőmérséklet": VALUES}
    for wrong in ("latin-9000", "utf-16"):
        with pytest.raises(ConfigurationError, match=f"--encoding {wrong} is none in which lines are read"):
            events(path, "--encoding", wrong)


def test_counts_that_happen_to_differ_are_no_key(tmp_path: Path) -> None:
    days = [f"2013-{at // 28 + 1:02}-{at % 28 + 1:02}" for at in range(90)]
    rows = [
        f"{day},{store},{item},{10 * store + item + at * 7 % 13}"
        for store in (1, 2) for item in (1, 5) for at, day in enumerate(days)
    ]  # fmt: skip
    path = tmp_path / "x.csv"
    path.write_text("date,store,item,sales\n" + "\n".join(rows) + "\n")
    found, keys, *_ = events(path)
    assert (found.layout.keys, found.layout.targets) == (("store", "item"), ("sales",)), found.notes
    assert len({*keys}) == 4


@pytest.mark.parametrize(("name", "series"), [("itemid", 2), ("deviceid", 2), ("humid", 1), ("grid", 1)])
def test_a_name_that_ends_with_id(name: str, series: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [f"{1_700_000_000 + 60 * at + at % 2},{23296 + at % 2},{at % 7}.5" for at in range(80)]
    path.write_text(f"clock,{name},reading\n" + "\n".join(rows) + "\n")
    assert len({*events(path)[1]}) == series


def test_points_are_marks_of_thousands_where_other_columns_have_decimal_commas(tmp_path: Path) -> None:
    days = [f"{at % 28 + 1:02}.{at // 28 + 1:02}.2023" for at in range(56)]
    rows = [f"{day};1.{500 + at};12.000,{at % 90 + 10} €" for at, day in enumerate(days)]
    path = tmp_path / "x.csv"
    path.write_bytes(("Datum;Menge;Erlös in €\n" + "\n".join(rows) + "\n").encode("cp1252"))
    found, _, _, values, _ = events(path)
    assert found.layout.encoding == "cp1252"
    assert values["Menge"] == [1500.0 + at for at in range(56)]
    assert values["Erlös in €"] == [12000 + (at % 90 + 10) / 100 for at in range(56)]


def turns(name: str, values: list[str], seconds: int = 100, more: str = "") -> str:
    rows = [
        f"{1_700_000_000 + seconds * at},{values[at % len(values)]},{at % len(values) * 100 + at % 7}{more}"
        for at in range(90)
    ]
    return f"time,{name},reading{',weekday' if more else ''}\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("content", "series"),
    [
        (turns("Aufnehmer", ["a", "b", "c"]), 3),
        (turns("zone", ["1", "2"]), 2),
        (turns("shift", ["early", "late", "night"], 28_800), 1),
        (turns("day", ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 86_400), 1),
        (turns("phase", ["3", "4", "5"]), 1),
        (turns("mode", ["on"] * 20 + ["off"] * 20), 1),
    ],
    ids=["text", "numbers of zones", "shifts", "weekdays", "numbers", "what stays for a while"],
)
def test_what_follows_one_another_in_turn_is_a_series_each(content: str, series: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    found, keys, *_ = events(path)
    assert len({*keys}) == series, found.notes


def test_customers_whose_events_come_at_times_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [f"{1_700_000_000 + 37 * at + at * at % 11},{'abc'[at * at % 7 % 3]},{at % 9}" for at in range(120)]
    path.write_text("time,Kunde,amount\n" + "\n".join(rows) + "\n")
    assert {*events(path)[1]} == {"a", "b", "c"}


@pytest.mark.parametrize("late", ["end_time", "last_updated", "modified", "bis"])
def test_the_time_is_no_end_and_no_change(late: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [f"2024-01-{day:02} 00:05:00,2024-01-{day:02} 00:00:00,{day}.5" for day in range(1, 29)]
    path.write_text(f"{late},Messzeitpunkt,reading\n" + "\n".join(rows) + "\n")
    assert events(path)[0].layout.time is not None
    assert events(path)[0].layout.time.columns == ("Messzeitpunkt",)


def test_a_remark_behind_the_rows_says_nothing_of_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [f"202404{day:02},{day * 7 % 40}%,A" for day in range(1, 31)]
    path.write_text("day,load,quality\n" + "\n".join(rows) + "\n\nSource: plant database\n")
    found, _, times, values, refused = events(path)
    assert (len(times), refused, [*values]) == (30, 1, ["load"]), found.notes
    assert times[1] - times[0] == 86_400_000_000


def test_months_of_several_series_are_no_days(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    months = [f"{name}-{year}" for year in (19, 20) for name in ("Jan", "Feb", "Mar", "Apr", "May", "Jun")]
    path.write_text("recorded_at,Name,load\n" + "".join(f"{month},{key},7.5\n" for month in months for key in "ab"))
    found, _, times, _, _ = events(path)
    assert (found.layout.keys, len({*times})) == (("Name",), 12), found.notes


@pytest.mark.parametrize("name", ["timestamp", "ts", "time", "date"])
def test_six_digits_that_are_months(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    months = [f"{2022 + at // 12}{at % 12 + 1:02}" for at in range(20)]
    path.write_text(f"{name},load\n" + "".join(f"{month},7.5\n" for month in months))
    assert events(path)[2][13] == 1_675_209_600_000_000
    path.write_text(f"{name},load\n" + "".join(f"{202_300 + at},7.5\n" for at in range(20)))
    if name != "date":
        assert events(path)[2][13] == 202_313_000_000


@pytest.mark.parametrize(("delimiter", "comma_is"), [(";", ","), ("\t", ","), (";", "."), ("|", ".")])
def test_units_of_some_columns_and_a_first_one_without_a_name(delimiter: str, comma_is: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [["", "time", "load", "lat", "remark"], ["", "", "[kW]", "", ""]]
    rows += [[str(at), f"2024-01-{at:02} 00:00:00", f"{at}{comma_is}25", "52.5".replace(".", comma_is), ""]
             for at in range(1, 29)]  # fmt: skip
    path.write_text("Station" + delimiter + "Alpha 7\n" + "".join(delimiter.join(row) + "\n" for row in rows))
    found, _, times, values, refused = events(path)
    assert (len(times), refused) == (28, 0), found.notes
    assert values["load"] == [at + 0.25 for at in range(1, 29)]


def test_a_number_of_two_kinds_is_left_out_once(tmp_path: Path) -> None:
    """A weekday that is part of the time and, as each device is asked once a week, belongs to the key as well."""
    path = tmp_path / "x.csv"
    times = [datetime(2024, 1, 1, 6, tzinfo=UTC) + timedelta(hours=56 * at) for at in range(60)]
    rows = [
        f"{'abc'[at % 3]},{int(time.timestamp())},{at * 7 % 13}.5,{at % 9},{time.isoweekday()}"
        for at, time in enumerate(times)
    ]
    path.write_text("deviceId,ts,reading,level,day_of_week\n" + "\n".join(rows) + "\n")
    found, keys, *_ = events(path)
    assert ({*keys}, [*found.layout.targets]) == ({"a", "b", "c"}, ["reading", "level"]), found.notes


def test_other_numbers_than_the_value_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,value,price\n" + "".join(f"2024-01-{day:02},{day},{day}.5\n" for day in range(1, 9)))
    found, *_ = events(path)
    assert [*found.layout.targets] == ["value"]
    assert any("price" in note for note in found.notes), found.notes
