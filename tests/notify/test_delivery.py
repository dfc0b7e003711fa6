"""From a file of alerts to a webhook on loopback: everything but the process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamrnn.app.notify import notify
from streamrnn.config.notify import NotifyConfig
from streamrnn.connectors.line_file import LineFile
from streamrnn.connectors.memory import MemoryConnector, MemoryLog
from streamrnn.errors import ConnectorError, StateError
from streamrnn.notify import notifier as loop
from streamrnn.notify.courier import Courier
from streamrnn.notify.notifier import Notifier
from streamrnn.notify.receivers import receiver
from streamrnn.records.log import Message
from tests.notify.stage import Hook, Request, configured, record, until

QUICK: dict[str, Any] = {"group_wait": "10ms", "group_interval": "1ms", "retry": "20ms"}


def hooked(folder: Path, hook: Hook, receiver: dict[str, Any] | None = None, **settings: Any) -> NotifyConfig:
    webhook = {"url": hook.url, "timeout": 5, **settings.pop("webhook", {})}
    receivers = {"hook": {"webhook": webhook, **QUICK, **(receiver or {})}}
    return configured(file=str(folder / "alerts.jsonl"), **{"receivers": receivers, **settings})


def write(folder: Path, *records: bytes) -> None:
    with (folder / "alerts.jsonl").open("ab") as file:
        file.writelines(one + b"\n" for one in records)


def once(config: NotifyConfig) -> dict[str, int]:
    return notify(config, once=True, stop=threading.Event())


def letters(folder: Path) -> list[dict[str, Any]]:
    file = folder / "alerts.jsonl.undelivered.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_alerts_arrive_once_and_a_second_run_goes_on(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b"), record("a", state="closed", minute=5))
    with Hook() as hook:
        config = hooked(tmp_path, hook)
        assert once(config)["told"] == 3
        (request,) = hook.requests
        document = request.document
        assert (document["opened"], document["resolved"], document["receiver"]) == (2, 1, "hook")
        assert [(one["key"], one["status"], one["size"]) for one in document["alerts"]] == [
            ("a", "opened", 3.25), ("b", "opened", 3.25), ("a", "resolved", 3.25),
        ]  # fmt: skip
        assert document["alerts"][0]["id"] == document["alerts"][2]["id"]
        assert request.headers["content-type"] == "application/json"
        assert "x-streamrnn-signature" not in request.headers
        assert once(config)["read"] == 0
        write(tmp_path, record("b", state="closed", minute=9), record("a", 2, since="2026-01-05T12:09:00Z"))
        assert once(config)["told"] == 2
        assert [status for _, status in hook.told()] == ["opened", "opened", "resolved", "resolved", "opened"]
    assert not letters(tmp_path)


def test_a_record_that_comes_twice_is_told_once(tmp_path: Path) -> None:
    closed = record(state="closed", minute=3)
    write(tmp_path, record(), record(), closed, closed, record(), closed)
    with Hook() as hook:
        assert once(hooked(tmp_path, hook))["repeated"] == 4
        assert [status for _, status in hook.told()] == ["opened", "resolved"]


def test_a_request_is_signed_and_can_be_told_from_another(tmp_path: Path) -> None:
    write(tmp_path, record("ü"))
    with Hook() as hook:
        once(hooked(tmp_path, hook, webhook={"secret": "s3cret", "headers": {"X-Team": "plant"}}))
        (request,) = hook.requests
        fields = dict(part.split("=", 1) for part in request.headers["x-streamrnn-signature"].split(","))
        told = hmac.new(b"s3cret", fields["t"].encode() + b"." + request.body, hashlib.sha256).hexdigest()
        assert fields["v1"] == told
        assert request.headers["x-team"] == "plant"
        assert len(request.headers["idempotency-key"]) == 32


def test_one_request_an_alert_with_a_body_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b"))
    body = {"text": "{{text}}", "severity": "{{status}}", "dedup_key": "{{id}}", "size": "{{size}}", "x": [1, None]}
    with Hook() as hook:
        once(hooked(tmp_path, hook, webhook={"each": True, "body": body}))
        first, second = (request.document for request in hook.requests)
        assert first["text"].startswith("a: anomaly")
        assert (first["severity"], first["size"], first["x"]) == ("opened", 3.25, [1, None])
        assert first["dedup_key"] != second["dedup_key"]


def test_who_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    answers = iter([500, 0, (429, {"Retry-After": "0"}), 408, 200])
    write(tmp_path, record("a"), record("a", state="closed", minute=1))
    with Hook(lambda _: next(answers)) as hook:
        counts = once(hooked(tmp_path, hook))
        assert counts["refused"] == 0
        assert [status for _, status in hook.told()] == ["opened", "resolved"]


def test_one_that_is_refused_for_good_is_a_dead_letter_and_the_others_arrive(tmp_path: Path) -> None:
    def answer(request: Request) -> int:
        return 400 if b'"poison"' in request.body else 200

    write(tmp_path, record("a"), record("poison"), b"no alert", record("b"), record("b", state="closed", minute=1))
    with Hook(answer) as hook:
        counts = once(hooked(tmp_path, hook))
        assert (counts["refused"], counts["unreadable"]) == (1, 1)
        assert [one["key"] for request in hook.requests for one in request.document["alerts"]] == ["a", "b", "b"]
    found = letters(tmp_path)
    assert [one["streamrnn.error.offset"] for one in found] == ["1", "2"]
    assert [one["streamrnn.error.class"] for one in found] == ["AlertUndelivered", "EventInvalid"]
    assert found[0]["streamrnn.error.message"].startswith("hook: http://127.0.0.1:")
    assert "400" in found[0]["streamrnn.error.message"]
    assert base64.b64decode(found[0]["value"]) == record("poison")
    assert base64.b64decode(found[1]["value"]) == b"no alert"


def test_a_redirect_is_no_delivery(tmp_path: Path) -> None:
    with Hook() as other, Hook(lambda _: (302, {"Location": other.url})) as hook:
        write(tmp_path, record())
        assert once(hooked(tmp_path, hook))["refused"] == 1
        assert not other.requests


def test_what_cannot_be_delivered_for_too_long_is_given_up(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b"))
    with Hook(lambda _: 503) as hook:
        assert once(hooked(tmp_path, hook, {"give_up": "100ms"}))["refused"] == 2
    assert ["503" in one["streamrnn.error.message"] for one in letters(tmp_path)] == [True, True]


def test_one_receiver_that_is_gone_keeps_no_other_waiting_and_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b"))
    gone = {"webhook": {"url": "http://127.0.0.1:9/"}, **QUICK}
    with Hook() as hook:
        config = hooked(tmp_path, hook)
        both = configured(
            file=str(config.file), receivers={"gone": gone, "hook": config.receivers["hook"].model_dump()}
        )
        with running(both):
            until(lambda: len(hook.told()) == 2)
        assert once(config)["read"] == 2, "nothing was committed that one of the two has not got"


@contextmanager
def running(config: NotifyConfig) -> Iterator[None]:
    stop, failures = threading.Event(), []

    def work() -> None:
        try:
            notify(config, once=False, stop=stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not failures


def test_a_file_is_followed_while_it_is_cut_back_and_written_again(tmp_path: Path) -> None:
    with Hook() as hook, running(hooked(tmp_path, hook)):
        write(tmp_path, record("a"))
        until(lambda: len(hook.told()) == 1)
        write(tmp_path, record("b"), record("c")[:40])
        until(lambda: len(hook.told()) == 2)
        content = (tmp_path / "alerts.jsonl").read_bytes()
        whole = content[: content.rindex(b"\n") + 1]
        (tmp_path / "alerts.jsonl").write_bytes(whole[:20])
        (tmp_path / "alerts.jsonl").write_bytes(whole)
        write(tmp_path, record("c"))
        until(lambda: len(hook.told()) == 3)
        assert [one["key"] for request in hook.requests for one in request.document["alerts"]] == ["a", "b", "c"]


def test_another_file_is_an_error_and_so_is_a_damaged_state(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b"))
    with Hook() as hook:
        config = hooked(tmp_path, hook)
        once(config)
        (tmp_path / "alerts.jsonl").write_bytes((record("x") + b"\n") * 3)
        with pytest.raises(StateError, match="is another file than the one of which"):
            once(config)
        state = tmp_path / "alerts.jsonl.notified"
        state.write_text(state.read_text().replace('"offset": 2', '"offset": 1'))
        with pytest.raises(StateError, match="is damaged"):
            once(config)
        state.unlink()
        (tmp_path / "alerts.jsonl").unlink()
        with pytest.raises(ConnectorError, match="does not exist"):
            once(config)


def test_two_notifiers_of_one_file_are_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with LineFile(tmp_path / "a", state, tmp_path / "d"), pytest.raises(StateError, match="another process reads"):
        LineFile(tmp_path / "a", state, tmp_path / "d").__enter__()


def test_without_resolved_nobody_hears_of_the_end(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("a", state="closed", minute=1))
    with Hook() as hook:
        once(hooked(tmp_path, hook, {"resolved": False}))
        assert [status for _, status in hook.told()] == ["opened"]


class Stage:
    """A notifier over a log in memory, turn by turn, with a clock of the test's own."""

    def __init__(self, config: NotifyConfig, log: MemoryLog) -> None:
        self.moment = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
        self.seconds = 0.0
        self.couriers = [Courier(name, of, receiver(name, of, None)) for name, of in config.receivers.items()]
        self.notifier = Notifier(
            config, self.couriers, lambda: MemoryConnector(log), stop=threading.Event(),
            clock=lambda: self.seconds, now=lambda: self.moment,
        )  # fmt: skip
        for courier in self.couriers:
            courier.start()
        self._turns = iter(self.notifier._serve(MemoryConnector(log), once=False))

    def turn(self) -> None:
        self.seconds += loop.LOOK
        next(self._turns)

    def until(self, condition: Any) -> None:
        def met() -> bool:
            self.turn()
            return bool(condition())

        until(met)


