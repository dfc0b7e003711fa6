"""The same bytes from a process that compiled its kernels and from one that found them in the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Streamrnn


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["standard"])
def test_a_cold_and_a_warm_process_give_the_same_bytes(streamrnn: Streamrnn, tmp_path: Path, preset: str) -> None:
    rows = [
        f'{{"time": {60 * (row // 5)}, "key": "s{row % 5}", "a": {(row * 7919) % 101 / 7}, "b": {(row * 31) % 17}}}'
        for row in range(3000)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    seen = []
    for name in ("cold", "warm", "again"):
        done = streamrnn(
            "run", "--input", "x.jsonl", "--output", f"{name}.out", "--state", name, "--quiet",
            "--set", f"model.preset={preset}", "--set", "model.horizon=3", "--target", "a", "--target", "b",
            environment={"STREAMRNN_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
        assert done.code == 0, done.err
        digest = json.loads(streamrnn("inspect", "--state", name, "--json").out)[0]["digest"]
        seen.append(((tmp_path / f"{name}.out").read_bytes(), digest))
        compiled = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.nbc")}
        if name == "cold":
            first = compiled
            assert compiled, "nothing was cached: this test would compare nothing"
        assert compiled == first, "this process compiled again"
    assert seen[0] == seen[1] == seen[2]
