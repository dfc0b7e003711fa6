"""What users of other libraries type first, and what it is called here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_HORIZON = "horizon=24 is the number of rows to forecast"
_KEY = "key='unique_id' names the column of the series"
_TIME = "time='ds' names the column of the time"
_TARGET = "target='y' names the column to forecast"
_LEVELS = "levels=(0.8, 0.9) are the shares of values inside the intervals"
_SEASON = "seasonality='24h' is the length of a period; without it periods are found"
_FUTURE = "future=['temperature'] names columns of the frame that are known ahead; their next rows stand at its end"
_INTERVAL = "the usual time between two rows is found from the time column; it is no argument"
_ALARMS = "settings={'anomaly.expected_false_alarms': 0.5} says how many false alerts to expect"

_ARGUMENTS: Final = {
    **dict.fromkeys(("h", "fh", "steps", "n", "periods", "prediction_length", "forecast_horizon", "n_steps"), _HORIZON),
    **dict.fromkeys(("id_col", "id_column", "item_id", "group", "groups", "by", "series", "unique_id"), _KEY),
    **dict.fromkeys(("time_col", "time_column", "date_col", "timestamp_column", "ds", "date", "timestamp"), _TIME),
    **dict.fromkeys(("target_col", "target_column", "value_col", "targets", "y", "value", "column"), _TARGET),
    **dict.fromkeys(("level", "interval_width", "quantiles", "alpha", "coverage"), _LEVELS),
    **dict.fromkeys(("season_length", "season", "period", "sp", "m", "seasonal_periods", "seasonalities"), _SEASON),
    **dict.fromkeys(("X_df", "X", "exog", "futr_df", "futr_exog_list", "future_covariates", "regressors"), _FUTURE),
    **dict.fromkeys(("freq", "frequency"), _INTERVAL),
    **dict.fromkeys(("threshold", "contamination", "sensitivity"), _ALARMS),
}
_UPDATE = "update(frame) learns from the rows and goes on with the next frame"
_FORECAST = "forecast() says what comes after the newest row of every series"
_METHODS: Final = {
    **dict.fromkeys(("fit", "partial_fit", "learn_many", "learn_one", "train", "fit_transform"), _UPDATE),
    **dict.fromkeys(("predict", "make_future_dataframe", "predict_one", "transform"), _FORECAST),
    **dict.fromkeys(("fit_predict", "cross_validation"), "update(frame) says what had been forecast for every row"),
    **dict.fromkeys(("detect", "score", "score_one"), "update(frame) says how strange every row was"),
}


def refuse_arguments(function: str, unknown: Collection[str], known: Collection[str]) -> None:
    """Raises `TypeError` naming the argument that is meant, where there are unknown ones."""
    for name in unknown:
        advice = _ARGUMENTS.get(name, f"there are: {', '.join(known)}")
        setting = f"; a setting of the service goes into settings={{{name!r}: ...}}" if "." in name else ""
        raise TypeError(f"{function} has no argument {name!r}: {advice}{setting}")


def missing_attribute(name: str) -> AttributeError:
    """For a method that a `StreamModel` does not have."""
    advice = _METHODS.get(name)
    return AttributeError(f"a StreamModel has no {name!r}{'' if advice is None else f': {advice}'}", name=name)
