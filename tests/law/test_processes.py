"""The same bytes from processes that compiled their kernels, one way or the other, or found them in the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Streamrnn

PLAIN = """
from streamrnn.kernels import pipeline
assert pipeline.FITS
pipeline.FITS = False
"""
"""A process whose kernels go through all that numba does by itself."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["standard"])
def test_a_cold_and_a_warm_process_give_the_same_bytes(streamrnn: Streamrnn, tmp_path: Path, preset: str) -> None:
    rows = [
        f'{{"time": {60 * (row // 5)}, "key": "s{row % 5}", "a": {(row * 7919) % 101 / 7}, "b": {(row * 31) % 17}}}'
        for row in range(3000)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    seen: list[tuple[bytes, str]] = []
    compiled: dict[Path, dict[Path, int]] = {}
    for name in ("cold", "warm", "again", "plain"):
        cache = tmp_path / ("plain" if name == "plain" else "cache")
        done = streamrnn(
            "run", "--input", "x.jsonl", "--output", f"{name}.out", "--state", name,
            "--set", f"model.preset={preset}", "--set", "model.horizon=3", "--target", "a", "--target", "b",
            environment={"STREAMRNN_CACHE": str(cache)}, code=PLAIN if name == "plain" else "",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert ("compiling the model" in done.err) == (name in ("cold", "plain"))
        digest = json.loads(streamrnn("inspect", "--state", name, "--json").out)[0]["digest"]
        seen.append(((tmp_path / f"{name}.out").read_bytes(), digest))
        made = {file: file.stat().st_mtime_ns for file in cache.rglob("*.nbc")}
        assert made, "nothing was cached: this test would compare nothing"
        assert compiled.setdefault(cache, made) == made, "this process compiled again"
    assert len(compiled) == 2
    assert seen[0] == seen[1] == seen[2] == seen[3]
