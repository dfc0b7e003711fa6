"""What the steps 2..H keep and work in: settings, sizes and arrays; `multistep.py` says what it is for."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamrnn.forecasting import step_groups
from streamrnn.forecasting.calendar import MOST_SEASONS
from streamrnn.forecasting.experts.readout import Blocks, covariance_size, make_blocks
from streamrnn.forecasting.experts.season_tables import LEVELS_OF
from streamrnn.forecasting.layout import offsets_of
from streamrnn.kernels.half import Halves
from streamrnn.kernels.jit import uncompiled

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

KNOTS: Final = 24
LAGS: Final = 8
JOINT_LAGS: Final = 24
HARMONICS: Final = 2
MEANS: Final = 3
FEATURES: Final = 1 + MEANS + 2 + LEVELS_OF[0] + 2 + LEVELS_OF[1] + LAGS + 1 + 8 * HARMONICS
JOINT_FEATURES: Final = 1 + JOINT_LAGS + 1
EXPERTS: Final = 4 + 5 * MOST_SEASONS + 4
WINDOW: Final = 24  # values of the drift and of the running median
SIMPLE: Final = [0, 3, 4]  # last value, step 1 held, the first season's last value: they begin with a regret of 1
WAVES: Final = 512

# What an origin keeps of what it saw, besides its values, in original units less its value.
STEP_ONE: Final = 0
MEAN: Final = 1  # MEANS
PERIOD_MEAN: Final = 4  # of both seasons
LEVEL: Final = 6  # slowest level of the first season
KNOWN: Final = 7
ORIGIN: Final = 8
# Numbers (doubles): events since the first value, and the running means.
COUNT: Final = 0
MEANS_AT: Final = 1
NUMBERS: Final = MEANS_AT + MEANS


class AheadConfig(NamedTuple):
    """Settings; None where only the next step is forecast: then nothing below is compiled."""

    horizon: int
    knots: int
    groups: int
    values: int  # that must be remembered
    forgetting: float
    blocks: Blocks
    joint_blocks: Blocks
    # offsets into the singles
    changes: int
    errors: int
    weights: int
    joint_weights: int
    mixtures: int
    slots: int
    singles: int
    # offsets into the shorts
    covariance: int
    joint_covariance: int
    shorts: int
    # offsets into the halves
    origins: int
    waiting: int  # of the slots
    variances: int
    halves: int
    # offsets into the bytes
    joint_units: int
    said: int  # what the experts said in the slots
    bytes: int


class MultistepSeries(NamedTuple):
    """State per series and target."""

    numbers: Float64  # (rows, targets, NUMBERS)
    singles: Float32  # (rows, targets, AheadConfig.singles)
    halves: Halves  # (rows, targets, AheadConfig.halves)
    shorts: Int16  # (rows, targets, AheadConfig.shorts) covariances
    bytes: UInt8  # (rows, targets, AheadConfig.bytes) units of the covariances' scales, and what the experts said


class MultistepScratch(NamedTuple):
    """Working room and constants."""

    knots: Int64  # (knots + 1,) first step of each knot's interval, and H + 1
    below: Int64  # (horizon + 1,) the knot at or below a step
    share: Float64  # (horizon + 1,) how far the step is on the way to the next
    bounds: Int64  # (groups + 1,) first step of every group of steps
    slots: Int64  # (groups + 1,)
    waves: Float64  # (WAVES, 2 HARMONICS)
    phi: Float32
    joint_phi: Float32
    gain: Float32
    covariance: Float32  # of the larger one
    scaled: tuple[Float32, Float32, Float32]  # scales of its features, phi and gain in them
    weights: Float32
    seen: Float64  # (MOST_SEASONS, 1 + levels)
    here: Float64
    next: Float64
    experts: Float64  # (EXPERTS,)
    origin: Float32  # (ORIGIN,)
    sorted: Float64  # (WINDOW,)
    prior: Float64  # (EXPERTS,) regrets to begin with
    mixing: Float64  # (2 groups, EXPERTS)
    shares: Float64  # (groups,) of the medians' mixtures that are published


def ahead_config(horizon: int) -> AheadConfig | None:
    """Sizes that follow from the horizon."""
    if horizon < 2:
        return None
    knots, bounds = min(KNOTS, horizon - 1), step_groups.group_bounds(horizon)
    at = offsets_of(_singles(horizon, knots), "singles") | offsets_of(_halves(horizon), "halves")
    at |= offsets_of(_SHORTS, "shorts") | offsets_of(_bytes(horizon), "bytes")
    del at["units"]  # 0
    return AheadConfig(
        horizon, knots, len(bounds) - 1, horizon + JOINT_LAGS + 2, 0.9996, make_blocks(*_BLOCKS),
        make_blocks(*_JOINT_BLOCKS), **at,
    )  # fmt: skip


_BLOCKS = ((FEATURES, 0.05),)
_JOINT_BLOCKS = ((JOINT_FEATURES, 0.05),)
_SHORTS = {
    "covariance": covariance_size(make_blocks(*_BLOCKS)),
    "joint_covariance": covariance_size(make_blocks(*_JOINT_BLOCKS)),
}


def _halves(horizon: int) -> dict[str, int]:
    """Halves of every part, in order."""
    slots = int(step_groups.slots_of(step_groups.group_bounds(horizon))[-1])
    groups = len(step_groups.group_bounds(horizon)) - 1
    return {
        "origins": (horizon + 1) * ORIGIN,
        "waiting": slots * step_groups.WAITING,
        "variances": groups * 2 * EXPERTS,
    }


def _bytes(horizon: int) -> dict[str, int]:
    """Bytes of every part, in order."""
    slots = int(step_groups.slots_of(step_groups.group_bounds(horizon))[-1])
    return {
        "units": FEATURES,
        "joint_units": JOINT_FEATURES,
        "said": slots * uncompiled(step_groups.said_size)(EXPERTS),
    }


def _singles(horizon: int, knots: int) -> dict[str, int]:
    """Singles of every part, in order."""
    bounds = step_groups.group_bounds(horizon)
    return {
        "changes": horizon + 1,
        "errors": 2 * knots,
        "weights": knots * FEATURES,
        "joint_weights": knots * JOINT_FEATURES,
        "mixtures": (len(bounds) - 1) * uncompiled(step_groups.group_size)(EXPERTS),
        "slots": int(step_groups.slots_of(bounds)[-1]),
    }


def parts(config: AheadConfig) -> dict[str, int]:
    """Bytes of every part, by a name to be read."""
    found = {name: 4 * size for name, size in _singles(config.horizon, config.knots).items()}
    found |= {name: 2 * size for name, size in _halves(config.horizon).items()}
    found["slots"] += found.pop("waiting") + _bytes(config.horizon)["said"]
    found["mixtures"] += found.pop("variances")
    found |= {"covariance": 2 * _SHORTS["covariance"] + FEATURES}
    found |= {"joint covariance": 2 * _SHORTS["joint_covariance"] + JOINT_FEATURES}
    return {name.replace("_", " "): size for name, size in found.items()}


def allocate(config: AheadConfig | None, rows: int, targets: int) -> tuple[MultistepSeries, MultistepScratch]:
    """State of `rows` new series, and working room."""
    if config is None:
        sizes, horizon, knots, groups = (0, 0, 0, 0, 0), 1, 1, 1
    else:
        sizes = (NUMBERS, config.singles, config.halves, config.shorts, config.bytes)
        horizon, knots, groups = config.horizon, config.knots, config.groups
    kinds = (np.float64, np.float32, np.uint16, np.int16, np.uint8)
    most = max(FEATURES, JOINT_FEATURES)
    empty = MultistepSeries(*(np.zeros((rows, targets, n), kind) for n, kind in zip(sizes, kinds, strict=True)))
    at = knot_steps(horizon, knots)
    below = np.clip(np.searchsorted(at, np.arange(horizon + 1), "right") - 1, 0, knots - 1)
    above = np.minimum(below + 1, knots - 1)
    width = np.maximum(at[above] - at[below], 1)
    angle = 2 * np.pi * np.arange(WAVES) / WAVES
    bounds = step_groups.group_bounds(horizon) if config else np.array([2, 2])
    return empty, MultistepScratch(
        knots=np.append(at, horizon + 1).astype(np.int64),
        below=below.astype(np.int64),
        share=np.clip((np.arange(horizon + 1) - at[below]) / width, 0.0, 1.0),
        bounds=bounds.astype(np.int64),
        slots=step_groups.slots_of(bounds),
        waves=np.stack([f(h * angle) for h in range(1, HARMONICS + 1) for f in (np.sin, np.cos)], axis=1),
        phi=np.zeros(most, np.float32),
        joint_phi=np.zeros(JOINT_FEATURES, np.float32),
        gain=np.zeros(most, np.float32),
        covariance=np.zeros(max(_SHORTS.values()), np.float32),
        scaled=(np.zeros(most, np.float32), np.zeros(most, np.float32), np.zeros(most, np.float32)),
        weights=np.zeros(most, np.float32),
        seen=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        here=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        next=np.zeros((MOST_SEASONS, 1 + max(LEVELS_OF))),
        experts=np.zeros(EXPERTS),
        origin=np.zeros(ORIGIN, np.float32),
        sorted=np.zeros(WINDOW),
        prior=np.isin(np.arange(EXPERTS), SIMPLE).astype(float),
        mixing=np.zeros((2 * groups, EXPERTS)),
        shares=np.zeros(groups),
    )


def knot_steps(horizon: int, knots: int) -> NDArray[np.int64]:
    """The steps that have weights of their own: all from 2 on, or `knots` of them spaced by logarithms."""
    steps = [2]
    while len(steps) < knots:
        left = knots - len(steps)
        ratio = (max(horizon, 2) / steps[-1]) ** (1 / left)
        steps.append(max(steps[-1] + 1, round(steps[-1] * ratio)))
    return np.array(steps, np.int64)
