"""The last horizon held out: errors by hand, the competition's reference, and that nothing held out was seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrnn.evaluation.holdout import Errors, Target, events_per_season, naive2
from tests.commands import SMALL

Document = Callable[..., dict[str, Any]]
HOUR = 3_600_000_000


def test_naive2_puts_the_season_back() -> None:
    season = np.array([0.5, 1.0, 1.5, 1.0])
    values = 100.0 * np.tile(season, 8)[:30]
    assert naive2(values, 4, 5) == pytest.approx(100.0 * season[[2, 3, 0, 1, 2]])
    assert naive2(values, 1, 2) == pytest.approx([values[-1]] * 2)
    assert naive2(values[:11], 4, 2) == pytest.approx([values[10]] * 2), "less than three seasons are none"
    below = values - 200.0
    assert naive2(below, 4, 5) == pytest.approx(100.0 * season[[2, 3, 0, 1, 2]] - 200.0)


def test_noise_has_no_season() -> None:
    noise = np.random.default_rng(2).normal(size=200) + 10.0
    assert naive2(noise, 7, 2).tolist() == [noise[-1]] * 2


@pytest.mark.parametrize(
    ("gap", "declared", "period"), [(HOUR, (), 24), (24 * HOUR, (), 1), (730 * HOUR, (), 12), (HOUR, (43_200.0,), 12)]
)
def test_events_per_season(gap: int, declared: tuple[float, ...], period: int) -> None:
    values = np.random.default_rng(1).normal(size=100)
    assert events_per_season(np.arange(100) * gap, values, declared) == period


def test_owa_is_the_mean_of_the_two_ratios() -> None:
    target = Target({"a": [Errors(10.0, 1.0, 4.0), Errors(20.0, 2.0, 0.0)], "naive2": [Errors(20.0, 3.0, 1.0)] * 2})
    assert target.scores("a") == {"smape": 15.0, "mase": 1.5, "owa": (0.75 + 0.5) / 2, "rmse": pytest.approx(2**0.5)}
    assert target.scores("naive2")["owa"] == 1.0
    undefined = Target({"a": [Errors(10.0, float("nan"), 4.0)], "naive2": [Errors(20.0, float("nan"), 1.0)]})
    assert np.isnan(undefined.scores("a")["owa"])


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two hourly series of 60 events, a ramp and its mirror, and one of 4 events."""
    path = tmp_path / "two.csv"
    rows = [(1_700_000_000 + 3600 * t, key, value) for t in range(60) for key, value in (("up", t), ("down", -t))]
    rows += [(1_700_000_000 + 3600 * t, "short", 1) for t in range(4)]
    path.write_text("time,key,value\n" + "".join(f"{time},{key},{value}\n" for time, key, value in rows))
    return path


def test_the_last_values_are_scored_and_were_not_seen(two: Path, document: Document) -> None:
    (file,) = document(two, "--holdout", "--set", "model.horizon=3", *SMALL)["holdout"]
    assert (file["horizon"], file["series"], file["skipped"]) == (3, 2, 1)
    value = file["targets"]["value"]
    assert list(value["models"]) == ["streamrnn", "naive2", "seasonal", "naive"]
    naive = value["models"]["naive"]
    assert naive["smape"] == pytest.approx(np.mean([200 * k / (56 + 56 + k) for k in (1, 2, 3)]))
    assert naive["mase"] == pytest.approx(2 / 24), "a ramp is 24 off a day ago"
    assert naive["rmse"] == pytest.approx((14 / 3) ** 0.5)
    # Had the model seen these values, it would forecast them: that it does not shows in its errors.
    lines = [f"{line[:-2]}1000" if line.endswith(("up,57", "up,58", "up,59")) else line for line in _lines(two)]
    two.write_text("\n".join(lines))
    other = document(two, "--holdout", "--set", "model.horizon=3", *SMALL)["holdout"][0]["targets"]["value"]
    assert other["models"]["streamrnn"]["rmse"] == pytest.approx(943 / 2**0.5, rel=0.02)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_week_of_daily_values_is_known_to_the_seasonal_baseline(tmp_path: Path, document: Document) -> None:
    path = tmp_path / "week.csv"
    rows = [f"{1_700_000_000 + 86_400 * t},{(5, 9, 7, 8, 9, 1, 0)[t % 7]}" for t in range(70)]
    path.write_text("time,value\n" + "\n".join(rows) + "\n")
    (file,) = document(path, "--holdout", "--set", "model.horizon=9", *SMALL)["holdout"]
    models = file["targets"]["value"]["models"]
    assert models["seasonal"]["rmse"] == 0
    assert models["naive"]["rmse"] == models["naive2"]["rmse"] > 1, "m is 1 of daily values"


def test_too_short_to_hold_anything_out(two: Path, evaluate: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = evaluate(two, "--holdout", "--set", "model.horizon=100", *SMALL)
    assert (code, out) == (1, "")
    assert "nothing can be held out" in err


def test_the_table(two: Path, evaluate: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = evaluate(two, "--holdout", "--set", "model.horizon=3", *SMALL)
    assert code == 0
    for word in ("the last 3 events of 2 series held out", "sMAPE", "OWA", "naive2", "series too short: 1"):
        assert word in out
