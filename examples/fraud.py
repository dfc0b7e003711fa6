"""Payments are judged at once; whether one was fraud is known a day later, under the same id.

python examples/fraud.py [--plot fraud.svg]
"""

from __future__ import annotations

import math
import sys
from collections import deque

import numpy as np

from streamrnn import RNNClassifier

PAYMENTS, DELAY = 6000, 500


def features(amount: float, minutes: float, *, abroad: bool) -> dict[str, float]:
    """What is known when a payment is made."""
    return {"log_amount": math.log(amount), "log_minutes_since_last": math.log(minutes), "abroad": float(abroad)}


def payments(seed: int = 0) -> list[tuple[dict[str, float], bool]]:
    """Features of each payment and whether it was fraud: small ones in quick succession, then a large one."""
    rng = np.random.default_rng(seed)
    found: list[tuple[dict[str, float], bool]] = []
    while len(found) < PAYMENTS:
        if rng.random() < 0.02:
            amounts = (*rng.uniform(0.5, 2, 3), rng.uniform(300, 900))
            found += [(features(amount, rng.uniform(0, 2), abroad=True), True) for amount in amounts]
        else:
            found.append((features(rng.lognormal(3, 1), rng.exponential(200), abroad=rng.random() < 0.2), False))
    return found[:PAYMENTS]


def suspicions(stream: list[tuple[dict[str, float], bool]]) -> list[float]:
    """The probability of fraud that each payment was given when it was made, before anybody knew the truth."""
    model, waiting = RNNClassifier(), deque[tuple[dict[str, float], bool]]()
    found = []
    for features, fraud in stream:
        found.append(model.predict_proba_one(features).get(True, 0.0))
        waiting.append((features, fraud))
        if len(waiting) > DELAY:  # the truth arrives
            model.learn_one(*waiting.popleft())
    return found


def judge(stream: list[tuple[dict[str, float], bool]], suspected: list[float]) -> tuple[float, float]:
    """Share of the frauds that were called so at once, and share of the calls that were right, over the second half."""
    half = len(stream) // 2
    pairs = [(fraud, probability > 0.5) for (_, fraud), probability in zip(stream, suspected, strict=True)][half:]
    caught = sum(fraud and call for fraud, call in pairs)
    return caught / sum(fraud for fraud, _ in pairs), caught / max(sum(call for _, call in pairs), 1)


def plot(stream: list[tuple[dict[str, float], bool]], suspected: list[float], path: str) -> None:
    """How the share of frauds that are called at once grows with what was learned."""
    import matplotlib.pyplot as plt

    frauds = [i for i, (_, fraud) in enumerate(stream) if fraud]
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for kind, color in ((False, "0.6"), (True, "tab:red")):
        places = [i for i, (_, fraud) in enumerate(stream) if fraud is kind]
        axes.plot(places, [suspected[i] for i in places], ".", color=color, markersize=3)
    called = np.convolve([suspected[i] > 0.5 for i in frauds], np.ones(50) / 50, "valid")
    axes.plot(frauds[49:], called, color="tab:red")
    axes.set(xlabel="payment", ylabel="probability of fraud")
    axes.set(title="Red dots: frauds, grey dots: all others, line: share of the last 50 frauds that were called")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    stream = payments()
    suspected = suspicions(stream)
    recall, precision = judge(stream, suspected)
    print(f"{recall:.0%} of the frauds called at once, {precision:.0%} of the calls right")
    if "--plot" in sys.argv:
        plot(stream, suspected, sys.argv[sys.argv.index("--plot") + 1])
