"""Make README.md and pyproject.toml lead to the repository that a package is built from.

    python deploy/package_links.py https://example.org/owner/name REVISION

A package index shows README.md without the files beside it, so its relative links lead nowhere there; and nothing in
the repository knows where it is published. CI knows: it runs this in its own checkout before it builds.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def linked(text: str, home: str, revision: str) -> str:
    """Markdown whose relative links lead to the files of `revision` in the repository `home`."""

    def absolute(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        return f"{picture}[{words}]({home}/{'raw' if picture else 'blob'}/{revision}/{path})"

    return _LINK.sub(absolute, text)


def with_urls(project: str, home: str, revision: str) -> str:
    """pyproject.toml with the addresses of the project."""
    pages = {"Source": "", "Issues": "/issues"}
    pages |= {"Documentation": f"/blob/{revision}/docs/index.md", "Changelog": f"/blob/{revision}/CHANGELOG.md"}
    urls = "".join(f'{name} = "{home}{path}"\n' for name, path in pages.items())
    return project.replace("[project.scripts]\n", f"[project.urls]\n{urls}\n[project.scripts]\n")


def main() -> None:
    """Rewrite both files in place."""
    home, revision = sys.argv[1].rstrip("/"), sys.argv[2]
    for name, change in (("README.md", linked), ("pyproject.toml", with_urls)):
        file = ROOT / name
        file.write_text(change(file.read_text(encoding="utf-8"), home, revision), encoding="utf-8")


if __name__ == "__main__":
    main()
