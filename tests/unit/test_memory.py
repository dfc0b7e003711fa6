from __future__ import annotations

import resource
from pathlib import Path

import pytest

from streamrnn.config.loading import load
from streamrnn.errors import ConfigurationError
from streamrnn.runtime.task import make_model
from streamrnn.state import memory
from streamrnn.state.memory import LEAST, PROCESS, ceiling, default_budget, described, size


def group(folder: Path, own: str, limits: dict[str, str]) -> tuple[Path, Path]:
    for place, text in limits.items():
        file = folder / "cgroup" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    (folder / "own").write_text(own)
    (folder / "cgroup").mkdir(exist_ok=True)
    return folder / "cgroup", folder / "own"


@pytest.mark.parametrize(
    ("own", "limits"),
    [
        ("0::/\n", {"memory.max": "1073741824"}),
        ("0::/pods/a/b\n", {"pods/memory.max": "1073741824", "pods/a/b/memory.max": "max", "memory.max": "max"}),
        ("0::/elsewhere\n", {"memory.max": "1073741824"}),
        ("3:cpu:/x\n4:memory:/docker/1\n", {"memory/docker/1/memory.limit_in_bytes": "1073741824"}),
        ("4:memory:/docker/1\n", {"memory/memory.limit_in_bytes": "1073741824"}),
    ],
)
def test_the_limit_of_the_container_is_found(own: str, limits: dict[str, str], tmp_path: Path) -> None:
    found = ceiling(*group(tmp_path, own, limits))
    assert found == (1 << 30, "container")


def test_without_a_limit_the_machine_is_the_limit(tmp_path: Path) -> None:
    unlimited = {"memory/memory.limit_in_bytes": "9223372036854771712", "memory.max": "max"}
    assert ceiling(*group(tmp_path, "0::/\n", unlimited)).whose == "machine"
    assert ceiling(tmp_path / "nothing", tmp_path / "nothing").whose == "machine"


def test_the_limit_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1 << 28, 1 << 28))
    assert ceiling() == (1 << 28, "process (ulimit)")
    assert default_budget() == LEAST


def test_the_default_leaves_room_for_snapshots_and_the_process() -> None:
    for most in (1 << 29, 1 << 30, 1 << 31, 1 << 35):
        assert PROCESS + memory.SHARE * default_budget(most) <= max(most, PROCESS + memory.SHARE * LEAST)


def test_sizes_are_read_and_said() -> None:
    texts = {
        "1048576": 1 << 20,
        "512MiB": 1 << 29,
        "1.5 GiB": 3 << 29,
        "2g": 2 * 10**9,
        "2Gi": 1 << 31,
        "5 mb": 5 * 10**6,
    }
    for text, count in texts.items():
        assert load(None, {"state.max_memory": text}, {}).state.max_memory == count
    for wrong in ("", "much", "1e9", "-1GiB", "0", "1 byte", "9" * 40, "1000000TiB", "512 MiBs"):
        with pytest.raises(ConfigurationError, match=r"state\.max_memory"):
            load(None, {"state.max_memory": wrong}, {})
    assert [size(n) for n in (12, 2048, 3 << 29, 1010 << 20)] == ["12 bytes", "2 KiB", "1.5 GiB", "1,010 MiB"]


def test_it_says_how_much_and_why() -> None:
    assert described(1 << 29) == "512 MiB of memory for series (state.max_memory)"
    assert "state.max_memory is not set: a quarter of the" in described(None)


def test_a_series_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"state\.max_memory is 1,048,576 bytes, and one series takes"):
        make_model(load(None, {"state.max_memory": "1MiB", "model.preset": "full", "model.hidden_size": 512}, {}))
