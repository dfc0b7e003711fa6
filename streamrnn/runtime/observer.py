"""What a worker tells whoever watches it. The base class watches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from streamrnn.connectors.base import Commit, Connector
    from streamrnn.errors import EventError
    from streamrnn.records.events import Decoded
    from streamrnn.records.log import Partition, Record
    from streamrnn.runtime.recovery import Progress
    from streamrnn.state.partition_model import PartitionModel


class Step(NamedTuple):
    """One micro-batch of one partition, after its commit."""

    partition: Partition
    decoded: Decoded
    answers: Any  # the task's: `forecasting.answers.Answers`, or `labelled.answers.Predictions`
    unusable: Sequence[tuple[Record, EventError]]  # the dead letters
    model: PartitionModel[Any]
    offset: int  # next to read
    seconds: float  # decoding, processing and encoding


class Observer:
    """Called from the worker's thread, between batches; must return at once and never raise."""

    def watch(self, connector: Connector) -> Connector:
        """A connector was made, to be opened next; returns it."""
        return connector

    def beat(self) -> None:
        """The loop went round."""

    def assigned(self, partition: Partition) -> None:
        """A partition is being taken over."""

    def recovering(self, partition: Partition, progress: Progress) -> None:
        """A slice of its recovery is done; in phase `ready` it goes live."""

    def revoked(self, partition: Partition) -> None:
        """A partition and its memory are gone."""

    def step(self, step: Step) -> None:
        """A batch was processed and committed."""

    def committed(self, commit: Commit, seconds: float) -> None:
        """A commit was accepted."""

    def failed(self, error: Exception) -> None:
        """A commit failed; everything is being recovered."""


class Observers(Observer):
    """Several at once."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def watch(self, connector: Connector) -> Connector:
        """See `Observer.watch`."""
        for observer in self._observers:
            connector = observer.watch(connector)
        return connector

    def beat(self) -> None:
        """See `Observer.beat`."""
        for observer in self._observers:
            observer.beat()

    def assigned(self, partition: Partition) -> None:
        """See `Observer.assigned`."""
        for observer in self._observers:
            observer.assigned(partition)

    def recovering(self, partition: Partition, progress: Progress) -> None:
        """See `Observer.recovering`."""
        for observer in self._observers:
            observer.recovering(partition, progress)

    def revoked(self, partition: Partition) -> None:
        """See `Observer.revoked`."""
        for observer in self._observers:
            observer.revoked(partition)

    def step(self, step: Step) -> None:
        """See `Observer.step`."""
        for observer in self._observers:
            observer.step(step)

    def committed(self, commit: Commit, seconds: float) -> None:
        """See `Observer.committed`."""
        for observer in self._observers:
            observer.committed(commit, seconds)

    def failed(self, error: Exception) -> None:
        """See `Observer.failed`."""
        for observer in self._observers:
            observer.failed(error)
