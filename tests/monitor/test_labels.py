"""The monitor over labelled streams: the counters of the labels, the running scores, and the page's list and chart."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamrnn.records.log import Message
from streamrnn.runtime.task import task_of
from tests.labelled.streams import POISON, configured, stream
from tests.monitor.stage import Stage, until


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_labels_are_counted_and_shown(task: str) -> None:
    config = configured(task, monitor__port=0, labels__pending=6)
    task_of(config).model().warm_up()  # nothing below waits for a compiler
    with Stage(config) as stage:
        for record in stream(config, 400):
            stage.log.append(0, Message(record.key, record.value))
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 5)
        # What the first batch brought is the counters' zero: the model may be older than the process.
        for record in stream(config, 400, seed=1):
            stage.log.append(0, Message(record.key, record.value))
        stage.settled()
        stage.monitor._look()
        text = stage.get("/metrics").text
        overview = stage.monitor.feed.overview("", 0.0)
        history = stage.monitor.feed.history
        assert stage.get("/").status == 200
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    labels = {sample.labels["status"]: sample.value for sample in found["streamrnn_labels"] if "_total" in sample.name}
    assert set(labels) == {"joined", "late", "unknown", "expired"}
    assert all(count > 0 for count in labels.values())
    [error] = found["streamrnn_label_error_mean"]
    assert error.labels == {"label": "label"}
    assert error.value > 0
    accuracies = [sample.value for sample in found["streamrnn_accuracy_ratio"]]
    assert len(accuracies) == (task == "classification")
    assert all(0 < accuracy < 1 for accuracy in accuracies)
    assert overview["events"] + overview["dead_letters"] == 800
    assert overview["dead_letters"] >= len(POISON)
    assert len(overview["series"]["listed"]) == 5
    assert 0 < history.count[:5].sum() < overview["events"]  # a point for every label that met a prediction
