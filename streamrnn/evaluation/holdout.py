"""The last horizon of every series held out, as forecasting competitions do: learn from the rest, forecast once.

With y the `h` values held out, f the forecast, x the n values before and m the events per season:

    sMAPE   mean 200 |y - f| / (|y| + |f|)
    MASE    mean |y - f| / mean |x_t - x_{t-m}|                                    (Hyndman and Koehler 2006)
    OWA     (mean sMAPE / naive2's + mean MASE / naive2's) / 2, over the series    (M4, Makridakis et al. 2020)
    MSIS    mean interval score of level 1 - a, in units of MASE's denominator

f is the median, which these errors ask for; RMSE is the mean's. m is what the M4 competition takes for the sampling
interval (hourly 24, monthly 12, quarterly 4; daily, weekly and yearly 1), a declared `model.seasonality` before it,
and for other intervals the season that the values before show (`season.py`).

    naive      the last value
    seasonal   the value one season ago: of the season that the values before show, else of m
    naive2     the last value of the series without its season, and the season put back: classical decomposition,
               multiplicative (additive where values are not all positive), where the values pass the competition's test
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.errors import ConnectorError
from streamrnn.evaluation.prequential import MODEL, Job, Report
from streamrnn.evaluation.reading import EventFile
from streamrnn.evaluation.results import number
from streamrnn.evaluation.season import season_length
from streamrnn.forecasting.key_rules import IgnoredEvents
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import Decoded, Float64, Int64
from streamrnn.runtime.task import ForecastTask

NAIVE2: Final = "naive2"
_DAY = 86_400.0
_COMPETITION = ((3600.0, 3600.0, 24), (_DAY, _DAY, 1), (7 * _DAY, 7 * _DAY, 1), (28 * _DAY, 31 * _DAY, 12),
                (89 * _DAY, 92 * _DAY, 4), (365 * _DAY, 366 * _DAY, 1))  # fmt: skip
"""Median seconds between events, from and to, and the events per season that the M4 competition takes."""
_CRITICAL = 1.645  # of the seasonality test, 90 % two-sided


class Errors(NamedTuple):
    """One model on one series and target; NaN where it is not defined."""

    smape: float
    mase: float
    squared: float  # mean squared error


@dataclass
class Target:
    """All models on one target."""

    errors: dict[str, list[Errors]] = field(default_factory=dict)  # by model, one per series
    inside: list[float] = field(default_factory=list)  # share of the values held out, per series
    msis: list[float] = field(default_factory=list)

    def scores(self, model: str) -> dict[str, float]:
        """Means over the series where both this model and naive2 have a value; NaN where there is none."""
        own, reference = (np.array(self.errors[name]).reshape(-1, 3) for name in (model, NAIVE2))
        found = {}
        ratios = []
        for column, name in enumerate(Errors._fields):
            both = np.isfinite(own[:, column]) & np.isfinite(reference[:, column])
            found[name] = float(own[both, column].mean()) if both.any() else float("nan")
            against = float(reference[both, column].mean()) if both.any() else float("nan")
            ratios.append(found[name] / against if against > 0 else float("nan"))
        return {
            "smape": found["smape"],
            "mase": found["mase"],
            "owa": (ratios[0] + ratios[1]) / 2,
            "rmse": float(np.sqrt(found["squared"])),
        }


@dataclass
class Holdout:
    """What came of one file."""

    file: str
    horizon: int
    level: float
    series: int
    skipped: int  # series too short to hold anything out
    targets: dict[str, Target]

    @property
    def models(self) -> list[str]:
        """The model itself first."""
        return list(next(iter(self.targets.values())).errors)

    def document(self) -> dict[str, Any]:
        """As JSON; what is not defined is null."""

        def shown(target: Target) -> dict[str, Any]:
            models = {name: {k: number(v) for k, v in target.scores(name).items()} for name in self.models}
            return {"models": models, "coverage": number(mean_of(target.inside)), "msis": number(mean_of(target.msis))}

        return {
            "file": self.file,
            "horizon": self.horizon,
            "level": self.level,
            "series": self.series,
            "skipped": self.skipped,
            "targets": {name: shown(target) for name, target in self.targets.items()},
        }


def hold_out(job: Job, report: Report) -> Holdout:
    """Make the pass over one file. Raises a `StreamRNNError` where it cannot be evaluated."""
    with EventFile(job.path, job.config) as file:
        config = job.config.model_copy(update={"event": file.event})
        batches = list(file.batches(job.limit))
    rows: dict[str, list[int]] = {}
    for i, key in enumerate(key for decoded in batches for key in decoded.keys):
        rows.setdefault(key, []).append(i)
    horizon, names = config.model.horizon, targets_of(config.event)
    usable = {key: np.array(own, np.int64) for key, own in rows.items() if len(own) >= horizon + 3}
    if not usable:
        raise ConnectorError(f"{job.path} has no series of {horizon + 3} events: nothing can be held out")
    held = np.zeros(sum(len(decoded.keys) for decoded in batches), np.bool_)
    for own in usable.values():
        held[own[-horizon:]] = True
    last = _fit(config, batches, held, report)
    times = np.concatenate([decoded.times for decoded in batches])
    values = np.concatenate([decoded.targets for decoded in batches])
    ignored = IgnoredEvents(config.event).mask([key for decoded in batches for key in decoded.keys], times)
    values = np.where(ignored[:, None], np.nan, values)
    found = Holdout(
        str(job.path), horizon, config.model.levels[0], len(usable), len(rows) - len(usable),
        {name: Target() for name in names},
    )  # fmt: skip
    for key, own in usable.items():
        before, after = own[:-horizon], own[-horizon:]
        for k, name in enumerate(names):
            forecast = _Forecast(*(array[:, k] for array in last[key]))
            _score(found.targets[name], config, times[before], values[before, k], values[after, k], forecast)
    return found


class _Forecast(NamedTuple):
    mean: Float64  # (horizon,) each, or with a last axis of targets
    median: Float64
    lower: Float64
    upper: Float64


def _fit(config: Config, batches: Sequence[Decoded], held: Any, report: Report) -> dict[str, _Forecast]:
    """Every series' last forecast before what is held out, arrays (horizon, targets)."""
    last: dict[str, _Forecast] = {}
    model = ForecastTask(config).model()
    start = 0
    try:
        for decoded in batches:
            kept = np.flatnonzero(~held[start : start + len(decoded.keys)])
            start += len(decoded.keys)
            part = decoded._replace(
                keys=[decoded.keys[i] for i in kept.tolist()],
                times=decoded.times[kept],
                targets=decoded.targets[kept],
                features=decoded.features[kept],
                records=[decoded.records[i] for i in kept.tolist()],
                feedback=(),  # which changes no forecast
            )
            answers = model.process(part)
            newest = {part.keys[i]: i for i in (~answers.late).nonzero()[0].tolist()}
            for key, i in newest.items():
                bounds = answers.forecast_lower[i, 0], answers.forecast_upper[i, 0]
                one = _Forecast(answers.forecast[i], answers.forecast_median[i], *bounds)
                last[key] = _Forecast(*(array.copy() for array in one))  # not the whole batch with it
            report(len(decoded.keys) + len(decoded.rejected))
    finally:
        model.close()
    return last


