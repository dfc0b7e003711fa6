"""A second process finds the compiled kernels on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.types.functions import BaseFunction

from streamrnn.kernels.jit import compiling, kernel

pytestmark = pytest.mark.thorough

PROGRAM = """
import numpy as np
from streamrnn.cells.dense import Dense, Network
from streamrnn.cells.gru import GRU
from streamrnn.learning import learner
from streamrnn.learning.losses import make_loss
from streamrnn.learning.optimizers import make_optimizer

network = learner.Learner(
    Network(GRU(1, 4), Dense(4, 1)), learner.make_settings(), make_loss("squared"), make_optimizer()
)
made, losses = network.learn_many(np.zeros(50, np.int64), np.ones((50, 1)), np.ones((50, 1)))
stats = learner.learn_many.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), made.tobytes().hex())
"""


def learned(cache: Path) -> list[str]:
    environment = {**os.environ, "STREAMRNN_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture
def read_only(tmp_path):
    """Seals a folder so that not even root can write it."""

    def seal(folder: Path) -> None:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        if os.access(folder, os.W_OK):
            if shutil.which("chattr") is None:
                pytest.skip("root writes everywhere, and there is no chattr; run as another user")
            subprocess.run(["chattr", "-R", "+i", str(folder)], check=True, capture_output=True)

    yield seal
    if shutil.which("chattr"):
        subprocess.run(["chattr", "-R", "-i", str(tmp_path)], check=False, capture_output=True)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)


def test_second_process_compiles_nothing_and_writes_nothing(tmp_path, read_only):
    warm = tmp_path / "warm"
    first, second = learned(warm), learned(warm)
    assert first[:2] == ["0", "1"]
    assert second[:2] == ["1", "0"]
    assert first[2] == second[2]
    read_only(warm)
    assert learned(warm) == second


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "program.py").write_text(
        "from streamrnn.kernels.jit import kernel\n@kernel\ndef twice(x):\n    return 2 * x\nprint(twice(21))\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "STREAMRNN_CACHE": str(tmp_path / "file" / "cache"), "PYTHONPATH": root}
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


def test_numba_is_left_as_it_was():
    before = BaseFunction.get_call_type

    @kernel
    def total(x, first):
        return x[0] + x[1] * first

    assert [total(np.ones(2), 2), total(np.ones(2, np.int64), 2)] == [3.0, 3]
    assert isinstance(total(np.ones(2, np.int64), 2), int)
    for _ in range(2):
        with pytest.raises(numba.TypingError, match="add"):
            total(("a", 1), 2)
    assert BaseFunction.get_call_type is before


def test_it_is_told_what_has_to_be_compiled_for_these_types(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def doubled(values):
        @kernel
        def double(x):
            return 2 * x

        told = []
        with compiling(lambda: told.append(len(told))):
            assert [double(value) for value in values] == [2 * value for value in values]
        double(2j)  # nobody asks any more
        return len(told)

    assert doubled([1, 2]) == 1
    assert doubled([3]) == 0
    assert doubled([3, 1.5]) == 1  # the same kernel for other types
    assert doubled([3, 1.5]) == 0


def test_a_kernel_whose_code_was_not_handed_over_runs_and_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def nothing(self, cres):
        raise RuntimeError("no compiled object yet for <Library 'triple'>")

    @kernel
    def triple(x):
        return 3 * x

    with monkeypatch.context() as patched:
        patched.setattr(type(triple._cache._impl), "reduce", nothing)
        assert triple(2) == 6
    assert not list(tmp_path.rglob("*.nbc"))

    def broken(self, cres):
        raise RuntimeError("something else")

    monkeypatch.setattr(type(triple._cache._impl), "reduce", broken)
    with pytest.raises(RuntimeError, match="something else"):
        triple(2.0)


OTHER_NUMBA = """
import logging, sys
import numba
numba.__version__ = "0.99.0"
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import numpy as np
from streamrnn.kernels import pipeline
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import lanes, load, multiply_add, store

@kernel
def add_to(x, factor, made):
    for i in range(0, len(x), lanes(x)):
        store(made, i, len(x) - i, multiply_add(factor, load(x, i, len(x) - i), load(made, i, len(x) - i)))

@kernel
def entered(x, made):
    add_to(x, 2.0, made)

made = np.ones(21)
entered(np.arange(21.0), made)
assert made.tolist() == (1 + 2 * np.arange(21.0)).tolist()
print(pipeline.FITS, sum(entered.stats.cache_hits.values()))
"""


def test_with_another_numba_kernels_go_through_its_own_pipeline(tmp_path):
    (tmp_path / "program.py").write_text(OTHER_NUMBA)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "STREAMRNN_CACHE": str(tmp_path / "cache"), "PYTHONPATH": root}
    for hits in (0, 1):
        command = [sys.executable, str(tmp_path / "program.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        *said, last = done.stdout.splitlines()
        assert last == f"False {hits}"
        assert len(said) == 1
        assert "numba 0.99.0 is not the version that the compile pipeline was written for (0.68)" in said[0]
