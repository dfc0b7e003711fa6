"""What the columns are for: key, targets and features, and how the numbers of each are written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streamrnn.config.tree import EventConfig, FileConfig
from streamrnn.connectors.reading import clock_choice, clocks, key_choice, numbers
from streamrnn.connectors.reading.clocks import Clock
from streamrnn.connectors.reading.layout import Decimal, NumberReading
from streamrnn.connectors.reading.missing import MISSING
from streamrnn.connectors.reading.numbers import Undecided
from streamrnn.connectors.reading.sample import Sample
from streamrnn.connectors.reading.times import MONTHS
from streamrnn.errors import ConfigurationError
from streamrnn.records.events import DEFAULT_TARGETS

_Part = Callable[[datetime], int]
_COUNTING_WORDS = "index idx row row_id rownum no no. nr nr. # record level_0 seq sequence id _id n lfd"
_COUNTING = (
    frozenset(_COUNTING_WORDS.split())
    | {"entry_id", "record_id", "obs", "counter"}
    | {"", "unnamed: 0", "row number", "lfd. nr."}
)
"""Names of columns that, where they only count, are no measurement."""
_LABELS = frozenset({"label", "is_anomaly", "anomaly", "is_outlier", "outlier", "anomaly_label", "ground_truth"})
_ZERO_OR_ONE = frozenset({"0", "1", "0.0", "1.0"})
_DAYS_OF_WEEK: tuple[_Part, ...] = (
    lambda time: time.weekday(), lambda time: time.isoweekday(), lambda time: time.isoweekday() % 7,
    lambda time: time.isoweekday() % 7 + 1,
)  # fmt: skip
_HOURS: tuple[_Part, ...] = (lambda time: time.hour, lambda time: time.hour + 1, lambda time: time.hour or 24)
_PARTS_OF_TIME: dict[str, tuple[_Part, ...]] = {
    **dict.fromkeys(("year", "yr"), (lambda time: time.year,)),
    **dict.fromkeys(("month", "mnth", "mon"), (lambda time: time.month,)),
    **dict.fromkeys(("day", "dayofmonth", "dom"), (lambda time: time.day, *_DAYS_OF_WEEK)),
    **dict.fromkeys(("weekday", "dayofweek", "dow", "wday"), _DAYS_OF_WEEK),
    **dict.fromkeys(("hour", "hr", "hourofday", "he", "hourending"), _HOURS),
    **dict.fromkeys(("quarter", "qtr"), (lambda time: (time.month + 2) // 3,)),
    **dict.fromkeys(("dayofyear", "doy", "yday"), (lambda time: time.timetuple().tm_yday,)),
    **dict.fromkeys(("week", "weekofyear", "isoweek"), (lambda time: time.isocalendar().week,)),
    **dict.fromkeys(("minute", "min"), (lambda time: time.minute,)),
}
"""What columns of these names may repeat of the time."""
_MONTHS = 12
_FEW = 0.5  # of the known cells of a column that was named must be numbers


@dataclass
class Roles:
    """What was decided."""

    clock: Clock | None = None
    seconds: list[float | None] = field(default_factory=list)  # of every row of the sample
    keys: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    numbers: dict[str, NumberReading] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # column: why
    notes: list[str] = field(default_factory=list)


def decide(
    sample: Sample, event: EventConfig, file: FileConfig, *, labelled: bool, unnamed: frozenset[str], typed: bool
) -> Roles:
    """Decide. `typed` says that numbers come as numbers (JSON). Raises `ConfigurationError`."""
    _check_names(sample, event, file, labelled=labelled, every=not typed)
    roles = Roles()
    keys = file.keys or ((event.key,) if event.key in sample.names else ())
    fixed = {*keys, *event.targets, *event.features, *file.exclude}
    if labelled:
        fixed |= {event.label, event.id}
    choice = clock_choice.choose(sample, event, frozenset(fixed))
    roles.clock = choice.clock
    roles.notes += choice.notes
    times = choice.clock.how.columns if choice.clock is not None else ()
    roles.seconds = _seconds(sample, choice.clock, event)
    free = [name for name in sample.names if name not in fixed and name not in times and name not in choice.others]
    if not keys and not labelled and choice.clock is not None:
        keys, notes = key_choice.choose(sample, roles.seconds, [name for name in free if name not in DEFAULT_TARGETS])
        roles.notes += notes
    roles.keys = keys
    roles.features = event.features
    candidates = [name for name in free if name not in keys]
    named = [*event.features, *event.targets]
    default = not labelled and not event.targets and set(DEFAULT_TARGETS) <= set(sample.names)
    if default:
        named += DEFAULT_TARGETS
    auto = [] if labelled or event.targets or default else [name for name in candidates if name not in named]
    readings = _readings(sample, named, auto, file.decimal, roles)
    if labelled:
        _label_reading(sample, event, file.decimal, roles)
    if auto:
        _refuse_times_as_columns(auto)
        roles.targets = tuple(_automatic(sample, auto, readings, unnamed, roles, event.time_zone))
        if not roles.targets and sample.rows:
            _nothing_numeric(sample, roles)
        if roles.targets:
            roles.notes.append(f"targets: {_listed(roles.targets)}")
    elif not labelled:
        roles.targets = event.targets or DEFAULT_TARGETS
    for name in choice.others:
        roles.left_out.setdefault(name, "another time")
    for name in file.exclude:
        roles.left_out.pop(name, None)
    return roles


def _refuse_times_as_columns(names: Sequence[str]) -> None:
    """A table that lies on its side: a row for each series, or year, and a column for each time."""
    if len(names) < _MONTHS:
        return
    times = [
        name for name in names if name.strip().lower() in MONTHS or (not name.isdigit() and clocks.recognises(name))
    ]
    if len(times) >= max(_MONTHS, 0.8 * len(names)):
        raise ConfigurationError(
            f"the columns are times ({times[0]!r}, {times[1]!r} ...): a row for each time is needed, with the time in "
            "a column, as pandas' melt or transpose make it"
        )


def _listed(names: Sequence[str], most: int = 40) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _check_names(sample: Sample, event: EventConfig, file: FileConfig, *, labelled: bool, every: bool) -> None:
    given = event.model_fields_set
    for kind, wanted in (
        ("event.time", [event.time] if "time" in given else []),
        ("event.key", [event.key] if "key" in given else []),
        ("file.keys", file.keys),
        ("event.target", event.targets),
        ("event.feature", event.features),
        ("event.label", [event.label] if labelled and every else []),
        ("event.id", [event.id] if labelled and every and "id" in given else []),
        ("file.exclude", file.exclude),
    ):
        for name in wanted:
            if name not in sample.names and (sample.rows or every):
                raise ConfigurationError(f"no column {name!r} for {kind}; there are: {_listed(sample.names)}")


def _seconds(sample: Sample, clock: Clock | None, event: EventConfig) -> list[float | None]:
    if clock is None:
        return [None] * sample.rows
    columns = [sample.cells(name) for name in clock.how.columns]
    return clocks.read([" ".join(cells) for cells in zip(*columns, strict=True)], clock.how, event.time_zone)


def _readings(
    sample: Sample, named: Sequence[str], auto: Sequence[str], decimal: Decimal | None, roles: Roles
) -> dict[str, NumberReading]:
    """How the numbers of these columns are written: first those that leave no doubt, which then speak for others."""
    found: dict[str, NumberReading] = {}
    doubtful: list[str] = []
    for name in [*named, *auto]:
        try:
            how = numbers.decide(sample.known(name), decimal)
        except Undecided:
            doubtful.append(name)
            continue
        if how is not None:
            found[name] = how
    marks = {
        how.decimal for name, how in found.items() if any("," in cell or "." in cell for cell in sample.known(name))
    }
    hint: Decimal | None = next(iter(marks)) if len(marks) == 1 else None
    if hint == ",":
        doubtful += [name for name, how in found.items() if how == NumberReading()]
    for name in doubtful:
        try:
            how = numbers.decide(sample.known(name), decimal, hint)
        except Undecided as both:
            raise ConfigurationError(
                f"column {name!r}: {both.cell!r} may have a decimal mark or part thousands, and no row tells. Say so: "
                f"--decimal . or --decimal , (or leave the column out: --exclude '{name}')"
            ) from None
        if how is not None:
            found[name] = how
    for name in named:
        if name not in found:
            _accept(sample, name, decimal, found)
    roles.numbers = {name: how for name, how in found.items() if how != NumberReading()}
    for name, how in roles.numbers.items():
        if name in named or not how.boolean:
            said = _spoken(how)
            if said:
                roles.notes.append(f"numbers of {name}: {said}")
    return found


def _spoken(how: NumberReading) -> str:
    said = []
    if how.boolean:
        said.append("true is 1, false is 0")
    if how.decimal == ",":
        said.append("decimal comma")
    if how.thousands:
        said.append(f"thousands parted by {how.thousands!r}")
    if how.unit:
        said.append(f"{how.unit} taken off")
    return ", ".join(said)


def _accept(sample: Sample, name: str, decimal: Decimal | None, found: dict[str, NumberReading]) -> None:
    """A column that was named, though many of its cells are no numbers."""
    known = sample.known(name)
    good = [cell for cell in known if numbers.is_plain(cell) or numbers.parts_of(cell) is not None]
    if len(good) >= _FEW * len(known):
        try:
            how = numbers.decide(good, decimal) or NumberReading()
        except Undecided:
            how = NumberReading()
        broken = [cell for cell in known if not _reads(cell, how)]
        if len(broken) <= (1 - _FEW) * len(known):
            found[name] = how
            return
        others = next((cell for cell in known if cell not in broken), "")
        raise ConfigurationError(
            f"column {name!r} has numbers in different forms: {broken[0]!r:.40} in row "
            f"{sample.cells(name).index(broken[0])}"
            + (f", {others!r:.40} elsewhere" if others else "")
            + ": write them alike, or leave the column out with --exclude"
        )
    first = next(cell for cell in known if not numbers.is_plain(cell) and numbers.parts_of(cell) is None)
    row = sample.cells(name).index(first)
    raise ConfigurationError(
        f"column {name!r} has text, not numbers: {first!r:.60} in row {row}. Name another one, "
        f"or give what means missing with --na"
    )


def _reads(cell: str, how: NumberReading) -> bool:
    try:
        numbers.reader(how, MISSING, frozenset())(cell)
    except ValueError:
        return False
    return True


def _label_reading(sample: Sample, event: EventConfig, decimal: Decimal | None, roles: Roles) -> None:
    if event.label in sample.names:
        try:
            how = numbers.decide(sample.known(event.label), decimal)
        except Undecided:
            return
        if how is not None and how != NumberReading() and not how.boolean:
            roles.numbers[event.label] = how


def _automatic(
    sample: Sample,
    auto: Sequence[str],
    readings: dict[str, NumberReading],
    unnamed: frozenset[str],
    roles: Roles,
    zone: str | None,
) -> list[str]:
    targets: list[str] = []
    for name in auto:
        cells = sample.known(name)
        if not cells:
            roles.left_out[name] = "empty in all rows that were looked at"
        elif name not in readings:
            number = sum(numbers.is_plain(cell) or numbers.parts_of(cell) is not None for cell in cells)
            units = {parts.unit for cell in cells if (parts := numbers.parts_of(cell)) is not None}
            why = "text" if number <= len(cells) / 10 else f"numbers in {number} of {len(cells)} rows only"
            if number == len(cells) and len(units) > 1:
                why = f"numbers in different units: {', '.join(sorted(units))[:60]}"
            elif cells[0].startswith("[{"):
                why = f"a list of objects: write each on a line of its own, as jq -c '.{name}[]' does"
            roles.left_out[name] = why
        elif readings[name].boolean:
            roles.left_out[name] = "true or false"
        else:
            targets.append(name)
    counting = [name for name in targets if _counts(sample, name) and _index_name(name, unnamed)]
    if len(counting) < len(targets):
        for name in counting:
            roles.left_out[name] = "only counts the rows"
            targets.remove(name)
    for name in [name for name in targets if _is_time_again(sample, name, roles)]:
        roles.left_out[name] = "another time"
        targets.remove(name)
    of_time = [name for name in targets if _is_part_of_time(sample, name, roles, zone)]
    labels = [name for name in targets if name.strip().lower() in _LABELS and set(sample.known(name)) <= _ZERO_OR_ONE]
    for names, why in ((of_time, "part of the time"), (labels, "a label of 0 and 1; --target takes it")):
        if len(names) < len(targets):
            for name in names:
                roles.left_out[name] = why
                targets.remove(name)
    influx = {"result", "table"} & set(targets) if {"_time", "_value"} <= set(sample.names) else set()
    for name in influx:
        roles.left_out[name] = "numbers the tables"
        targets.remove(name)
    for name in roles.left_out:
        roles.numbers.pop(name, None)
    return targets


def _index_name(name: str, unnamed: frozenset[str]) -> bool:
    return name in unnamed or name.strip().lower() in _COUNTING


def _is_time_again(sample: Sample, name: str, roles: Roles) -> bool:
    """Whether a column of numbers is always the same amount away from the time: when a candle closes."""
    if roles.clock is None or roles.clock.how.form != "epoch" or len(roles.clock.how.columns) > 1:
        return False
    pairs = zip(sample.cells(name)[:200], sample.cells(roles.clock.how.columns[0])[:200], strict=True)
    apart = {int(one) - int(time) if one.isdigit() and time.isdigit() else None for one, time in pairs}
    return len(apart) == 1 and None not in apart and sample.rows > 2


def _is_part_of_time(sample: Sample, name: str, roles: Roles, zone: str | None) -> bool:
    """Whether a column says again what the time says: the hour, the day of the week, the month."""
    of = _PARTS_OF_TIME.get("".join(clocks.words_of(name)))
    if of is None:
        return False
    where = ZoneInfo(zone) if zone is not None else UTC
    cells = sample.cells(name)
    rows = [at for at, second in enumerate(roles.seconds) if second is not None and cells[at]]
    times = [datetime.fromtimestamp(roles.seconds[at] or 0.0, where) for at in rows]
    values = [cells[at].removesuffix(".0") for at in rows]
    return bool(rows) and any([str(part(time)) for time in times] == values for part in of)


def _counts(sample: Sample, name: str) -> bool:
    cells = sample.cells(name)[: sample.head]
    if not all(cell.isdigit() for cell in cells):
        return False
    values = list(map(int, cells))
    return all(b - a == 1 for a, b in itertools.pairwise(values))


def _nothing_numeric(sample: Sample, roles: Roles) -> None:
    told = "; ".join(f"{name}: {why}" for name, why in list(roles.left_out.items())[:10])
    raise ConfigurationError(
        f"no numeric column to forecast; there are: {_listed(sample.names)}. Name one with --target"
        + (f" ({told})" if told else "")
    )
