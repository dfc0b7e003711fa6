"""Where a partition begins that the group has never committed, so that nothing is skipped between two starts.

Kafka's own `auto.offset.reset: latest` applies again at every start until something is committed, and to every
partition that is added: what came in between is skipped. Here the offset at which a partition goes live is committed
at once, with a mark in the offset's metadata:

    begin      no state belongs to this offset yet: a worker that dies now begins again just there
    of         the input topics and their numbers of partitions when this partition began

Every later commit of the partition carries `of` on. A partition without offset that some `of` does not cover was added
after the application had begun, and its first record is one that nobody has seen: it begins there, whatever
`kafka.start` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from streamrnn.records.log import Partition

LONGEST = 4000
"""Bytes; brokers take 4,096 (`offset.metadata.max.bytes`)."""


class Mark(NamedTuple):
    """What the metadata of a committed offset says."""

    begin: bool = False
    of: Mapping[str, int] | None = None  # None: not known

    def text(self) -> str:
        """As metadata, never empty; without `of` where that is too long for a broker."""
        content: dict[str, Any] = {"begin": True} if self.begin else {}
        if self.of is not None:
            content["of"] = dict(self.of)
        text = json.dumps(content, separators=(",", ":"))
        return text if len(text.encode()) <= LONGEST else Mark(self.begin).text()


def read_mark(metadata: str | None) -> Mark:
    """The mark in an offset's metadata; an empty one where there is none of ours."""
    try:
        content = json.loads(metadata or "{}")
        of = content.get("of")
        return Mark(content.get("begin") is True, None if of is None else {str(t): int(n) for t, n in of.items()})
    except (ValueError, AttributeError, TypeError):
        return Mark()


def added_later(partition: Partition, marks: Iterable[Mark], *, topics_appear: bool) -> bool:
    """Whether `partition` did not exist when another one of its group began.

    `topics_appear`: a topic that is not in `of` is a new one; else somebody may just have configured it.
    """
    covered = -1 if topics_appear else 1 << 31
    return any(mark.of is not None and partition.number >= mark.of.get(partition.topic, covered) for mark in marks)
