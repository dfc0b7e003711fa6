"""Autoregression: the next step of a target from its last steps and those of the other targets, by least squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.compiled import kernel
from streamrnn.online.inputs import LAG_CLIP, fill_lags
from streamrnn.online.scaling import clip

Float64 = NDArray[np.float64]


class AutoregressionConfig(NamedTuple):
    """Settings; without lags there is no such expert."""

    lags: int
    cross_lags: int  # of every other target
    forgetting: float


def autoregression_size(config: AutoregressionConfig, targets: int) -> int:
    """How many features phi has."""
    return 1 + config.lags + config.cross_lags * (targets - 1) if config.lags else 0


@kernel
def fill_autoregression(
    config: AutoregressionConfig, z: Float64, phi: int, i: int, recent: Float64, inverses: Float64
) -> None:
    """Write phi of target `i` to z[phi]; recent (targets, values) newest first, inverses (targets,) = 1 / sigma."""
    fill_lags(z, phi, recent[i], config.lags, inverses[i])
    k = phi + 1 + config.lags
    for other in range(inverses.size):
        if other != i:
            for j in range(config.cross_lags):
                z[k] = clip((recent[other, j] - recent[other, j + 1]) * inverses[other], LAG_CLIP)
                k += 1
