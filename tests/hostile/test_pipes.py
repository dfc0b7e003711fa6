"""`-` is standard input and standard output: slow ones, closed ones, and readers that have had enough."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.commands import SMALL, Streamrnn, finish
from tests.inside import Inside

PIPES = ("run", "--input", "-", "--output", "-", "--quiet", *SMALL)
ROWS = [b'{"time": %d, "key": "s%d", "value": %d}\n' % (60 * row, row % 3, row % 5) for row in range(40)]


def from_file(inside: Inside) -> bytes:
    return inside.forecast(b"".join(ROWS), name="x.jsonl").bytes.replace(b'"x.jsonl"', b'"-"')


def test_a_pipe_gives_the_bytes_of_a_file(inside: Inside, streamrnn: Streamrnn) -> None:
    done = streamrnn(*PIPES, input=b"".join(ROWS))
    assert (done.code, done.err) == (0, "")
    assert done.out == from_file(inside)


def test_csv_through_a_pipe_with_dead_letters_on_stderr(streamrnn: Streamrnn) -> None:
    done = streamrnn(*PIPES, input=b"time,value\n0,1\nnever,3\n120,2\n")
    assert done.code == 0
    assert [json.loads(line)["source"]["offset"] for line in done.out.splitlines()] == [0, 2]
    assert json.loads(done.err)["streamrnn.error.offset"] == "1"


@pytest.mark.parametrize("how", ["file as standard input", "standard input to file", "named pipes"])
def test_mixed_ends(inside: Inside, streamrnn: Streamrnn, tmp_path: Path, how: str) -> None:
    expected = from_file(inside)
    source = tmp_path / "source.jsonl"
    source.write_bytes(b"".join(ROWS))
    if how == "file as standard input":
        with source.open("rb") as stream:
            assert streamrnn(*PIPES, stdin=stream).out == expected
    elif how == "standard input to file":
        done = streamrnn("run", "--input", "-", "--output", "out", "--quiet", *SMALL, input=b"".join(ROWS))
        assert done.code == 0, done.err
        assert (tmp_path / "out").read_bytes() == expected
    else:
        ends = tmp_path / "in.jsonl", tmp_path / "out.fifo"
        for end in ends:
            os.mkfifo(end)
        process = streamrnn.start("run", "--input", ends[0], "--output", ends[1], "--quiet", *SMALL)
        ends[0].write_bytes(b"".join(ROWS))
        assert ends[1].read_bytes().replace(b'"in.jsonl"', b'"-"') == expected
        assert finish(process).code == 0


def test_every_row_is_answered_as_soon_as_it_is_there(inside: Inside, streamrnn: Streamrnn) -> None:
    process = streamrnn.start(*PIPES, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    said = []
    for row in ROWS[:10]:
        half = len(row) // 2
        for part in (row[:half], row[half:]):  # a row may come in pieces
            process.stdin.write(part)
            process.stdin.flush()
        said.append(process.stdout.readline())  # would wait for ever if it were held back
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait() == 0
    assert b"".join(said) == b"".join(from_file(inside).splitlines(keepends=True)[:10])


def test_a_reader_that_has_enough_ends_the_run_quietly(streamrnn: Streamrnn) -> None:
    process = streamrnn.start(*PIPES, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(ROWS[0])
    process.stdin.flush()
    assert process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"".join(ROWS))
    process.stdin.close()
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_head_of_one_line(streamrnn: Streamrnn, tmp_path: Path) -> None:
    rows = (b'{"time": %d, "key": "s%d", "value": %d}\n' % (60 * row, row % 3, row % 5) for row in range(20_000))
    (tmp_path / "x.jsonl").write_bytes(b"".join(rows))
    process = streamrnn.start("run", "--input", "x.jsonl", "--output", "-", "--quiet", *SMALL)
    with subprocess.Popen(["head", "-1"], stdin=process.stdout, stdout=subprocess.PIPE) as head:
        assert process.stdout is not None
        process.stdout.close()
        assert head.stdout is not None
        assert json.loads(head.stdout.read())["source"]["offset"] == 0
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_stop_ends_a_run_that_waits_for_a_pipe(streamrnn: Streamrnn) -> None:
    process = streamrnn.start(*PIPES, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(ROWS[0])
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_closed_end_is_one_clear_error(streamrnn: Streamrnn, closed: str) -> None:
    number = 0 if closed == "<&-" else 1
    done = streamrnn(*PIPES, preexec_fn=lambda: os.close(number), stdin=None if number == 0 else subprocess.DEVNULL)
    assert done.code == 1
    assert done.err == f"streamrnn: standard {'input' if number == 0 else 'output'} is closed\n"


def test_devices_are_outputs_too(inside: Inside, tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    source.write_bytes(b"".join(ROWS))
    ended = inside("run", "--input", source, "--output", "/dev/null", "--dead-letters", "/dev/null", "--quiet", *SMALL)
    assert (ended.code, ended.err) == (0, "")


def test_an_empty_pipe_is_no_event(streamrnn: Streamrnn) -> None:
    done = streamrnn(*PIPES, input=b"")
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_state_needs_files(inside: Inside, tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    source.write_bytes(b"".join(ROWS))
    for ends in (["--input", "-", "--output", tmp_path / "out"], ["--input", source, "--output", "-"]):
        ended = inside("run", *ends, "--state", tmp_path / "state")
        assert ended.code == 2
        assert "a stream cannot be resumed" in ended.err


def test_the_same_file_for_two_purposes_is_refused_and_kept(inside: Inside, tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    source.write_bytes(b"".join(ROWS))
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    for more in (
        ["--output", source],
        ["--output", link],
        ["--output", tmp_path / "out", "--dead-letters", source],
        ["--output", tmp_path / "out", "--dead-letters", tmp_path / "out"],
    ):
        ended = inside("run", "--input", source, *more)
        assert ended.code == 2
        assert "are the same file" in ended.err
    assert source.read_bytes() == b"".join(ROWS)
