"""A linear readout learned by recursive least squares, one step ahead: step = weights . phi, in sigmas.

Its numbers lie in a target's row, from `at`: running mean square of its error, weights (m,), phi (m,) of the pending
forecast, packed precision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting.scaling import clip
from streamrnn.kernels import least_squares
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import out_of_line

Float64 = NDArray[np.float64]

VARIANCE_RATE = 0.01
ERROR_CLIP = 4.0  # running standard deviations one error counts at most


@kernel
def forecast_step(z: Float64, at: int, m: int) -> float:
    """The step that the readout expects from its phi."""
    return least_squares.dot(z[at + 1 : at + 1 + m], z[at + 1 + m : at + 1 + 2 * m])


@kernel
def learn_readout(z: Float64, at: int, m: int, step: float, forgetting: float, initial: float, gain: Float64) -> None:
    """Learn from the step that came (sigmas); `gain` has room for m numbers."""
    out_of_line()
    weights, phi, precision = z[at + 1 : at + 1 + m], z[at + 1 + m : at + 1 + 2 * m], z[at + 1 + 2 * m :]
    error = step - least_squares.dot(weights, phi)
    if z[at] == 0.0:  # the first time
        least_squares.start_precision(precision, m, initial)
        z[at] = 1.0
    if math.isfinite(error):
        error = clip(error, ERROR_CLIP * math.sqrt(z[at]) + 1e-6)
        least_squares.learn(precision, weights, phi, gain[:m], error, forgetting, initial)
        z[at] += VARIANCE_RATE * (error * error - z[at])
    else:  # the expert starts again
        for k in range(m):
            weights[k] = 0.0
        z[at] = 0.0
