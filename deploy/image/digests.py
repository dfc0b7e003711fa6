"""Pin the image's bases by digest: `make images` writes the newest digest of every tag into deploy/Dockerfile.

A tag is whatever its owner last pushed; a digest is one image for ever. `FROM python:3.12-slim@sha256:...` names both:
the tag for people and for the next `make images`, the digest for whoever builds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCKERFILE = Path(__file__).parent.parent / "Dockerfile"
BASE = re.compile(r"^(?P<from>FROM )(?P<tag>[\w./-]+:[\w.-]+)(?P<digest>@\S+)?(?P<rest>.*)$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(tag: str) -> str:
    """The digest that the tag has in its registry now. Raises `SystemExit` where that cannot be found out."""
    command = ["docker", "buildx", "imagetools", "inspect", tag, "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError:
        raise SystemExit("docker is not installed: https://docs.docker.com/engine") from None
    except subprocess.TimeoutExpired:
        raise SystemExit(f"the registry of {tag} did not answer within 120 s") from None
    found = done.stdout.strip()
    if done.returncode != 0 or not DIGEST.fullmatch(found):
        raise SystemExit(f"no digest of {tag}: {(done.stderr or found).strip()[:300] or 'docker said nothing'}")
    return found


def pinned(text: str) -> str:
    """The Dockerfile with the present digest of every base."""
    digests = {tag: digest_of(tag) for tag in dict.fromkeys(match["tag"] for match in BASE.finditer(text))}
    return BASE.sub(lambda match: f"{match['from']}{match['tag']}@{digests[match['tag']]}{match['rest']}", text)


def main() -> None:
    """Write the Dockerfile anew and say what has changed; nothing is written where one digest cannot be found."""
    before = DOCKERFILE.read_text(encoding="utf-8")
    after = pinned(before)
    DOCKERFILE.write_text(after, encoding="utf-8")
    for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
        if old != new:
            print(f"{old}\n  -> {new}")
    if before == after:
        print("all bases are pinned to what their tags are now", file=sys.stderr)


if __name__ == "__main__":
    main()
