"""Every error streamrnn raises on purpose, as one tree.

    StreamRNNError                 exit code 1
    ├── ConfigurationError         exit code 2: wrong usage or configuration
    ├── EventError                 one event is unusable: it goes to the dead letters
    │   ├── AlertUndelivered       a receiver of `streamrnn notify` refused the alert, or was given up
    │   ├── EventAhead             from the future: beyond `event.max_ahead`
    │   ├── EventInvalid           not an object, a missing target, text in a number, too long, ...
    │   ├── EventLate              older than the series' newest event, and `event.late` says so
    │   └── FeedbackRefused        on an alert that is not there, or was too long ago
    ├── ConnectorError             a file or a broker does not do what was asked
    │   ├── BrokerUnavailable      not there, not answering in time, or not speaking Kafka
    │   ├── AuthenticationRefused  the broker is there and says no
    │   ├── TopicMissing           the broker is there and the topic is not
    │   ├── BatchUnreadable        a compressed batch of a topic, damaged or without the package that reads it
    │   └── CommitFailed           fenced, timed out or unknown: the memory must be dropped
    └── StateError                 stored state that must not be used
        ├── SnapshotCorrupt        damaged, cut or not a snapshot
        ├── SnapshotVersion        written by a newer streamrnn
        └── SnapshotMismatch       written for another shape of model

The message of each says what happened, where, and what the operator can do next.
"""

from __future__ import annotations


class StreamRNNError(Exception):
    """Root of the tree."""

    exit_code = 1


class ConfigurationError(StreamRNNError):
    """The command line, the environment or the file asks for something that cannot be."""

    exit_code = 2


class EventError(StreamRNNError):
    """One event cannot be used; the pipeline goes on without it."""


class AlertUndelivered(EventError):
    """A receiver of `streamrnn notify` has refused the alert for good, or was given up."""


class EventInvalid(EventError):
    """The bytes are not an event: not an object, a missing target, text in a number, too long, ..."""


class EventAhead(EventError):
    """Its time is further ahead of its record's own timestamp than `event.max_ahead` allows."""


class EventLate(EventError):
    """Older than the newest event of its series while `event.late` is dead-letter."""


class FeedbackRefused(EventError):
    """Feedback on an alert that the series has not had, or that was too long ago."""


class ConnectorError(StreamRNNError):
    """A file or a broker does not do what was asked of it."""


class BrokerUnavailable(ConnectorError):
    """The broker is not there, does not answer in time, or does not speak Kafka."""


class AuthenticationRefused(ConnectorError):
    """The broker refuses these credentials, or these rights."""


class TopicMissing(ConnectorError):
    """The broker has no such topic."""


class BatchUnreadable(ConnectorError):
    """A batch of a topic is damaged, or compressed with a codec whose package is missing."""


class CommitFailed(ConnectorError):
    """A transaction was refused or its outcome is unknown; recover as after a crash."""


class StateError(StreamRNNError):
    """Stored state that must not be used."""


class SnapshotCorrupt(StateError):
    """The bytes are damaged, cut, or no snapshot at all."""


class SnapshotVersion(StateError):
    """The snapshot was written by a newer streamrnn."""


class SnapshotMismatch(StateError):
    """The snapshot belongs to a model of another shape."""
