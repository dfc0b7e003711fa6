"""Runs over files: how their flags say they are read, and what is taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamrnn.app.cli import cli
from streamrnn.app.options import reading_flags
from streamrnn.config.loading import load
from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.look import Look
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.records.rows import RowDecoder


def configured(*flags: str, assignments: dict[str, object] | None = None) -> Config:
    given = cli.commands["check"].make_context("check", [*flags]).params
    overrides = {name: value for name, value in reading_flags(given).items() if value is not None}
    return load(None, overrides | (assignments or {}), {})


def events(
    path: Path, *flags: str, assignments: dict[str, object] | None = None
) -> tuple[Look, list[str], list[int], dict[str, list[float]], int]:
    """What a run takes from a file: the look, keys, times, values of each target, and how many rows it refuses."""
    config = configured(*flags, assignments=assignments)
    keys: list[str] = []
    times: list[int] = []
    values: list[Any] = []
    refused = 0
    with FileConnector(path, None) as connector:
        found = connector.look(config)
        decoder = RowDecoder(found.event, row_reader(found.layout, found.event, config.file))
        (partition,) = connector.poll(0).assigned
        connector.start(partition, 0)
        while not (polled := connector.poll(1)).finished:
            for records in polled.records.values():
                decoded = decoder.decode(records)
                keys += decoded.keys
                times += decoded.times.tolist()
                values += decoded.targets.tolist()
                refused += len(decoded.rejected)
    names = found.layout.targets
    columns = np.array(values).reshape(-1, len(names)).T.tolist()
    return found, keys, times, dict(zip(names, columns, strict=True)), refused
