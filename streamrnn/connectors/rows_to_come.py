"""What is known ahead in a file: the rows to come say it, as if their features had been forecast without error.

A file of events may say itself what was known: JSON objects with a field `future`. Everywhere else the values of the
features that `event.future` names are looked up in the next rows of the same series, for which the file is read once
before. Rows at its end that have features and no targets say what comes after the last value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamrnn.config.tree import Config
from streamrnn.connectors.files import FileConnector
from streamrnn.connectors.reading.look import Look
from streamrnn.connectors.reading.rows import row_reader
from streamrnn.errors import ConfigurationError
from streamrnn.records.events import Decoded
from streamrnn.records.future import FUTURE, RowsToCome
from streamrnn.records.rows import RowDecoder

_OWN = f'"{FUTURE}"'.encode()


def look_ahead(
    decoder: object, paths: Sequence[Path], config: Config, found: Look, went_on: str | None = None
) -> list[str]:
    """Give the decoder of files, where the configuration asks for it, what is known ahead; says so, in a line.

    Args:
        decoder: of their rows.
        paths: the files; none: a stream, or a file that grows.
        config: as given.
        found: what a look at them decided.
        went_on: where a state goes on in another file than it was made from.

    Raises `ConfigurationError` where the rows to come cannot be looked up.
    """
    event = found.event
    if not event.future or not isinstance(decoder, RowDecoder):
        return []
    own = f"known ahead of {', '.join(event.future)}: what events say in their field {FUTURE!r}"
    if not (paths and all(path.is_file() for path in paths)):
        if found.layout.kind == "json":
            return [own]
        raise ConfigurationError(
            "event.future: in a table it is looked up in the rows to come, and a stream does not have them yet; read "
            f"a file, or events in JSON with a field {FUTURE!r}"
        )
    if went_on is not None and found.layout.kind != "json":
        raise ConfigurationError(
            "event.future: it is looked up in the rows to come, by their number; name the files that were read before, "
            f"too ({went_on})"
        )
    rows = None if went_on is not None else rows_to_come(paths, config, found)
    if rows is None:
        return [own]
    decoder.rows_to_come = rows
    return [
        f"known ahead of {', '.join(event.future)}: the next {config.model.horizon} rows of each series, as if they "
        "had been forecast without error"
    ]


def rows_to_come(paths: Sequence[Path], config: Config, found: Look) -> RowsToCome | None:
    """What the next rows of each series say, read once from the files; None where the events say it themselves."""
    event = found.event.model_copy(update={"future": ()})
    columns = [event.features.index(name) for name in found.event.future]
    decoder = RowDecoder(event, row_reader(found.layout, event, config.file))
    numbers: dict[str, int] = {}
    offsets, series, values = [], [], []
    with FileConnector(paths, None) as connector:
        connector.look(config)
        for partition in connector.poll(0).assigned:
            connector.start(partition, 0)
        while not (polled := connector.poll(60)).finished:
            for records in polled.records.values():
                if found.layout.kind == "json" and any(_OWN in record.value for record in records if record.value):
                    return None
                decoded: Decoded = decoder.decode(records)
                offsets += [record.offset for record in decoded.records]
                series += [numbers.setdefault(key, len(numbers)) for key in decoded.keys]
                values.append(decoded.features[:, columns])
    table = np.concatenate(values) if values else np.zeros((0, len(columns)))
    return RowsToCome(np.array(offsets, np.int64), np.array(series, np.int64), table, config.model.horizon)
