"""Runs over files that are killed, and what they have written."""

from __future__ import annotations

from pathlib import Path

from streamrnn.connectors.base import Commit
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.look import Look
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.records.log import Message
from streamrnn.records.rows import RowDecoder
from tests.reading.runs import configured


def step(
    folder: Path, names: str | list[str], *flags: str, snapshot: bool = True, polls: int = 1 << 30, follow: bool = False
) -> Look:
    """One run over what is there; it writes what it read of each row, and dies without a word after its last snapshot.

    After so many `polls` that brought something it dies, too; with `follow` where nothing more comes.
    """
    config = configured(*flags)
    paths = [folder / name for name in ([names] if isinstance(names, str) else names)]
    with FileConnector(paths, folder / "out", follow=follow, state=folder / "state", max_poll_records=3) as connector:
        found = connector.look(config)
        decoder = RowDecoder(found.event, row_reader(found.layout, found.event, config.file))
        (partition,) = connector.poll(0).assigned
        connector.start(partition, connector.committed(partition) or 0)
        empty = 0
        while polls and empty < (4 if follow else 1 << 30) and not (polled := connector.poll(0.01)).finished:
            polls -= bool(polled.records)
            empty = 0 if polled.records else empty + 1
            for records in polled.records.values():
                decoded = decoder.decode(records)
                said = [
                    Message(None, f"{record.offset} {key} {time} {values.tolist()}".encode())
                    for record, key, time, values in zip(
                        decoded.records, decoded.keys, decoded.times, decoded.targets, strict=True
                    )
                ]
                refused = [Message(None, record.value) for record, _ in decoded.rejected]
                state = {partition: [Message(b"state", b"")]} if snapshot else {}
                connector.commit(
                    Commit(
                        {partition: records[-1].offset + 1},
                        {partition: said},
                        dead_letters={partition: refused},
                        snapshots=state,
                    )
                )
        # What is written behind the last snapshot is cut back by the next run.
        connector.commit(Commit(outputs={partition: [Message(None, b"to be cut back")]}))
    return found


def written(folder: Path) -> list[bytes]:
    return [line for line in (folder / "out").read_bytes().splitlines() if line != b"to be cut back"]
