"""Bytes of state that a series needs, by component; docs/performance.md explains the table.

    python benchmarks/sizes.py                                    # presets at horizon 1, `standard` at longer ones
    python benchmarks/sizes.py --presets lite --horizons 1 24 --targets 3
    python benchmarks/sizes.py --warnings                         # with early warning, which keeps a state of its own

Everything that the product keeps for a series is counted: forecasts, intervals, anomaly scores. The network's weights
and the pooled regression belong to the partition and are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from streamrnn.config.tree import Config
from streamrnn.forecasting.experts import far_state
from streamrnn.forecasting.model import ForecastModel
from streamrnn.state.arrays import fields

PRESETS = ("lite", "standard", "full")


def components(preset: str, horizon: int, targets: int, warnings: bool) -> dict[str, int]:
    """Bytes of each component."""
    document: dict[str, Any] = {
        "model": {"preset": preset, "horizon": horizon},
        "event": {"targets": [f"t{i}" for i in range(targets)]},
    }
    if warnings:
        document["anomaly"] = {"warn_at": 0.9}
    model = ForecastModel(Config.model_validate(document))
    try:
        config = model._config.forecaster
        at, ahead = config.at, config.ahead
        found = {
            "readout of the network": config.recurrent.networks * (4 * at.readout_stride + 2 * at.covariance_stride)
            + at.own_units
            - at.units,
            "autoregression": 4 * (at.own - at.autoregression),
            "what the readouts see": 2 * (at.own_phi - at.inputs),
            "own part of the pooled regression": 4 * (at.blend - at.own)
            + 2 * (at.own_stride + at.blend_halves - at.own_phi)
            + at.shown
            - at.own_units,
            "season tables": 2 * at.covariances + at.units,
            "mixtures of the next step": 4 * (at.singles - at.blend)
            + 2 * (at.shorts - at.blend_halves)
            + at.bytes
            - at.shown,
            "last values": 8 * at.values,
            "scale, drift, means": 8 * (at.numbers - at.values),
        }
        found = {name: size * targets for name, size in found.items()}
        named = sum(found.values())
        if ahead is not None:
            for name, size in far_state.parts(ahead).items():
                found[f"far steps: {name}"] = size * targets
        rows = {name: array[:1].nbytes for name, array in fields(model.series.arrays)}
        kept = ("numbers", "singles", "shorts", "bytes")
        own = sum(size for name, size in rows.items() if name.split(".")[-1] in kept
                  and name.startswith("forecaster.") and "multistep" not in name)  # fmt: skip
        if own > named:
            found["what further experts remember"] = own - named
        for label, prefixes in {
            "hidden state and tape": ("forecaster.recurrent",),
            "search for periods": ("forecaster.cycles",),
            "clock and features": ("forecaster.clock", "forecaster.features", "forecaster.pooled"),
            "intervals": ("intervals",),
            "anomaly scores and alerts": ("anomaly",),
            "early warning": ("warning",),
            "what was said last": ("common",),
        }.items():
            found[label] = sum(size for name, size in rows.items() if name.startswith(prefixes))
        found["total"] = model.bytes_per_series
        rest = found["total"] - sum(size for name, size in found.items() if name != "total")
        assert abs(rest) <= 64 * targets, f"{rest} bytes of {preset} at horizon {horizon} are of no component"
        return found
    finally:
        model.close()


def table(columns: Sequence[tuple[str, int]], targets: int, warnings: bool) -> None:
    """Print one row per component and one column per preset and horizon."""
    found = [components(preset, horizon, targets, warnings) for preset, horizon in columns]
    names = [name for name in dict.fromkeys(name for one in found for name in one) if name != "total"]
    heads = [f"{preset} {horizon}" for preset, horizon in columns]
    print(f"Bytes a series, {targets} target{'s' if targets > 1 else ''}; preset and horizon")
    print(f"{'':<36}" + "".join(f"{head:>14}" for head in heads))
    for name in [*names, "total"]:
        sizes = [one.get(name, 0) for one in found]
        if any(sizes):
            print(f"{name:<36}" + "".join(f"{size:>14,}" for size in sizes))


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, help="default: all at horizon 1")
    parser.add_argument("--horizons", nargs="+", type=int, help="default: 1; of `standard` also 12, 48 and 288")
    parser.add_argument("--targets", type=int, default=1)
    parser.add_argument("--warnings", action="store_true", help="count early warning too")
    chosen = parser.parse_args()
    columns = [(preset, horizon) for preset in chosen.presets or PRESETS for horizon in chosen.horizons or (1,)]
    if not chosen.presets and not chosen.horizons:
        columns += [("standard", horizon) for horizon in (12, 48, 288)]
    table(columns, chosen.targets, chosen.warnings)


if __name__ == "__main__":
    main()
