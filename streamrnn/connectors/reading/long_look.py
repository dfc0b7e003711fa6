"""The look at a long file: which columns name metric, value, time and series, and the wide rows that come of it."""

from __future__ import annotations

from typing import Any

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading import roles as deciding
from streamrnn.connectors.reading.layout import LongReading
from streamrnn.connectors.reading.long import MOST_METRICS, VALUE_NAMES, MetricRows, merged
from streamrnn.connectors.reading.numbers import ENOUGH, parts_of
from streamrnn.connectors.reading.sample import Reshaped, Sample, columns_of
from streamrnn.errors import ConfigurationError


def look(
    sample: Sample,
    base: dict[str, Any],
    event: EventConfig,
    file: FileConfig,
    missing: frozenset[str],
    notes: list[str],
) -> Reshaped:
    """The sample as wide rows, what reads the file so, and the configuration that decides about those.

    Raises `ConfigurationError`.
    """
    metric = file.metric or ""
    if metric not in sample.names:
        raise ConfigurationError(f"no column {metric!r} for --metric; there are: {', '.join(sample.names)[:300]}")
    value = _value_column(sample, event, file)
    alone = event.model_copy(update={"targets": (value,), "features": ()})
    roles = deciding.decide(sample, alone, file, labelled=False, unnamed=frozenset(), typed=base["kind"] != "csv")
    times = roles.clock.how.columns if roles.clock is not None else ()
    if not times:
        raise ConfigurationError("--metric joins rows of one time, and there is no time column: name it with --time")
    named = (*event.targets, *event.features)
    how = LongReading(
        kind="csv" if base["kind"] == "csv" else "json",
        **{name: base[name] for name in ("encoding", "delimiter", "names") if name in base},
        metric=metric,
        value=value,
        times=times,
        keys=tuple(key for key in roles.keys if key != metric),
    )
    cells = [sample.cells(name) for name in sample.names]
    read = MetricRows(how)
    rows = [dict(zip(sample.names, row, strict=True)) for row in zip(*cells, strict=True)]
    if file.sort:
        rows = [row for _, row in sorted(zip(roles.seconds, rows, strict=True), key=lambda one: one[0] or 0.0)]
    narrow = [one for row in rows if (one := read.of(row)) is not None]
    metrics = named or tuple(dict.fromkeys(name for one in narrow for name in one if name not in how.shared))
    if len(metrics) > MOST_METRICS:
        raise ConfigurationError(f"column {metric!r} names over {MOST_METRICS} metrics: choose some with --target")
    taken = [name for name in metrics if name in how.shared]
    if taken:
        raise ConfigurationError(f"a metric is called {taken[0]!r}, as a column is: rename one of them")
    how = how.model_copy(update={"metrics": metrics, "chosen": bool(named)})
    wide = merged(narrow, how)
    pairs = {tuple(str(one.get(name)) for name in how.shared) for one in wide}
    if len(wide) > 1.2 * len(pairs) and not file.sort:
        raise ConfigurationError(
            f"the rows of one time do not stand together, so the metrics in {metric!r} cannot be joined as they come: "
            "--sort"
        )
    notes.append(f"rows of one time are one event; targets are what {metric} says, numbers what {value} says")
    names, table = columns_of([{**dict.fromkeys((*how.shared, *metrics)), **one} for one in wide])
    keep: dict[str, Any] = {
        name: base[name] for name in ("skip", "comments", "ruled", "header", "points", "encoding") if name in base
    }
    if how.keys:
        file = file.model_copy(update={"keys": how.keys})
    known = [*how.shared, *metrics]
    table = [[row[names.index(name)] for name in known] for row in table]
    return Sample(known, table, sample.head, missing), {**keep, "kind": "json", "long": how}, event, file


def _value_column(sample: Sample, event: EventConfig, file: FileConfig) -> str:
    if file.metric_value is not None:
        if file.metric_value not in sample.names:
            raise ConfigurationError(f"no column {file.metric_value!r} for file.metric_value")
        return file.metric_value
    known = {name.lower(): name for name in reversed(sample.names)}
    for name in VALUE_NAMES:
        if name in known:
            return known[name]
    taken = {event.time, event.key, file.metric, *file.keys, *file.exclude}
    numeric = [
        name for name in sample.names
        if name not in taken and (cells := sample.known(name))
        and sum(parts_of(cell) is not None for cell in cells) >= ENOUGH * len(cells)
    ]  # fmt: skip
    if len(numeric) == 1:
        return numeric[0]
    raise ConfigurationError(
        f"which column has the numbers of --metric {file.metric}? One of {', '.join(sample.names)[:200]}: "
        "--set file.metric_value=COLUMN"
    )
