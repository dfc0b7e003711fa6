"""Days and weeks of local time: changes of the clock, and holidays that are like Sundays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from streamrnn import StreamModel
from streamrnn.config.holidays import days_named
from streamrnn.config.loading import load
from streamrnn.config.zones import local_offsets
from streamrnn.errors import ConfigurationError
from streamrnn.forecasting.calendar import offset_at


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
def test_offsets_are_those_of_the_zone(name: str) -> None:
    table, zone = local_offsets(name), ZoneInfo(name)
    moments = [datetime(1971, 1, 1, tzinfo=UTC) + timedelta(hours=7919 * k) for k in range(120)]
    for moment in [*moments, datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)]:
        ahead = moment.astimezone(zone).utcoffset()
        assert offset_at(table, microseconds(moment)) == (ahead or timedelta()) // timedelta(microseconds=1), moment


def test_no_zone_is_utc() -> None:
    assert offset_at(local_offsets(), 1_767_225_600_000_000) == 0


def test_a_holiday_is_a_sunday_at_every_hour_and_the_next_day_is_itself() -> None:
    days = [date(2026, 12, 25), date(2026, 12, 26)]
    table, zone = local_offsets("Europe/Berlin", days), ZoneInfo("Europe/Berlin")
    for hour in range(24 * 5):
        moment = datetime(2026, 12, 23, tzinfo=zone) + timedelta(hours=hour)
        instant = microseconds(moment)
        local = datetime(1970, 1, 1) + timedelta(microseconds=instant + offset_at(table, instant))
        assert local.hour == moment.hour
        assert local.weekday() == (6 if moment.date() in days else moment.weekday()), moment


def test_holidays_come_from_a_list_a_file_or_a_country(tmp_path: Path) -> None:
    file = tmp_path / "days.txt"
    file.write_text("# ours\n2026-12-25\n2026-12-31  # closed\n")
    assert load(None, {"event.holidays": str(file)}, {}).event.holidays == (date(2026, 12, 25), date(2026, 12, 31))
    assert load(None, {"event.holidays": ["2026-05-01"]}, {}).event.holidays == (date(2026, 5, 1),)
    assert date(2026, 10, 3) in days_named("DE")
    file.write_text("25.12.2026\n")
    with pytest.raises(ConfigurationError, match=r"line 1: '25.12.2026' is no date"):
        load(None, {"event.holidays": str(file)}, {})
    with pytest.raises(ConfigurationError, match="no country code"):
        load(None, {"event.holidays": "Atlantis"}, {})
    with pytest.raises(ConfigurationError, match="no time zone 'Mars/Olympus'"):
        load(None, {"event.time_zone": "Mars/Olympus"}, {})


def local_pattern(begin: datetime, days: int) -> pd.DataFrame:
    """Hourly values that follow the hour of Berlin."""
    rng, zone = np.random.default_rng(3), ZoneInfo("Europe/Berlin")
    moments = [begin + timedelta(hours=k) for k in range(24 * days)]
    shape = np.concatenate([np.zeros(7), [4, 9, 8, 6, 6, 7, 6, 6, 6, 8, 10, 7, 4, 2], np.zeros(3)])
    values = [shape[moment.astimezone(zone).hour] + rng.normal(0, 0.3) for moment in moments]
    return pd.DataFrame({"time": moments, "value": values})


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
def test_a_change_of_the_clock_passes_where_the_zone_is_declared(change: datetime) -> None:
    frame = local_pattern(change - timedelta(days=40), 43)

    def error_after(settings: dict[str, object]) -> tuple[float, float]:
        said = StreamModel(1, preset="lite", settings=settings).update(frame)
        errors = (said["observed"] - said["expected"]).abs().to_numpy()
        return float(errors[-72:].mean()), float(errors[-72 * 4 : -72].mean())

    after, usual = error_after({"event.time_zone": "Europe/Berlin"})
    assert after <= 1.25 * usual
    unaware, _ = error_after({})
    assert unaware > 1.5 * after