NIGHT = [{"between": "11:00-13:00"}]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    monkeypatch.setattr(loop, "POLL", 0.01)
    return MemoryLog("alerts")


def test_a_muted_alert_that_is_over_before_its_window_is_told_to_nobody(tmp_path: Path, log: MemoryLog) -> None:
    with Hook() as hook:
        stage = Stage(hooked(tmp_path, hook, mute=NIGHT), log)
        log.append(0, Message(None, record("muted")))
        log.append(0, Message(None, record("muted", state="closed", minute=20)))
        log.append(0, Message(None, record("loud", time="2026-01-05T13:00:00Z", since="2026-01-05T13:00:00Z")))
        stage.until(lambda: log.offsets and log.offsets[log.partitions[0]] == 3)
        stage.moment = datetime(2026, 1, 5, 14, tzinfo=UTC)
        for _ in range(5):
            stage.turn()
        assert [one["key"] for request in hook.requests for one in request.document["alerts"]] == ["loud"]
        assert stage.notifier.counts["muted"] == 1


def test_a_muted_alert_that_is_still_open_is_told_when_its_window_is_over(tmp_path: Path, log: MemoryLog) -> None:
    with Hook() as hook:
        config = hooked(tmp_path, hook, mute=NIGHT)
        stage = Stage(config, log)
        log.append(0, Message(None, record("muted")))
        stage.until(lambda: log.offsets)
        assert not hook.requests
        stage = Stage(config, log)  # a restart within the window: it still knows
        stage.moment = datetime(2026, 1, 5, 13, tzinfo=UTC)
        stage.until(lambda: len(hook.told()) == 1)
        stage.until(lambda: b'"held": null' in (log.snapshots[log.partitions[0]][0].value or b""))
        stage = Stage(config, log)  # and a restart after it tells it no second time
        stage.moment = datetime(2026, 1, 5, 14, tzinfo=UTC)
        log.append(0, Message(None, record("muted", state="closed", minute=55)))
        stage.until(lambda: len(hook.told()) == 2)
        assert [status for _, status in hook.told()] == ["opened", "resolved"]
        stage.until(lambda: log.snapshots[log.partitions[0]][0].value is None)


