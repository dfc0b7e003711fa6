"""Files split into partitions, and partitions folded by threads: the law holds as for one, whatever the threads do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamrnn.errors import SnapshotMismatch
from streamrnn.records.log import Message
from streamrnn.runtime.task import task_of
from streamrnn.state.partition_model import PartitionModel
from tests.commands import SMALL
from tests.inside import Ended, Inside
from tests.streams import configured

SERIES = 9
ROWS = 400


def rows(count: int = ROWS) -> str:
    lines = [
        f"2024-01-{1 + at // 864:02}T{at // 36 % 24:02}:{at % 36:02}:00Z,pump {at * 7 % SERIES},{(at * 37 % 101) / 8}\n"
        for at in range(count)
    ]
    return "time,key,value\n" + "".join(lines)


def run(inside: Inside, folder: Path, name: str, *flags: object) -> Ended:
    return inside("run", "--input", folder / "x.csv", "--output", folder / name, "--quiet", *SMALL, *flags)


def test_threads_change_no_byte_and_outputs_stay_in_order(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(rows())
    for name, workers in (("one", 1), ("two", 2), ("more", 5)):
        assert run(inside, tmp_path, name, "--partitions", 3, "--workers", workers).code == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == (tmp_path / "more").read_bytes()
    records = [json.loads(line) for line in (tmp_path / "one").read_bytes().splitlines()]
    assert [record["source"]["offset"] for record in records] == list(range(ROWS))
    assert run(inside, tmp_path, "whole").code == 0
    assert (tmp_path / "whole").read_bytes() != (tmp_path / "one").read_bytes()  # a network each


def test_a_part_is_what_its_series_are_alone(inside: Inside, tmp_path: Path) -> None:
    from streamrnn.state.split_model import part_of

    whole = rows()
    (tmp_path / "x.csv").write_text(whole)
    assert run(inside, tmp_path, "split", "--partitions", 2, "--workers", 2).code == 0
    split = [json.loads(line) for line in (tmp_path / "split").read_bytes().splitlines()]
    header, *lines = whole.splitlines()
    for part in (0, 1):
        own = [line for line in lines if part_of(line.split(",")[1], 2) == part]
        assert own
        (tmp_path / "x.csv").write_text("\n".join([header, *own]) + "\n")
        assert run(inside, tmp_path, f"part{part}").code == 0
        alone = [json.loads(line) for line in (tmp_path / f"part{part}").read_bytes().splitlines()]
        of_part = [record for record in split if part_of(record["key"], 2) == part]
        assert [one["targets"] for one in alone] == [one["targets"] for one in of_part]
        assert [one["anomaly"] for one in alone] == [one["anomaly"] for one in of_part]


@pytest.mark.parametrize("cuts", [(137,), (1, 2, 3, 399), (200, 201)])
def test_growing_files_with_a_state(inside: Inside, tmp_path: Path, cuts: tuple[int, ...]) -> None:
    flags = ("--partitions", 2, "--workers", 2)
    (tmp_path / "x.csv").write_text(rows())
    assert run(inside, tmp_path, "whole", *flags).code == 0
    for cut in (*cuts, ROWS):
        (tmp_path / "x.csv").write_text(rows(cut))
        assert run(inside, tmp_path, "grown", "--state", tmp_path / "s", *flags).code == 0
    assert (tmp_path / "grown").read_bytes() == (tmp_path / "whole").read_bytes()


def test_another_number_of_partitions_is_refused(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(rows(100))
    state = ("--state", tmp_path / "s")
    assert run(inside, tmp_path, "o", *state, "--partitions", 2).code == 0
    for flags in ((), ("--partitions", 3)):
        refused = run(inside, tmp_path, "o", *state, *flags)
        assert refused.code == 1
        assert "the state was made with --partitions 2" in refused.err
    inspected = inside("inspect", "--state", tmp_path / "s", "--json")
    assert [row["partition"][-3:] for row in json.loads(inspected.out)] == ["[0]", "[1]"]
    assert sum(row["series"] for row in json.loads(inspected.out)) == SERIES
    (tmp_path / "plain").mkdir()
    assert run(inside, tmp_path, "p", "--state", tmp_path / "t").code == 0
    refused = run(inside, tmp_path, "p", "--state", tmp_path / "t", "--partitions", 2)
    assert "the state was made with --partitions 1, and this is 2" in refused.err


def test_labels_cannot_be_split(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(rows(20))
    flags = ("--task", "regression", "--label", "value", "--feature", "x", "--partitions", 2)
    refused = inside("run", "--input", tmp_path / "x.csv", "--output", tmp_path / "o", *flags)
    assert refused.code == 2
    assert "file.partitions: only for forecasts" in refused.err


def test_the_model_itself_refuses_another_number_of_parts() -> None:
    def model(parts: int) -> PartitionModel[Any]:
        return task_of(configured(file__partitions=parts)).file_model()

    def restored(parts: int, messages: list[Message]) -> None:
        restoring = model(parts).restore(messages)
        for _ in restoring:
            pass

    plain, two, three = (list(model(parts).snapshot(0)) for parts in (1, 2, 3))
    for parts, stored in ((1, plain), (2, two), (3, three)):
        restored(parts, stored)
    for parts, stored, said in ((2, plain, "was 1, is 2"), (2, three, "was 3, is 2"), (1, two, "was split")):
        with pytest.raises(SnapshotMismatch, match=f"partitions {said}"):
            restored(parts, stored)
