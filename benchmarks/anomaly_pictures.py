"""Draws the pictures of docs/anomalies.md from simulated sensors, and real series, run through the whole model.

python benchmarks/anomaly_pictures.py docs/images                # simulated
python benchmarks/anomaly_pictures.py docs/images --nab DIR      # also from the Numenta Anomaly Benchmark
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fleet import COUNT, FAULT, FAULTS, answers, noise_of, sensors

from streamrnn.anomaly.detector import CHANNEL_NAMES
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.evaluation import nab
from streamrnn.forecasting.answers import Answers
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded

Array = npt.NDArray[np.float64]

WIDTH, HEIGHT, GAP, LEFT = 760, 64, 30, 8
BEFORE, AFTER = 300, 150  # events shown on either side of where the fault begins
LIMIT = 3.0
INK, BLUE, RED, GRAY, SHADE = "#333333", "#2b6cb0", "#c53030", "#a0aec0", "#fbe9c6"


def line(values: Array, top: float, height: float, color: str, low: float, high: float) -> str:
    """A polyline of `values` in a strip; gaps where they are missing."""
    x = LEFT + np.arange(len(values)) * (WIDTH - 2 * LEFT) / (len(values) - 1)
    y = top + height - (np.clip(values, low, high) - low) / max(high - low, 1e-12) * height
    parts, pen = [], False
    for a, b in zip(x, y, strict=True):
        if np.isnan(b):
            pen = False
            continue
        parts.append(f"{'L' if pen else 'M'}{a:.1f} {b:.1f}")
        pen = True
    return f'<path d="{"".join(parts)}" fill="none" stroke="{color}" stroke-width="1"/>'


def text(x: float, y: float, words: str, color: str = INK) -> str:
    """A label."""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-family="sans-serif" font-size="12" fill="{color}">{words}</text>'


def document(parts: list[str], height: int) -> str:
    """The whole picture."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def strip(readings: Array, flagged: npt.NDArray[np.intp], top: float, title: str, said: str) -> list[str]:
    """Readings with a title and what was said of them; flagged events in red below."""
    scale = (WIDTH - 2 * LEFT) / (len(readings) - 1)
    bar = f'y="{top + HEIGHT + 21}" width="{scale + 0.3:.2f}" height="4" fill="{RED}"'
    return [
        text(LEFT, top + 12, title),
        text(WIDTH - 330, top + 12, said, RED),
        line(readings, top + 18, HEIGHT, BLUE, np.nanmin(readings), np.nanmax(readings)),
        *(f'<rect x="{LEFT + i * scale:.1f}" {bar}/>' for i in flagged),
    ]


def faults() -> str:
    """One strip per fault: the readings, alerts in red below them, and the channel that was strongest."""
    clean = sensors(1)
    size, parts, top = noise_of(clean), [], 8
    for name, inject in FAULTS.items():
        values = clean.copy()
        inject(values, size)
        _, said = answers(values)
        shown = slice(FAULT - BEFORE, FAULT + AFTER)
        flagged = np.flatnonzero(said.is_anomaly[shown])
        when = ""
        if (after := flagged[flagged >= BEFORE]).size:
            first = int(after[0])
            channel = CHANNEL_NAMES[int(said.channel[shown][first])]
            when = f"alert {f'{first - BEFORE} events later' if first > BEFORE else 'at once'}, by {channel}"
        x = LEFT + BEFORE * (WIDTH - 2 * LEFT) / (BEFORE + AFTER - 1)
        parts.append(f'<path d="M{x:.1f} {top + 16}v{HEIGHT + 6}" stroke="{GRAY}" stroke-dasharray="3 3"/>')
        parts += strip(values[shown, 0], flagged, top, name, when)
        top += HEIGHT + GAP + 8
    return document(parts, top)


def real(folder: Path) -> str:
    """Per channel, the alert it drove on a real series of the benchmark that it found strangest; labels shaded."""
    best: dict[int, tuple[bool, float, nab.LabelledFile, int, Answers]] = {}
    nothing: Any = []
    for file in nab.load(folder):
        if file.name.startswith("artificial"):
            continue
        count = len(file.values)
        no_features = np.zeros((count, 0))
        decoded = Decoded(["s"] * count, file.times, file.values[:, None].copy(), no_features, nothing, [])
        said = ForecastModel(Config()).process(decoded)
        for event in np.flatnonzero(nab.first_events(said.alert)).tolist():
            if not file.probation <= event < count - AFTER:
                continue
            channel = int(said.channel[event])
            labelled = any(first <= event <= last for first, last in file.windows)
            found = (labelled, float(said.channels[event, channel]))
            if channel not in best or found > best[channel][:2]:
                best[channel] = (*found, file, event, said)
    parts, top = [], 8
    for channel, (_, _, file, event, said) in sorted(best.items()):
        start = max(event - BEFORE, 0)
        shown = slice(start, event + AFTER)
        scale = (WIDTH - 2 * LEFT) / (event + AFTER - start - 1)
        for first, last in file.windows:
            left, right = max(first, start), min(last, event + AFTER - 1)
            if left < right:
                x, width = LEFT + (left - start) * scale, (right - left) * scale
                shade = f'width="{width:.1f}" height="{HEIGHT + 4}" fill="{SHADE}"'
                parts.append(f'<rect x="{x:.1f}" y="{top + 16}" {shade}/>')
        flagged = np.flatnonzero(said.is_anomaly[shown])
        parts += strip(file.values[shown], flagged, top, file.name, f"alert by {CHANNEL_NAMES[channel]}")
        top += HEIGHT + GAP + 8
    return document(parts, top)


def warning() -> str:
    """A sensor that climbs towards its limit, and the probability of crossing it within the next twelve events."""
    random, count = np.random.default_rng(3), 2400
    climb = np.abs(np.arange(count) % 400 - 200) / 200.0
    values = (3.5 * climb + 0.15 * random.standard_normal(count))[:, None]
    config = load(None, {"model.horizon": 12, "anomaly.limits": {"value": {"upper": LIMIT}}}, {})
    _, said = answers(values, config)
    shown = slice(count - 1000, count)
    readings, low, high = values[shown, 0], float(values.min()), float(values.max())
    y = 24 + 100 - (LIMIT - low) / (high - low) * 100
    parts = [
        text(LEFT, 14, "readings, and the declared limit"),
        f'<path d="M{LEFT} {y:.1f}H{WIDTH - LEFT}" stroke="{RED}" stroke-dasharray="4 3"/>',
        line(readings, 24, 100, BLUE, low, high),
        text(LEFT, 146, "probability of crossing it within 12 events; a warning from 0.5 on"),
        f'<path d="M{LEFT} 180H{WIDTH - LEFT}" stroke="{GRAY}" stroke-dasharray="3 3"/>',
        line(said.warning[shown, 0], 152, 56, RED, 0.0, 1.0),
    ]
    return document(parts, 216)


def main() -> None:
    """Write the pictures into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nab", type=Path, metavar="DIR", help="a checkout of the benchmark, or a part of it")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "faults.svg").write_text(faults())
    (arguments.folder / "warning.svg").write_text(warning())
    if arguments.nab:
        (arguments.folder / "channels.svg").write_text(real(arguments.nab))


if __name__ == "__main__":
    assert COUNT >= FAULT + AFTER
    main()
