from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import metrics

from streamrnn.evaluation.scores import IntervalScores, Pending, PointScores
from streamrnn.records.events import Float64


def series(seed: int, events: int, horizon: int, targets: int) -> tuple[Float64, Float64]:
    random = np.random.default_rng(seed)
    observed = random.normal(size=(events, targets)).cumsum(axis=0)
    observed[random.random(observed.shape) < 0.15] = np.nan
    return observed, random.normal(size=(events, horizon, targets))


def score(observed: Float64, forecast: Float64, cuts: list[int]) -> tuple[PointScores, PointScores]:
    _, horizon, targets = forecast.shape
    points, persistence = PointScores.empty(horizon, targets), PointScores.empty(horizon, targets)
    pending = Pending(horizon, targets)
    for start, stop in zip([0, *cuts], [*cuts, len(observed)], strict=True):
        settled = pending.settle(observed[start:stop], forecast[start:stop])
        points.add(settled.observed, settled.forecasts[0], settled.known)
        persistence.add(settled.observed, settled.persistence, settled.known)
    return points, persistence


def test_errors_are_those_of_rivers_metrics() -> None:
    observed, forecast = series(3, events=200, horizon=4, targets=2)
    points, persistence = score(observed, forecast, [1, 2, 90])
    for step in range(4):
        for k in range(2):
            mae, rmse, naive = metrics.MAE(), metrics.RMSE(), metrics.MAE()
            last = np.nan
            known_last = []
            for value in observed[:, k]:
                last = last if np.isnan(value) else value
                known_last.append(last)
            for i in range(step + 1, 200):
                origin = i - step - 1
                if np.isnan(observed[i, k]) or np.isnan(known_last[origin]):
                    continue
                mae.update(observed[i, k], forecast[origin, step, k])
                rmse.update(observed[i, k], forecast[origin, step, k])
                naive.update(observed[i, k], known_last[origin])
            assert points.mae[step, k] == pytest.approx(mae.get(), rel=1e-12)
            assert points.mse[step, k] == pytest.approx(rmse.get() ** 2, rel=1e-12)
            assert points.rmse[step, k] == pytest.approx(rmse.get(), rel=1e-12)
            assert persistence.mae[step, k] == pytest.approx(naive.get(), rel=1e-12)
            assert points.skill(persistence)[step, k] == pytest.approx(1 - mae.get() / naive.get(), rel=1e-12)
    one_step = persistence.absolute[0] / persistence.count[0]
    np.testing.assert_allclose(points.mase(persistence), points.mae / one_step, rtol=1e-15)


@given(
    seed=st.integers(0, 1000),
    horizon=st.integers(1, 5),
    cuts=st.lists(st.integers(0, 30), max_size=4).map(sorted),
)
def test_where_the_stream_is_cut_changes_nothing(seed: int, horizon: int, cuts: list[int]) -> None:
    observed, forecast = series(seed, events=30, horizon=horizon, targets=2)
    whole, whole_persistence = score(observed, forecast, [])
    parts, parts_persistence = score(observed, forecast, cuts)
    np.testing.assert_array_equal(whole.count, parts.count)
    np.testing.assert_allclose(whole.squared, parts.squared, rtol=1e-12)
    np.testing.assert_allclose(whole_persistence.absolute, parts_persistence.absolute, rtol=1e-12)


def test_intervals_by_hand() -> None:
    scores = IntervalScores.empty(1, 1, 2)
    observed = np.array([5.0, 0.0, 9.0, 1.0]).reshape(4, 1, 1, 1)
    lower = np.broadcast_to(np.array([2.0, 1.0]), (4, 1, 1, 2))
    upper = np.broadcast_to(np.array([6.0, 8.0]), (4, 1, 1, 2))
    known = np.array([True, True, True, False]).reshape(4, 1, 1, 1)
    scores.add(np.array([0.5, 0.9]), observed, lower, upper, known)
    assert scores.coverage.ravel().tolist() == pytest.approx([1 / 3, 1 / 3])
    assert scores.mean_width.ravel().tolist() == pytest.approx([4, 7])
    # 2 / alpha is 4 and 20; the misses are 2 and 3 below and above the first, 1 and 1 the second.
    assert scores.winkler.ravel().tolist() == pytest.approx([4 + 4 * 5 / 3, 7 + 20 * 2 / 3])


def test_the_median_is_judged_by_absolute_and_the_mean_by_squared_error() -> None:
    points = PointScores.empty(1, 1)
    observed = np.array([0.0, 10.0]).reshape(2, 1, 1)
    known = np.ones((2, 1, 1), np.bool_)
    points.add(observed, np.full((2, 1, 1), 5.0), known, np.full((2, 1, 1), 1.0))
    assert points.mae.ravel().tolist() == [5.0]
    assert points.mse.ravel().tolist() == [25.0]
    persistence = PointScores.empty(1, 1)
    persistence.add(observed, np.full((2, 1, 1), 10.0), known)
    assert points.skill(persistence).ravel().tolist() == [0.0]
    assert points.mse_skill(persistence).ravel().tolist() == [0.5]


def test_nothing_scored_is_not_a_number() -> None:
    empty = PointScores.empty(2, 1)
    assert np.isnan(empty.mae).all()
    assert np.isnan(empty.skill(empty)).all()
