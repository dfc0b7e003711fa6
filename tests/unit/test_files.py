from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrnn.config.tree import Config
from streamrnn.connectors.base import Commit
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.lines import LineReader
from streamrnn.errors import ConfigurationError, ConnectorError
from streamrnn.records.log import Message


def all_lines(reader: LineReader) -> list[tuple[bytes, int]]:
    found = []
    while not reader.at_end:
        found += reader.lines(timeout=60)
    return found


TEXT = st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bc", b"\r", b" ", b"\xff", b"\x00"]), max_size=30).map(
    b"".join
)


@given(text=TEXT, block=st.integers(1, 9), bom=st.booleans())
def test_lines_are_the_same_however_they_are_read(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, block: int, bom: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text)
    expected = text.split(b"\n")
    if not expected[-1]:
        expected.pop()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("streamrnn.connectors.reading.lines.BLOCK", max(block, 3))
        with closing(LineReader(path)) as reader:
            found = all_lines(reader)
            assert [line for line, _ in found] == [line.rstrip(b"\r") for line in expected]
            for index, (_, position) in enumerate(found):  # reading on from any of them is reading the rest
                reader.seek(position)
                assert all_lines(reader) == found[index + 1 :]


def test_a_pipe_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    with os.fdopen(out, "r") as stream, os.fdopen(into, "wb", buffering=0) as end:
        monkeypatch.setattr("sys.stdin", stream)
        reader = LineReader(None)
        assert not reader.seekable
        assert reader.lines(timeout=0) == []
        end.write(b"one\ntw")
        assert [line for line, _ in reader.lines(timeout=60)] == [b"one"]
        assert reader.lines(timeout=0) == []
        end.write(b"o\nthree")
        assert [line for line, _ in reader.lines(timeout=60)] == [b"two"]
        end.close()
        assert [line for line, _ in all_lines(reader)] == [b"three"]
        reader.close()
        assert not stream.closed


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamrnn.connectors.reading.lines.LONGEST_LINE", 1000)
    monkeypatch.setattr("streamrnn.connectors.reading.lines.BLOCK", 100)
    (tmp_path / "x").write_bytes(b"x" * 5000)
    with closing(LineReader(tmp_path / "x")) as reader, pytest.raises(ConnectorError, match="has a line of over"):
        all_lines(reader)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConnectorError, match=rf"cannot read {path}: "):
            FileConnector(path, tmp_path / "out").open()


@pytest.mark.parametrize(
    ("name", "first", "header"),
    [
        ("x.csv", b"a,b", "a,b"),
        ("x.csv", b'{"a": 1}', None),
        ("x.TSV", b"a", "a"),
        ("x.jsonl", b"garbage", None),
        ("x.ndjson", b'{"a": 1}', None),
        ("x.json", b'{"a": 1}', None),
        ("x", b' {"a": 1}', None),
        ("x.txt", b"a,b", "a,b"),
    ],
)
def test_the_first_line_is_a_header_or_not(tmp_path: Path, name: str, first: bytes, header: str | None) -> None:
    second = b'{"a": 2}' if header is None else first.replace(b"a", b"1").replace(b"b", b"2")
    (tmp_path / name).write_bytes(b"\n" + first + b"\n" + second + b"\n")
    with FileConnector(tmp_path / name, tmp_path / "out") as connector:
        assert connector.look(Config()).layout.header == header
        connector.poll(0)
        connector.start(connector.partition, 0)
        (records,) = connector.poll(0).records.values()
        assert [record.value for record in records] == [first, second][header is not None :]
        assert connector.poll(0).finished


def test_nothing_is_written_before_a_first_commit_but_an_old_output_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"a": 1}\n')
    (tmp_path / "out").write_bytes(b"old")
    with FileConnector(tmp_path / "x", tmp_path / "out") as connector:
        assert (tmp_path / "out").read_bytes() == b""
        connector.commit(Commit({connector.partition: 1}, {connector.partition: [Message(None, b"new")]}))
        assert (tmp_path / "out").read_bytes() == b"new\n"
    assert not (tmp_path / "out.dead-letters.jsonl").exists()


def test_alerts_are_written_only_where_they_are_wanted_and_go_on_where_they_were(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"a": 1}\n' * 4)
    alerts = tmp_path / "alerts"
    for row, wanted in enumerate([alerts, None, alerts]):
        with FileConnector(
            tmp_path / "x", tmp_path / "out", state=tmp_path / "state", alerts=wanted, max_poll_records=1
        ) as connector:
            connector.poll(0)
            connector.start(connector.partition, row)
            connector.poll(0)
            raised = {connector.partition: [Message(None, b"%d" % row)]}
            state = {connector.partition: [Message(b"state", b"")]}
            connector.commit(Commit({connector.partition: row + 1}, alerts=raised, snapshots=state))
            connector.commit(Commit(alerts={connector.partition: [Message(None, b"to be cut back")]}))
    assert alerts.read_bytes() == b"0\n2\nto be cut back\n"
    with pytest.raises(ConfigurationError, match="--output and --alerts are the same file"):
        FileConnector(tmp_path / "x", tmp_path / "out", alerts=tmp_path / "out")


def test_starting_elsewhere_than_the_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"a": 1}\n')
    with (
        FileConnector(tmp_path / "x", tmp_path / "out") as connector,
        pytest.raises(ConnectorError, match="row 0, not 5"),
    ):
        connector.start(connector.partition, 5)
