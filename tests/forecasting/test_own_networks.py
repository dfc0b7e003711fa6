"""Networks of a series' own, as they are kept between its events."""

from __future__ import annotations

import numpy as np
import pytest

from streamrnn.forecasting.experts.own_networks import TOGETHER, allocate_own, put_back, take_out, working_weights
from streamrnn.learning.optimizers import STARTED, UPDATES

SIZE = 4 * TOGETHER


def test_a_network_comes_back_as_it_was_to_a_thousandth() -> None:
    random = np.random.default_rng(0)
    kept, weights, found = allocate_own(3, 2, SIZE), working_weights(2, SIZE), working_weights(2, SIZE)
    weights.parameters[...] = random.normal(0, 0.3, (1, 2, SIZE))
    weights.second_moment[...] = random.random((1, 2, SIZE))
    weights.counters[0, :, [STARTED, UPDATES]] = 1
    put_back(kept, 1, weights, False)  # new ones are kept, taught or not
    take_out(kept, 1, found)
    np.testing.assert_allclose(found.parameters, weights.parameters, rtol=1 / 1024, atol=1e-6)
    moments = weights.second_moment.reshape(1, 2, -1, TOGETHER).mean(axis=3)
    np.testing.assert_allclose(found.second_moment, moments.repeat(TOGETHER, axis=2), rtol=1e-6)
    np.testing.assert_array_equal(found.counters, weights.counters)
    assert not kept.parameters[[0, 2]].any()


def test_what_was_not_taught_stays_and_to_keep_it_again_changes_nothing() -> None:
    random = np.random.default_rng(1)
    kept, weights = allocate_own(1, 1, SIZE), working_weights(1, SIZE)
    weights.parameters[...] = random.normal(0, 0.3, (1, 1, SIZE))
    weights.counters[0, 0, STARTED] = 1
    put_back(kept, 0, weights, True)
    before = [array.copy() for array in kept]
    weights.parameters[...] = 7.0
    put_back(kept, 0, weights, False)
    take_out(kept, 0, weights)
    weights.counters[0, 0, UPDATES] = 11  # another rounding
    put_back(kept, 0, weights, True)
    for old, new in zip(before[:2], kept[:2], strict=True):
        np.testing.assert_array_equal(new, old)


def test_steps_smaller_than_the_last_bit_add_up() -> None:
    kept, weights = allocate_own(1, 1, SIZE), working_weights(1, SIZE)
    weights.parameters[...] = 0.5
    weights.counters[0, 0, STARTED] = 1
    for update in range(1, 1001):
        weights.counters[0, 0, UPDATES] = update
        weights.parameters[...] += np.float32(2e-5)  # the last bit is 49e-5
        put_back(kept, 0, weights, True)
        take_out(kept, 0, weights)
    assert weights.parameters.mean() == pytest.approx(0.52, abs=1e-4)
    assert weights.parameters == pytest.approx(0.52, abs=2e-3)
