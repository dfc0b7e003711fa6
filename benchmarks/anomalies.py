"""What docs/anomalies.md states about anomaly scores, alerts and early warning, measured again.

python benchmarks/anomalies.py                 # false alarms, faults, early warning, cost
python benchmarks/anomalies.py --quick         # the same on a tenth of the series
python benchmarks/anomalies.py --nab DIR       # the Numenta Anomaly Benchmark
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from fleet import COUNT, FAULT, FAULTS, answers, noise_of, sensors
from rich.console import Console

from streamrnn.anomaly import detector, early_warning
from streamrnn.config.tree import Config
from streamrnn.evaluation.nab_jobs import evaluate_folder, table
from streamrnn.forecasting.model import ForecastModel
from tests.anomaly import test_warning as foretold
from tests.anomaly.simulate import KINDS, scored, series, warned

SHARES = (0.5, 0.1, 1e-2, 1e-3)
EVENTS = 5000
WITHIN = 200  # events in which a fault counts as found
FLEET = 400  # none of the simulated sensors that constants were chosen on (those of seeds below 100)


def false_alarms(seeds: int) -> None:
    """Share of events of normal series that score above 1 - a, and alerts per 1,000 events."""
    print(f"\nFalse alarms: {seeds} series of {EVENTS} events; share of scores above 1 - a, over a")
    print(f"{'':<14}" + "".join(f"{f'a = {a:g}':>12}" for a in SHARES) + f"{'alerts/1000':>14}{'to 20,000':>12}")
    for kind in KINDS:
        results = [scored(*series(kind, seed, EVENTS)) for seed in range(seeds)]
        scores = np.array([result.score for result in results])
        alerts = np.mean([result.alert.max() for result in results]) / EVENTS * 1000
        longer = np.mean([scored(*series(kind, seed, 20_000)).alert.max() for seed in range(max(seeds // 5, 2))]) / 20
        shares = [(scores > 1 - a).mean() / a for a in SHARES]
        print(f"{kind:<14}" + "".join(f"{share:12.2f}" for share in shares) + f"{alerts:14.2f}{longer:12.2f}")


def faults(number: int) -> None:
    """How many of a fleet's faults open an alert, and how soon."""
    print(f"\nFaults: {number} simulated sensors each, default configuration; found within {WITHIN} events")
    print(f"{'':<26}{'at once':>10}{'within 30':>11}{'found':>8}{'median delay':>14}")
    clean = sensors(number, seed=FLEET)
    size = noise_of(clean)
    for name, inject in FAULTS.items():
        values = clean.copy()
        inject(values, size)
        _, said = answers(values)
        flagged = said.is_anomaly.reshape(COUNT, number)[FAULT : FAULT + WITHIN]
        before = said.is_anomaly.reshape(COUNT, number)[FAULT - 1]
        delay = np.where(flagged.any(0), flagged.argmax(0), 10**6)[~before]
        median = np.median(delay[delay < 10**6]) if (delay < 10**6).any() else np.nan
        at_once, soon, found = (delay == 0).mean(), (delay < 30).mean(), (delay < 10**6).mean()
        print(f"{name:<26}{at_once:10.1%}{soon:11.1%}{found:8.1%}{median:14.0f}")


def spikes(seeds: int) -> None:
    """How spikes are found in young series, and spikes that follow each other; forecasts are ideal."""
    kinds, ages, again = ("white noise", "AR(2)", "seasonal"), (200, 300, 400, 600, 800), np.arange(1500, 4500, 300)
    young, later = [], []
    for kind in kinds:
        for seed in range(1000, 1000 + seeds):
            for age in ages:
                values, expected = series(kind, seed, age + 1)
                values[age] += 8
                young.append(scored(values, expected).is_anomaly[age])
            values, expected = series(kind, seed, int(again[-1]) + 1)
            values[again] += 8 if seed % 2 else -8
            later.append(scored(values, expected).is_anomaly[again])
    print(f"\nSpikes of 8 deviations beside ideal forecasts, {len(kinds) * seeds} series each; flagged at once")
    shares = np.reshape(young, (-1, len(ages))).mean(axis=0)
    print(
        "after so many events:  " + "".join(f"{age:>7}: {share:.0%}" for age, share in zip(ages, shares, strict=True))
    )
    print("one every 300 events:  " + "".join(f"{share:>7.0%}" for share in np.mean(later, axis=0)))


