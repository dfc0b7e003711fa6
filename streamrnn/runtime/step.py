"""One step for who has no handle to keep: the configuration goes with every call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from streamrnn.records.log import Record
from streamrnn.runtime.stepper import Stepper


def step(
    state: bytes | None,
    event: bytes | str | Mapping[str, Any] | Record,
    settings: Mapping[str, object] | None = None,
    *,
    key: str | None = None,
    timestamp: int | None = None,
) -> tuple[bytes, Any]:
    """Fold one event into the state of its series; see `Stepper.step`, of which this is a call.

    `settings` are those of the service by their dotted names, such as `{"model.horizon": 12}`. The last eight that were
    used are kept with what was compiled for them; a `Stepper` spares the look-up.

    >>> state, record = step(None, {"key": "pump-7", "time": "2026-01-01T00:00:00Z", "value": 3.1})
    >>> state, record = step(state, {"key": "pump-7", "time": "2026-01-01T01:00:00Z", "value": 3.1})
    >>> record["targets"]["value"]["expected"]
    3.1
    """
    stepper = _stepper(json.dumps(dict(settings or {}), sort_keys=True, default=str))
    return stepper.step(state, event, key=key, timestamp=timestamp)


@lru_cache(8)
def _stepper(settings: str) -> Stepper:
    return Stepper(json.loads(settings))
