"""The product's alerts on labelled operations metrics, beside three simple detectors at the same number of alerts.

python benchmarks/operations.py FOLDER [--long DATA LABELS]...

Every `NAME-NN.csv` or `.csv.gz` in FOLDER is a series with columns time, value and label (0 or 1); what stands before
the last hyphen is its family. DATA is a family in one file, with columns time, key and a value; LABELS has the time and
key of every labelled event. Every second file of a family, by name, is one half: constants were chosen with the first
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


Series = tuple[np.ndarray, np.ndarray, np.ndarray]


def read(path: Path) -> Series:
    """Times, values and labels, in order of time."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    times = np.array([row["time"].removesuffix("Z") for row in rows], "datetime64[us]").astype(np.int64)
    values = np.array([float(row["value"] or "nan") for row in rows])
    labels = np.array([int(row["label"] or 0) > 0 for row in rows])
    order = np.argsort(times, kind="stable")
    return times[order], values[order], labels[order]


def read_long(data: Path, labels: Path) -> dict[str, Series]:
    """The series of a family in one file, by key in order."""
    with labels.open(encoding="utf-8") as stream:
        labelled = {(row["time"], row["key"]) for row in csv.DictReader(stream)}
    rows = defaultdict(list)
    with gzip.open(data, "rt") if data.suffix == ".gz" else data.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            [value] = (text for name, text in row.items() if name not in ("time", "key"))
            is_labelled = (row["time"], row["key"]) in labelled
            rows[row["key"]].append((row["time"].removesuffix("Z"), float(value or "nan"), is_labelled))
    found = {}
    for key in sorted(rows):
        when, values, labelled_at = zip(*sorted(rows[key]), strict=True)
        times = np.array(when, "datetime64[us]").astype(np.int64)
        found[key] = times, np.array(values), np.array(labelled_at)
    return found


def judged(name: str, one: Series) -> Judged:
    """The product at its defaults over one series."""
    times, values, labels = one
    model = ForecastModel(Config())
    nothing = np.zeros((len(times), 0))
    answers = model.process(Decoded(["s"] * len(times), times, values[:, None], nothing, [], []))
    bounds = answers.lower[:, 0, 0], answers.upper[:, 0, 0]
    return Judged(
        name, times, values, answers.expected[:, 0], *bounds, answers.strength, answers.opened, windows_of(labels)
    )


def main() -> None:
    """Print one line per half of a family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--long", type=Path, nargs=2, action="append", default=[], metavar=("DATA", "LABELS"))
    arguments = parser.parse_args()
    families: dict[str, dict[str, Series]] = defaultdict(dict)
    for path in sorted(arguments.folder.glob("*.csv*")):
        families[path.name.rpartition("-")[0]][path.name] = read(path)
    for data, labels in arguments.long:
        families[data.name.partition(".")[0]] = read_long(data, labels)
    ratios: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    print(f"{'':<22}{'alerts':>8}{'F1':>7}" + "".join(f"{name:>12}" for name in NAMES) + f"{'AUC-PR':>9}{'best':>7}")
    for family, members in families.items():
        for half in (0, 1):
            series = [judged(name, members[name]) for name in [*members][half::2]]
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
            print(line + "".join(f"{f1:>12.2f}" for f1 in f1s) + f"{own:>9.2f}{max(areas):>7.2f}", flush=True)
            ratios[half].append(((found["f1"] or 0.0) / max(*f1s, 1e-9), own / max(areas)))
    for half, both in ratios.items():
        f1, points = np.mean(both, axis=0)
        print(f"half {half}, over the best simple one: F1 {f1:.2f}, at worst {min(both)[0]:.2f}; AUC-PR {points:.2f}")


def _mask(series: Judged) -> np.ndarray:
    mask = np.zeros(len(series.times))
    for begin, end in series.windows:
        mask[begin : end + 1] = 1.0
    return mask


if __name__ == "__main__":
    main()
