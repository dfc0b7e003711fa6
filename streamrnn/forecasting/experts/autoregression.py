"""Autoregression: the next step of a target from the last steps, its own and those of the others, by least squares.

It also sees the inputs of `inputs.py` and, periodic, their products with the phase: coefficients that change over the
day. On loads, which turn at fixed hours, that is worth more than any other single part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.experts.readout import Blocks
from streamrnn.forecasting.inputs import LAG_CLIP, fill_lags, fill_periodic
from streamrnn.forecasting.scaling import clip
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


class AutoregressionConfig(NamedTuple):
    """Settings; without lags there is no such expert."""

    lags: int
    cross_lags: int  # of every other target
    forgetting: float
    inputs: int  # how many inputs it sees too
    periodic: bool  # coefficients that depend on the phase
    blocks: Blocks


@kernel
def fill_autoregression(
    config: AutoregressionConfig,
    phi: Float32,
    i: int,
    recent: Float64,
    age: int,
    inverses: Float64,
    inputs: Float32,
    seasons: int,
    harmonics: int,
) -> None:
    """Write phi of target `i` as it was `age` events ago.

    Args:
        config: how many of what.
        phi: (m,), written.
        i: the target.
        recent: (targets, values) newest first.
        age: 0: for the next event.
        inverses: (targets,) 1 / sigma, as it was then.
        inputs: (inputs,) as they were then.
        seasons: that the inputs know of.
        harmonics: of each.
    """
    out_of_line()
    fill_lags(phi, 0, recent[i, age:], config.lags, inverses[i])
    k = 1 + config.lags
    for other in range(inverses.size):
        if other != i:
            for j in range(config.cross_lags):
                step = recent[other, age + j] - recent[other, age + j + 1]
                phi[k] = clip(step * inverses[other], LAG_CLIP)
                k += 1
    for j in range(config.inputs):
        phi[k + j] = inputs[j]
    if config.periodic:
        fill_periodic(phi, k + config.inputs, inputs, seasons, harmonics)
