"""The section `anomaly`: when an alert opens, for all series and for some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from streamrnn.config.values import LONGEST, Seconds, Section, seconds_of


class FalseAlarms(Section):
    """How many alerts to accept on normal data."""

    number: float = Field(1.0, gt=0, le=1000)
    per: Literal["day", "1000 events"] = "1000 events"
    over: Literal["series", "all"] = "series"
    """Of each series, or of all series of a partition together."""


def _number_alone(value: object) -> object:
    """`2` is `{number: 2, per: 1000 events}`."""
    return value if isinstance(value, (dict, FalseAlarms)) else {"number": value}


FalseAlarmsOrNumber = Annotated[FalseAlarms, BeforeValidator(_number_alone, json_schema_input_type=float | FalseAlarms)]


class Limit(Section):
    """Limits of a target, for early warnings."""

    lower: float | None = Field(None, allow_inf_nan=False)
    upper: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(f"lower {self.lower} is not below upper {self.upper}")
        return self


class Deviation(Section):
    """How far off a value is; both have to be reached."""

    absolute: float = Field(0.0, ge=0, allow_inf_nan=False)
    """In the units of the target."""
    relative: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Over what was expected: 0.1 is 10 %."""


def _deviation(value: object) -> object:
    """`5` or `"10%"`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"absolute": value}
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{0,18}\.?[0-9]{1,18})\s*(%?)\s*", value)
        if match is None:
            raise ValueError(f'{value!r} is not a size; write for example 5 or "10%"')
        return {"relative": float(match[1]) / 100} if match[2] else {"absolute": float(match[1])}
    return value


MinDeviation = Annotated[Deviation, BeforeValidator(_deviation, json_schema_input_type=float | str | Deviation)]
Direction = Literal["both", "high", "low"]


class AlertOverride(Section):
    """Rules for the alerts of some series; what is left out is as for all series."""

    keys: Annotated[str, Field(min_length=1)]
    """Which series: a name, or a pattern with `*`, `?` and `[..]`. The first override that fits counts."""
    direction: Direction | None = None
    min_deviation: MinDeviation | None = None
    only_if_lasting: Annotated[float, BeforeValidator(seconds_of), Field(ge=0, le=LONGEST)] | None = None
    """`0`: alerts of these series open at once."""
    threshold: float | None = Field(None, ge=0, le=1)
    expected_false_alarms: FalseAlarmsOrNumber | None = None


class AnomalyConfig(Section):
    """When unusual events become an alert, and when to warn before a limit is crossed (docs/anomalies.md)."""

    threshold: float | None = Field(None, ge=0, le=1)
    """An alert opens from this `score` on; default: as `expected_false_alarms` asks."""
    expected_false_alarms: FalseAlarmsOrNumber = FalseAlarms()
    """Alerts to accept on normal data: a number (per 1,000 events), or `{number: 1, per: day, over: all}`."""
    new_normal_after: Seconds | None = None
    """A fault that lasts this long is the new normal; default: a day, or 500 events where these are shorter."""
    direction: Direction = "both"
    """Which values open alerts: too `high`, too `low`, or both. Frozen or missing values and gaps always do."""
    min_deviation: MinDeviation = Deviation()
    """How far off a value must be to open an alert: in units of the target (`5`), or of what was expected (`"10%"`)."""
    only_if_lasting: Seconds | None = None
    """An alert opens only when something has been strange for this long; default: at once."""
    overrides: tuple[AlertOverride, ...] = ()
    """Other rules for some series: `[{keys: "web-*", direction: low, min_deviation: "10%"}]`; of `direction`,
    `min_deviation`, `only_if_lasting`, `threshold` and `expected_false_alarms`. The first that fits a key counts."""
    explain: bool = False
    """Publish every channel and the strength beside the score."""
    limits: dict[str, Limit] = Field({})
    """Early warning of crossing them, by target: `temperature: {upper: 90}`."""
    warn_at: float | None = Field(None, gt=0, le=1)
    """Warn from this probability on (default with `limits`: 0.5); without limits, of leaving the usual range."""

    def __hash__(self) -> int:  # a dictionary has none
        return hash((*(value for name, value in self if name != "limits"), *self.limits.items()))

    def check_limits(self, targets: Sequence[str]) -> None:
        """Raise ValueError when a limit is declared for what is no target."""
        if unknown := sorted(set(self.limits) - set(targets)):
            raise ValueError(
                f"anomaly.limits: {', '.join(unknown)} not among the targets, which are {', '.join(targets)}"
            )

    @property
    def warns(self) -> bool:
        """Whether early warning is asked for."""
        return bool(self.limits) or self.warn_at is not None
