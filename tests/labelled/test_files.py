"""Labelled files through the command line: flags, CSV, inspect and reset; killed and started again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.commands import SMALL, Streamrnn, finish
from tests.hostile.test_killed import SLOWLY, marks
from tests.inside import Inside
from tests.labelled.streams import configured, stream

TASK = ("--task", "classification", "--feature", "a", "--feature", "b")
ROWS = """when,order,a,b,kind
0,o1,1.5,2.5,
60,o2,-1,,up
120,o1,,,down
180,o9,,,down
240,o4,NA,,
300,,,,down
360,o5,x,1,up
420,o6,1,1,
"""


def test_a_file_with_a_column_for_the_label(inside: Inside) -> None:
    done = inside.forecast(ROWS.encode(), *TASK, "--label", "kind", "--id", "order")
    assert "targets" not in done.err
    assert [record.get("status", "predicted") for record in done.records] == [
        "predicted", "predicted", "joined", "unknown", "predicted", "predicted", "predicted"
    ]  # fmt: skip
    assert done.rejected == [5]  # a label of nothing
    assert "1 of 7 cells of a are no numbers" in done.err
    assert done.records[2]["label"] == "down"
    assert done.records[-1]["probabilities"].keys() == {"up", "down"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "no column 'label' for event.label"),
        (("--label", "kind", "--id", "number"), "no column 'number' for event.id"),
        (("--label", "kind", "--feature", "c"), "no column 'c' for event.feature"),
        (("--label", "kind", "--target", "c"), "event.targets: nothing is forecast"),
    ],
)
def test_a_column_that_is_not_there(inside: Inside, tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    ended = inside("run", "--input", tmp_path / "x.csv", "--output", tmp_path / "out", *TASK, *more)
    assert ended.code == 2
    assert words in ended.err


def test_what_is_learned_is_kept_shown_and_forgotten(inside: Inside, tmp_path: Path) -> None:
    state = tmp_path / "state"
    flags = (*TASK, "--label", "kind", "--id", "order", "--state", state)
    first = inside.forecast(ROWS.encode(), *flags)
    assert "accuracy" in first.err
    [row] = json.loads(inside("inspect", "--state", state, "--json").out)
    assert (row["offset"], row["events"], row["settings"]["task"]) == (8, 7, "classification")
    assert row["counters"]["labels_joined"] == 3
    assert row["counters"]["labels_unknown"] == 1
    other = ("--task", "regression", *flags[2:])
    changed = inside("run", "--input", tmp_path / "x.csv", "--output", tmp_path / "x.csv.out", *SMALL, *other)
    assert changed.code == 1
    assert "task was 'classification', is 'regression'" in changed.err
    forecasting = inside(
        "run", "--input", tmp_path / "x.csv", "--output", tmp_path / "x.csv.out", "--state", state, *SMALL
    )
    assert "task was 'classification', is 'forecast'" in forecasting.err
    assert inside("reset", "--state", state, "--yes").code == 0
    assert inside.forecast(ROWS.encode(), *flags).bytes == first.bytes


def arguments(folder: Path, source: Path) -> list[object]:
    return [
        "run", "--input", source, "--output", folder / "out", "--state", folder / "state", "--quiet", *TASK, *SMALL,
        "--set", "labels.pending=8", "--set", "labels.label_ttl=1h", "--set", "state.snapshot_interval=1ms",
    ]  # fmt: skip


def test_kills_at_random_points(streamrnn: Streamrnn, tmp_path: Path) -> None:
    source, calm, disturbed = tmp_path / "x.jsonl", tmp_path / "calm", tmp_path / "disturbed"
    rows = stream(configured(), 4000, series=12)
    source.write_bytes(b"".join((row.value or b"null") + b"\n" for row in rows))
    for folder in (calm, disturbed):
        folder.mkdir()
    assert streamrnn(*arguments(calm, source)).code == 0
    random = np.random.Generator(np.random.Philox(key=9))
    hits = 0
    for _ in range(4):
        process = streamrnn.start(*arguments(disturbed, source), code=SLOWLY)
        marks(process, int(random.integers(0, 5)))
        for _ in range(int(random.integers(0, 40_000))):  # somewhere inside the next commit
            pass
        hits += process.poll() is None
        process.kill()
        finish(process)
    assert hits >= 2
    assert streamrnn(*arguments(disturbed, source)).code == 0
    for name in ("out", "out.dead-letters.jsonl"):
        assert (disturbed / name).read_bytes() == (calm / name).read_bytes()
    assert b'"joined"' in (calm / "out").read_bytes()
    digests = [
        json.loads(streamrnn("inspect", "--state", folder / "state", "--json").out)[0]["digest"]
        for folder in (calm, disturbed)
    ]
    assert digests[0] == digests[1]
