"""The product's alerts on labelled operations metrics, beside three simple detectors at the same number of alerts.

python benchmarks/operations.py FOLDER

Every `NAME-NN.csv` or `.csv.gz` in FOLDER is a series with columns time, value and label (0 or 1); what stands before
the last hyphen is its family. Every second file of a family, by name, is one half: constants were chosen with the first
in view. An alert hits a label it opens in, or up to three events before (`streamrnn/evaluation/alert_scores.py`).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from simple_detectors import NAMES, at_number, scores

from streamrnn.config.tree import Config
from streamrnn.evaluation.alert_scores import Judged, area, event_scores, windows_of
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import Decoded

RESTS = (12, 24, 60)  # of the simple detectors; the best counts


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, values and labels, in order of time."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    times = np.array([row["time"].removesuffix("Z") for row in rows], "datetime64[us]").astype(np.int64)
    values = np.array([float(row["value"] or "nan") for row in rows])
    labels = np.array([int(row["label"] or 0) > 0 for row in rows])
    order = np.argsort(times, kind="stable")
    return times[order], values[order], labels[order]


def judged(path: Path) -> Judged:
    """The product at its defaults over one file."""
    times, values, labels = read(path)
    model = ForecastModel(Config())
    nothing = np.zeros((len(times), 0))
    answers = model.process(Decoded(["s"] * len(times), times, values[:, None], nothing, [], []))
    bounds = answers.lower[:, 0, 0], answers.upper[:, 0, 0]
    return Judged(
        path.name, times, values, answers.expected[:, 0], *bounds, answers.strength, answers.opened, windows_of(labels)
    )


def main() -> None:
    """Print one line per half of a family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    families = defaultdict(list)
    for path in sorted(parser.parse_args().folder.glob("*.csv*")):
        families[path.name.rpartition("-")[0]].append(path)
    print(f"{'':<22}{'alerts':>8}{'F1':>7}" + "".join(f"{name:>12}" for name in NAMES) + f"{'AUC-PR':>9}{'best':>7}")
    for family, paths in families.items():
        for half in (0, 1):
            series = [judged(path) for path in paths[half::2]]
            if not series:
                continue
            found = event_scores(series)
            simple = [scores(one.times, one.observed) for one in series]
            label = np.concatenate([_mask(one) for one in series])
            own = area(np.concatenate([one.strength for one in series]), label)
            f1s, areas = [], []
            for k in range(len(NAMES)):
                scored = [one[k] for one in simple]
                alerts = [at_number(scored, found["alerts"], rest) for rest in RESTS]
                f1s.append(
                    max(
                        event_scores([one._replace(opened=o) for one, o in zip(series, masks, strict=True)])["f1"]
                        or 0.0
                        for masks in alerts
                    )
                )
                areas.append(area(np.concatenate(scored), label))
            line = f"{family + ', half ' + str(half):<22}{found['alerts']:>8}{found['f1'] or 0.0:>7.2f}"
            print(line + "".join(f"{f1:>12.2f}" for f1 in f1s) + f"{own:>9.2f}{max(areas):>7.2f}")


def _mask(series: Judged) -> np.ndarray:
    mask = np.zeros(len(series.times))
    for begin, end in series.windows:
        mask[begin : end + 1] = 1.0
    return mask


if __name__ == "__main__":
    main()
