"""The service's anomaly score behind river's `AnomalyDetector`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from river.base import AnomalyDetector
except ImportError:  # river before 0.25, which is what fits beside PyFlink
    from river.anomaly.base import AnomalyDetector  # type: ignore[no-redef]

from streamrnn.anomaly import alert_context, detector, rules
from streamrnn.errors import ConfigurationError
from streamrnn.estimators.encoding import FeatureEncoder, time_in
from streamrnn.estimators.one_series import AHEAD, LIVE, ROWS, SECOND, OneSeries, Settings, copy_corner, copy_row

Float64 = NDArray[np.float64]

_RULE = rules.table(rules.Rule())[0]


class RNNAnomalyDetector(AnomalyDetector):
    """The anomaly score of the streamrnn service: how strange is this event after those before it?

    Every number in an event is forecast from its own past; how far off it is, how rare such windows, gaps and frozen
    values are, becomes a probability. The score is 1 - P(an event of this stream is at least as strange).

    `learn_one` moves the hidden state on; `score_one` looks ahead from it and changes nothing. Score an event before it
    is learned.

    Parameters
    ----------
    preset
        `lite` or `standard`: how much machinery.
    hidden_size
        Hidden units of every feature's network; None is the preset's own number.
    learning_rate
        Of the networks; may be changed by `mutate`.
    seasonality
        Periods in seconds, at most two; None: found.
    max_features
        Numbers that are followed, at most; further features are added to them by hashing.
    seed
        Draws the networks' first weights.

    Notes
    -----
    A date or datetime among the features is the event's time; without one, events are one second apart. A
    feature that is missing counts as missing; one that comes later is followed from then on. Text is one-hot.

    Examples
    --------
    >>> import math
    >>> model = RNNAnomalyDetector(preset="lite")
    >>> for t in range(500):
    ...     model.learn_one({"load": math.sin(t / 5) + (t * 7 % 11) / 100})
    >>> model.score_one({"load": -0.45}) < 0.9 < model.score_one({"load": 5.0})
    True

    """

    def __init__(
        self,
        preset: str = "standard",
        hidden_size: int | None = None,
        learning_rate: float = 1e-3,
        seasonality: tuple[float, ...] | None = None,
        max_features: int = 64,
        seed: int = 0,
    ) -> None:
        if preset not in ("lite", "standard"):
            raise ConfigurationError(f"preset {preset!r}: choose lite or standard")
        if max_features < 1:
            raise ConfigurationError("max_features is at least 1")
        self.preset = preset
        self.hidden_size = hidden_size
        self.learning_rate = learning_rate
        self.seasonality = seasonality
        self.max_features = max_features
        self.seed = seed
        self._encoder = FeatureEncoder(max_features)
        self._model: OneSeries | None = None
        self._anomaly_config = detector.AnomalyConfig(targets=0)
        self._anomaly = detector.allocate(self._anomaly_config, ROWS)
        self._anomaly_shared = detector.allocate_shared()
        self._time = 0

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"preset": "lite"}
        yield {"preset": "lite", "hidden_size": 4, "max_features": 3}

    @property
    def _mutable_attributes(self) -> set[str]:
        return {"learning_rate"}

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of the hidden states of all features' networks."""
        return np.zeros(0) if self._model is None else self._model.hidden_state

    def learn_one(self, x: Mapping[Any, Any]) -> None:
        """Learn from an event."""
        time, features = self._split(x)
        self._encoder.learn(features)
        targets = self._encoder.used
        if targets == 0:
            return
        model = self._fit(targets)
        model.set_rate(self.learning_rate)
        values = self._encoder.encode(features)[:targets]
        self._score(LIVE, model, time, values)
        model.learn(time, values)
        self._time = time

    def score_one(self, x: Mapping[Any, Any]) -> float:
        """How strange the event would be, in [0, 1]; 0 before anything was learned."""
        if self._model is None:
            return 0.0
        time, features = self._split(x)
        copy_row(self._anomaly)
        return self._score(AHEAD, self._model, time, self._encoder.encode(features)[: self._model.settings.targets])

    def _score(self, row: int, model: OneSeries, time: int, values: Float64) -> float:
        answer = model.answer
        score = detector.observe(
            self._anomaly_config, _RULE, self._anomaly_shared, self._anomaly, row, time, time, values,
            answer.forecast[0], answer.lower[0, 0], answer.upper[0, 0],
            np.zeros(detector.CHANNELS), np.zeros(detector.OUTCOMES), np.zeros(alert_context.COLUMNS),
        )  # fmt: skip
        return float(score)

    def _fit(self, targets: int) -> OneSeries:
        """The model, made or given further targets as needed."""
        model = self._model
        if model is None:
            settings = Settings(
                targets=targets,
                preset=self.preset,
                hidden_size=self.hidden_size,
                learning_rate=self.learning_rate,
                seasonality=tuple(self.seasonality or ()),
                seed=self.seed,
            )
            model = OneSeries(settings)
        elif model.settings.targets == targets:
            return model
        else:
            model = model.with_targets(targets)
        before = self._anomaly
        self._anomaly_config = self._anomaly_config._replace(targets=targets)
        self._anomaly = detector.allocate(self._anomaly_config, ROWS)
        copy_corner(before, self._anomaly)
        self._model = model
        return model

    def _split(self, x: Mapping[Any, Any]) -> tuple[int, Mapping[Any, Any]]:
        """The event's time in microseconds and its other features."""
        for name, value in x.items():
            if (seconds := time_in(value)) is not None:
                return round(seconds * 1e6), _observed({other: x[other] for other in x if other != name})
        interval = (self._model.interval if self._model is not None else 0) or SECOND
        return self._time + interval, _observed(x)


def _observed(x: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Text that is a number as one: river's `iter_csv` gives nothing but text."""
    return {name: _number(value) for name, value in x.items()} if any(isinstance(v, str) for v in x.values()) else x


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
