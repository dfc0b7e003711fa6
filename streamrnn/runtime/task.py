"""The one seam for a task: how events are read, what learns from them, how it is scored, what the page shows of it.

`task` in the configuration picks one of two. The worker, the file run, the terminal and the monitor receive the task
and ask it; none of them asks which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.forecasting.answers import Answers, blank_answers
from streamrnn.forecasting.scorecard import Scorecard
from streamrnn.labelled.answers import Predictions
from streamrnn.labelled.scorecard import LabelScorecard
from streamrnn.records.event_schema import targets_of
from streamrnn.records.events import Decoded, EventDecoder, Float64
from streamrnn.records.labelled_events import LabelledDecoder
from streamrnn.records.outcomes import REFUSED
from streamrnn.records.rows import RowDecoder, RowReader
from streamrnn.state.partition_model import PartitionModel

if TYPE_CHECKING:
    from streamrnn.forecasting.model import ForecastModel


class LabelErrors(NamedTuple):
    """What a batch's labels said about their predictions."""

    labels: int
    error: float  # sum of absolute errors, or of log losses
    correct: int | None  # labels whose class was predicted; None where there are no classes


class Shown(NamedTuple):
    """A batch as the page and the metrics see it."""

    events: int  # processed: neither late nor refused
    late: int
    observed: Float64  # (events, names)
    answers: Answers  # in the form of forecasts of `observed`
    labels: LabelErrors | None = None


class Summary(NamedTuple):
    """The scores of a run, for a person: a table, whose first column is a name, and what stands below it."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    below: str


class Task(ABC):
    """What is learned from one configuration's events."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @abstractmethod
    def decoder(self, rows: RowReader | None = None, read: Callable[[bytes], Any] | None = None) -> EventDecoder:
        """What turns records into events; with `rows` a record is a row of a file that they read, with `read` it is
        what that makes an object of."""

    @abstractmethod
    def model(self) -> PartitionModel[Any]:
        """An empty model of one partition."""

    def file_model(self) -> PartitionModel[Any]:
        """An empty model of a file, which may be split (`file.partitions`)."""
        parts = self.config.file.partitions
        if parts == 1:
            return self.model()
        from streamrnn.state.split_model import SplitModel

        return SplitModel(self.model, parts, self.config.workers)

    @abstractmethod
    def scorecard(self) -> Scorecard | LabelScorecard:
        """Running scores, at zero."""

    @abstractmethod
    def summary(self, scorecard: Any) -> Summary:
        """What the scorecard of this task says."""

    @property
    @abstractmethod
    def learned(self) -> tuple[str, tuple[str, ...]]:
        """What `check` calls the fields that are learned, and their names."""

    @property
    @abstractmethod
    def taught_by(self) -> tuple[str, ...]:
        """The fields of an event that are learned from, besides key, time and features."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of what the page shows of each series."""

    @abstractmethod
    def shown(self, decoded: Decoded, answers: Any) -> Shown:
        """A processed batch for the page and the metrics."""


class ForecastTask(Task):
    """The next values of every series."""

    def decoder(self, rows: RowReader | None = None, read: Callable[[bytes], Any] | None = None) -> EventDecoder:
        """See `Task.decoder`."""
        event, horizon = self.config.event, self.config.model.horizon
        if rows is None:
            return EventDecoder(event, read=read, horizon=horizon)
        return RowDecoder(event, rows, horizon=horizon)

    def model(self) -> ForecastModel:
        """See `Task.model`."""
        from streamrnn.forecasting.model import ForecastModel

        return ForecastModel(self.config)

    def scorecard(self) -> Scorecard:
        """See `Task.scorecard`."""
        return Scorecard(targets_of(self.config.event))

    def summary(self, scorecard: Scorecard) -> Summary:
        """See `Task.summary`."""
        rows: list[tuple[str, ...]] = []
        for name, scored, mae, skill, squared, coverage in zip(
            scorecard.names, scorecard.scored, scorecard.mae, scorecard.skill, scorecard.mse_skill, scorecard.coverage,
            strict=True,
        ):  # fmt: skip
            scores = (f"{mae:.4g}", f"{skill:+.1%}", f"{squared:+.1%}", f"{coverage:.1%}") if scored else ("-",) * 4
            rows.append((name, *scores))
        below = f"alerts: {scorecard.anomalies:,}   dead letters: {scorecard.dead_letters:,}"
        if scorecard.feedback:
            told = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(scorecard.feedback.items()))
            below += f"   feedback: {told}"
        return Summary(("target", "MAE", "skill vs persistence", "MSE skill", "interval coverage"), rows, below)

    @property
    def learned(self) -> tuple[str, tuple[str, ...]]:
        """The targets."""
        return "targets", targets_of(self.config.event)

    @property
    def taught_by(self) -> tuple[str, ...]:
        """The targets."""
        return targets_of(self.config.event)

    @property
    def names(self) -> tuple[str, ...]:
        """The targets."""
        return targets_of(self.config.event)

    def shown(self, decoded: Decoded, answers: Answers) -> Shown:
        """See `Task.shown`."""
        late = int(answers.late.sum())
        return Shown(len(decoded.keys) - late, late, decoded.targets, answers)


