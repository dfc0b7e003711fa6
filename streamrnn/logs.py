"""Log records on stderr, as text for people or JSON for machines; repeated warnings are limited."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime

from streamrnn.config import LogConfig

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
            if hasattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _RateLimit(logging.Filter):
    """The same warning from the same place at most every `_REPEAT_AFTER` seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._said.get(place, -_REPEAT_AFTER) < _REPEAT_AFTER:
            return False
        self._said[place] = now
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
