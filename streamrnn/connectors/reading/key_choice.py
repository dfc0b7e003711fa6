"""Which column tells the series apart, where nobody said so: the one that makes (key, time) unique."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from streamrnn.connectors.reading.clocks import words_of
from streamrnn.connectors.reading.numbers import parts_of
from streamrnn.connectors.reading.sample import Sample
from streamrnn.errors import ConfigurationError

KNOWN = (
    "unique_id", "series_id", "item_id", "entity_id", "sensor_id", "device_id", "station_id", "series", "tag", "sensor",
    "device", "symbol", "ticker", "entity", "station", "meter", "meter_id", "metric", "machine", "machine_id", "host",
    "hostname", "tagname", "tag_name", "signal", "variable", "parameter", "channel", "location", "site", "store",
    "store_id", "sku", "asset", "asset_id", "topic", "name", "id", "instance", "node", "source", "unit_id",
)  # fmt: skip
"""Names that say "this is the series", the likeliest first."""
_THING_WORDS = """
city country region district province county town village room building zone ward route shop branch plant line unit
customer client product article vehicle truck car turbine inverter feeder substation patient subject participant person
user coin pair account campaign service pod container job queue endpoint department team category segment standort
anlage zähler gerät messstelle maschine kunde produkt artikel fahrzeug gebäude raum filiale land stadt ville magasin
capteur appareil ciudad tienda equipo cliente sede città macchina cidade loja maskin butik город магазин датчик 設備
店舗 地点 城市 设备 站点
"""
_THINGS = frozenset(_THING_WORDS.split())
"""Words for things of which there are several: columns of text that are called so name series."""
_NUMBERED_THINGS = frozenset({"zone", "route", "ward", "room", "line", "region", "district", "plant", "shop"})
_WORDS = "id ids no nr number num code key uid uuid sensor device station meter machine store channel node tag"
_ID_WORDS = frozenset(_WORDS.split())
_OF_ONE = frozenset(("id", "ids", "uid", "uuid", "key"))
_NO_SERIES = frozenset(("code", "no", "nr", "number", "num"))
"""Words of identifiers that as often say what happened, or count it."""
_BEFORE_ID = _ID_WORDS | {word for name in KNOWN for word in words_of(name)} | {"user", "product", "customer", "object"}
_CLOCK = re.compile(r"\d{1,2}[:h]\d\d")
_SPAN = re.compile(r"(\d{1,2})\s*[-–]\s*(\d{1,2})$")
_PART_WORDS = frozenset(
    {"hour", "hr", "hours", "interval", "minute", "min", "period", "slot", "stunde", "hora", "heure"}
)
_MOST_COLUMNS = 12
_REPEATED = 0.01
_USUAL = 0.3  # two series with the same times repeat half of them
_TURNS = 0.25
_OFTEN = 3
_ROTATING = 3


def is_id_name(name: str) -> bool:
    """Whether a column's name says that its whole numbers are names."""
    return name.strip().lower() in KNOWN or bool(_ID_WORDS & _words_and_ids(name))


def _words_and_ids(name: str) -> set[str]:
    """The words of a name; `itemid` has the word id, `humid` has not."""
    words = set(words_of(name))
    return words | {"id" for word in words if word.endswith("id") and word[:-2] in _BEFORE_ID}


def is_number_of_one(name: str) -> bool:
    """Whether a column's name says that each number stands for one thing; `number of cases` and `meter` count some."""
    words = words_of(name)
    return bool(_OF_ONE & set(words) or _NO_SERIES & set(words[-1:]))


