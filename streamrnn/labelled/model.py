"""The model of labelled streams: a partition's state, its classes, and how a batch of events goes through the fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from streamrnn.cells.catalog import build_cell
from streamrnn.config.tree import Config
from streamrnn.errors import EventError, EventInvalid
from streamrnn.labelled import kernels
from streamrnn.labelled.answers import Predictions, blank_predictions
from streamrnn.labelled.state import (
    CLASSES,
    COUNTERS,
    EVENTS,
    NEWEST,
    Batch,
    LabelledConfig,
    LabelledScratch,
    LabelledSeries,
    LabelledShared,
    allocate,
    labelled_config,
)
from streamrnn.learning.optimizers import SKIPPED, UPDATES
from streamrnn.records.events import Decoded, Float64, Int64, Labels
from streamrnn.records.log import Message, Partition, Record
from streamrnn.records.outcomes import OVER_SHARE, REFUSED
from streamrnn.records.predictions import encode
from streamrnn.state import settings
from streamrnn.state.partition_model import PartitionModel

HIDDEN_SIZE, TRUNCATION_LENGTH, LEARNING_RATE = 32, 16, 3e-3


def _fold_config(config: Config) -> LabelledConfig:
    model = config.model
    hidden = model.hidden_size or HIDDEN_SIZE
    return labelled_config(
        most_of_a_key=config.labels.most_of_a_key,
        features=len(config.event.features),
        most_classes=config.labels.most_classes if config.task == "classification" else 0,
        cell=lambda inputs: build_cell(model.cell, inputs, (hidden,) * model.layers),
        hidden_size=hidden,
        truncation_length=model.truncation_length or TRUNCATION_LENGTH,
        learning_rate=LEARNING_RATE if model.learning_rate is None else model.learning_rate,
        gradient_clip=model.gradient_clip,
        pending=config.labels.pending,
        ttl=round(config.labels.label_ttl * 1e6),
        own_weights=model.weights == "series",
        skip_late=config.event.late != "process",
    )


def settings_of(config: Config) -> settings.Settings:
    """The settings that give stored state its meaning; rates and times are free to change."""
    model, labels, classifies = config.model, config.labels, config.task == "classification"
    found: settings.Settings = {
        "task": config.task,
        "event.features": list(config.event.features),
        "model.cell": model.cell,
        "model.layers": model.layers,
        "model.hidden_size": model.hidden_size or HIDDEN_SIZE,
        "model.truncation_length": model.truncation_length or TRUNCATION_LENGTH,
        "model.weights": model.weights,
        "model.seed": model.seed,
        "labels.pending": labels.pending,
    }
    if classifies:
        return found | {"labels.classes": list(labels.classes), "labels.max_classes": labels.most_classes}
    return found


class LabelledModel(PartitionModel[Predictions]):
    """The regressor or classifier of one partition; see `PartitionModel`."""

    counter_names, known_settings, part = COUNTERS, settings.LABELLED, "labelled"

    def __init__(self, config: Config) -> None:
        self._config = _fold_config(config)
        self._classifies = config.task == "classification"
        self._features = len(config.event.features)
        shared, rows, scratch = allocate(self._config, config.model.seed)
        self._scratch: LabelledScratch = scratch
        super().__init__(config, settings_of(config), shared, rows)
        self._add_classes(config.labels.classes)

    @property
    def classes(self) -> list[str]:
        """The names of the classes known so far, in the order they appeared."""
        shared: LabelledShared = self.shared
        stored = shared.classes[: shared.counters[CLASSES]]
        return [bytes(row[1 : 1 + row[0]]).decode() for row in stored]

    def _add_classes(self, names: Sequence[str]) -> None:
        for name in names:
            self._name(int(self.shared.counters[CLASSES]), name)
            self.shared.counters[CLASSES] += 1

    def _name(self, number: int, name: str) -> None:
        data = name.encode()
        row: npt.NDArray[np.uint8] = self.shared.classes[number]
        row[0] = len(data)
        row[1 : 1 + len(data)] = np.frombuffer(data, np.uint8)

    def _blank_answers(self, decoded: Decoded) -> Predictions:
        return blank_predictions(len(decoded.keys), self._config.kind.outputs)

    def _fold(self, series: LabelledSeries, decoded: Decoded, part: slice, rows: Int64, answers: Predictions) -> None:
        labels = decoded.labels
        assert labels is not None
        batch = Batch(
            rows,
            decoded.times[part],
            decoded.features[part],
            np.ascontiguousarray(decoded.targets[part, 0]),
            labels.ids[part],
            labels.alone[part],
        )
        known = {name: number for number, name in enumerate(self.classes)}
        numbers_of = np.array([known.get(name, -1) for name in labels.classes], np.int64)
        self._run(series, batch, numbers_of, Predictions._make(array[part] for array in answers))
        for name, number in zip(labels.classes, numbers_of.tolist(), strict=True):
            if number >= len(known):
                self._name(number, name)

    def _run(self, series: LabelledSeries, batch: Batch, numbers_of: Int64, answers: Predictions) -> None:
        kernels.fold(self._config, self.shared, series, self._scratch, batch, numbers_of, answers)

    @staticmethod
    def newest_times(rows: LabelledSeries) -> Int64:
        """See `PartitionModel`."""
        times: Int64 = rows.numbers[:, NEWEST]
        return times

    @staticmethod
    def event_counts(rows: LabelledSeries) -> Int64:
        """See `PartitionModel`."""
        counts: Int64 = rows.numbers[:, EVENTS]
        return counts

    def encode(self, partition: Partition, decoded: Decoded, answers: Predictions) -> list[Message]:
        """See `records.encode`."""
        return encode(partition, self.classes if self._classifies else None, decoded, answers)

    def _refused(self, decoded: Decoded, answers: Predictions) -> list[tuple[Record, EventError]]:
        """Also labels of one class too many."""
        found = super()._refused(decoded, answers)
        for i in np.flatnonzero(answers.outcome >= REFUSED).tolist():
            over = bool(answers.outcome[i] == OVER_SHARE)
            found.append((decoded.records[i], self._one_too_many(decoded.labels, decoded.targets[i], over)))
        return found

    def _one_too_many(self, labels: Labels | None, target: Float64, over: bool) -> EventError:
        assert labels is not None
        if over:  # says nothing of the other classes: a batch that ends later knows more of them
            return EventInvalid(
                f"class {labels.classes[int(target[0])]!r} is one more than the {self._config.most_of_a_key} that one "
                "key may bring (labels.max_classes_per_key); declare labels.classes, or raise it"
            )
        return EventInvalid(
            f"class {labels.classes[int(target[0])]!r} is one more than labels.max_classes = "
            f"{self._config.kind.outputs}; known are {', '.join(self.classes):.200}"
        )

    def statistics(self) -> dict[str, int]:
        """See `PartitionModel.statistics`."""
        counts = [learned.weights.counters for learned in (self.shared.learned, self.series.arrays.learned)]
        return {
            "updates": sum(int(count[:, UPDATES].sum()) for count in counts if count.size),
            "updates_skipped": sum(int(count[:, SKIPPED].sum()) for count in counts if count.size),
            **{name: count for name, count in self.counters.items() if name.startswith("labels_")},
        }

    def warm_up(self, *beside: Callable[[], object]) -> None:
        """See `PartitionModel`."""
        for run in beside:
            run()
        none = np.zeros(0, np.int64)
        batch = Batch(
            none, none, np.zeros((0, self._features)), np.zeros(0), np.zeros((0, 2), np.int64), np.zeros(0, np.bool_)
        )
        self._run(self.series.arrays, batch, none, blank_predictions(0, self._config.kind.outputs))
