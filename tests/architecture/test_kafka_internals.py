"""Private parts of kafka-python are used in one file of the package and in one of the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.test_imports import PACKAGE, imports, module_of
from tests.commands import ROOT

PUBLIC = {"kafka", "kafka.admin", "kafka.errors", "kafka.structs"}
"""Modules of kafka-python whose names its documentation promises."""

CLIENTS = {"consumer", "producer", "admin", "_consumer", "_producer", "_admin", "_client"}
NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def private_uses(node: ast.AST) -> list[str]:
    """Private attributes of anything but the object itself."""
    return [
        ast.unparse(inner)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
        and inner.attr.startswith("_")
        and not inner.attr.startswith("__")
        and inner.attr not in NAMED_TUPLES
        and not (isinstance(inner.value, ast.Name) and inner.value.id in ("self", "cls"))
    ]


def of_a_client(expression: str) -> bool:
    """Whether a private attribute of `expression` is that of a consumer, a producer or an admin client."""
    return expression.rpartition(".")[0].rpartition(".")[2] in CLIENTS


CONNECTOR = sorted(path for path in (PACKAGE / "connectors" / "kafka").glob("*.py") if path.name != "internals.py")


@pytest.mark.parametrize("file", CONNECTOR, ids=module_of)
def test_the_connector_uses_private_parts_of_the_client_in_one_file(file: Path) -> None:
    used = {name for name in imports(file) if name.split(".")[0] == "kafka"}
    assert used <= PUBLIC, f"{file.name} imports {used - PUBLIC}: put what it needs into internals.py"
    found = private_uses(ast.parse(file.read_text(encoding="utf-8")))
    assert not found, f"{file.name} uses {found}: put what it needs into internals.py"


def test_the_tests_use_private_parts_of_the_client_in_one_file() -> None:
    allowed = ROOT / "tests" / "kafka" / "client_inside.py"
    for folder in ("tests", "benchmarks", "examples"):
        for file in (ROOT / folder).rglob("*.py"):
            if file == allowed or "_tmp" in file.parts:
                continue
            used = {name for name in imports(file) if name.split(".")[0] == "kafka"}
            assert used <= PUBLIC, f"{file} imports {used - PUBLIC}: put what it needs into {allowed.name}"
            text = file.read_text(encoding="utf-8")
            if not any(f"{client}._" in text for client in CLIENTS):
                continue
            found = [one for one in private_uses(ast.parse(text)) if of_a_client(one)]
            assert not found, f"{file} uses {found}: put what it needs into {allowed.name}"


def test_the_check_sees_a_private_part() -> None:
    assert private_uses(ast.parse("self._consumer._coordinator.x")) == ["self._consumer._coordinator"]
    assert of_a_client("self._consumer._coordinator")
    assert of_a_client("consumer._net")
    assert not of_a_client("connector._consumer")
