"""A fault is no habit: what is far off once is not expected a period later, what comes again or stays is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from streamrnn.frames.model import StreamModel

DAYS, AT = 44, 24 * 40 + 2
WAVE = 100 + 40 * np.sin(np.arange(24 * DAYS) * 2 * np.pi / 24)

Float64 = npt.NDArray[np.float64]


def errors(change: Float64, preset: str = "lite") -> tuple[Float64, pd.DataFrame]:
    """Errors of the forecasts (series, hours) of eight series, a daily wave and `change` (hours,), and their alerts."""
    noise = np.random.default_rng(3).normal(0, 2, (8, WAVE.size))
    frame = pd.DataFrame({"ds": pd.date_range("2026-01-05", periods=WAVE.size, freq="h")})
    long = pd.concat([frame.assign(unique_id=f"s{k}", y=WAVE + change + own) for k, own in enumerate(noise)])
    model = StreamModel(preset=preset)  # type: ignore[arg-type]
    rows = model.update(long.sort_values(["ds", "unique_id"], kind="stable"))
    off = (rows["expected"] - rows["observed"]).to_numpy().reshape(WAVE.size, 8).T
    return off, model.alerts()


@pytest.mark.parametrize("preset", ["lite", "standard"])
@pytest.mark.parametrize("hours", [1, 3, 6])
@pytest.mark.parametrize("size", [250.0, -200.0])
def test_what_was_far_off_once_is_not_expected_a_day_later(preset: str, hours: int, size: float) -> None:
    change = np.zeros(WAVE.size)
    change[AT : AT + hours] = size
    off, alerts = errors(change, preset)
    for days in (1, 2):
        later = slice(AT + 24 * days, AT + 24 * days + hours)
        assert np.abs(off[:, later]).mean() < 8.0  # four times the noise
    since = (alerts["since"] - pd.Timestamp("2026-01-05")) // pd.Timedelta("1h")
    assert (since < AT).sum() == 0
    assert ((since >= AT) & (since < AT + hours)).sum() == 8
    assert (since > AT + 12).sum() <= 1


def test_what_comes_every_night_is_expected_from_the_fourth_on() -> None:
    change = np.zeros(WAVE.size)
    change[AT - 24 * 10 :: 24] = 100
    off, alerts = errors(change)
    nights = np.abs(off[:, AT - 24 * 10 :: 24]).mean(axis=0)
    assert nights[0] > 90
    assert np.all(nights[5:] < 25)
    days = (alerts["since"] - pd.Timestamp("2026-01-05")) // pd.Timedelta("1D") - (AT // 24 - 10)
    assert (days == 0).sum() == 8
    assert (days >= 8).sum() <= 2  # of 48 nights


def test_a_level_that_stays_is_followed_the_next_day() -> None:
    change = np.zeros(WAVE.size)
    change[AT:] = 100
    off, _ = errors(change)
    assert np.abs(off[:, AT + 24 : AT + 48]).mean() < 6.0
