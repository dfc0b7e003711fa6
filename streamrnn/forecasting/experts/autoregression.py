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
    f: Float32,
    phi: int,
    i: int,
    recent: Float64,
    inverses: Float64,
    inputs: Float64,
    seasons: int,
    harmonics: int,
) -> None:
    """Write phi of target `i` to f[phi]; recent (targets, values) newest first, inverses (targets,) = 1 / sigma."""
    out_of_line()
    fill_lags(f, phi, recent[i], config.lags, inverses[i])
    k = phi + 1 + config.lags
    for other in range(inverses.size):
        if other != i:
            for j in range(config.cross_lags):
                f[k] = clip((recent[other, j] - recent[other, j + 1]) * inverses[other], LAG_CLIP)
                k += 1
    for j in range(config.inputs):
        f[k + j] = inputs[j]
    if config.periodic:
        fill_periodic(f, k + config.inputs, inputs, seasons, harmonics)
