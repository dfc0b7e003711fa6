"""How fast the recurrent core learns, as ratios measured in one run.

    python benchmarks/core.py            # every cell, size and window; a few minutes
    python benchmarks/core.py --quick    # what the floors in floors.json speak of; exit code 1 below a floor

For each row: microseconds per event (forward, loss, way back, Adam), the useful floating-point operations of its
matrix products as a share of this machine's own single-core sgemm, and how many times faster than `plain_numpy.py`.
Where torch is installed, the same update with torch.nn.GRU and autograd.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from plain_numpy import PlainLearner  # noqa: E402

from streamrnn.cells.dense import Dense, Network  # noqa: E402
from streamrnn.cells.gru import GRU  # noqa: E402
from streamrnn.cells.lru import LRU  # noqa: E402
from streamrnn.cells.lstm import LSTM  # noqa: E402
from streamrnn.cells.mlp import make_mlp  # noqa: E402
from streamrnn.config.tree import Config  # noqa: E402
from streamrnn.forecasting.model import ForecastModel  # noqa: E402
from streamrnn.learning.learner import Learner, make_settings  # noqa: E402
from streamrnn.learning.losses import make_loss  # noqa: E402
from streamrnn.learning.optimizers import make_optimizer  # noqa: E402
from streamrnn.records.events import Decoded  # noqa: E402

INPUTS = 8
CELLS: dict[str, Callable[[int], Any]] = {
    "gru": lambda size: GRU(INPUTS, size),
    "lstm": lambda size: LSTM(INPUTS, size),
    "mlp": lambda size: make_mlp(INPUTS, (size,)),
    "lru": lambda size: LRU(INPUTS, size),
}
SIZES = (16, 32, 64, 128)
WINDOWS = ((1, 16), (16, 16), (8, 32))
ROUNDS = 9


def matrix_weights(cell: str, size: int) -> tuple[int, int]:
    """Weights multiplied in a step, and those among them the error flows back through."""
    if cell == "lru":
        output = (INPUTS + 2 * size) * 2 * size
        return INPUTS * 2 * size + output, output
    gates = {"gru": 3, "lstm": 4, "mlp": 1}[cell]
    return (INPUTS + size) * gates * size, size * gates * size


def operations(cell: str, size: int, update_every: int, truncation: int) -> float:
    """Useful floating-point operations per event: the products only, two a weight."""
    weights, back = matrix_weights(cell, size)
    return 2.0 * weights + 2.0 * (weights + back) * truncation / update_every


def seconds(work: Callable[[], Any]) -> float:
    """Processor time of a call, which other processes do not lengthen as they do the time on the wall."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def sgemm() -> float:
    """Operations per second of numpy's single-threaded float32 product."""
    a = np.random.default_rng(0).random((512, 512)).astype(np.float32)
    return 2.0 * 512**3 / min(seconds(lambda: a @ a) for _ in range(10))


def stream(events: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (events, INPUTS) and targets (events,): a noisy wave, itself the first input."""
    random = np.random.default_rng(1)
    y = np.sin(np.arange(events) / 5.0) + 0.1 * random.normal(size=events)
    x = random.normal(size=(events, INPUTS)).astype(np.float32)
    x[:, 0] = y
    return x, y


def ours(cell: str, size: int, update_every: int, truncation: int, rows: int = 1) -> Learner:
    """The compiled learner, with the squared loss and Adam."""
    return Learner(
        Network(CELLS[cell](size), Dense(size, 1)),
        make_settings(truncation_length=truncation, update_every=update_every),
        make_loss("squared"),
        make_optimizer("adam", 1e-3),
        rows=rows,
    )


def torch_learner(size: int, update_every: int, truncation: int) -> Callable[[np.ndarray, np.ndarray], None] | None:
    """The same update with torch.nn.GRU and autograd, or None without torch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    gru, head = torch.nn.GRU(INPUTS, size), torch.nn.Linear(size, 1)
    optimizer = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=1e-3)
    hidden: list[Any] = [torch.zeros(1, 1, size)]

    def learn(x: np.ndarray, y: np.ndarray) -> None:
        inputs, targets = torch.from_numpy(x)[:, None, :], torch.from_numpy(y.astype(np.float32))
        for e in range(len(y) - 1):
            with torch.no_grad():  # the forecast every event asks for
                out, after = gru(inputs[e : e + 1], hidden[-1])
                head(out)
            hidden.append(after)
            del hidden[: -truncation - 1]
            if (e + 1) % update_every == 0 and e + 1 >= truncation:
                out, _ = gru(inputs[e + 1 - truncation : e + 1], hidden[0])
                made = head(out[-update_every:, 0, :])[:, 0]
                loss = 0.5 * ((made - targets[e + 2 - update_every : e + 2]) ** 2).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return learn


