"""CONTRIBUTING.md, word for word: a connector in a package of its own."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from streamrnn.connectors.base import Connector
from tests.commands import ROOT, Streamrnn
from tests.contributing.walkthrough import files_of


def installed(tmp_path: Path) -> dict[str, str]:
    """The files of the walkthrough as an installed package."""
    for name, text in files_of("A connector").items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'site'}"}


def test_a_connector_is_one_file_and_an_entry_point(streamrnn: Streamrnn, tmp_path: Path) -> None:
    environment = installed(tmp_path)
    assert len(files_of("A connector")) == 2
    flags = ("--set", "connector.name=counter", "--set", "connector.options={count: 30}", "--quiet")
    done = streamrnn("run", *flags, environment=environment)
    assert done.code == 0, done.err
    records = [orjson.loads(line) for line in done.out.splitlines()]
    assert len(records) == 30
    assert all(record["key"] == "a" for record in records)


def test_a_name_that_nobody_has_is_an_error_that_lists_those_there_are(streamrnn: Streamrnn, tmp_path: Path) -> None:
    done = streamrnn("run", "--set", "connector.name=nothing", environment=installed(tmp_path))
    assert done.code == 2
    assert "no installed package has a connector 'nothing'; there are: counter" in done.err


def test_a_connector_without_commit_cannot_be_made() -> None:
    methods = {name: lambda *_: None for name in Connector.__abstractmethods__ - {"commit"}}
    with pytest.raises(TypeError, match="commit"):
        type("Lacking", (Connector,), methods)()  # type: ignore[abstract]
    type("Whole", (Connector,), methods | {"commit": lambda *_: None})()


def test_a_file_connector_that_is_made_touches_nothing(tmp_path: Path) -> None:
    from streamrnn.connectors.files import FileConnector

    (tmp_path / "out").write_bytes(b"of before\n")
    (tmp_path / "in.csv").write_bytes(b"time,value\n1,2\n")
    before = sorted(tmp_path.iterdir())
    connector = FileConnector(tmp_path / "in.csv", tmp_path / "out", state=tmp_path / "state")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "out").read_bytes() == b"of before\n"
    with connector:
        assert (tmp_path / "out").read_bytes() == b""
