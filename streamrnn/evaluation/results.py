"""What an evaluation found, file by file, and the JSON document it is published as (schema: docs/evaluate.md)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamrnn import __version__
from streamrnn.config.tree import Config
from streamrnn.evaluation.ages import AGES, AgeScores
from streamrnn.evaluation.prequential import MODEL, Outcome
from streamrnn.evaluation.scores import IntervalScores, PointScores
from streamrnn.evaluation.trace import Trace
from streamrnn.records.events import Float64

SCHEMA_VERSION = 2
PERSISTENCE = "persistence"


@dataclass
class SeriesResult:
    """All models on one series."""

    events: int
    anomalies: int
    points: dict[str, PointScores]  # by model, the model itself first, persistence among them
    intervals: IntervalScores
    ages: AgeScores
    seasons: list[str] | None
    settings: dict[str, list[str]]  # by baseline, one per target
    replaced: dict[str, int]
    trace: Trace | None


@dataclass
class FileResult:
    """All models on one file."""

    path: Path
    targets: tuple[str, ...]
    levels: tuple[float, ...]
    dead_letters: int
    late: int
    series: dict[str, SeriesResult]

    @property
    def events(self) -> int:
        """Events scored or forecast from, over all series."""
        return sum(series.events for series in self.series.values())

    @property
    def models(self) -> list[str]:
        """Names, the model itself first."""
        return list(next(iter(self.series.values())).points)

    def total(self, model: str) -> PointScores:
        """The sums over all series."""
        return _sum(series.points[model] for series in self.series.values())

    def total_intervals(self) -> IntervalScores:
        """The sums over all series."""
        first, *others = (series.intervals for series in self.series.values())
        total = IntervalScores(first.count.copy(), first.inside.copy(), first.width.copy(), first.penalty.copy())
        for other in others:
            total += other
        return total

    def total_ages(self) -> AgeScores:
        """The sums over all series."""
        total = AgeScores.empty(len(self.targets), len(self.levels))
        for series in self.series.values():
            total += series.ages
        return total

    def seasons(self) -> list[tuple[str, int]]:
        """What was found, the most frequent first, and in how many series."""
        found = Counter(
            ", ".join(series.seasons) or "none" for series in self.series.values() if series.seasons is not None
        )
        return found.most_common()

    def total_mase(self, model: str) -> Float64:
        """The mean over the series of their MASE, weighted by events: large series do not drown small ones."""
        weights = np.array([series.points[model].count for series in self.series.values()])
        mase = np.array([series.points[model].mase(series.points[PERSISTENCE]) for series in self.series.values()])
        weights = np.where(np.isnan(mase), 0.0, weights)
        total = weights.sum(axis=0)
        mean = np.full(total.shape, np.nan)
        np.divide((weights * np.nan_to_num(mase)).sum(axis=0), total, out=mean, where=total > 0)
        return mean


def combine(path: Path, config: Config, names: Sequence[str], outcomes: Mapping[str, Outcome]) -> FileResult:
    """Lay the passes over one file side by side, in the order of `names`."""
    model = outcomes[MODEL]
    assert model.scorecard is not None
    series = {}
    for key, own in model.series.items():
        assert own.persistence is not None
        assert own.intervals is not None
        assert own.ages is not None
        others = {name: outcomes[name].series[key] for name in names if name in outcomes and name != MODEL}
        points = {MODEL: own.points, PERSISTENCE: own.persistence}
        points |= {name: other.points for name, other in others.items()}
        series[key] = SeriesResult(
            own.events,
            own.anomalies,
            points,
            own.intervals,
            own.ages,
            own.seasons,
            {name: other.settings for name, other in others.items()},
            {name: other.replaced for name, other in others.items()},
            own.trace,
        )
    return FileResult(path, model.targets, config.model.levels, model.scorecard.dead_letters, model.late, series)


def document(config: Config, files: Sequence[FileResult], skipped: Sequence[str]) -> dict[str, Any]:
    """The JSON document; numbers that are not defined are null."""
    return {
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "model": config.model.model_dump(mode="json"),
        "skipped": list(skipped),
        "files": [_file(file) for file in files],
    }


def _file(file: FileResult) -> dict[str, Any]:
    mase = {model: file.total_mase(model) for model in file.models}
    return {
        "file": str(file.path),
        "events": file.events,
        "dead_letters": file.dead_letters,
        "late": file.late,
        "anomalies": sum(series.anomalies for series in file.series.values()),
        "seasons": [{"seasons": name, "series": count} for name, count in file.seasons()],
        "targets": _targets(file, {m: file.total(m) for m in file.models}, mase, file.total_intervals(), None),
        "series": [
            {
                "key": key,
                "events": series.events,
                "anomalies": series.anomalies,
                "seasons": series.seasons,
                "targets": _targets(file, series.points, None, series.intervals, series),
            }
            for key, series in file.series.items()
        ],
    }


def _targets(
    file: FileResult,
    points: Mapping[str, PointScores],
    mase: Mapping[str, Float64] | None,
    intervals: IntervalScores,
    series: SeriesResult | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    ages = file.total_ages() if series is None else series.ages
    for k, target in enumerate(file.targets):
        models: dict[str, Any] = {}
        for name, scores in points.items():
            columns = {
                "mae": scores.mae[:, k],
                "mse": scores.mse[:, k],
                "rmse": scores.rmse[:, k],
                "mase": (mase[name] if mase is not None else scores.mase(points[PERSISTENCE]))[:, k],
                "skill": scores.skill(points[PERSISTENCE])[:, k],
                "mse_skill": scores.mse_skill(points[PERSISTENCE])[:, k],
            }
            models[name] = {column: number(mean(values)) for column, values in columns.items()}
            if series is not None and name in series.settings:
                models[name]["setting"] = series.settings[name][k]
            models[name]["steps"] = [
                {
                    "step": step + 1,
                    "count": int(scores.count[step, k]),
                    **{column: number(values[step]) for column, values in columns.items()},
                }
                for step in range(len(scores.count))
            ]
        found[target] = {
            "models": models,
            "intervals": _intervals(file.levels, intervals, k),
            "ages": _ages(file.levels, ages, k),
        }
    return found


def _ages(levels: Sequence[float], ages: AgeScores, k: int) -> list[dict[str, Any]]:
    """The model's scores by age, the steps pooled."""
    skill, mse_skill = ages.points.skill(ages.persistence), ages.points.mse_skill(ages.persistence)
    return [
        {
            "from": first,
            "to": last,
            "count": int(ages.points.count[row, k]),
            "mae": number(ages.points.mae[row, k]),
            "skill": number(skill[row, k]),
            "mse": number(ages.points.mse[row, k]),
            "mse_skill": number(mse_skill[row, k]),
            "coverage": {str(level): number(ages.intervals.coverage[row, k, i]) for i, level in enumerate(levels)},
        }
        for row, (first, last) in enumerate(AGES)
        if ages.points.count[row, k]
    ]


def _intervals(levels: Sequence[float], intervals: IntervalScores, k: int) -> list[dict[str, Any]]:
    found = []
    for i, level in enumerate(levels):
        columns = {
            "coverage": intervals.coverage[:, k, i],
            "width": intervals.mean_width[:, k, i],
            "winkler": intervals.winkler[:, k, i],
        }
        found.append(
            {
                "level": level,
                **{column: number(mean(values)) for column, values in columns.items()},
                "steps": [
                    {"step": step + 1, **{column: number(values[step]) for column, values in columns.items()}}
                    for step in range(len(intervals.count))
                ],
            }
        )
    return found


def mean(steps: Float64) -> float:
    """The mean over horizon steps; NaN where one of them has no value."""
    return float(steps.mean())


def number(value: float) -> float | None:
    """As JSON has it: null for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def _sum(parts: Iterable[PointScores]) -> PointScores:
    first, *others = parts
    total = PointScores(first.count.copy(), first.absolute.copy(), first.squared.copy())
    for other in others:
        total += other
    return total
