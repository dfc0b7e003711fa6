"""Our estimators against river's and deep-river's, on what those projects use themselves.

    python benchmarks/estimators.py accuracy      # progressive validation against river's linear models and trees
    python benchmarks/estimators.py speed         # learn_one + predict_one, beside the bare compiled learner
    python benchmarks/estimators.py deep-river    # deep-river's own forecasting benchmark, where it is installed

deep-river 0.3.4 does not go with river 0.26, so the last one wants an environment of its own (2.5 GB, mostly torch):

    python -m venv /tmp/deep-river && /tmp/deep-river/bin/pip install deep-river==0.3.4 pytest -e .
    /tmp/deep-river/bin/python benchmarks/estimators.py deep-river

Its protocol and the settings of its models are those of `benchmarks/tracks.py` and `benchmarks/config.py` of that
project (May 2026): targets only, three steps ahead, the first 12 events not scored; mean absolute error over the steps.
The three values are asked for before the current one is told, and held against the three after it. A second table
gives every forecaster the data's other columns too, as river's `evaluate.evaluate` does, the others without the months,
which are no numbers. Times are of the processor, for one `forecast` and one `learn_one`; errors and times are medians
of five turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from river import datasets, dummy, linear_model, metrics, multiclass, preprocessing, stats, time_series, tree
from river.datasets import synth

import streamrnn

HORIZON, GRACE = 3, 12
ROUNDS = 9
TURNS = 5  # of every forecaster; deep-river seeds torch, so only the first model made draws other weights


def scaled(model: Any) -> Any:
    """As river's users do it."""
    return preprocessing.StandardScaler() | model


def streams() -> dict[str, tuple[str, Callable[[], Iterable[Any]]]]:
    """Name: task and stream. The drifting ones change thrice in 10,000 events, or twice."""
    friedman = {
        "lea": {"position": (2000, 5000, 8000)},
        "gra": {"position": (3500, 6500)},
        "gsg": {"position": (3500, 6500), "transition_window": 1000},
    }
    return {
        "TrumpApproval": ("regression", datasets.TrumpApproval),
        "ChickWeights": ("regression", datasets.ChickWeights),
        **{
            f"FriedmanDrift {kind}": (
                "regression",
                lambda kind=kind, more=more: synth.FriedmanDrift(drift_type=kind, seed=42, **more).take(10_000),
            )
            for kind, more in friedman.items()
        },
        "Phishing": ("classification", datasets.Phishing),
        "ImageSegments": ("classification", datasets.ImageSegments),
        "five events ago": ("classification", lambda: five_ago(12_000)),
    }


def five_ago(events: int) -> Iterable[Any]:
    """The class is a coin that was thrown five events before; two numbers have nothing to do with it."""
    random = np.random.default_rng(0)
    coin = random.integers(0, 2, events)
    for t in range(events):
        yield (
            {"coin": int(coin[t]), "a": float(random.normal()), "b": float(random.normal())},
            bool(coin[max(t - 5, 0)]),
        )


def models(task: str) -> dict[str, Any]:
    """Defaults throughout."""
    if task == "regression":
        return {
            "mean": dummy.StatisticRegressor(stats.Mean()),
            "LinearRegression": scaled(linear_model.LinearRegression()),
            "HoeffdingTree": tree.HoeffdingTreeRegressor(),
            "MLPRegressor": streamrnn.MLPRegressor(),
            "RNNRegressor": streamrnn.RNNRegressor(),
            "without feedback": streamrnn.RNNRegressor(feedback=False),
        }
    return {
        "prior": dummy.PriorClassifier(),
        "LogisticRegression": scaled(multiclass.OneVsRestClassifier(linear_model.LogisticRegression())),
        "HoeffdingTree": tree.HoeffdingTreeClassifier(),
        "MLPClassifier": streamrnn.MLPClassifier(),
        "RNNClassifier": streamrnn.RNNClassifier(),
    }


def accuracy() -> None:
    """Test, then train: the mean absolute error, or the share of right classes."""
    for name, (task, stream) in streams().items():
        rows = list(stream())
        print(f"\n{name}: {len(rows):,} events, {'mean absolute error' if task == 'regression' else 'accuracy'}")
        for label, model in models(task).items():
            metric = metrics.MAE() if task == "regression" else metrics.Accuracy()
            late = metric.clone()
            for number, (x, y) in enumerate(rows):
                said = model.predict_one(x)
                for one in (metric, late) if number >= len(rows) * 2 // 3 else (metric,):
                    if said is not None:
                        one.update(y, said)
                model.learn_one(x, y)
            print(f"  {label:20} {metric.get():9.4f}   last third {late.get():9.4f}")


def microseconds(work: Callable[[], Any], calls: int) -> float:
    """Processor time of a call: the best of several rounds, which other processes disturb least."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best / calls * 1e6


def speed() -> None:
    """`learn_one` + `predict_one` on ten features, beside river's linear model and the bare compiled learner."""
    random, events = np.random.default_rng(0), 1000
    matrix = random.normal(size=(events, 10))
    rows = [{f"x{k}": float(value) for k, value in enumerate(row)} for row in matrix]
    targets = [row["x0"] * row["x1"] for row in rows]
    labels = [target > 0.0 for target in targets]

    def each(model: Any, values: Sequence[Any]) -> Callable[[], None]:
        def work() -> None:
            for row, value in zip(rows, values, strict=True):
                model.predict_one(row)
                model.learn_one(row, value)

        return work

    regressor = streamrnn.RNNRegressor()
    cases = {
        "scaled LinearRegression": (scaled(linear_model.LinearRegression()), targets),
        "RNNRegressor (GRU 32)": (regressor, targets),
        "RNNClassifier (GRU 32)": (streamrnn.RNNClassifier(), labels),
        "MLPRegressor (32, 32)": (streamrnn.MLPRegressor(), targets),
    }
    times = {}
    for name, (model, values) in cases.items():
        each(model, values)()
        times[name] = microseconds(each(model, values), events)
    learner = regressor._net.learner
    inputs = np.zeros((events, learner.cell.body.input_size), np.float32)
    inputs[:, :10] = matrix
    y, same = np.array(targets)[:, None], np.zeros(events, np.int64)
    bare = microseconds(lambda: learner.learn_many(same, inputs, y), events)
    print(f"{'the bare learner, in a batch':30} {bare:6.1f} us")
    for name, took in times.items():
        print(f"{name:30} {took:6.1f} us   {took / bare:5.1f} times the bare learner")


