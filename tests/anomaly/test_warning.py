"""Early warnings mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.anomaly import early_warning
from tests.anomaly.simulate import warned

COUNT, HORIZON, LIMIT = 12_000, 12, 3.0
LEARNED = 2000  # events before anything is asserted


def ramps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Saw teeth of random slope with noise, forecast by a line through the last level and slope."""
    random = np.random.default_rng(seed)
    values, level, slope, left = np.zeros(COUNT), 0.0, 0.0, 0
    for t in range(COUNT):
        if left == 0:
            level, slope, left = 0.0, random.uniform(0.0, 0.12), int(random.integers(20, 60))
        level, left = level + slope, left - 1
        values[t] = level + 0.3 * random.standard_normal()
    forecasts = np.zeros((COUNT, HORIZON))
    smooth, trend = 0.0, 0.0
    for t in range(COUNT):
        before = smooth
        smooth += trend + 0.3 * (values[t] - smooth - trend)
        trend += 0.05 * (smooth - before - trend)
        forecasts[t] = smooth + trend * np.arange(1, HORIZON + 1)
    return values, forecasts


def peaks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Daily peaks of slowly changing height."""
    random = np.random.default_rng(seed)
    steps = np.arange(COUNT + HORIZON)
    height = np.repeat(2.6 + 0.5 * random.standard_normal(len(steps) // 48 + 1), 48)[: len(steps)]
    clean = height * np.sin(2 * np.pi * steps / 48)
    values = clean[:COUNT] + 0.4 * random.standard_normal(COUNT)
    wave = np.sin(2 * np.pi * steps / 48)
    forecasts = np.zeros((COUNT, HORIZON))
    for t in range(COUNT):
        begin = t // 48 * 48
        seen = wave[begin : t + 1]  # what is known of today's height: prior 2.6 +- .5, noise .4
        today = (2.6 / 0.25 + (seen * values[begin : t + 1]).sum() / 0.16) / (1 / 0.25 + (seen**2).sum() / 0.16)
        ahead = np.arange(t + 1, t + 1 + HORIZON)
        forecasts[t] = np.where(ahead < begin + 48, today, 2.6) * wave[ahead]
    return values, forecasts


def walks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random walk that is held loosely around zero."""
    noise = np.random.default_rng(seed).standard_normal(COUNT)
    values = np.zeros(COUNT)
    for t in range(1, COUNT):
        values[t] = 0.99 * values[t - 1] + 0.25 * noise[t]
    return values, values[:, None] * 0.99 ** np.arange(1, HORIZON + 1)


def outcomes(values: np.ndarray) -> np.ndarray:
    """Whether any of the next `HORIZON` values lies beyond the limit."""
    beyond = values > LIMIT
    return np.array([beyond[t + 1 : t + 1 + HORIZON].any() for t in range(COUNT)])


def line(values: np.ndarray) -> np.ndarray:
    """What a line through the last 12 values says: 1 if it crosses within the horizon."""
    t = np.arange(12) - 5.5
    said = np.zeros(COUNT)
    for i in range(12, COUNT):
        past = values[i - 11 : i + 1]
        slope = (t * past).sum() / (t * t).sum()
        said[i] = past.mean() + slope * (5.5 + HORIZON) > LIMIT
    return said


@pytest.mark.thorough
@pytest.mark.parametrize("make", [ramps, peaks, walks])
def test_calibrated_and_better_than_the_obvious(make: object) -> None:
    stated, happened, extrapolated = [], [], []
    for seed in range(20):
        values, forecasts = make(seed)  # type: ignore[operator]
        _, outcome = warned(values[:, None], forecasts[:, :, None], [(None, LIMIT)])
        use = (np.arange(COUNT) >= LEARNED) & (np.arange(COUNT) < COUNT - HORIZON) & (values <= LIMIT)
        stated.append(outcome[use, early_warning.PROBABILITY])
        happened.append(outcomes(values)[use])
        extrapolated.append(line(values)[use])
    p, y, naive = np.concatenate(stated), np.concatenate(happened), np.concatenate(extrapolated)
    assert 0.02 < y.mean() < 0.7
    for tenth in range(10):
        inside = (p >= tenth / 10) & (p < (tenth + 1) / 10)
        if inside.sum() >= 200:
            assert abs(p[inside].mean() - y[inside].mean()) < 0.05, (tenth, inside.sum())
    brier = ((p - y) ** 2).mean()
    assert brier < ((y.mean() - y) ** 2).mean()
    assert brier < ((naive - y) ** 2).mean()


def test_steps_are_calibrated_too() -> None:
    values, forecasts = walks(3)
    steps, _ = warned(values[:, None], forecasts[:, :, None], [(None, LIMIT)])
    for step in (0, 5, 11):
        use = np.arange(LEARNED, COUNT - HORIZON)
        assert abs(steps[use, step].mean() - (values[use + step + 1] > LIMIT).mean()) < 0.03


def test_a_ramp_is_announced_before_it_arrives() -> None:
    values, forecasts = ramps(1)
    _, outcome = warned(values[:, None], forecasts[:, :, None], [(None, LIMIT)])
    crossings = np.flatnonzero((values[1:] > LIMIT) & (values[:-1] <= LIMIT)) + 1
    first = [c for c in crossings if c > 1500 and not (values[c - 30 : c] > LIMIT).any()]
    leads = [c - w[0] for c in first if len(w := c - 12 + np.flatnonzero(outcome[c - 12 : c, early_warning.WARN]))]
    assert len(leads) > 0.5 * len(first)
    assert np.median(leads) >= 2


def test_no_warning_while_the_limit_is_crossed_already() -> None:
    values, forecasts = walks(0)
    _, outcome = warned(values[:, None], forecasts[:, :, None], [(None, LIMIT)], warn_at=0.0)
    assert not outcome[values > LIMIT, early_warning.WARN].any()
    assert outcome[values <= LIMIT, early_warning.WARN].all()


def test_without_limits_the_usual_range_stands_in() -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal(COUNT)
    forecasts = np.zeros((COUNT, HORIZON))
    _, outcome = warned(values[:, None], forecasts[:, :, None], [(None, None)])
    late = outcome[2000:, early_warning.PROBABILITY]
    # One value in 200 on each side: 1 - .99 ** 12 = .11
    assert 0.05 < late.mean() < 0.2
    assert np.isfinite(late).all()


def test_limits_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="not below"):
        early_warning.limit_table([(3.0, 1.0)])
