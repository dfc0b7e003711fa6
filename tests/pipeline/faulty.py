"""`python -m tests.pipeline.faulty POINT:COUNT run ...`: streamrnn that kills itself at a point inside a commit.

With POINT:COUNT:stop it suspends itself there, until somebody sends SIGCONT.

POINT is where, COUNT in which of the process's commits:

    before    nothing of the transaction was sent
    written   records are acknowledged, the offsets are not confirmed
    ending    the broker may or may not have been told to commit
    after     committed, but the worker does not know it yet
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from streamrnn.app.cli import main
from streamrnn.connectors.kafka.writer import Writer

POINTS = ("before", "written", "ending", "after")


def install(point: str, count: int, by: signal.Signals) -> None:
    commits = 0

    def die(here: str) -> None:
        if here == point and commits == count:
            os.kill(os.getpid(), by)

    commit, write, wait = Writer.commit, Writer._write, Writer._await

    def faulty_commit(self: Writer, *arguments: Any) -> None:
        nonlocal commits
        commits += 1
        die("before")
        commit(self, *arguments)
        die("after")

    def faulty_write(self: Writer, *arguments: Any) -> None:
        write(self, *arguments)
        die("written")

    def faulty_await(self: Writer, result: Any, deadline: float, what: str) -> None:
        if what.startswith("the end"):
            die("ending")
        wait(self, result, deadline, what)

    Writer.commit, Writer._write, Writer._await = faulty_commit, faulty_write, faulty_await  # type: ignore[method-assign]


if __name__ == "__main__":
    where, number, *stop = sys.argv[1].split(":")
    install(where, int(number), signal.SIGSTOP if stop else signal.SIGKILL)
    main(sys.argv[2:])
