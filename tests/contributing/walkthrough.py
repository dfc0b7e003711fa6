"""What CONTRIBUTING.md tells people to write, by the file it tells them to write it to."""

from __future__ import annotations

import re
from pathlib import Path

from tests.commands import ROOT


def section(title: str) -> str:
    """The text of the section `title`."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return str(found)


def files_of(title: str) -> dict[str, str]:
    """Path -> content of the code blocks in the section `title`; a block's path is in the line before it."""
    return dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL))


def follow(title: str, root: Path) -> set[str]:
    """Do what the section says in the tree at `root`; returns the paths of the files that were written or changed."""
    files = files_of(title)
    for path, text in files.items():
        assert not (root / path).exists(), path
        (root / path).write_text(text)
    found = r"^Below `([^\n]+)` of `([^`\n]+)`:\n\n```\w+\n(.*?)^```"
    edits = re.findall(found, section(title), re.MULTILINE | re.DOTALL)
    for anchor, path, block in edits:
        lines = (root / path).read_text().splitlines(keepends=True)
        [place] = [number for number, line in enumerate(lines) if line.strip() == anchor]
        lines.insert(place + 1, block)
        (root / path).write_text("".join(lines))
    return set(files) | {path for _, path, _ in edits}
