"""One file as decoded batches: the very batches that `run --input` feeds to the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.connectors.rows_to_come import look_ahead
from streamrnn.errors import ConfigurationError, ConnectorError
from streamrnn.records.events import Decoded
from streamrnn.runtime.task import ForecastTask


class EventFile:
    """An input file with its columns found out; iterate `batches` once.

    Raises `ConnectorError` when it cannot be read or holds nothing, `ConfigurationError` when its columns do not fit.
    """

    def __init__(self, path: Path, config: Config) -> None:
        if path.is_dir():
            raise ConnectorError(f"cannot read {path}: it is a folder")
        # Nothing is ever committed, so the outputs (the standard streams) stay untouched.
        self._connector = FileConnector(path, None).open()
        try:
            try:
                found = self._connector.look(config)
            except ConfigurationError as error:
                raise ConfigurationError(f"{path}: {error}") from error
            if not found.findings.rows:
                what = "no rows after its header" if found.layout.header is not None else "no events"
                raise ConnectorError(f"{path} has {what}")
        except BaseException:
            self._connector.close(0)
            raise
        self.path = path
        self.event = found.event
        self.notes = found.notes
        self.rows = row_reader(found.layout, found.event, config.file)
        self._decoder = ForecastTask(config.model_copy(update={"event": found.event})).decoder(self.rows)
        try:
            self.notes += look_ahead(self._decoder, [path], config, found)
        except BaseException:
            self._connector.close(0)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connector.close(0)

    def batches(self, limit: int | None = None) -> Iterator[Decoded]:
        """The events of the first `limit` rows, in order."""
        connector = self._connector
        for partition in connector.poll(0).assigned:
            connector.start(partition, 0)
        left = limit
        while left is None or left > 0:
            polled = connector.poll(60)
            for records in polled.records.values():
                taken = records if left is None else records[:left]
                if left is not None:
                    left -= len(taken)
                yield self._decoder.decode(taken)
            if polled.finished:
                return


def count_rows(path: Path, limit: int | None) -> int:
    """About how many rows there are, for the progress bar: lines, blank ones and the header included."""
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return limit or 1  # compressed: only reading it would tell
        file.seek(0)
        lines = 0
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            if limit is not None and lines > limit:
                return limit
    return max(lines, 1)
