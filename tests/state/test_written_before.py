"""State that an earlier streamrnn wrote is read whole, or refused with a sentence that says which version reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamrnn.errors import SnapshotVersion
from streamrnn.records.log import Partition
from streamrnn.runtime.task import make_model
from streamrnn.state import migrations
from streamrnn.state.arrays import fields
from streamrnn.state.snapshot import digest_of
from streamrnn.state.snapshot_folder import SnapshotFolder
from tests.commands import Streamrnn
from tests.state.written_before import WRITTEN, Written, unpack
from tests.streams import restore

REFUSAL = r"has layout \d+ of the \w+, which streamrnn (\S+) reads and this one does not \(.+\): run streamrnn \1, or "


def parts(written: Written) -> set[str]:
    return {"labelled"} if written.task == "classification" else set(migrations.PARTS) - {"labelled"}


def refused(written: Written) -> bool:
    return any(isinstance(one, migrations.Refused) and one.part in parts(written) for one in migrations.CHANGES)


def changed(written: Written) -> bool:
    return any(one.part in parts(written) for one in migrations.CHANGES)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda one: f"{one.version}-{one.task}")
def test_a_state_folder_of_before(written: Written, tmp_path: Path) -> None:
    folder = SnapshotFolder(unpack(written, tmp_path))
    model = make_model(written.config)
    try:
        if refused(written):
            with pytest.raises(SnapshotVersion, match=REFUSAL):
                restore(model, folder.messages())
        else:
            assert restore(model, folder.messages()) == written.offset
            assert len(model.series) == written.series
            assert model.counters["events"] == written.offset
            assert changed(written) or model.digest() == written.digest
            if parts(written) == {"labelled"}:  # only names have changed since
                earlier = {new: old for old, new in migrations.NAMES_OF_LABELLED.items()}
                shared = {earlier.get(name, name): array for name, array in fields(model.shared)}
                rows = {key: digest_of(model.series.data(key)) for key in model.series.all_keys()}
                assert digest_of(shared, rows).hex() == written.digest
            again = make_model(written.config)
            messages = [*folder.messages(), *model.snapshot(written.offset, Partition("events", 0))]
            assert restore(again, messages) == written.offset  # rows of before, the rest of today
            assert again.digest() == model.digest()
    finally:
        folder.close()


def test_inspect_shows_a_state_of_before(tmp_path: Path) -> None:
    done = Streamrnn(tmp_path)("inspect", "--state", unpack(WRITTEN[0], tmp_path / "state"), "--json")
    assert done.code == 0, done.err
    assert re.search(rb'"written_by": "streamrnn 0\.1\.0"', done.out)
