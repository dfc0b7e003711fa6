"""Draws the pictures of docs/anomalies.md from simulated sensors run through the whole model.

python benchmarks/anomaly_pictures.py docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fleet import COUNT, FAULT, FAULTS, answers, noise_of, sensors

from streamrnn.config import load
from streamrnn.online.anomaly import CHANNEL_NAMES

Array = npt.NDArray[np.float64]

WIDTH, HEIGHT, GAP, LEFT = 760, 64, 30, 8
BEFORE, AFTER = 300, 150  # events shown on either side of where the fault begins
LIMIT = 3.0
INK, BLUE, RED, GRAY = "#333333", "#2b6cb0", "#c53030", "#a0aec0"


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


def faults() -> str:
    """One strip per fault: the readings, alerts in red below them, and the channel that was strongest."""
    clean = sensors(1)
    size, parts, top = noise_of(clean), [], 8
    for name, inject in FAULTS.items():
        values = clean.copy()
        inject(values, size)
        _, said = answers(values)
        shown = slice(FAULT - BEFORE, FAULT + AFTER)
        readings = values[shown, 0]
        flagged = np.flatnonzero(said.is_anomaly[shown])
        scale = (WIDTH - 2 * LEFT) / (BEFORE + AFTER - 1)
        parts.append(text(LEFT, top + 12, name))
        if (after := flagged[flagged >= BEFORE]).size:
            first = int(after[0])
            channel = CHANNEL_NAMES[int(said.channel[shown][first])]
            when = f"{first - BEFORE} events later" if first > BEFORE else "at once"
            parts.append(text(WIDTH - 330, top + 12, f"alert {when}, by {channel}", RED))
        x = LEFT + BEFORE * scale
        parts.append(f'<path d="M{x:.1f} {top + 16}v{HEIGHT + 6}" stroke="{GRAY}" stroke-dasharray="3 3"/>')
        parts.append(line(readings, top + 18, HEIGHT, BLUE, np.nanmin(readings), np.nanmax(readings)))
        bar = f'y="{top + HEIGHT + 21}" width="{scale + 0.3:.2f}" height="4" fill="{RED}"'
        parts += [f'<rect x="{LEFT + i * scale:.1f}" {bar}/>' for i in flagged]
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
    """Write both pictures into the folder given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.svg").write_text(faults())
    (folder / "warning.svg").write_text(warning())


if __name__ == "__main__":
    assert COUNT >= FAULT + AFTER
    main()