def warnings(seeds: int) -> None:
    """Reliability, Brier scores and lead times of early warning on simulated approaches to a limit."""
    print(f"\nEarly warning: {seeds} series each, horizon {foretold.HORIZON}; worst tenth with 200 cases, Brier scores")
    print(f"{'':<10}{'worst':>8}{'Brier':>9}{'climate':>9}{'line':>8}{'announced':>11}{'median lead':>13}")
    for make in (foretold.ramps, foretold.peaks, foretold.walks):
        stated, happened, lines, leads, crossings = [], [], [], [], 0
        for seed in range(seeds):
            values, forecasts = make(seed)
            _, outcome = warned(values[:, None], forecasts[:, :, None], [(None, foretold.LIMIT)])
            at = np.arange(foretold.COUNT)
            use = (at >= foretold.LEARNED) & (at < foretold.COUNT - foretold.HORIZON) & (values <= foretold.LIMIT)
            stated.append(outcome[use, early_warning.PROBABILITY])
            happened.append(foretold.outcomes(values)[use])
            lines.append(foretold.line(values)[use])
            above = values > foretold.LIMIT
            for c in np.flatnonzero(above[1:] & ~above[:-1]) + 1:
                if c > foretold.LEARNED and not above[c - 30 : c].any():
                    crossings += 1
                    warns = np.flatnonzero(outcome[c - foretold.HORIZON : c, early_warning.WARN])
                    leads += [foretold.HORIZON - warns[0]] if len(warns) else []
        p, y, naive = np.concatenate(stated), np.concatenate(happened), np.concatenate(lines)
        tenths = [(p >= t / 10) & (p < (t + 1) / 10) for t in range(10)]
        worst = max(abs(p[i].mean() - y[i].mean()) for i in tenths if i.sum() >= 200)
        brier, climate, line = ((p - y) ** 2).mean(), ((y.mean() - y) ** 2).mean(), ((naive - y) ** 2).mean()
        announced = len(leads) / max(crossings, 1)
        lead = np.median(leads) if leads else np.nan
        print(f"{make.__name__:<10}{worst:8.3f}{brier:9.4f}{climate:9.4f}{line:8.4f}{announced:11.0%}{lead:13.0f}")


def cost() -> None:
    """Microseconds an event and bytes a series, beside the whole model's."""
    values, expected = series("seasonal", 0, 100_000)
    scored(values[:100], expected[:100])
    times = []
    for _ in range(5):
        began = time.perf_counter()
        scored(values, expected)
        times.append((time.perf_counter() - began) / len(values) * 1e6)
    fleet = sensors(4, 2000)
    answers(fleet[:10])
    began = time.perf_counter()
    model, _ = answers(fleet)
    whole = (time.perf_counter() - began) / fleet.size * 1e6
    state = detector.allocate(detector.AnomalyConfig(targets=1), 1)
    own = sum(array.nbytes for array in state)
    print(f"\nCost: scoring {min(times):.2f} us an event, {min(times) / whole:.1%} of the model's {whole:.1f} us")
    print(f"      {own:,} bytes a series of the model's {model.bytes_per_series:,}")
    assert isinstance(model, ForecastModel)


def benchmark(folder: Path) -> None:
    """The Numenta Anomaly Benchmark: as published, best threshold, blind."""
    console = Console(width=110)
    console.print(table(evaluate_folder(folder, Config(), processes=1, console=console)))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--nab", type=Path, metavar="DIR", help="a checkout of the benchmark, or a part of it")
    arguments = parser.parse_args()
    if arguments.nab:
        benchmark(arguments.nab)
        return
    few = 10 if arguments.quick else 1
    false_alarms(100 // few)
    faults(600 // few)
    spikes(100 // few)
    warnings(20 // min(few, 5))
    cost()


if __name__ == "__main__":
    main()