def choose(sample: Sample, seconds: Sequence[float | None], free: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Key columns among the `free` ones, and what to say of it; `seconds` is the time of every row (None: none)."""
    rows = [at for at, second in enumerate(seconds) if second is not None]
    if len(rows) < 2:
        return (), []
    times = [seconds[at] for at in rows]
    repeated = 1 - len(set(times)) / len(times)
    candidates = [name for name in free if _may_be(sample, name, rows)][:_MOST_COLUMNS]
    ordered = sorted(candidates, key=lambda name: rank(name))
    if repeated > _REPEATED:
        # Where the time stands still any columns do that are unique together: one may be a key, several are none.
        for size in (1, 2, 3) if len(set(times)) > 1 else (1,):
            for names in itertools.combinations(ordered, size):
                few = _doubled(sample, names, rows, times) <= min(_REPEATED, repeated / 20)
                usual = repeated > _USUAL and not any(_is_count(sample, name) for name in names)
                if few and (usual or _keeps_time(sample, names, rows, times)):
                    names = tuple(sorted(names, key=sample.names.index))
                    _refuse_parts_of_a_day(names, times)
                    told = " and ".join(names)
                    most = max(Counter(times).values())
                    return names, [f"key: {told} (the same time comes {most} times, once for each; another: --key)"]
        most = max(Counter(times).values())
        return (), [
            f"the same time comes up to {most} times, and no column tells those rows apart (name one with --key)"
        ]
    for name in ordered:
        if rank(name) < len(KNOWN) and _in_blocks(sample, name, rows, times):
            return (name,), [f"key: {name} (each of its values has times of its own; another: --key)"]
    for name in ordered:
        if (
            (_names_series(name) or _names_things(sample, name))
            and _take_turns(sample, name, rows)
            and _keeps_time(sample, (name,), rows, times)
        ):
            note = f"key: {name} (its values take turns; another: --key; one series of all: --exclude {name})"
            return (name,), [note]
    for name in ordered:
        # Two values alternate for other reasons, too: three that keep their turn hardly do.
        named = _names_things(sample, name) or (not _is_count(sample, name) and len({*sample.known(name)}) >= _ROTATING)
        if named and _rotates(sample, name, rows, times):
            why = "its values follow one another in turn"
            return (name,), [f"key: {name} ({why}; another: --key; one series of all: --exclude {name})"]
    return (), []


def _refuse_parts_of_a_day(names: Sequence[str], times: Sequence[float | None]) -> None:
    """Hour and quarter of an hour beside a date, or the quarter beside both, make rows unique and name no series."""
    coarse = all(time is None or time % 3600 == 0 for time in times)
    if coarse and all(_PART_WORDS & set(words_of(name)) for name in names):
        told = " and ".join(map(repr, names))
        raise ConfigurationError(
            f"{told} seem to say the time of day, beside a date: write them into one column of times. If they name "
            "series: " + " ".join(f"--key '{name}'" for name in names)
        )


def _names_series(name: str) -> bool:
    return rank(name) < len(KNOWN) or bool((_ID_WORDS - _NO_SERIES) & _words_and_ids(name))


def _names_things(sample: Sample, name: str) -> bool:
    numbered = all(value[:1].isdigit() for value in sample.known(name))
    return bool((_NUMBERED_THINGS if numbered else _THINGS) & set(words_of(name)))


_TURNS_KEPT = 0.9
_PERIODS_OF_TIME = (86_400, 7 * 86_400, 28 * 86_400, 29 * 86_400, 30 * 86_400, 31 * 86_400, 365 * 86_400, 366 * 86_400)


def _rotates(sample: Sample, name: str, rows: Sequence[int], times: Sequence[float | None]) -> bool:
    """Whether the values follow one another always in the same turn, as of devices that are asked one by one.

    Shifts, weekdays and months do so as well: their turn takes a day, a week or a year.
    """
    cells = sample.cells(name)
    values = [cells[at] for at in rows]
    count = Counter(values)
    if min(count.values()) < 2 * _OFTEN or max(count.values()) > 2 * min(count.values()):
        return False
    behind: dict[str, Counter[str]] = {}
    for one, other in itertools.pairwise(values):
        behind.setdefault(one, Counter())[other] += 1
    usual = {one: others.most_common(1)[0][0] for one, others in behind.items()}
    kept = sum(others[usual[one]] for one, others in behind.items())
    if kept < _TURNS_KEPT * (len(values) - 1) or set(usual.values()) != set(count):
        return False
    if any(one == other for one, other in usual.items()):
        return False  # it stays as it is for a while
    last: dict[str, float] = {}
    turns = []
    for value, time in zip(values, times, strict=True):
        if value in last:
            turns.append((time or 0.0) - last[value])
        last[value] = time or 0.0
    return median(turns) not in _PERIODS_OF_TIME


def _take_turns(sample: Sample, name: str, rows: Sequence[int]) -> bool:
    """Whether the values change from row to row and come again, as of series whose events arrive one by one."""
    cells = sample.cells(name)
    values = [cells[at] for at in rows]
    count = Counter(values)
    changes = sum(a != b for a, b in itertools.pairwise(values))
    again = sum(times for times in count.values() if times >= _OFTEN)
    return changes >= _TURNS * len(values) and again >= 0.9 * len(values)


def rank(name: str) -> int:
    """How likely a column of this name tells series apart; 0 is the likeliest."""
    plain = name.strip().lower().replace(" ", "_")
    return KNOWN.index(plain) if plain in KNOWN else len(KNOWN)


def _may_be(sample: Sample, name: str, rows: Sequence[int]) -> bool:
    cells = sample.cells(name)
    values = [cells[at] for at in rows]
    distinct = len(set(values))
    if not _names_series(name) and _are_of_day(values):
        return False
    if distinct < 2 or distinct > max(2, len(values) / 2) or sum(not value for value in values) > len(values) / 10:
        return False
    numeric = sum(parts_of(value) is not None and value[:1].isdigit() for value in values) >= 0.9 * len(values)
    lettered = is_id_name(name) and not all(value.isdigit() for value in values if value)
    if not numeric or lettered:
        return True
    # A number is a name only where it is whole, and there are few of them.
    return all(value.isdigit() for value in values) and (is_id_name(name) or distinct <= len(values) / 4)


def _is_count(sample: Sample, name: str) -> bool:
    """Whether a column has numbers and its name does not say that they are names: they may be counts, such as sales."""
    return not (is_id_name(name) and not _says_number(name)) and all(value.isdigit() for value in sample.known(name))


def _says_number(name: str) -> bool:
    """`number of orders` and `code` are no names of series by themselves."""
    return name.strip().lower() not in KNOWN and not ((_ID_WORDS - _NO_SERIES) & _words_and_ids(name))


def _are_of_day(values: Sequence[str]) -> bool:
    """Whether these are times of day, or spans such as `8-9` that join: parts of the time, and no names of series."""
    if all(map(_CLOCK.match, values)):
        return True
    spans = {(int(found[1]) % 24, int(found[2]) % 24) for value in values if (found := _SPAN.match(value))}
    begins, ends = {begin for begin, _ in spans}, {end for _, end in spans}
    one_each = len(begins) == len(ends) == len(spans) and all(begin != end for begin, end in spans)
    return one_each and len(begins - ends) <= 1 and all(map(_SPAN.match, values))


def _doubled(sample: Sample, names: Sequence[str], rows: Sequence[int], times: Sequence[float | None]) -> float:
    columns = [sample.cells(name) for name in names]
    pairs = {(tuple(column[at] for column in columns), time) for at, time in zip(rows, times, strict=True)}
    return 1 - len(pairs) / len(rows)


def _keeps_time(sample: Sample, names: Sequence[str], rows: Sequence[int], times: Sequence[float | None]) -> bool:
    """Whether the times of each key are as even as all times together.

    A regular series has none: what differs between its rows, such as the weather in words or the number of a mode, cuts
    it into pieces.
    """
    columns = [sample.cells(name) for name in names]
    of_key: dict[tuple[str, ...], list[float]] = {}
    for at, time in zip(rows, times, strict=True):
        of_key.setdefault(tuple(column[at] for column in columns), []).append(time or 0.0)
    together = _evenness([sorted({time or 0.0 for time in times})])
    return together < 0.8 or _evenness([sorted(set(one)) for one in of_key.values()]) >= 0.9 * together


def _evenness(series: Sequence[Sequence[float]]) -> float:
    """Share of the steps that are as long as the usual one of their series."""
    usual = steps = 0
    for times in series:
        apart = [b - a for a, b in itertools.pairwise(times)]
        if apart:
            middle = median(apart)
            usual += sum(abs(step - middle) <= 0.01 * middle for step in apart)
            steps += len(apart)
    return usual / steps if steps else 0.0


def _in_blocks(sample: Sample, name: str, rows: Sequence[int], times: Sequence[float | None]) -> bool:
    """Whether the time goes back where this column's value changes, and hardly anywhere else."""
    cells = sample.cells(name)
    back = [(a, b) for a, b in itertools.pairwise(range(len(rows))) if (times[b] or 0) < (times[a] or 0)]
    if not back:
        return False
    return all(cells[rows[a]] != cells[rows[b]] for a, b in back)
