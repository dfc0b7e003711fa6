"""What docs/river.md and the docstrings show is what happens."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from river import evaluate

PAGE = Path(__file__).parent.parent.parent / "docs" / "river.md"
MODULES = ("anomalies", "classification", "encoding", "forecasting", "regression")


def blocks() -> list[doctest.Example]:
    text = "\n".join("" if line.startswith("```") else line for line in PAGE.read_text(encoding="utf-8").splitlines())
    return doctest.DocTestParser().get_examples(text)


@pytest.mark.skipif(
    not hasattr(evaluate, "evaluate"), reason="the page uses river's evaluate.evaluate: river 0.25 has it"
)
def test_the_page() -> None:
    test = doctest.DocTest(blocks(), {}, PAGE.name, str(PAGE), 0, None)
    assert test.examples
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_the_docstrings(name: str) -> None:
    result = doctest.testmod(import_module(f"streamrnn.estimators.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
