"""The Numenta Anomaly Benchmark's scoring rules.

    s(y) = 2 / (1 + exp(5 y)) - 1                              (-1 beyond y = 3)
    hit in a window:     s(-(right - i + 1) / width) / s(-1)   the earliest detection i pays, others are free
    missed window:       -1           (low-FN: -2)
    false positive:      .11 s((i - right) / (width - 1))      of the last window; -.11 before any  (low-FP: .22)
    score = 100 (raw - null) / (perfect - null),   null: every window missed

The first min(floor(.15 n), 750) rows of a file are ignored. `width`, `left`, `right`, `i` count rows.
Source: Lavin and Ahmad 2015, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark",
and the benchmark's own `sweeper.py`, whose edge cases are followed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamrnn.anomaly import alerts as alert_logic
from streamrnn.anomaly.alerts import AlertConfig
from streamrnn.errors import ConfigurationError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Profile(NamedTuple):
    """What a false positive and a missed window cost; a perfect hit pays 1."""

    name: str
    false_positive: float
    missed_window: float


STANDARD = Profile("standard", 0.11, 1.0)
LOW_FALSE_POSITIVES = Profile("low-FP", 0.22, 1.0)
LOW_FALSE_NEGATIVES = Profile("low-FN", 0.11, 2.0)
PROFILES = (STANDARD, LOW_FALSE_POSITIVES, LOW_FALSE_NEGATIVES)
SWEEP = tuple(0.05 * i for i in range(1, 161))  # strengths tried by `alert_sweep`


class LabelledFile(NamedTuple):
    """One series of the benchmark with its labelled windows."""

    name: str  # "realKnownCause/nyc_taxi.csv"
    times: npt.NDArray[np.int64]  # (rows,) microseconds since 1970
    values: Array  # (rows,)
    windows: tuple[tuple[int, int], ...]  # first and last row of each, ascending

    @property
    def probation(self) -> int:
        """How many rows at the start are not scored."""
        return min(int(0.15 * len(self.values)), 750)


def load(folder: str | Path) -> list[LabelledFile]:
    """Read a folder laid out as `GROUP/FILE.csv` and `windows.json`, or a checkout of the benchmark itself.

    In a checkout the series are in `data/` and the windows in `labels/combined_windows.json`. Labelled series that
    are not there are left out, so that a part of the benchmark can be scored.

    Raises:
        ConfigurationError: there are no windows, no series, or a window that is not in its series.
    """
    folder = Path(folder)
    data = folder / "data" if (folder / "data").is_dir() else folder
    labels = next(
        (path for path in (folder / "windows.json", folder / "labels" / "combined_windows.json") if path.is_file()),
        None,
    )
    if labels is None:
        raise ConfigurationError(f"{folder}: no windows.json and no labels/combined_windows.json in it")
    windows = json.loads(labels.read_text())
    files = [_read(data / name, name, windows[name]) for name in sorted(windows) if (data / name).is_file()]
    if not files:
        raise ConfigurationError(f"{folder}: none of the series that {labels.name} names is there")
    return files


def _read(path: Path, name: str, labels: Sequence[Sequence[str]]) -> LabelledFile:
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    times = np.array([row[0] for row in rows], dtype="datetime64[us]").astype(np.int64)
    windows = []
    for first, last in labels:
        edges = [int(np.datetime64(datetime.fromisoformat(edge), "us").astype(np.int64)) for edge in (first, last)]
        inside = np.flatnonzero((times >= edges[0]) & (times <= edges[1]))
        if not inside.size:
            raise ConfigurationError(f"{path}: no row in the labelled window {first} to {last}")
        windows.append((int(inside[0]), int(inside[-1])))
    return LabelledFile(name, times, np.array([float(row[1]) for row in rows]), tuple(sorted(windows)))


def scaled_sigmoid(position: Array) -> Array:
    """s(y) above."""
    return np.where(position > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0)


def row_values(file: LabelledFile) -> tuple[Array, npt.NDArray[np.int64]]:
    """What a detection at each row is worth alone, and the window it is in (-1: none, -2: not scored).

    The worth is the pay of a hit inside a window, and s (negative, without the profile's factor) outside.
    """
    rows = np.arange(len(file.values))
    worth = np.full(len(rows), -1.0)
    window = np.full(len(rows), -1, np.int64)
    for first, last in file.windows:
        after = rows > last
        width = last - first + 1
        worth[after] = scaled_sigmoid((rows[after] - last) / max(width - 1.0, 1e-9))
    for number, (first, last) in enumerate(file.windows):
        inside = rows[first : last + 1]
        worth[inside] = scaled_sigmoid(-(last - inside + 1) / (last - first + 1)) / scaled_sigmoid(np.array(-1.0))
        window[inside] = number
    window[: file.probation] = -2
    return worth, window


class Tally(NamedTuple):
    """What detections earned in one or several files, before a profile weighs it."""

    hits: float  # summed pay of the windows hit
    missed: int  # windows without a hit
    false_positives: float  # summed s of the detections outside, negative
    windows: int

    def score(self, profile: Profile) -> float:
        """0: nothing detected, 100: every window at its first row and nothing else. NaN without windows."""
        if not self.windows:
            return float("nan")
        raw = self.hits - profile.missed_window * self.missed + profile.false_positive * self.false_positives
        null = -profile.missed_window * self.windows
        return 100.0 * (raw - null) / (self.windows - null)


def tally(file: LabelledFile, detections: Mask) -> Tally:
    """Count one file's detections, `(rows,)`."""
    worth, window = row_values(file)
    detected = np.asarray(detections, dtype=bool)
    hits, missed = 0.0, 0
    for number in range(len(file.windows)):
        paid = worth[detected & (window == number)]
        hits += float(paid.max(initial=0.0)) if paid.size else 0.0
        missed += not paid.size
    return Tally(hits, missed, float(worth[detected & (window == -1)].sum()), len(file.windows))


def total(tallies: Sequence[Tally]) -> Tally:
    """Several files together."""
    return Tally(
        sum(t.hits for t in tallies),
        sum(t.missed for t in tallies),
        sum(t.false_positives for t in tallies),
        sum(t.windows for t in tallies),
    )


def score(files: Sequence[LabelledFile], detections: Sequence[Mask]) -> dict[str, float]:
    """The three profiles' scores of detections, one `(rows,)` mask per file."""
    together = total([tally(file, mask) for file, mask in zip(files, detections, strict=True)])
    return {profile.name: together.score(profile) for profile in PROFILES}


def first_events(alerts: npt.NDArray[np.int64]) -> Mask:
    """Detections of a stream of alert ids `(rows,)`, 0 for none: the first event of each alert."""
    so_far = np.maximum.accumulate(alerts)
    return np.asarray(alerts > np.r_[0, so_far[:-1]])


def blind(files: Sequence[LabelledFile], every: int = 300) -> list[Mask]:
    """The baseline that looks at nothing: an alarm every so many rows."""
    return [np.arange(len(file.values)) % every == 0 for file in files]


def replay(strengths: Array, config: AlertConfig, open_at: float) -> Mask:
    """First events of the alerts that a detector's strengths `(rows,)` open at `open_at`, if nothing breaks a rest."""
    detections = np.zeros(len(strengths), dtype=bool)
    alert_logic.replay(
        config, np.zeros(alert_logic.COLUMNS, np.int64), np.asarray(strengths, float), open_at, detections
    )
    return detections


def alert_sweep(
    files: Sequence[LabelledFile], strengths: Sequence[Array], config: AlertConfig | None = None
) -> dict[str, tuple[float, float]]:
    """Per profile, the best single strength for the product's alerts to open at, and what it scores.

    The detector's state does not depend on when alerts open, so that one pass over the data serves all thresholds:
    its strengths are replayed through the alert logic for each of `SWEEP`.
    """
    best = {profile.name: (float("inf"), 0.0) for profile in PROFILES}
    for open_at in SWEEP:
        scores = score(files, [replay(one, config or AlertConfig(), open_at) for one in strengths])
        for name, value in scores.items():
            if value > best[name][1]:
                best[name] = (open_at, value)
    return best
