"""What the columns are for: key, targets and features, and how the numbers of each are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamrnn.config.event import EventConfig
from streamrnn.config.tree import FileConfig
from streamrnn.connectors.reading import beside, clock_choice, clocks, key_choice, numbers, refusals
from streamrnn.connectors.reading.clocks import Clock
from streamrnn.connectors.reading.layout import Decimal, NumberReading
from streamrnn.connectors.reading.missing import MISSING
from streamrnn.connectors.reading.numbers import Undecided
from streamrnn.connectors.reading.sample import Sample
from streamrnn.errors import ConfigurationError
from streamrnn.records.event_schema import DEFAULT_TARGETS

_COUNTING_WORDS = "index idx row row_id rownum no no. nr nr. # record level_0 seq sequence id _id n lfd"
_COUNTING = (
    frozenset(_COUNTING_WORDS.split())
    | {"entry_id", "record_id", "obs", "counter", "sort_order", "order", "position", "rank"}
    | {"", "unnamed: 0", "row number", "lfd. nr."}
)
"""Names of columns that, where they only count, are no measurement."""
_FEW = 0.5  # of the known cells of a column that was named must be numbers
_OTHERWISE = 0.1  # of them may be numbers in another form


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
    keys = file.keys or ((event.key,) if event.key in sample.names and not beside.is_no_key(sample, event) else ())
    fixed = {*keys, *event.targets, *event.features, *file.exclude}
    if labelled:
        fixed |= {event.label, event.id}
    try:
        choice = clock_choice.choose(sample, event, frozenset(fixed))
    except ConfigurationError:
        if not event.targets:
            refusals.refuse_times_as_columns(sample, [name for name in sample.names if name not in fixed], dated=False)
        raise
    roles.clock = choice.clock
    roles.notes += choice.notes
    times = choice.clock.how.columns if choice.clock is not None else ()
    roles.seconds = _seconds(sample, choice.clock, event)
    free = [name for name in sample.names if name not in fixed and name not in times and name not in choice.others]
    if not keys and not labelled and choice.clock is not None:
        keys, notes = key_choice.choose(sample, roles.seconds, [name for name in free if name not in DEFAULT_TARGETS])
        roles.notes += notes
    if not keys and not labelled and choice.clock is None:
        refusals.refuse_mixed_series(sample, free)
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
        moves = len({second for second in roles.seconds if second is not None}) > 1
        refusals.refuse_times_as_columns(sample, auto, dated=bool(times) and (moves or sample.rows < 2))
        refusals.refuse_rows_of_a_day(sample, auto, roles.seconds)
        roles.targets = tuple(_automatic(sample, auto, readings, unnamed, roles, event.time_zone))
        if not roles.targets and sample.rows:
            _nothing_numeric(sample, roles)
        if roles.targets:
            roles.notes.append(f"targets: {_listed(roles.targets)}")
    elif not labelled:
        roles.targets = event.targets or DEFAULT_TARGETS
        if default:
            others = [name for name in candidates if name not in DEFAULT_TARGETS and _has_numbers(sample.known(name))]
            if others:
                roles.notes.append(
                    f"target: {_listed(DEFAULT_TARGETS)} (other numbers with --target: {_listed(others)})"
                )
        empty = [name for name in roles.targets if name in sample.names and not sample.known(name)]
        if empty and sample.rows > 1:
            roles.notes.append(f"{_listed(empty)}: empty in all rows that were looked at")
    for name in choice.others:
        roles.left_out.setdefault(name, "another time")
    for name in file.exclude:
        roles.left_out.pop(name, None)
    return roles


def _has_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(map(numbers.is_plain, cells[:50]))


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
    numeric = {name: numbers.without_words(sample.known(name)) for name in [*named, *auto]}
    for name in [*named, *auto]:
        try:
            how = numbers.decide(sample.known(name), decimal) or numbers.decide(numeric[name], decimal)
        except Undecided:
            doubtful.append(name)
            continue
        if how is not None:
            found[name] = how
    marks = {
        how.decimal
        for name, how in found.items()
        if any("," in cell or "." in cell for cell in sample.known(name))
        and not (how == NumberReading() and numbers.may_be_thousands(sample.known(name)))
    }
    hint: Decimal | None = next(iter(marks)) if len(marks) == 1 else None
    if hint == ",":
        doubtful += [name for name, how in found.items() if how == NumberReading()]
    for name in doubtful:
        try:
            how = numbers.decide(numeric[name], decimal, hint)
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
    spoken: dict[str, list[str]] = {}
    for name, how in roles.numbers.items():
        if (name in named or not how.boolean) and (said := _spoken(how)):
            spoken.setdefault(said, []).append(name)
    roles.notes += [f"numbers of {_listed(names, 10)}: {said}" for said, names in spoken.items()]
    for name in found:
        roles.notes += _broken(sample, name, found[name])
    return found


def _broken(sample: Sample, name: str, how: NumberReading) -> list[str]:
    """What is to be said of cells that are no numbers, in a column that else has some."""
    known = sample.known(name)
    broken = Counter(cell for cell in known if not _reads(cell, how))
    if not broken:
        return []
    (first, _), *_ = broken.most_common(1)
    return [
        f"{first!r:.40} in {name} is no number: {broken.total()} of {len(known)} such cells count as missing (--na)"
    ]


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
    if how.unit_behind == "flags":
        said.append("flags behind them taken off")
    if how.unit_behind == "scales":
        said.append(f"multiples counted in {how.unit}" if how.unit else "k, M and the like counted in")
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
        otherwise = [cell for cell in broken if numbers.has_digit(cell)]
        if len(broken) <= (1 - _FEW) * len(known) and len(otherwise) <= _OTHERWISE * len(known):
            found[name] = how
            return
        broken = otherwise or broken
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


_MEASURED = re.compile(r'\{".*:\s*-?\d')
"""JSON in text, with a number in it; labels such as `{"host": "a"}` have none."""


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
            if number == len(cells):
                why = f"numbers in a form that is not read: {cells[0]!r:.40}"
            if number == len(cells) and len(units) > 1:
                why = f"numbers in different units: {', '.join(sorted(units))[:60]}"
            elif len(cells) > 2 and all(map(_MEASURED.match, cells)):
                raise ConfigurationError(
                    f"{name!r} is text with JSON in it: {cells[0]!r:.60}. Write that JSON as the lines, as jq -c "
                    f"'.{name} | fromjson' does, or leave it out with --exclude '{name}'"
                )
            elif cells[0].startswith("[{"):
                why = f"a list of objects: write each on a line of its own, as jq -c '.{name}[]' does"
            roles.left_out[name] = why
        elif readings[name].boolean:
            roles.left_out[name] = "true or false"
        else:
            targets.append(name)
    counting = [
        name
        for name in targets
        if (beside.counts(sample, name) and _index_name(name, unnamed)) or beside.numbers_the_rows(sample, name)
    ]
    lists = any(why.startswith("a list of objects") for why in roles.left_out.values())
    if len(counting) < len(targets) or lists:
        for name in counting:
            roles.left_out[name] = "only counts the rows"
            targets.remove(name)
    for name in [name for name in targets if beside.is_time_again(sample, name, roles.clock, roles.seconds)]:
        roles.left_out[name] = "another time"
        targets.remove(name)
    places = [
        name
        for name in targets
        if sample.rows > 2 and len(set(sample.cells(name))) == 1 and beside.names_the_place(name)
    ]
    of_key = [name for name in targets if beside.belongs_to_the_key(sample, name, roles.keys)]
    of_time = [name for name in targets if beside.is_part_of_the_time(sample, name, roles.seconds, zone)]
    labels = [name for name in targets if beside.is_label(sample, name)]
    for names, why in (
        (places, "one and the same in all rows; --key or --target takes it"),
        (of_key, "one and the same in all rows of a series; --target takes it"),
        (of_time, "part of the time"),
        (labels, "a label of 0 and 1; --target takes it"),
    ):
        if len(names) < len(targets) or names is places:
            for name in [name for name in names if name in targets]:  # it may be of two kinds
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


def _nothing_numeric(sample: Sample, roles: Roles) -> None:
    told = "; ".join(f"{name}: {why}" for name, why in list(roles.left_out.items())[:10])
    raise ConfigurationError(
        f"no numeric column to forecast; there are: {_listed(sample.names)}. Name one with --target"
        + (f" ({told})" if told else "")
    )
