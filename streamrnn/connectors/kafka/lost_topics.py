"""Topics that were deleted, made anew or lost their brokers while a worker runs are named, instead of time-outs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.internals import topic_id
from streamrnn.connectors.kafka.topics import Topics, gone, unserved
from streamrnn.errors import BrokerUnavailable, ConnectorError, TopicMissing


def refuse_made_anew(consumer: Any, topics: Iterable[str], ids: dict[str, Any]) -> None:
    """Offsets of a topic that is deleted and made anew while it is read begin again, and would seem to go on.

    `ids` are those of the topics so far; new ones are added. Raises `TopicMissing`.
    """
    for topic in topics:
        now = topic_id(consumer, topic)
        if now is not None and ids.setdefault(topic, now) != now:
            raise TopicMissing(
                f"the topic {topic!r} was deleted and made anew while this worker ran: its offsets begin again, "
                "and what was learned belongs to records that are gone; run `streamrnn reset`"
            )


def explained(error: BrokerUnavailable, config: KafkaConfig, known: Topics, client_id: str) -> ConnectorError:
    """An error that says more where topics were deleted, or where too few brokers of theirs are left."""
    absent = gone(config, [*known.inputs, *known.partitions], client_id)
    if not absent:
        waiting = unserved(config, list(dict.fromkeys([*known.inputs, *known.partitions])), client_id)
        if not waiting:
            return error
        more = f" ({len(waiting) - 1} more partitions likewise)" if waiting[1:] else ""
        return BrokerUnavailable(f"{error}; {waiting[0]}{more}")
    mend = "give it back and run `streamrnn reset`, or choose another input"
    if absent[0] not in known.inputs:
        mend = "make it again" + (" (a restart does)" if config.create_topics else "")
    if absent[0] in known.changelogs.values():
        mend = "without it there is no state: `streamrnn reset`"
    return TopicMissing(f"the topic {absent[0]!r} was deleted while this worker ran: {mend}")
