"""docs/architecture.md names functions and rooms that exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.test_imports import PACKAGE
from tests.commands import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = re.findall(r"`((?:\w+\.)+\w+)`", TEXT.partition("## The walk of one event")[2].partition("\n## ")[0])
STEPS = [name for name in WALK if (PACKAGE / name.split(".")[0]).is_dir()]


@pytest.mark.parametrize("name", STEPS)
def test_every_function_of_the_walk_exists(name: str) -> None:
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if PACKAGE.joinpath(*parts[:n]).with_suffix(".py").is_file())
    node: ast.AST = ast.parse(PACKAGE.joinpath(*parts[:depth]).with_suffix(".py").read_text(encoding="utf-8"))
    for part in parts[depth:]:
        inside = {
            one.name: one for one in ast.iter_child_nodes(node) if isinstance(one, ast.FunctionDef | ast.ClassDef)
        }
        assert part in inside, name
        node = inside[part]


def test_the_walk_is_counted_right() -> None:
    files = {name.rsplit(".", 2 if name.split(".")[-2][0].isupper() else 1)[0] for name in STEPS}
    assert f"{len(STEPS)} functions in {len(files)} files" in TEXT


def test_every_room_is_in_the_table_and_in_the_picture() -> None:
    picture = (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert f"{len(rooms)} rooms" in TEXT
    for room in rooms:
        assert f"`{room}`" in TEXT
        assert f">{room}<" in picture
