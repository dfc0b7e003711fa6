"""Payments are judged at once; whether one was fraud is known a day later, under the same id.

python examples/fraud.py
"""

from __future__ import annotations

import math
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


def judge(stream: list[tuple[dict[str, float], bool]]) -> tuple[float, float]:
    """Share of the frauds that were called so at once, and share of the calls that were right, over the second half."""
    model, waiting = RNNClassifier(), deque[tuple[dict[str, float], bool]]()
    caught = called = frauds = 0
    for number, (features, fraud) in enumerate(stream):
        suspected = model.predict_proba_one(features).get(True, 0.0) > 0.5
        if number >= len(stream) // 2:
            frauds, called, caught = frauds + fraud, called + suspected, caught + (fraud and suspected)
        waiting.append((features, fraud))
        if len(waiting) > DELAY:  # the truth arrives
            model.learn_one(*waiting.popleft())
    return caught / frauds, caught / max(called, 1)


if __name__ == "__main__":
    recall, precision = judge(payments())
    print(f"{recall:.0%} of the frauds called at once, {precision:.0%} of the calls right")
