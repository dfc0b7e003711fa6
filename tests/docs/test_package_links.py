"""What a package index shows leads to the repository that the package was built from."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HOME, REVISION = "https://example.org/owner/name", "0123abc"


def test_the_links_of_a_package_lead_to_files_of_the_repository() -> None:
    made = runpy.run_path(str(ROOT / "deploy" / "package_links.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before = re.findall(r"\]\(([^)\s]+)\)", readme)
    after = re.findall(r"\]\(([^)\s]+)\)", made["linked"](readme, HOME, REVISION))
    assert len(after) == len(before) > 20
    pictures = 0
    for old, new in zip(before, after, strict=True):
        if re.match(r"[a-z]+:|#", old):
            assert new == old
            continue
        kind, path = new.removeprefix(f"{HOME}/").split(f"/{REVISION}/")
        assert (ROOT / path.partition("#")[0]).exists()
        assert kind == ("raw" if path.endswith(".png") else "blob")
        pictures += kind == "raw"
    assert pictures


def test_the_project_names_its_addresses() -> None:
    made = runpy.run_path(str(ROOT / "deploy" / "package_links.py"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "urls" not in tomllib.loads(project)["project"], "nobody knows where this is published"
    changed = tomllib.loads(made["with_urls"](project, HOME, REVISION))
    urls = changed["project"].pop("urls")
    assert changed == tomllib.loads(project)
    assert urls["Source"] == HOME
    for page in ("Documentation", "Changelog"):
        assert (ROOT / urls[page].removeprefix(f"{HOME}/blob/{REVISION}/")).exists()