def deep_river_models() -> dict[str, Any]:
    """The forecasters of deep-river's benchmark, with its settings."""
    from deep_river import forecasting as theirs

    common = {"window_size": 12, "loss_fn": "mse", "optimizer_fn": "adam"}
    return {
        "deep-river Linear": theirs.LinearForecaster(lr=3e-3, **common),
        "deep-river MLP": theirs.MLPForecaster(lr=5e-3, **common),
        "deep-river RNN": theirs.RNNForecaster(hidden_size=32, lr=3e-3, **common),
        "deep-river GRU": theirs.GRUForecaster(hidden_size=32, lr=5e-3, **common),
        "deep-river LSTM": theirs.LSTMForecaster(hidden_size=32, lr=3e-3, **common),
        "deep-river Liquid": theirs.LiquidForecaster(hidden_size=32, lr=3e-3, **common),
        "deep-river N-BEATS": theirs.NBEATSForecaster(n_width=64, n_layers=2, n_blocks=2, lr=1e-3, **common),
    }


def horizon_error(model: Any, rows: Sequence[tuple[dict[str, Any], float]]) -> tuple[float, float]:
    """deep-river's protocol: the mean over three steps of the mean absolute error, and microseconds per event."""
    ahead = [rows[t + 1 : t + 1 + HORIZON] for t in range(len(rows) - HORIZON)]
    told = [[x for x, _ in following] for following in ahead]
    said: list[list[float]] = []
    begin = time.process_time()
    for t, xs in enumerate(told):
        if t >= GRACE:
            said.append(model.forecast(HORIZON, xs=xs))
        model.learn_one(y=rows[t][1], x=rows[t][0])
    spent = time.process_time() - begin
    came = np.array([[y for _, y in following] for following in ahead[GRACE:]])
    # as there: the value at t itself is neither forecast nor known yet
    return float(np.mean(np.abs(came - np.array(said)))), spent / len(told) * 1e6


def best_without_dates(rows: Sequence[tuple[dict[str, Any], float]]) -> float:
    """The error of who knows the next three values, all of them: they are held against those from the second on."""
    y = np.array([value for _, value in rows])
    ahead = np.lib.stride_tricks.sliding_window_view(y[GRACE:], HORIZON)
    return float(np.mean(np.abs(ahead[1:] - ahead[:-1])))


def own_forecasters(horizon: int) -> dict[str, Any]:
    """By preset."""
    return {preset: streamrnn.RNNForecaster(horizon, preset) for preset in ("lite", "standard")}


def other_forecasters() -> dict[str, Any]:
    """River's and deep-river's."""
    return {
        "Holt-Winters": time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.1, seasonality=12),
        "SNARIMAX": time_series.SNARIMAX(p=1, d=1, q=0, m=12, sp=1, sd=0, sq=0),
        **deep_river_models(),
    }


def deep_river() -> None:
    """All forecasters on AirlinePassengers and TrumpApproval."""
    import torch

    torch.set_num_threads(1)
    for data in (datasets.AirlinePassengers(), datasets.TrumpApproval()):
        rows = list(data)
        targets_only = [({}, y) for _, y in rows]
        # The values asked for begin with the one after the next: who sees the dates needs to look a step further.
        tables = (("targets only", targets_only, HORIZON), ("with the other columns", rows, HORIZON + 1))
        for title, some, horizon in tables:
            for model in own_forecasters(horizon).values():
                horizon_error(model, some[:100])  # compiling is not what is measured
            numbers = [({name: x[name] for name in x if name != "month"}, y) for x, y in some]
            found: dict[str, list[tuple[float, float]]] = {}
            for _ in range(TURNS):  # in turn, so that a slow minute of the machine slows all of them
                for models, given in ((own_forecasters(horizon), some), (other_forecasters(), numbers)):
                    for name, model in models.items():
                        found.setdefault(name, []).append(horizon_error(model, given))
            middle = {name: tuple(map(statistics.median, zip(*runs, strict=True))) for name, runs in found.items()}
            print(f"\n{type(data).__name__}, {title}: {len(some):,} events; (times lite, times standard)")
            if title == "targets only":
                print(f"  {'the very next values':20} MAE {best_without_dates(some):9.3f}")
            lite, standard = middle["lite"], middle["standard"]
            for name, (error, took) in middle.items():
                print(
                    f"  {name:20} MAE {error:9.3f} ({error / lite[0]:5.1f}x, {error / standard[0]:5.1f}x)"
                    f"   {took:8.1f} us ({took / lite[1]:6.1f}x, {took / standard[1]:6.1f}x)"
                )


def main() -> None:
    """Run what is asked for."""
    tables = {"accuracy": accuracy, "speed": speed, "deep-river": deep_river}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=tables)
    tables[parser.parse_args().table]()


if __name__ == "__main__":
    main()
