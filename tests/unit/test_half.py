"""Numbers of 16 and of 8 bits."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.kernels.half import fine, from_fine, from_quarter, half, load_quarters, quarter, store_quarters, whole


@pytest.mark.parametrize("lowest", [-9, 0])
def test_quarters_are_off_by_at_most_a_sixteenth(lowest: int) -> None:
    random = np.random.default_rng(0)
    for x in random.choice([-1.0, 1.0], 400) * 2.0 ** random.uniform(lowest + 0.1, lowest + 15.9, 400):
        assert from_quarter(quarter(x, lowest), lowest) == pytest.approx(x, rel=1 / 16 + 1e-9)
    most = 2.0 ** (lowest + 15) * 1.875
    for x, expected in [(0.0, 0.0), (-0.0, 0.0), (2.0 ** (lowest - 1), 0.0), (1e9, most), (-np.inf, -most)]:
        assert from_quarter(quarter(x, lowest), lowest) == expected


def test_every_quarter_is_itself() -> None:
    codes = np.arange(256, dtype=np.uint8)
    found, again = np.zeros(256, np.float32), np.zeros(256, np.uint8)
    load_quarters(codes, found, -9)
    store_quarters(found, 0, 256, again, 0, -9)
    np.testing.assert_array_equal(np.delete(again, 128), np.delete(codes, 128))
    assert found[128] == 0.0


def test_rounding_in_turn_is_right_on_average() -> None:
    shares = 0.6180339887498949 * np.arange(1, 2001) % 1.0
    for x in (0.3, -1.7, 5.2):
        assert np.mean([whole(half(x, share)) for share in shares]) == pytest.approx(x, rel=0.002)


def test_fine_halves_are_off_by_at_most_a_thousandth() -> None:
    random = np.random.default_rng(0)
    for x in random.choice([-1.0, 1.0], 400) * 2.0 ** random.uniform(-19.9, 11.9, 400):
        assert from_fine(fine(x, -20, 4096), -20) == pytest.approx(x, rel=1 / 2048 + 1e-9)
    most = 2.0**11 * (2 - 1 / 1024)
    for x, expected in [(0.0, 0.0), (-0.0, 0.0), (2.0**-22, 0.0), (1e9, most), (-np.inf, -most)]:
        assert from_fine(fine(x, -20, 4096), -20) == expected


@pytest.mark.parametrize("share", [0, 4096, 8191])
def test_every_fine_half_is_itself_however_it_is_rounded(share: int) -> None:
    for code in [*range(0, 65536, 97), 1, 0x7FFF, 0x8001, 0xFFFF]:
        if code != 0x8000:
            assert fine(from_fine(code, -20), -20, share) == code


def test_fine_halves_rounded_in_turn_are_right_on_average() -> None:
    shares = (0.6180339887498949 * np.arange(1, 2001) % 1.0 * 8192).astype(int)
    for x in (0.300077, -1.7005, 5.2021):
        assert np.mean([from_fine(fine(x, -20, share), -20) for share in shares]) == pytest.approx(x, rel=2e-6)
