"""Log records on stderr, as text for people or JSON for machines; repeated warnings are limited."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from streamrnn.config.tree import LogConfig

_REPEAT_AFTER = 30.0


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("topic", "partition", "offset"):
            if (value := getattr(record, name, None)) is not None:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _RateLimit(logging.Filter):
    """A warning from one place about one partition at most every `_REPEAT_AFTER` seconds; says how many were not shown.

    What differs only in its numbers counts as the same, so it is the place in the code that is remembered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[object, ...], tuple[float, int]] = {}  # when, and how many were held back since

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        fields = vars(record)
        place, now = (record.pathname, record.lineno, fields.get("topic"), fields.get("partition")), self._clock()
        said, hidden = self._said.get(place, (-math.inf, 0))
        if now - said < _REPEAT_AFTER:
            self._said[place] = said, hidden + 1
            return False
        self._said[place] = now, 0
        if hidden:
            record.msg, record.args = f"{record.getMessage()} ({hidden} more like this since the last one shown)", ()
        return True


def set_up(config: LogConfig) -> None:
    """Send log records to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if config.format == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_RateLimit())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # The client reports every lost connection as an error; what matters of it reaches the user as one of ours.
    logging.getLogger("kafka").setLevel(logging.DEBUG if config.level == "debug" else logging.CRITICAL)
    logging.getLogger("streamrnn").setLevel(config.level.upper())
