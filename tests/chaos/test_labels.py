"""Labels that come 0 to 10,000 events late, under SIGKILL: the bytes are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from tests.chaos.kills import kill_and_compare
from tests.pipeline.workers import Application

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]
LONG = os.environ.get("STREAMRNN_CHAOS") == "long"
PREDICTIONS, SERIES, KILLS = (100_000, 40, 60) if LONG else (12_000, 40, 9)
DELAY = 10_000  # events
START = 1_767_225_600


def labelled(predictions: int, series: int, partitions: int, seed: int) -> Sequence[tuple[int, bytes, bytes]]:
    """(partition, key, value) of features, and of their labels: whether the input five events before was positive."""
    source = random.Random(seed)
    past: dict[int, list[float]] = {which: [0.0] * 5 for which in range(series)}
    slots: list[tuple[int, int, dict[str, object]]] = []
    for number in range(predictions):
        which, moment = source.randrange(series), 2 * number
        x = round(source.gauss(0, 1), 3)
        past[which].append(x)
        label = "high" if past[which][-6] > 0 else "low"
        common = {"key": f"series-{which}", "id": f"{which}-{number}"}
        slots.append((moment, which, {**common, "time": START + moment, "x": x}))
        later = moment + source.randint(0, DELAY)
        slots.append((later, which, {**common, "time": START + later, "label": label}))
    slots.sort(key=lambda slot: slot[0])  # stable: no label before its features
    return [(which % partitions, f"series-{which}".encode(), json.dumps(event).encode()) for _, which, event in slots]


@pytest.mark.timeout(3600)
def test_kills_change_no_byte_of_delayed_labels(
    application: Callable[..., Application], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "task": "classification",
        "event.features": "[x]",
        "labels.pending": 512,
        "model.hidden_size": 8,
        "model.truncation_length": 8,
    }
    disturbed, calm = application(**settings), application(**settings)
    events = labelled(PREDICTIONS, SERIES, 4, seed=1)
    in_commit = kill_and_compare(disturbed, calm, events, KILLS)
    documents = [json.loads(value) for value in calm.outputs().values()]
    found = Counter(document.get("status", "predicted") for document in documents)
    assert found == {"predicted": PREDICTIONS, "joined": PREDICTIONS}
    scores = [document["score"] for document in documents if document.get("score")]
    with capsys.disabled():
        print(
            f"\n{KILLS} kills, {in_commit} of them inside a commit; {PREDICTIONS} predictions and labels answered "
            f"once; weights equal; {sum(score['correct'] for score in scores) / len(scores):.1%} correct"
        )
