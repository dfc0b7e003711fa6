"""The page's list of the alerts of all series."""

from __future__ import annotations

import numpy as np

from streamrnn.anomaly.detector import CHANNEL_NAMES
from streamrnn.anomaly.episodes import ANOMALY, WARNING
from streamrnn.forecasting.answers import blank_answers
from streamrnn.monitor import frames
from streamrnn.monitor.batch_queue import Batch
from streamrnn.records.log import Partition


def test_alerts_that_open_and_close_are_listed_in_order_and_warnings_are_not() -> None:
    answers = blank_answers(4, 1, 1, 2)
    answers.changes[1, ANOMALY] = 3, 1_000_000, 1, CHANNEL_NAMES.index("week")
    answers.changes[2, WARNING] = 1, 1_000_000, 0, -1
    answers.changes[3, ANOMALY] = -3, 1_000_000, -1, -1
    answers.deviation[1] = -2.5
    batch = Batch(Partition("t", 2), list("abcd"), 1_000_000 * np.arange(4), np.zeros((4, 2)), answers, {})
    opened, closed = frames.alerts(batch, ("x", "y"), CHANNEL_NAMES)
    assert opened == {
        "key": "b", "partition": 2, "time": 1.0, "state": "opened", "alert": 3, "target": "y", "channel": "week",
        "size": -2.5,
    }  # fmt: skip
    assert (closed["key"], closed["state"], closed["alert"], closed["target"], closed["size"]) == (
        "d", "closed", 3, None, None,
    )  # fmt: skip
    assert answers.opened.tolist() == [False, True, False, False]
