"""From settings a user knows to the numbers the forecaster's kernels take.

preset      experts of the next step, besides last value, running mean and season    hidden size
lite        one network (truncation 1)                                               8
standard    one network (truncation 4), autoregression                               32
full        three networks, autoregression over all targets                          32
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from streamrnn.cells import cell as cells
from streamrnn.cells.gru import GRU
from streamrnn.errors import ConfigurationError
from streamrnn.forecasting import future_inputs
from streamrnn.forecasting.calendar import MOST_SEASONS
from streamrnn.forecasting.drift import PageHinkley
from streamrnn.forecasting.experts import far_state
from streamrnn.forecasting.experts.autoregression import AutoregressionConfig
from streamrnn.forecasting.experts.own_networks import optimizer_of
from streamrnn.forecasting.experts.pooled import FEATURES, PooledConfig, own_blocks
from streamrnn.forecasting.experts.readout import Blocks, make_blocks
from streamrnn.forecasting.experts.recurrent import RecurrentConfig
from streamrnn.forecasting.experts.registry import expert_names
from streamrnn.forecasting.inputs import FACTORS, input_count
from streamrnn.forecasting.layout import Layout, make_layout
from streamrnn.learning.optimizers import make_optimizer


class ForecasterConfig(NamedTuple):
    """All sizes and rates; nothing here changes while a stream is read."""

    targets: int
    features: int
    horizon: int
    seasons: int
    periods: tuple[int, int]  # microseconds, 0: find it
    bins: int  # of both seasons together
    harmonics: int
    warmup: float
    memory: float
    full_covariance: bool  # of the readouts; else blocks:
    # Of a block: units of the hidden state, lags and inputs where both meet, products of a factor with the phase.
    parts: tuple[int, int, int, int]
    first_covariance: float  # on the diagonal of every block; 0: nothing is ever learned
    step_experts: int  # experts of step 1
    experts: int  # of any step, at most
    covariance_boost: float  # of the first covariance, added on a drift alarm
    inputs: int
    at: Layout
    recurrent: RecurrentConfig
    autoregression: AutoregressionConfig
    ahead: far_state.AheadConfig | None
    future: future_inputs.FutureConfig | None
    known_ahead: tuple[int, ...]  # which features are
    drift: PageHinkley
    pooled: PooledConfig


_PRESETS: Final[dict[str, dict[str, Any]]] = {
    "lite": {
        "hidden": 8,
        "truncation": 1,
        "networks": 1,
        "lags": 12,
        "far": 0,
        "cross": 0,
        "periodic": True,
        "harmonics": 4,
        "covariance_boost": 0.15,
        "full_covariance": False,
        "parts": (8, 16, 8, 4),
        "first_covariance": 0.015,
        "forgetting": 0.9994,
    },
    "standard": {
        "hidden": 32,
        "truncation": 4,
        "networks": 1,
        "lags": 24,
        "far": 24,
        "cross": 0,
        "periodic": False,
        "harmonics": 4,
        "covariance_boost": 1.0,
        "full_covariance": False,
        "parts": (8, 16, 8, 8),
        "first_covariance": 0.01,
        "forgetting": 0.9994,
    },
    "full": {
        "hidden": 32,
        "truncation": 4,
        "networks": 3,
        "lags": 24,
        "far": 24,
        "cross": 3,
        "periodic": False,
        "harmonics": 8,
        "covariance_boost": 0.03,
        "full_covariance": True,
        "parts": (8, 16, 8, 8),
        "first_covariance": 0.05,
        "forgetting": 0.9999,
    },
}


def forecaster_config(
    *,
    targets: int = 1,
    features: int = 0,
    horizon: int = 1,
    preset: str = "standard",
    hidden_size: int | None = None,
    truncation_length: int | None = None,
    update_every: int = 1,
    learning_rate: float = 1e-3,
    gradient_clip: float = 3.0,
    forgetting_factor: float | None = None,
    lags: int | None = None,
    weights: str = "partition",
    seasonality: Sequence[int] = (),
    known_ahead: Sequence[int] = (),
    cell: Any = GRU,
) -> ForecasterConfig:
    """Check the settings and fill in what follows from them; None is the preset's own value.

    Args:
        targets: values forecast per event.
        features: further numbers that come with an event.
        horizon: steps forecast.
        preset: `lite`, `standard` or `full`.
        hidden_size: hidden units of each network.
        truncation_length: events an error flows back through.
        update_every: events between two updates of the networks.
        learning_rate: of Adam; 0 leaves the networks as they were drawn.
        gradient_clip: largest norm of a gradient.
        forgetting_factor: of the networks' least-squares readouts, per event.
        lags: last steps of the target that linear experts see.
        weights: `partition` (all series share the networks) or `series`.
        seasonality: periods in microseconds, at most two; none: found.
        known_ahead: places of the features that are known ahead for every step of the horizon.
        cell: type of the networks, called with (input size, hidden size).

    Raises:
        ConfigurationError: a setting is outside its range.
    """
    if preset not in _PRESETS:
        raise ConfigurationError(f"preset {preset!r}: choose one of {', '.join(_PRESETS)}")
    if weights not in ("partition", "series"):
        raise ConfigurationError(f"weights {weights!r}: choose partition or series")
    if len(seasonality) > MOST_SEASONS or any(period <= 0 for period in seasonality):
        raise ConfigurationError(f"seasonality: at most {MOST_SEASONS} periods, each longer than 0")
    chosen = _PRESETS[preset]
    own_lags = chosen["lags"] if lags is None else lags
    far_lags = (chosen["far"] if lags is None else max(lags, 1)) if chosen["far"] else 0
    seasons = 1
    periods = (*seasonality, 0, 0)
    optimizer = make_optimizer("adam", learning_rate, clip_norm=gradient_clip if gradient_clip > 0 else math.inf)
    recurrent = RecurrentConfig(
        cell=cell(
            input_count(features, seasons, chosen["harmonics"]),
            chosen["hidden"] if hidden_size is None else hidden_size,
        ),
        optimizer=optimizer_of(optimizer) if weights == "series" else optimizer,
        networks=chosen["networks"],
        truncation_length=chosen["truncation"] if truncation_length is None else truncation_length,
        update_every=update_every,
        learn_from=200,
        lags=own_lags,
        forgetting=chosen["forgetting"] if forgetting_factor is None else forgetting_factor,
        periodic=chosen["periodic"],
        own_weights=weights == "series",
        blocks=make_blocks(),
    )
    config = ForecasterConfig(
        targets=targets,
        features=features,
        horizon=horizon,
        seasons=seasons,
        periods=(int(periods[0]), int(periods[1])),
        bins=_BINS,
        harmonics=chosen["harmonics"],
        warmup=200.0,
        memory=2000.0,
        full_covariance=chosen["full_covariance"],
        parts=chosen["parts"],
        first_covariance=chosen["first_covariance"],
        step_experts=0,
        experts=0,
        covariance_boost=chosen["covariance_boost"],
        inputs=0,
        at=Layout(*([0] * len(Layout._fields))),
        recurrent=recurrent,
        autoregression=AutoregressionConfig(far_lags, chosen["cross"], 0.9997, 0, True, make_blocks()),
        ahead=far_state.ahead_config(horizon),
        future=future_inputs.future_config(len(known_ahead), horizon),
        known_ahead=tuple(known_ahead),
        drift=PageHinkley(grace=30, delta=0.5, threshold=30.0, alpha=0.9999),
        pooled=PooledConfig(0.9999, make_blocks((FEATURES, 0.05)), 0.998, own_blocks(chosen["full_covariance"])),
    )
    return with_layout(config)


LEAST_VALUES: Final = 16  # that are remembered of a target
_BINS = 192  # of both seasons: the day and the week of hourly data


def _split(features: int, most: int) -> list[int]:
    """Sizes of as few parts of at most so many as can be, as equal as can be, the larger ones first."""
    parts = -(-features // most)
    return [features // parts + (k < features % parts) for k in range(parts)]


def _blocks(config: ForecasterConfig, hidden: int, lags: int, inputs: int, periodic: bool, *, joint: bool) -> Blocks:
    """Of a readout over hidden state, lags, inputs and, if periodic, their products with the phase.

    `joint`: a second head reads all but the hidden state, and the first one all but the products.
    """
    products = 2 * config.harmonics if periodic else 0
    first = config.first_covariance
    linear, everything = hidden + lags + inputs, hidden + lags + inputs + FACTORS * products
    heads = [(0, linear), (hidden, everything)] if joint else [(0, everything)]
    if config.full_covariance:
        return make_blocks((everything, first))
    units, near, first_inputs, together = config.parts
    near = min(near + 1, lags)
    sizes = [*_split(hidden, units), *_split(lags - near, 16), near + first_inputs, inputs - first_inputs]
    return make_blocks(*[(size, first) for size in [*sizes, *_split(products, together) * FACTORS]], heads=heads)


def with_layout(config: ForecasterConfig) -> ForecasterConfig:
    """The same settings with all sizes that follow from them."""
    inputs = input_count(config.features, config.seasons, config.harmonics)
    hidden = cells.output_size(config.recurrent.cell)
    step_experts = len(expert_names(config.recurrent.networks, config.autoregression.lags > 0))
    experts = step_experts
    lags, cross = config.autoregression.lags, config.autoregression.cross_lags * (config.targets - 1)
    joint = lags > 0 and not config.full_covariance
    autoregression = config.autoregression._replace(
        inputs=inputs,
        blocks=make_blocks()
        if joint or not lags
        else _blocks(config, 0, 1 + lags + cross, inputs, config.autoregression.periodic, joint=False),
    )
    recurrent = config.recurrent
    if joint:
        recurrent = recurrent._replace(lags=lags, periodic=autoregression.periodic)
    recurrent = recurrent._replace(
        blocks=_blocks(config, hidden, 1 + recurrent.lags, inputs, recurrent.periodic, joint=joint)
    )
    longest = max(config.recurrent.lags, config.autoregression.lags)
    at = make_layout(
        values=max(LEAST_VALUES, longest + 2, config.ahead.values if config.ahead is not None else 0),
        bins=config.bins,
        networks=config.recurrent.networks,
        readout=recurrent.blocks,
        linear=autoregression.blocks,
        inputs=inputs,
        hidden=hidden,
        own=config.pooled.own_blocks,
        experts=step_experts,
        stored=not config.full_covariance,
        far=config.ahead is not None,
    )
    return config._replace(
        inputs=inputs,
        recurrent=recurrent,
        autoregression=autoregression,
        step_experts=step_experts,
        experts=experts,
        at=at,
    )