def measure(cell: str, size: int, update_every: int, truncation: int) -> dict[str, float]:
    """Medians of ratios over interleaved rounds, so that a busy machine slows all of them alike."""
    learner, plain = (
        ours(cell, size, update_every, truncation),
        PlainLearner(cell, INPUTS, size, update_every, truncation),
    )
    with_torch = torch_learner(size, update_every, truncation) if cell == "gru" else None
    many, few = 128_000 // size, max(4 * truncation, 3200 // size)
    x, y = stream(many)
    rows = np.zeros(many, np.int64)

    def run_plain() -> None:
        for e in range(few):
            plain.learn_one(x[e], float(y[e]))

    learner.learn_many(rows[:100], x[:100], y[:100, None])
    taken: dict[str, list[float]] = {"us": [], "share": [], "numpy": [], "torch": []}
    for _ in range(ROUNDS):
        peak = sgemm()
        own = seconds(lambda: learner.learn_many(rows, x, y[:, None])) / many
        taken["us"].append(own * 1e6)
        taken["share"].append(operations(cell, size, update_every, truncation) / own / peak)
        taken["numpy"].append(seconds(run_plain) / few / own)
        if with_torch is not None:
            taken["torch"].append(seconds(lambda: with_torch(x[:few], y[:few])) / few / own)
    return {name: statistics.median(values) for name, values in taken.items() if values}


def series_cost(counts: tuple[int, ...] = (10, 1000, 100_000), events: int = 200_000) -> dict[int, float]:
    """Microseconds per event of a GRU 32 (16, 16) with events of random series, by number of series."""
    learners = {}
    for count in counts:
        learner = ours("gru", 32, 16, 16, rows=count)
        for event in range(18 + 15):  # every tape full, and as many series due for an update at any time
            part = np.flatnonzero(np.arange(count) % 16 >= event - 18)
            x, y = stream(part.size)
            learner.learn_many(part, x, y[:, None])
        learners[count] = learner
    x, y = stream(events)
    taken: dict[int, list[float]] = {count: [] for count in counts}
    random = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for count, learner in learners.items():
            rows = random.integers(0, count, events)
            own = seconds(lambda rows=rows, learner=learner: learner.learn_many(rows, x, y[:, None]))  # type: ignore[misc]
            taken[count].append(own / events * 1e6)
    return {count: statistics.median(values) for count, values in taken.items()}


def model_cost(preset: str, counts: tuple[int, ...] = (10, 20_000), events: int = 20_000) -> dict[int, float]:
    """Microseconds per event of the whole model with events of random series, by number of series."""
    models = {count: ForecastModel(Config.model_validate({"model": {"preset": preset}})) for count in counts}
    random = np.random.default_rng(0)
    nothing: Any = []

    def some(rows: np.ndarray, hours: np.ndarray) -> Decoded:
        x = np.sin(hours / 4.0 + rows)[:, None] + 0.1 * random.normal(size=(rows.size, 1))
        times = (hours * 3_600_000_000).astype(np.int64)
        return Decoded([f"series {row}" for row in rows], times, x, np.zeros((rows.size, 0)), nothing, [])

    for count, model in models.items():
        for hour in range(40):
            model.process(some(np.arange(count), np.full(count, float(hour))))
    taken: dict[int, list[float]] = {count: [] for count in counts}
    for turn in range(ROUNDS):
        for count, model in models.items():
            batch = some(random.integers(0, count, events), 40.0 + (turn + np.arange(events) / events) * events / count)
            taken[count].append(seconds(lambda model=model, batch=batch: model.process(batch)) / events * 1e6)  # type: ignore[misc]
    return {count: statistics.median(values) for count, values in taken.items()}


def main() -> int:
    """Print the table; 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only what has a floor")
    parser.add_argument("--no-series", action="store_true", help="leave out many series (4 GB)")
    arguments = parser.parse_args()
    print("compiling the kernels of the cells (once, then cached) ...", file=sys.stderr, flush=True)
    wanted = [(c, s, w) for c in CELLS for s in SIZES for w in WINDOWS]
    if arguments.quick:
        wanted = [("gru", 64, (16, 16)), ("gru", 32, (16, 16)), ("gru", 32, (1, 16))]
    measured = {}
    print(f"{'cell':5} {'size':>4} {'every, steps':>12} {'us/event':>9} {'of sgemm':>8} {'x numpy':>8} {'x torch':>8}")
    for cell, size, (every, steps) in wanted:
        row = measure(cell, size, every, steps)
        torch = f"{row['torch']:8.0f}" if "torch" in row else f"{'-':>8}"
        print(
            f"{cell:5} {size:4} {every:6}, {steps:4} {row['us']:9.2f} {row['share']:8.1%} {row['numpy']:8.0f} {torch}",
            flush=True,
        )
        for name in ("share", "numpy", "torch"):
            if name in row:
                measured[f"{cell} {size} ({every}, {steps}) {name}"] = row[name]
    if not arguments.no_series:
        cost = series_cost()
        print("GRU 32 (16, 16), us/event by number of series:", {n: round(us, 2) for n, us in cost.items()})
        measured["series 10 / 100000"] = cost[10] / cost[100_000]
        for preset in ("lite", "standard"):
            cost = model_cost(preset)
            print(f"{preset} model, us/event by number of series:", {n: round(us, 2) for n, us in cost.items()})
            measured[f"{preset} series 10 / 20000"] = cost[10] / cost[20_000]
    floors = json.loads((Path(__file__).parent / "floors.json").read_text()).get("core", {})
    missed = {
        name: (measured[name], floor) for name, floor in floors.items() if name in measured and measured[name] < floor
    }
    for name, (value, floor) in missed.items():
        print(f"below its floor: {name} is {value:.3g}, floor {floor}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
