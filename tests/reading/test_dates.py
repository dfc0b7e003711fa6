"""Days, weeks and months in the spellings of many languages and programs: the times that are read, or a question."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamrnn.connectors.reading import month_names
from streamrnn.connectors.reading.month_names import MONTHS
from streamrnn.errors import ConfigurationError
from tests.reading.runs import events

DAYS = [datetime(2023, 10, 27, tzinfo=UTC) + timedelta(days=day) for day in range(120)]
WEEKS = [datetime(2019, 12, 30, tzinfo=UTC) + timedelta(days=day) for day in range(400)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def earlier(days: int) -> list[datetime]:
    return [day - timedelta(days) for day in DAYS]


def since_1970(step: timedelta) -> Callable[[datetime], str]:
    return lambda day: f"{(day - EPOCH) // step}"


MS, SECOND = timedelta(milliseconds=1), timedelta(seconds=1)
LANGUAGES = [
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "Jänner Feber März April Mai Juni Juli August September Oktober November Dezember",
    "januar februar marts april maj juni juli august september oktober november desember",
    "januari februari maret april mei juni juli agustus september oktober november desember",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "január február március április május június július augusztus szeptember október november december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου "
    "Σεπτεμβρίου Οκτωβρίου Νοεμβρίου Δεκεμβρίου",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta "
    "marraskuuta joulukuuta",
]


def read(path: Path, header: str, form: Callable[[datetime], str], days: list[datetime]) -> None:
    path.write_text(f"{header};v\n" + "".join(f"{form(day)};{at}.5\n" for at, day in enumerate(days)))
    found, keys, times, values, refused = events(path)
    assert times == [(day - EPOCH) // timedelta(microseconds=1) for day in days], found
    assert (set(keys), values, refused) == ({"default"}, {"v": [at + 0.5 for at in range(len(days))]}, 0)


@pytest.mark.parametrize("names", LANGUAGES)
@pytest.mark.parametrize("form", ["{day} {name} {year}", "{name} {day}, {year}", "{year}. {name} {day}."])
def test_names_of_months_in_many_languages(names: str, form: str, tmp_path: Path) -> None:
    months = names.split()
    days = [datetime(2021, 1, 2, tzinfo=UTC) + timedelta(days=4 * at) for at in range(120)]
    read(
        tmp_path / "x.csv",
        "date",
        lambda day: form.format(day=day.day, name=months[day.month - 1], year=day.year),
        days,
    )


def test_no_name_is_of_two_months() -> None:
    assert sum(len(names.split()) for names in month_names._NAMES) == len(MONTHS)


@pytest.mark.parametrize(
    ("header", "form", "days"),
    [
        ("date", lambda day: f"{(day - EPOCH).days}", DAYS),
        ("date", lambda day: f"{day:%d%m%Y}", DAYS),
        ("date", lambda day: f"{day:%m%d%Y}".lstrip("0"), DAYS),
        ("date", lambda day: f"{day:%Y%j}", DAYS),
        ("date", lambda day: f"{day:%d%b%Y}".upper(), DAYS),
        ("Buchung;Valuta", lambda day: f"{day:%d.%m.%y};{day:%d.%m.%y}", DAYS),
        ("year;week;weekday", lambda day: "{};{};{}".format(*day.isocalendar()), WEEKS),
        ("year;iso_week", lambda day: "{};{}".format(*day.isocalendar()), WEEKS[::7]),
        ("time", since_1970(MS), earlier(20_000)),
        ("time", since_1970(MS), earlier(19_700)),
        ("time", since_1970(MS), earlier(19_000)),
        ("time", since_1970(SECOND), earlier(19_700)),
        ("date", lambda day: f"{day:%d/%m/%Y}", earlier(45_000)),
    ],
    ids=[
        "days since 1970", "day, month, year in digits", "month, day, year in digits", "day of the year in digits",
        "SAS", "two dates of points", "day of a week", "weeks of a year", "ms before 1970", "ms around 1970",
        "ms in 1971", "seconds around 1970", "before 1900",
    ],
)  # fmt: skip
def test_days_in_digits(header: str, form: Callable[[datetime], str], days: list[datetime], tmp_path: Path) -> None:
    read(tmp_path / "x.csv", header, form, days)


@pytest.mark.parametrize("form", ["{y}M{m:02}", "{y}m{m}", "{y}:{m:02}", "{mon}{y}", "{y}K{q}", "{y}:{q}", "{y};{mon}"])
def test_months_and_quarters_of_statistics_offices(form: str, tmp_path: Path) -> None:
    step = 3 if "{q}" in form else 1
    months = [datetime(2000 + at // 12, at % 12 + 1, 1, tzinfo=UTC) for at in range(0, 180, step)]
    header = "a;b" if ";" in form else "obs"
    read(
        tmp_path / "x.csv",
        header,
        lambda day: form.format(y=day.year, m=day.month, q=(day.month + 2) // 3, mon=f"{day:%b}"),
        months,
    )


def test_years_quarters_and_months_in_one_column_are_asked_about(tmp_path: Path) -> None:
    rows = [f"{year},1" for year in range(2010, 2020)]
    rows += [f"{year} Q{quarter},2" for year, quarter in itertools.product(range(2010, 2020), range(1, 5))]
    rows += [f"{year} {month},3" for year, month in itertools.product(range(2010, 2020), ("JAN", "JUL"))]
    path = tmp_path / "x.csv"
    path.write_text("Title,v\n" + "\n".join(rows) + "\n")
    with pytest.raises(ConfigurationError, match=r"'Title' has years .*quarters .*months .*Keep the rows"):
        events(path)


@pytest.mark.parametrize("unknown", ["25 Thaumas {year}", "{day}~1~{year}"])
def test_a_first_row_whose_date_is_not_known_is_refused_and_no_units(unknown: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    odd = [unknown.format(day=day, year=2024) + f",{day}\n" for day in (1, 2, 3)]
    path.write_text("date,v\n" + "".join(odd) + "".join(f"{day:%Y-%m-%d},{at}\n" for at, day in enumerate(DAYS)))
    found, _, times, _, refused = events(path)
    assert (len(times), refused) == (len(DAYS), 3), found


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("time (UTC+01:00)", "times are in +01:00, as the name of time (UTC+01:00) says"),
        ("time (CET/CEST)", "times are in Europe/Brussels, as the name of time (CET/CEST) says"),
        ("time (CST/CDT)", "times are in America/Chicago, as the name of time (CST/CDT) says"),
        ("time (GMT/EST)", "the name of time (GMT/EST) tells two zones, GMT/EST: times are taken as UTC"),
    ],
)
def test_a_zone_in_a_name_is_said_and_a_flag_is_right_before_it(header: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header},v\n" + "".join(f"{day:%Y-%m-%d %H:%M},{at}\n" for at, day in enumerate(DAYS)))
    assert any(note.startswith(says) for note in events(path)[0].notes)
    found, _, times, *_ = events(path, "--time-zone", "Asia/Tokyo")
    assert times[0] == ((DAYS[0] - EPOCH) // timedelta(microseconds=1)) - 9 * 3_600_000_000
    assert not any("zone" in note for note in found.notes)