def _score(target: Target, config: Config, times: Int64, before: Float64, after: Float64, forecast: _Forecast) -> None:
    known, horizon = ~np.isnan(before), len(after)
    if not known.any() or np.isnan(after).all():
        return
    filled = np.interp(np.arange(len(before)), np.flatnonzero(known), before[known])
    period = events_per_season(times, before, config.model.seasonality)
    shown = season_length(times, before, config.model.seasonality)  # of daily values often a week, for which m is 1
    shown = shown if shown > 1 else period
    scale = float(np.abs(filled[period:] - filled[:-period]).mean()) if len(filled) > period else 0.0
    points: dict[str, tuple[Float64, Float64]] = {
        MODEL: (forecast.median, forecast.mean),
        NAIVE2: (naive2(filled, period, horizon),) * 2,
        "seasonal": (np.resize(filled[-shown:], horizon),) * 2,
        "naive": (np.full(horizon, filled[-1]),) * 2,
    }
    for name, (median, mean) in points.items():
        error = np.abs(after - median)
        size = np.abs(after) + np.abs(median)
        smape = np.divide(200.0 * error, size, out=np.zeros(horizon), where=size > 0)
        smape[np.isnan(after)] = np.nan
        mase = float(np.nanmean(error)) / scale if scale > 0 else float("nan")
        one = Errors(float(np.nanmean(smape)), mase, float(np.nanmean((after - mean) ** 2)))
        target.errors.setdefault(name, []).append(one)
    seen = ~np.isnan(after)
    y, low, high = after[seen], forecast.lower[seen], forecast.upper[seen]
    target.inside.append(float(((low <= y) & (y <= high)).mean()))
    missed = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    penalty = 2.0 / (1.0 - config.model.levels[0]) * missed
    target.msis.append(float((high - low + penalty).mean()) / scale if scale > 0 else float("nan"))


def events_per_season(times: Int64, values: Float64, declared: Sequence[float]) -> int:
    """m of one series, 1 where it has no season."""
    gaps = np.diff(times)
    gap = float(np.median(gaps[gaps > 0])) / 1e6 if (gaps > 0).any() else 0.0
    if declared and gap:
        return max(1, round(declared[0] / gap))
    for least, most, events in _COMPETITION:
        if least <= gap <= most:
            return events
    return season_length(times, values)


def naive2(values: Float64, period: int, horizon: int) -> Float64:
    """The forecast of M4's reference, `(horizon,)`; `values` has no gaps."""
    plain = np.full(horizon, values[-1])
    if period < 2 or len(values) < 3 * period or not _is_seasonal(values, period):
        return plain
    combine: Callable[[Float64, Float64], Float64] = np.multiply if (values > 0).all() else np.add
    part: Callable[[Float64, Float64], Float64] = np.divide if (values > 0).all() else np.subtract
    weights = np.full(period, 1.0 / period)
    if period % 2 == 0:
        weights = np.convolve(weights, [0.5, 0.5])
    trend = np.convolve(values, weights, mode="valid")
    first = len(weights) // 2
    rest = part(values[first : first + len(trend)], trend)
    phase = (np.arange(len(trend)) + first) % period
    season = np.array([rest[phase == p].mean() for p in range(period)])
    season = part(season, np.full(period, season.mean()))
    last = part(values[-1:], season[[(len(values) - 1) % period]])[0]
    return combine(np.full(horizon, last), season[(len(values) + np.arange(horizon)) % period])


def _is_seasonal(values: Float64, period: int) -> bool:
    """The seasonality test of the M4 competition."""
    centered = values - values.mean()
    power = float(centered @ centered)
    if power <= 0.0:
        return False
    correlation = np.array([float(centered[lag:] @ centered[:-lag]) / power for lag in range(1, period + 1)])
    limit = _CRITICAL / np.sqrt(len(values)) * np.sqrt(1 + 2 * float((correlation[:-1] ** 2).sum()))
    return bool(abs(correlation[-1]) > limit)


def mean_of(values: Sequence[float]) -> float:
    """The mean of those that are defined."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
