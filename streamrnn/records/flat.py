"""The flat shape of an output record: one level of columns, for Kafka Connect's sinks and for SQL.

    {"key": "a", "source": {"partition": 0},
     "targets": {"value": {"observed": 1.0, "forecast": [{"step": 1, "mean": 2.0}]}}}

becomes

    {"key": "a", "source_partition": 0, "value_observed": 1.0, "value_mean_1": 2.0}
"""

from __future__ import annotations

import re
from typing import Any

_STEPS = "forecast"


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """The columns of an output record, in its order; names hold letters, digits and underscores alone."""
    columns: dict[str, Any] = {}
    for name, value in document.items():
        _add(columns, "" if name == "targets" else name, value)
    return columns


def column(*parts: str) -> str:
    """The name of a column: what Avro and SQL take."""
    return re.sub(r"\W", "_", "_".join(part for part in parts if part), flags=re.ASCII)


def _add(columns: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, dict):
        for inner, one in value.items():
            if inner == _STEPS and isinstance(one, list):
                _add_steps(columns, name, one)
            else:
                _add(columns, column(name, inner), one)
    elif isinstance(value, list):
        for index, one in enumerate(value, start=1):
            _add(columns, column(name, str(index)), one)
    else:
        columns[column(name)] = value


def _add_steps(columns: dict[str, Any], name: str, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        number = str(step["step"])
        for inner, one in step.items():
            if isinstance(one, dict):
                _add(columns, column(name, inner, number), one)
            elif inner != "step":
                columns[column(name, inner, number)] = one
