"""What CONTRIBUTING.md tells people to write, by the file it tells them to write it to."""

from __future__ import annotations

import re

from tests.commands import ROOT


def files_of(title: str) -> dict[str, str]:
    """Path -> content of the code blocks in the section `title`; a block's path is in the line before it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
