"""Cross-validation over the files of the Numenta Anomaly Benchmark, with everything chosen inside the training folds.

The strength of `streamrnn.anomaly.detector` is one member of a family: which statistics of the profile residual (level
over 6, 12 or 24 events, spread over 24 or 48, jump over 12 or 24), with which weights, how many values their lists
keep, the weight of new extremes, and the strength that opens an alert. `folds` draws members at random, takes on each
set of training files the one with the best standard score, and scores it on the files left out. The fast channels
(residual, frozen, gap), whose thresholds come from simulated faults, are not part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import detector, extremes, hourly_profile
from streamrnn.anomaly.alerts import AlertConfig
from streamrnn.evaluation import nab
from tests.kernels import loop

Array = npt.NDArray[np.float64]

STATISTICS = ((0, 6), (0, 12), (0, 24), (1, 24), (1, 48), (2, 12), (2, 24))  # (level, spread or jump), events
KEPT = (4, 5, 6)  # values of a list, in windows
OPENINGS = np.arange(0.2, 3.0, 0.1)
UNIT = 0.66
SPLITS, REPEATS, MEMBERS = 5, 5, 60


@loop
def _decades(times: npt.NDArray[np.int64], x: Array, kind: int, window: int, kept: int, memory: int) -> Array:
    """Decades of one statistic of the profile residual at every row, as `channels.windows` scores it."""
    found, residuals = np.zeros(len(x)), np.zeros(len(x))
    hours, whole = (
        np.zeros((hourly_profile.MEMORIES, hourly_profile.HOURS, hourly_profile.COLUMNS)),
        np.zeros(hourly_profile.COLUMNS),
    )
    largest, seen = np.zeros(kept, np.float32), 0.0
    for i in range(len(x)):
        hour = (times[i] // hourly_profile.HOUR_US) % hourly_profile.HOURS
        residuals[i] = hourly_profile.residual(hours, whole, memory, hour, x[i])
        if i >= detector.WARM_UP:
            recent = residuals[i - window + 1 : i + 1]
            measure = abs(recent.mean())
            if kind == 1:
                measure = recent.std()
            elif kind == 2:
                measure = abs(recent.mean() - residuals[i - 2 * window + 1 : i - window + 1].mean())
            found[i] = extremes.rarity(largest, seen, measure, False, 0.02)
            extremes.remember(largest, seen, measure)
            seen += 1.0
        hourly_profile.learn(hours, whole, hour, x[i])
    return found


def _statistics(file: nab.LabelledFile, kept: int) -> Array:
    """`(statistics, rows)` contributions, means over both memories."""
    parts = [
        [
            _decades(file.times, file.values, kind, window, kept * window, memory)
            for memory in range(hourly_profile.MEMORIES)
        ]
        for kind, window in STATISTICS
    ]
    return np.asarray(np.log1p(np.maximum(parts, 0.0) / UNIT).mean(1))


def _extremes(x: Array) -> Array:
    """Contribution of values outside all so far."""
    low, high = np.minimum.accumulate(x)[:-1], np.maximum.accumulate(x)[:-1]
    width = high - low
    outside = np.maximum(np.maximum(x[1:] - high, low - x[1:]), 0.0)
    excess = np.divide(outside, width, out=np.zeros_like(width), where=width > 0)
    excess[: detector.WARM_UP] = 0.0
    return np.concatenate([[0.0], np.log1p(excess / detector.RANGE_UNIT)])


@loop
def _tally(worth: Array, window: npt.NDArray[np.int64], best: Array, detections: npt.NDArray[np.bool_]) -> float:
    """`nab.tally` of one file: summed s outside the windows; `best` `(windows,)` is written, -9 where missed."""
    best[:] = -9.0
    outside = 0.0
    for i in range(len(detections)):
        if detections[i] and window[i] == -1:
            outside += worth[i]
        elif detections[i] and window[i] >= 0:
            best[window[i]] = max(best[window[i]], worth[i])
    return outside


def _tallies(files: Sequence[nab.LabelledFile], strengths: Sequence[Array]) -> list[list[nab.Tally]]:
    """For each opening strength, one tally per file."""
    found: list[list[nab.Tally]] = [[] for _ in OPENINGS]
    for file, strength in zip(files, strengths, strict=True):
        worth, window = nab.row_values(file)
        best = np.zeros(len(file.windows))
        for tallies, at in zip(found, OPENINGS, strict=True):
            outside = _tally(worth, window, best, nab.replay(strength, AlertConfig(), at))
            hit = best > -9.0
            tallies.append(nab.Tally(float(best[hit].sum()), int((~hit).sum()), outside, len(best)))
    return found


def folds(files: Sequence[nab.LabelledFile], seed: int = 0) -> dict[str, Array]:
    """Scores of each repeat of the cross-validation, by profile; each is chosen by the standard score."""
    random = np.random.default_rng(seed)
    extremes = [_extremes(file.values) for file in files]
    members: list[list[nab.Tally]] = []
    for kept in KEPT:
        statistics = [_statistics(file, kept) for file in files]
        for _ in range(MEMBERS // len(KEPT)):
            weights = (random.random(len(STATISTICS)) < 0.5) * random.choice([1.0, 2.0], len(STATISTICS))
            weights = 3.0 * weights / max(weights.sum(), 1.0)
            heaviest = random.choice([1.5, 3.0, 6.0])
            strengths = [weights @ one + heaviest * top for one, top in zip(statistics, extremes, strict=True)]
            members += _tallies(files, strengths)
    found: dict[str, list[float]] = {profile.name: [] for profile in nab.PROFILES}
    for _ in range(REPEATS):
        order = random.permutation(len(files))
        held_out: list[nab.Tally] = []
        for fold in np.array_split(order, SPLITS):
            train = np.setdiff1d(order, fold)
            scores = [nab.total([member[i] for i in train]).score(nab.STANDARD) for member in members]
            held_out += [members[int(np.argmax(scores))][i] for i in fold]
        for profile_of in nab.PROFILES:
            found[profile_of.name].append(nab.total(held_out).score(profile_of))
    return {name: np.array(scores) for name, scores in found.items()}
