from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from streamrnn.app.logs import _RateLimit, set_up
from streamrnn.config.tree import LogConfig
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.records.log import Message
from streamrnn.runtime.task import make_model, task_of
from streamrnn.runtime.worker import Worker
from tests.streams import configured

Lines = Callable[[], list[str]]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """The lines that were logged after `set_up`; everything is as before when the test is over."""
    loggers = [logging.getLogger(name) for name in (None, "kafka", "streamrnn")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield lambda: capsys.readouterr().err.splitlines()
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers


def records(stderr: Lines) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr()]


def test_json_lines_of_a_worker_say_topic_partition_and_offset(stderr: Lines) -> None:
    config = configured()
    make_model(config).warm_up()
    log = MemoryLog("events", partitions=2)
    for number in range(2):
        log.append(number, Message(b"pump", b'{"time": "2026-01-01T00:00:00Z", "value": 1.5}'))
    log.finish()
    set_up(LogConfig(format="json"))
    for _ in range(2):
        Worker(task_of(config), lambda: MemoryConnector(log)).run()
    found = records(stderr)
    live = [line for line in found if "live at offset" in str(line["message"])]
    assert [(line["topic"], line["partition"], line["offset"]) for line in live] == [
        *[("events", 0, 0), ("events", 1, 0)],
        *[("events", 0, 1), ("events", 1, 1)],
    ]
    assert all((line["topic"], line["partition"]) in log.partitions for line in found)
    assert {line["level"] for line in found} == {"info"}
    assert all(str(line["time"]).endswith("+00:00") and line["logger"] == "streamrnn.runtime.worker" for line in found)


def test_json_lines_stay_one_line_each_whatever_is_in_them(stderr: Lines) -> None:
    set_up(LogConfig(format="json"))
    log = logging.getLogger("streamrnn.test")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception('a key with\na line break and a \u2028 and a quote "')
    [line] = records(stderr)
    assert line["message"] == 'a key with\na line break and a \u2028 and a quote "'
    assert "ValueError: two\nlines" in str(line["exception"])


def test_the_level_is_the_configured_one(stderr: Lines) -> None:
    set_up(LogConfig(level="warning"))
    logging.getLogger("streamrnn.test").info("not this")
    logging.getLogger("kafka.net").error("nor this, of the client")
    logging.getLogger("streamrnn.test").warning("but this")
    [line] = stderr()
    assert line.endswith("WARNING streamrnn.test: but this")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def warning(line: int, text: str = "refused %d", level: int = logging.WARNING, **extra: object) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord("x", level, "file.py", line, text, (line,), None, extra=extra)


def test_a_repeated_warning_is_said_once_in_a_while_and_counted() -> None:
    clock = Clock()
    limit = _RateLimit(clock)
    assert limit.filter(warning(1))
    for _ in range(25):
        clock.now += 1
        assert not limit.filter(warning(1))
    assert limit.filter(warning(2)), "another place"
    clock.now += 5
    again = warning(1)
    assert limit.filter(again)
    assert again.getMessage() == "refused 1 (25 more like this since the last one shown)"
    clock.now += 30
    once_more = warning(1)
    assert limit.filter(once_more)
    assert once_more.getMessage() == "refused 1"


def test_partitions_and_levels_are_told_apart() -> None:
    limit = _RateLimit(Clock())
    assert limit.filter(warning(1, topic="events", partition=0))
    assert limit.filter(warning(1, topic="events", partition=1))
    assert not limit.filter(warning(1, topic="events", partition=1))
    for level in (logging.INFO, logging.ERROR):
        assert limit.filter(warning(1, level=level))
        assert limit.filter(warning(1, level=level)), "only warnings are limited"
