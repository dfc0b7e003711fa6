"""`streamrnn latest`: from a page, and from a state folder."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.app import latest
from streamrnn.config.loading import load
from streamrnn.connectors.requests import Refused, ask
from streamrnn.errors import ConfigurationError, StateError, StreamRNNError
from streamrnn.records.latest import LatestRecord
from tests.commands import SMALL, Streamrnn
from tests.monitor.stage import Stage, configured, free_model, until

__all__ = ["free_model"]


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


@pytest.mark.usefixtures("free_model")
def test_a_page_is_asked_with_its_token(capsys: pytest.CaptureFixture[str]) -> None:
    with Stage(configured(monitor__token="secret")) as stage:
        stage.feed("a/b", 1.0, 2.5)
        stage.settled()
        until(lambda: len(stage.monitor.feed.history) == 1)
        config = load(None, {"monitor.port": stage.monitor.port, "monitor.token": "secret"}, {})
        document = latest.from_page(config, None, "a/b", None, None)
        assert document["targets"]["value"]["observed"] == 2.5
        latest.show(document, as_json=True)
        assert json.loads(capsys.readouterr().out) == document
        latest.show(document, as_json=False)
        shown = capsys.readouterr().out
        assert "2.5" in shown
        assert "2026-01-01T00:20:00Z" in shown
        with pytest.raises(StreamRNNError, match="'nobody': this worker has seen no event"):
            latest.from_page(config, None, "nobody", None, None)
        with pytest.raises(StreamRNNError, match="wants its token: set STREAMRNN__MONITOR__TOKEN"):
            latest.from_page(load(None, {"monitor.port": stage.monitor.port}, {}), None, "a/b", None, None)


def test_without_a_page_it_says_what_to_give() -> None:
    with pytest.raises(ConfigurationError, match="--url http://HOST:PORT, or --config"):
        latest.from_page(load(None, {}, {}), None, "a", None, None)


def test_what_is_no_page_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(Refused, match="no answer within"):
            ask("GET", url, headers={}, timeout=0.2)
    with pytest.raises(Refused, match="ConnectionRefusedError"):
        ask("GET", url, headers={}, timeout=5)
    with pytest.raises(Refused, match="begins with http"):
        ask("GET", "file:///etc/passwd", headers={}, timeout=5)


def test_a_state_folder_says_what_the_records_said(streamrnn: Streamrnn, tmp_path: Path) -> None:
    """Value, next forecast, time and bounds are those of the last record of the series, to the last digit."""
    rows = [
        f"2026-01-01T00:{minute:02d}:00Z,{key},{minute % 5 + n}" for minute in range(60) for n, key in enumerate("aé")
    ]
    (tmp_path / "x.csv").write_text("\n".join(["time,key,value", *rows]) + "\n")
    arguments = ("--input", "x.csv", "--output", "out.jsonl", "--state", "state", "--quiet")
    done = streamrnn("run", *arguments, *SMALL, "--set", "model.horizon=3", "--set", "model.preset=lite")
    assert done.code == 0, done.err
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    done = streamrnn("latest", "é", "--state", "state", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    LatestRecord.model_validate(found)
    said, told = last["targets"]["value"], found["targets"]["value"]
    assert (found["key"], found["time"], found["events"]) == ("é", last["time"], 60)
    assert found["source"] == {"topic": "x.csv", "partition": 0}
    assert told["observed"] == said["observed"]
    assert told["forecast"] == said["forecast"][:1]
    assert sum(told["experts"].values()) == pytest.approx(1.0)
    assert "+1" in streamrnn("latest", "é", "--state", "state").out.decode()
    assert "holds no series 'nobody'" in streamrnn("latest", "nobody", "--state", "state").err


def test_a_folder_that_holds_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is no folder"):
        latest.from_folder(tmp_path / "none", "a")
    with pytest.raises(StateError, match="holds no snapshot"):
        latest.from_folder(tmp_path, "a")