class LabelTask(Task):
    """A number or a class that comes as the label of an event's features.

    The page shows what came beside what had been predicted, in the form of forecasts:

        regression       observed: the label; expected: what had been predicted for it
        classification   observed: the probability that the class that came had been given

    Only labels that met a prediction are points of the chart; every series is in the list.
    """

    def decoder(self, rows: RowReader | None = None, read: Callable[[bytes], Any] | None = None) -> EventDecoder:
        """See `Task.decoder`."""
        return LabelledDecoder(self.config, rows, read)

    def model(self) -> PartitionModel[Predictions]:
        """See `Task.model`."""
        from streamrnn.labelled.model import LabelledModel

        return LabelledModel(self.config)

    def scorecard(self) -> LabelScorecard:
        """See `Task.scorecard`."""
        return LabelScorecard(self.config.event.label)

    def summary(self, scorecard: LabelScorecard) -> Summary:
        """See `Task.summary`."""
        scores = {"MAE": f"{scorecard.mean_error:.4g}"}
        if scorecard.classifies:
            scores = {"accuracy": f"{scorecard.accuracy:.1%}", "log loss": f"{scorecard.mean_error:.4g}"}
        shown = scores.values() if scorecard.scored else ("-" for _ in scores)
        row = (scorecard.name, f"{scorecard.predictions:,}", f"{scorecard.scored:,}", *shown)
        below = (
            f"labels late: {scorecard.late:,}   unknown: {scorecard.unknown:,}   "
            f"dead letters: {scorecard.dead_letters:,}"
        )
        return Summary(("label", "predictions", "labels", *scores), [row], below)

    @property
    def learned(self) -> tuple[str, tuple[str, ...]]:
        """The label."""
        return "label", (self.config.event.label,)

    @property
    def taught_by(self) -> tuple[str, ...]:
        """The label, and the id by which it finds its prediction."""
        return (self.config.event.id, self.config.event.label)

    @property
    def names(self) -> tuple[str, ...]:
        """The label alone."""
        label = self.config.event.label
        return (label if self.config.task == "regression" else f"probability of {label}",)

    def shown(self, decoded: Decoded, answers: Predictions) -> Shown:
        """See `Task.shown`."""
        count, classes = len(decoded.keys), answers.predicted.shape[1]
        if classes == 1:
            observed, expected = decoded.targets[:, 0], answers.predicted[:, 0]
        else:
            observed, expected = np.exp(-answers.error), np.full(count, np.nan)
        late, refused = int(answers.late.sum()), int((answers.outcome >= REFUSED).sum())
        known = np.isfinite(answers.error)
        blank = blank_answers(count, levels=1, horizon=1, targets=1)
        return Shown(
            count - late - refused,
            late,
            observed[:, None],
            blank._replace(expected=expected[:, None], expected_median=expected[:, None], late=np.isnan(answers.error)),
            LabelErrors(
                int(known.sum()),
                float(answers.error[known].sum()),
                int(answers.correct.sum()) if classes > 1 else None,
            ),
        )


def task_of(config: Config) -> Task:
    """The task that the configuration names."""
    return LabelTask(config) if config.labelled else ForecastTask(config)


def make_model(config: Config) -> PartitionModel[Any]:
    """An empty model of one partition."""
    return task_of(config).model()


def make_decoder(config: Config, rows: RowReader | None = None) -> EventDecoder:
    """What turns records into events; see `Task.decoder`."""
    return task_of(config).decoder(rows)
