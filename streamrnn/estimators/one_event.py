"""The service's kernels for a caller who brings one event at a time.

To take the arguments of a call apart takes numba three times as long as the event itself: sixty numbers of the
settings, forty arrays. So it is done once: `keep` has them written to a buffer as compiled code holds them, and the
kernels below find them there, those that the event is read from and the answer written to as well. The buffer knows the
arrays by their addresses: whoever keeps it keeps the arrays too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from streamrnn.forecasting import bounds, forecaster, intervals
from streamrnn.forecasting.pooled_widths import PooledWidths
from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import intrinsic

Float64 = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class Event(NamedTuple):
    """What came; NaN where missing."""

    values: Float64  # (targets,)
    features: Float64  # (features,)


class Answer(NamedTuple):
    """What is expected after an event; NaN for a target that was never seen."""

    forecast: Float64  # (horizon, targets) conditional means
    median: Float64  # (horizon, targets) conditional medians
    lower: Float64  # (1, horizon, targets)
    upper: Float64  # (1, horizon, targets)

    def points(self, point: str) -> Float64:
        """The `"mean"`s or the `"median"`s, (horizon, targets)."""
        return self.median if point == "median" else self.forecast


class Arguments(NamedTuple):
    """What all events of a series have in common."""

    row: int
    event: Event
    answer: Answer
    config: forecaster.ForecasterConfig
    shared: forecaster.ForecasterShared
    series: forecaster.ForecasterSeries
    scratch: forecaster.ForecasterScratch
    interval_config: intervals.IntervalConfig
    levels: Float64
    sense: bounds.Bounds
    history: bounds.Int32  # (rows, targets, bounds.COLUMNS)
    pooled: PooledWidths  # not used: one series has nothing to borrow from
    intervals: intervals.IntervalSeries


_KINDS: dict[int, Any] = {}
"""numba's type of the arguments with a horizon of 1, and of more: settings that are None make it another one."""


@intrinsic
def _size(_: Any, arguments: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, context.get_abi_sizeof(args[0].type))

    return types.intp(arguments), generate


@intrinsic
def _write(_: Any, buffer: Any, arguments: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[1], _place(context, builder, sig.args[0], args[0], args[1].type), align=1)
        return context.get_dummy_value()

    return types.void(buffer, arguments), generate


def _reader(several: int) -> Any:
    def read(_: Any, buffer: Any) -> Any:
        kind = _KINDS[several]

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            form = context.get_value_type(kind)
            return builder.load(_place(context, builder, sig.args[0], args[0], form), align=1)

        return kind(buffer), generate

    return intrinsic(read)


_read_next, _read_several = _reader(0), _reader(1)


def _place(context: Any, builder: Any, kind: Any, buffer: Any, form: Any) -> Any:
    array = context.make_array(kind)(context, builder, buffer)
    return builder.bitcast(array.data, form.as_pointer())


@kernel
def _keep(buffer: Bytes, arguments: Arguments) -> int:
    """Write the arguments to the buffer if they fit, and return the bytes they take."""
    size: int = _size(arguments)
    if size <= buffer.size:
        _write(buffer, arguments)
    return size


def keep(arguments: Arguments) -> Bytes:
    """A buffer for `observe_next` (horizon 1) or `observe_several`, good for as long as the arrays are."""
    kind = numba.typeof(arguments)  # type: ignore[no-untyped-call]
    several = int(arguments.config.horizon > 1)
    if _KINDS.setdefault(several, kind) != kind:
        raise TypeError(f"{kind} is not what the kernels are made for")
    buffer = np.zeros(0, np.uint8)
    buffer = np.zeros(_keep(buffer, arguments), np.uint8)
    _keep(buffer, arguments)
    return buffer


@kernel
def observe_next(buffer: Bytes, time: int) -> None:
    """Take in the event, forecast the next and bound it; see `forecaster.observe`, `intervals.observe`."""
    _observe(_read_next(buffer), time)


@kernel
def observe_several(buffer: Bytes, time: int) -> None:
    """The same with a horizon over 1."""
    _observe(_read_several(buffer), time)


@kernel
def _observe(of: Arguments, time: int) -> None:
    (values, features), (forecast, median, lower, upper) = of.event, of.answer
    forecaster.observe(of.config, of.shared, of.series, of.scratch, of.row, time, values, features, forecast, median)
    history = of.history[of.row]
    bounds.note(history, values)
    bounds.hold_points(of.sense, history, forecast, median)
    intervals.observe(
        of.interval_config, of.levels, of.pooled, of.intervals, of.row, values, forecast, median, lower, upper
    )
    bounds.hold_intervals(of.sense, history, forecast, median, lower, upper)
