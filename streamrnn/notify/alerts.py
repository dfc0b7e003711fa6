"""One change of an alert as it stands in the log, and its name that stays the same from its opening to its end."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import orjson

from streamrnn.errors import EventInvalid

LONGEST_TEXT = 1000


class Change(NamedTuple):
    """An alert or a warning was opened or is over."""

    id: str  # of the alert
    opened: bool
    kind: Literal["anomaly", "warning"]
    key: str
    topic: str
    partition: int
    target: str | None
    channel: str | None
    time: datetime  # of the event
    since: datetime  # of the event that opened it
    document: dict[str, Any]  # the whole record

    @property
    def series(self) -> tuple[str, int, str, str]:
        """What has at most one open alert at a time."""
        return self.topic, self.partition, self.key, self.kind

    @property
    def text(self) -> str:
        """One line for people: the series, and the record's own words if it has some."""
        said = self.document.get("text")
        if self.opened and isinstance(said, str) and said:
            return f"{self.key}: {said}"[:LONGEST_TEXT]
        what = "anomaly" if self.kind == "anomaly" else "warning: a limit will probably be crossed,"
        size, direction = self.document.get("size"), self.document.get("direction")
        following = self.document.get("replaced_by")
        if self.opened:
            parts = [f"{self.key}: {what} since {_short(self.since)}"]
        elif isinstance(following, int) and not isinstance(following, bool):
            parts = [f"{self.key}: {what} since {_short(self.since)} goes on as alert {following}, something beyond it"]
        else:
            parts = [f"{self.key}: {what} is over, it lasted from {_short(self.since)} to {_short(self.time)}"]
        if self.target is not None:
            parts.append(self.target)
        if isinstance(size, int | float) and not isinstance(size, bool):
            parts.append(f"{'off by' if self.opened else 'at most off by'} {size:+.4g}")
        elif isinstance(direction, str):
            parts.append(direction)
        if self.channel is not None:
            parts.append(f"channel {self.channel}")
        return ", ".join(parts)[:LONGEST_TEXT]

    def link(self, page: str | None) -> str | None:
        """Where a browser sees the series: the record's own link, else one to `page`."""
        said = self.document.get("link")
        if isinstance(said, str) and said.startswith(("http://", "https://")):
            return said
        since = self.document.get("since")
        moment = {"time": since} if isinstance(since, str) else {}
        chosen = urlencode({"series": self.key, "partition": self.partition, **moment})
        return None if page is None else f"{page.rstrip('/')}/#{chosen}"

    def told(self, page: str | None) -> dict[str, Any]:
        """What a receiver is told: the record, and what belongs to the notification."""
        own = {"id": self.id, "status": "opened" if self.opened else "resolved", "text": self.text}
        return {**self.document, **own, "link": self.link(page)}


def _short(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_change(value: bytes | None) -> Change:
    """The change in a record of the log.

    Raises `EventInvalid` for what is none.
    """
    if value is None:
        raise EventInvalid("a null message is no alert")
    if value[:1] == b"\0":  # framed for a schema registry: a zero, and four bytes that name the schema
        value = value[5:]
    try:
        document = orjson.loads(value)
    except ValueError as error:
        raise EventInvalid(f"no JSON: {error!s:.100}") from None
    if not isinstance(document, dict):
        raise EventInvalid("no JSON object")
    try:
        source, state, kind = document["source"], document["state"], document["kind"]
        key, number = document["key"], document["alert"]
        topic, partition = source["topic"], source["partition"]
        time, since = _time(document["time"]), _time(document["since"])
        target, channel = document.get("target"), document.get("channel")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise EventInvalid(f"no alert record (streamrnn schema alert): {type(error).__name__} {error!s:.100}") from None
    right = (
        state in ("opened", "closed")
        and kind in ("anomaly", "warning")
        and all(isinstance(text, str) for text in (key, topic))
        and all(text is None or isinstance(text, str) for text in (target, channel))
        and all(isinstance(one, int) and not isinstance(one, bool) for one in (number, partition))
    )
    if not right:
        raise EventInvalid("no alert record (streamrnn schema alert): a field has another type or value")
    name = json.dumps([topic, partition, key, kind, number, since.timestamp()])
    return Change(
        hashlib.blake2b(name.encode(), digest_size=12).hexdigest(),
        state == "opened",
        kind,
        key,
        topic,
        partition,
        target,
        channel,
        time,
        since,
        document,
    )


def _time(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    return moment.astimezone(UTC)
