"""What feedback is worth: the same thing again, with and without a word on its first alert, and faults beside it.

    python -m benchmarks.feedback [--seeds 8]

Hourly series of ten weeks, a daily wave with noise (deviation 1) or a random walk around one. From the fourth week on
the same thing comes after five to ten days, never regularly (what is regular needs no word): a spike, an hour of it
longer or stronger each time by chance, or an episode of five hours, which people know to be harmless. Three faults of
other kinds stand between: a spike to the other side, a stuck sensor, a shift that stays for two days. Without a word,
and with `expected` after the first alert.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import orjson

from streamrnn.config.loading import load
from streamrnn.connectors.memory import MemoryRecord
from streamrnn.forecasting.model import ForecastModel
from streamrnn.records.events import EventDecoder

Float64 = npt.NDArray[np.float64]

HOUR_MS, START = 3_600_000, 1_767_225_600_000
HOURS, QUIET = 24 * 70, 24 * 21
AFTER = (0, 235, 384, 621, 743, 985)  # hours
LENGTHS = {"spike": 1, "two hours": 2, "episode": 5}
FAULTS = ("other side", "stuck", "shift")


def series(kind: str, background: str, seed: int) -> tuple[Float64, list[int], dict[str, int]]:
    """Values, where the harmless thing begins, and where the faults do."""
    random = np.random.Generator(np.random.Philox(key=seed))
    hours = np.arange(HOURS)
    values = 20 + 5 * np.sin(2 * np.pi * hours / 24) + random.normal(size=HOURS)
    if background == "walk":
        values += np.cumsum(0.1 * random.normal(size=HOURS))
    known = [QUIET + after for after in AFTER]
    for at in known:
        values[at : at + LENGTHS[kind]] += random.uniform(11, 15)
    faults = dict(zip(FAULTS, (known[2] + 70, known[3] + 70, known[4] + 70), strict=True))
    values[faults["other side"]] -= 13
    values[faults["stuck"] : faults["stuck"] + 60] = values[faults["stuck"]]
    values[faults["shift"] : faults["shift"] + 48] += 10
    return values, known, faults


def opened(values: Float64, said: tuple[int, int] | None = None) -> list[tuple[int, int]]:
    """(hour, number) of every alert; `said` is an hour and the alert that is expected then."""
    config = load(None, {"model.preset": "lite", "model.weights": "series"}, {})
    lines = []
    for hour, value in enumerate(values.tolist()):
        lines.append(orjson.dumps({"key": "a", "time": START + hour * HOUR_MS, "value": value}))
        if said is not None and said[0] == hour:
            lines.append(orjson.dumps({"feedback": "expected", "key": "a", "alert": said[1]}))
    decoded = EventDecoder(config.event).decode([MemoryRecord(i, None, None, one) for i, one in enumerate(lines)])
    model = ForecastModel(config)
    answers = model.process(decoded)
    model.close()
    assert not decoded.rejected
    at = answers.opened.nonzero()[0]
    return list(zip(at.tolist(), answers.alert[at].tolist(), strict=True))


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    print(f"{'':24}{'again':>16}{'other side':>16}{'stuck':>16}{'shift':>16}{'others':>16}")
    for background in ("wave", "walk"):
        for kind, length in LENGTHS.items():
            rows = []
            for seed in range(options.first, options.first + options.seeds):
                values, known, faults = series(kind, background, seed)
                plain = opened(values)
                first = [number for hour, number in plain if known[0] <= hour < known[0] + length + 3]
                if not first:
                    continue
                for alerts in (plain, opened(values, (known[0] + length + 3, first[0]))):
                    hours = {hour for hour, _ in alerts}
                    again = [bool(hours & {*range(at, at + length + 12)}) for at in known[1:]]
                    found = [bool(hours & {*range(at, at + 60)}) for at in faults.values()]
                    near = {hour for at in known for hour in range(at, at + length + 12)}
                    near |= {hour for at in faults.values() for hour in range(at, at + 72)}
                    rows.append([float(np.mean(again)), *found, len(hours - near)])
            table = np.array(rows, float)
            without, told = table[::2].mean(axis=0), table[1::2].mean(axis=0)
            cells = "".join(f"{a:8.2f} ->{b:5.2f}" for a, b in zip(without, told, strict=True))
            print(f"{background:6}{kind:12}n={len(table) // 2:<4}{cells}")


if __name__ == "__main__":
    main()
