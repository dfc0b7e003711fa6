"""Green Button (ESPI): the readings of a meter, as utilities give them to their customers in XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from streamrnn.errors import ConnectorError

_SPACE = "{http://naesb.org/espi}"


def is_green_button(path: Path) -> bool:
    """Whether the file names the namespace of ESPI near its beginning."""
    with path.open("rb") as file:
        return b"naesb.org/espi" in file.read(1 << 16)


def green_button(path: Path) -> Iterator[dict[str, Any]]:
    """Readings as `time` (seconds since 1970, when the interval begins) and `value`, as they stand.

    `powerOfTenMultiplier` of the reading type is applied. A file with two types is refused.
    """
    power = 0
    types = 0
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == f"{_SPACE}ReadingType":
                types += 1
                power = int(element.findtext(f"{_SPACE}powerOfTenMultiplier") or 0)
                if types > 1:
                    raise ConnectorError(f"{path} has readings of several kinds: export one of them")
            elif element.tag == f"{_SPACE}IntervalReading":
                start = element.findtext(f"{_SPACE}timePeriod/{_SPACE}start")
                value = element.findtext(f"{_SPACE}value")
                if start is not None and value is not None:
                    yield {"time": int(start), "value": float(f"{value}e{power}")}
                element.clear()
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise ConnectorError(f"cannot read {path}: {error}"[:300]) from error
