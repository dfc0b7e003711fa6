"""History first, then live; and a state moved from one folder to another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrnn.frames.model import StreamModel
from tests.commands import SMALL, Done, Streamrnn

pytestmark = pytest.mark.thorough
SETTINGS = (*SMALL, "--set", "model.preset=lite", "--set", "model.horizon=2")


@pytest.fixture
def streamrnn(tmp_path: Path) -> Iterator[Streamrnn]:
    runner = Streamrnn(tmp_path)
    yield runner
    runner.kill_all()


def rows(start: int, stop: int, *, timed: bool = True) -> list[str]:
    """Two series, with a fault in the second half."""
    drawn = np.random.default_rng(3).normal(size=(2000, 2)).round(3)
    found = []
    for i in range(start, stop):
        for n, key in enumerate(("a", "bé")):
            value = 10 + 3 * (i % 24) + drawn[i, n] + (40 if i > 420 and n else 0)
            time = f"2026-01-{1 + i // 24:02d}T{i % 24:02d}:00:00Z,"
            found.append(f"{time if timed else ''}{key},{value}")
    return found


def write(path: Path, lines: list[str], *, timed: bool = True) -> None:
    path.write_text("\n".join([f"{'time,' if timed else ''}key,value", *lines]) + "\n")


def run(streamrnn: Streamrnn, source: str, output: str, *extra: str) -> Done:
    done = streamrnn("run", "--input", source, "--output", output, "--quiet", *SETTINGS, *extra)
    assert done.code == 0, done.err
    return done


def moved(line: str, file: str, rows: int) -> str:
    """The record as it would be had the file begun `rows` rows earlier and had another name."""
    found = re.sub(r'"topic":"[^"]*"', f'"topic":"{file}"', line)
    return re.sub(r'"offset":(\d+)', lambda match: f'"offset":{int(match[1]) + rows}', found)


@pytest.mark.parametrize("timed", [True, False])
def test_learn_then_live_is_one_undisturbed_run_byte_for_byte(
    streamrnn: Streamrnn, tmp_path: Path, timed: bool
) -> None:
    for name, part in (("h1", (0, 200)), ("h2", (200, 400)), ("live", (400, 500)), ("all", (0, 500))):
        write(tmp_path / f"{name}.csv", rows(*part, timed=timed), timed=timed)
    run(streamrnn, "all.csv", "all.jsonl", "--state", "whole", "--alerts", "all.alerts")
    learned = streamrnn("learn", "h1.csv", "h2.csv", "--state", "state", "--quiet", *SETTINGS)
    assert learned.code == 0, learned.err
    assert learned.out.decode().startswith("800 events of 2 series learned, 0 records unusable")
    run(streamrnn, "live.csv", "live.jsonl", "--state", "state", "--alerts", "live.alerts")
    wanted = (tmp_path / "all.jsonl").read_text().splitlines()[800:]
    found = (tmp_path / "live.jsonl").read_text().splitlines()
    assert len(found) == 200
    assert [moved(line, "all.csv", 800) for line in found] == wanted
    alerts = [line for line in (tmp_path / "all.alerts").read_text().splitlines() if _offset(line) >= 800]
    assert alerts, "the fault opens one"
    told = (tmp_path / "live.alerts").read_text().splitlines()
    assert [moved(line, "all.csv", 800) for line in told] == alerts
    assert digest(streamrnn, "state") == digest(streamrnn, "whole")
    again = run(streamrnn, "live.csv", "live.jsonl", "--state", "state", "--alerts", "live.alerts")
    assert again.code == 0
    assert (tmp_path / "live.jsonl").read_text().splitlines() == found, "a further run has nothing to do"


def _offset(line: str) -> int:
    return int(json.loads(line)["source"]["offset"])


def digest(streamrnn: Streamrnn, folder: str) -> str:
    done = streamrnn("inspect", "--state", folder, "--json")
    assert done.code == 0, done.err
    return str(json.loads(done.out)[0]["digest"])


def test_labels_are_learned_from_history_too(streamrnn: Streamrnn, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).normal(size=(300, 2)).round(3)
    lines = [f"k,{i},{a},{b},{3 * a - b}" for i, (a, b) in enumerate(drawn.tolist())]
    for name, part in (("h", lines[:200]), ("live", lines[200:]), ("all", lines)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["key,time,a,b,label", *part]) + "\n")
    task = ("--task", "regression", "--feature", "a", "--feature", "b", "--label", "label")
    settings = ("--set", "model.hidden_size=4", "--quiet")
    run_all = streamrnn("run", "--input", "all.csv", "--output", "all.jsonl", *task, *settings)
    assert run_all.code == 0, run_all.err
    names = [part for part in task if part not in ("--task", "regression", "--label", "label")]
    config = ("--set", "task=regression", "--set", "event.label=label")
    learned = streamrnn("learn", "h.csv", "--state", "state", *names, *config, *settings)
    assert learned.code == 0, learned.err
    live = streamrnn("run", "--input", "live.csv", "--output", "live.jsonl", "--state", "state", *task, *settings)
    assert live.code == 0, live.err
    found = [moved(line, "all.csv", 200) for line in (tmp_path / "live.jsonl").read_text().splitlines()]
    assert found == (tmp_path / "all.jsonl").read_text().splitlines()[200:]


def test_what_does_not_go_together_is_refused(streamrnn: Streamrnn, tmp_path: Path) -> None:
    write(tmp_path / "h.csv", rows(0, 30))
    (tmp_path / "other.csv").write_text("time,key,load\n2026-03-01T00:00:00Z,a,1\n2026-03-01T01:00:00Z,a,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bare.csv").write_text("key,value\na,1\na,2\n")

    def refused(*arguments: str) -> str:
        done = streamrnn("learn", *arguments, *SETTINGS)
        assert done.code in (1, 2), done.out
        return done.err

    assert "name files of history, or --topic" in refused("--state", "s1")
    assert "--state is for files" in refused("h.csv", "--state", "s1", "--then", "latest")
    assert "other.csv has other targets or features (load) than" in refused("h.csv", "other.csv", "--state", "s2")
    assert "bare.csv has no times, and the files before it have" in refused("h.csv", "bare.csv", "--state", "s2")
    assert "h.csv has times, and the files before it have none" in refused("bare.csv", "h.csv", "--state", "s2")
    assert not list((tmp_path / "s2").glob("*.snapshot")), "nothing was written"
    assert "there is nothing to learn: none of 0 records is an event" in refused("empty.csv", "--state", "s3")
    assert streamrnn("learn", "h.csv", "--state", "s4", *SETTINGS).code == 0
    assert "s4 holds a state already" in refused("h.csv", "--state", "s4")
    assert "write a time such as" in refused("--topic", "t", "--until", "yesterday")
    assert "earliest, latest, an offset or a time" in refused("h.csv", "--then", "soon")
    done = streamrnn("run", "--input", "other.csv", "--output", "o", "--state", "s4", *SETTINGS)
    assert done.code == 1
    assert "event.targets was ['value'], is ['load']" in done.err


def test_a_state_moves_to_another_folder_and_goes_on_there(streamrnn: Streamrnn, tmp_path: Path) -> None:
    write(tmp_path / "h.csv", rows(0, 400))
    write(tmp_path / "live.csv", rows(400, 500))
    run(streamrnn, "h.csv", "h.jsonl", "--state", "one")
    done = streamrnn("state", "export", "all.state", "--state", "one")
    assert done.code == 0, done.err
    assert re.fullmatch(r"one\[0\]: 2 series at offset 800, digest [0-9a-f]{16}\n", done.out.decode())
    done = streamrnn("state", "import", "all.state", "--state", "two", "--to", "earliest")
    assert done.code == 0, done.err
    assert digest(streamrnn, "one") == digest(streamrnn, "two")
    run(streamrnn, "live.csv", "imported.jsonl", "--state", "two")
    streamrnn("learn", "h.csv", "--state", "three", "--quiet", *SETTINGS)
    run(streamrnn, "live.csv", "learned.jsonl", "--state", "three")
    assert (tmp_path / "imported.jsonl").read_bytes() == (tmp_path / "learned.jsonl").read_bytes()
    # keep: the same input and outputs, elsewhere
    done = streamrnn("state", "import", "all.state", "--state", "four", "--to", "keep")
    assert done.code == 0, done.err
    with (tmp_path / "h.csv").open("a") as file:
        file.write("\n".join(rows(400, 500)) + "\n")
    run(streamrnn, "h.csv", "h.jsonl", "--state", "four")
    write(tmp_path / "all.csv", rows(0, 500))
    run(streamrnn, "all.csv", "all.jsonl")
    found = (tmp_path / "h.jsonl").read_text().replace('"topic":"h.csv"', '"topic":"all.csv"')
    assert found == (tmp_path / "all.jsonl").read_text()


def test_some_series_alone(streamrnn: Streamrnn, tmp_path: Path) -> None:
    write(tmp_path / "h.csv", rows(0, 100))
    run(streamrnn, "h.csv", "h.jsonl", "--state", "one")
    assert streamrnn("state", "export", "some.state", "--state", "one", "--keys", "b*").code == 0
    assert streamrnn("state", "import", "some.state", "--state", "two", "--to", "earliest").code == 0
    (row,) = json.loads(streamrnn("inspect", "--state", "two", "--json").out)
    assert row["series"] == 1
    one, two = (json.loads(streamrnn("latest", "bé", "--state", folder, "--json").out) for folder in ("one", "two"))
    assert {**one, "source": None} == {**two, "source": None}
    assert "no series matches x*" in streamrnn("state", "export", "x", "--state", "one", "--keys", "x*").err


def test_a_file_that_is_damaged_or_none_is_refused(streamrnn: Streamrnn, tmp_path: Path) -> None:
    write(tmp_path / "h.csv", rows(0, 30))
    run(streamrnn, "h.csv", "h.jsonl", "--state", "one")
    assert streamrnn("state", "export", "all.state", "--state", "one").code == 0
    content = (tmp_path / "all.state").read_bytes()

    def refused(data: bytes) -> str:
        (tmp_path / "bad.state").write_bytes(data)
        done = streamrnn("state", "import", "bad.state", "--state", "bad", "--to", "earliest")
        assert done.code == 1, done.out
        assert not list((tmp_path / "bad").glob("*.snapshot"))
        return done.err

    for data in (b"", b"x" * 1000, content[:-100], content[: len(content) // 2]):
        assert "not a state that streamrnn saved" in refused(data)
    for place in (len(content) // 3, len(content) - 50, 200):
        assert refused(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    done = streamrnn("state", "import", "all.state", "--state", "one", "--to", "earliest")
    assert "holds a state already" in done.err
    assert "Missing option '--to'" in streamrnn("state", "import", "all.state", "--state", "new").err
    learned = streamrnn("learn", "h.csv", "--state", "learned", "--quiet", *SETTINGS)
    assert learned.code == 0
    assert streamrnn("state", "export", "learned.state", "--state", "learned").code == 0
    done = streamrnn("state", "import", "learned.state", "--state", "new", "--to", "keep")
    assert "was not taken from a folder that knows its input" in done.err


def test_what_a_notebook_has_learned_goes_live(streamrnn: Streamrnn, tmp_path: Path) -> None:
    import pandas as pd

    write(tmp_path / "h.csv", rows(0, 200))
    write(tmp_path / "live.csv", rows(200, 260))
    settings: dict[str, Any] = {"model.hidden_size": 4, "model.truncation_length": 2}
    model = StreamModel(horizon=2, preset="lite", settings=settings)
    frame = pd.read_csv(tmp_path / "h.csv", parse_dates=["time"])
    model.update(frame)
    model.save(tmp_path / "notebook.state")
    done = streamrnn("state", "import", "notebook.state", "--state", "one", "--to", "earliest")
    assert done.code == 0, done.err
    run(streamrnn, "live.csv", "imported.jsonl", "--state", "one")
    streamrnn("learn", "h.csv", "--state", "two", "--quiet", *SETTINGS)
    run(streamrnn, "live.csv", "learned.jsonl", "--state", "two")
    assert (tmp_path / "imported.jsonl").read_bytes() == (tmp_path / "learned.jsonl").read_bytes()
