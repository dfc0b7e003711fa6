"""The examples of docs/embedding.md run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "embedding.md"


def test_the_examples_run_one_after_the_other() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert names["record"]["targets"]["value"]["forecast"]  # type: ignore[index]
    assert names["store"].keys() == {"a", "b"}  # type: ignore[attr-defined]