def test_an_alert_whose_end_was_never_said_is_over_when_the_next_one_opens(tmp_path: Path, log: MemoryLog) -> None:
    with Hook() as hook:
        stage = Stage(hooked(tmp_path, hook), log)
        log.append(0, Message(None, record("a", 7)))
        stage.until(lambda: len(hook.told()) == 1)
        log.append(0, Message(None, record("a", 1, since="2026-01-05T14:00:00Z", time="2026-01-05T14:00:00Z")))
        stage.until(lambda: len(hook.told()) == 3)
        (first, opened), (over, resolved), (second, again) = hook.told()
        assert first == over != second
        assert (opened, resolved, again) == ("opened", "resolved", "opened")


def test_reading_stops_while_too_much_is_under_way(
    tmp_path: Path, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_WAITING", 10)
    away = threading.Event()
    away.set()
    with Hook(lambda _: 503 if away.is_set() else 200) as hook:
        stage = Stage(hooked(tmp_path, hook), log)
        for number in range(5000):
            log.append(0, Message(None, record(f"s{number:04d}")))
        for _ in range(20):
            stage.turn()
        assert stage.notifier.counts["read"] == 1000
        away.clear()
        stage.until(lambda: len(hook.told()) == 5000)
        stage.until(lambda: log.offsets.get(log.partitions[0]) == 5000)
        assert len({one for one, _ in hook.told()}) == 5000
