"""States that earlier versions of streamrnn wrote: `<version>/<task>.snapshot.xz`, each of a few series."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import NamedTuple

from streamrnn.config.tree import Config
from tests.streams import configured

HERE = Path(__file__).parent


class Written(NamedTuple):
    """One of them."""

    version: str
    task: str
    config: Config
    series: int
    offset: int  # events it has seen, which is the row it stands for
    digest: str  # as that version's `inspect` gave it


WRITTEN = (
    Written("0.1.0", "forecast", configured(model__preset="lite"), 3, 240, "3126a11b3aff1c927fe9da6d7ca8bd6f"),
    Written(
        "0.1.0",
        "classification",
        configured(task="classification", event__features=["a", "b"], labels__pending=8, labels__max_classes=4),
        2,
        100,
        "ea84acd9130b86474f58f4859d00d745",
    ),
)


def unpack(written: Written, folder: Path) -> Path:
    """The state folder as it was left."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = HERE / written.version / f"{written.task}.snapshot.xz"
    (folder / "000000000001.snapshot").write_bytes(lzma.decompress(packed.read_bytes()))
    return folder
