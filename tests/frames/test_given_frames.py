"""Frames as people have them: indexes, periods, Python objects, zones; and what is said of those that are unclear."""

from __future__ import annotations

import copy
import datetime
import decimal
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import streamrnn
from streamrnn import StreamModel
from streamrnn.errors import ConfigurationError, StateError
from streamrnn.frames.columns import find_columns
from streamrnn.frames.given_frames import read
from streamrnn.frames.table import table_of

ROWS = 60
HOURS = pd.date_range("2026-01-01", periods=ROWS, freq="h")
WAVE = 10 + np.sin(2 * np.pi * np.arange(ROWS) / 24)
ONE = pd.DataFrame({"ds": HOURS, "y": WAVE})
LONG = pd.concat([ONE.assign(unique_id=name) for name in ("a", "b")], ignore_index=True)


def lite(**settings: Any) -> StreamModel:
    return StreamModel(3, preset="lite", **settings)


def learned(frame: Any, **asked: Any) -> tuple[list[str], list[int], list[float]]:
    """Series, times in seconds and values, as the model learns them."""
    given = read(frame)
    table = table_of(given.frame, find_columns(given.frame, given.levels, **asked), 0)
    return table.keys, (table.times // 1_000_000).tolist(), table.targets[:, 0].tolist()


@pytest.mark.parametrize(
    "frame",
    [
        LONG.assign(unique_id=LONG["unique_id"].astype("category")),
        LONG.set_index(["unique_id", "ds"]),
        LONG.set_index(["unique_id", "ds"])["y"],
        LONG.set_index("unique_id"),
        LONG.assign(ds=LONG["ds"].dt.to_period("h")),
        LONG.assign(ds=LONG["ds"].astype(str)),
        LONG.assign(ds=[moment.to_pydatetime() for moment in LONG["ds"]]).astype({"ds": object}),
        LONG.assign(ds=LONG["ds"].astype("datetime64[ns]").astype("int64")),
        LONG.assign(ds=LONG["ds"].dt.tz_localize("UTC").dt.tz_convert("America/New_York")),
        LONG.assign(y=LONG["y"].astype(object)),
        LONG.convert_dtypes(dtype_backend="pyarrow"),
        pl.from_pandas(LONG),
        pa.Table.from_pandas(LONG),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_one_frame_in_many_forms_is_learned_alike(frame: Any) -> None:
    assert learned(frame) == learned(LONG)


@pytest.mark.parametrize(
    "frame",
    [
        ONE.set_index("ds")["y"],
        ONE.set_index("ds"),
        ONE.assign(y=[decimal.Decimal(repr(value)) for value in WAVE.tolist()]),
        ONE.set_index(pd.PeriodIndex(HOURS, freq="h"))[["y"]],
        pd.DataFrame({"y": WAVE}, index=[str(moment) for moment in HOURS]),
        ONE.rename_axis("id"),
        pd.DataFrame(WAVE.reshape(-1, 1), index=HOURS),
    ],
)
def test_an_index_is_a_column(frame: Any) -> None:
    assert learned(frame) == learned(ONE)


def test_dates_of_python_are_times_and_come_back_as_dates() -> None:
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(day) for day in range(ROWS)]
    following = [days[-1] + datetime.timedelta(day) for day in (1, 2, 3)]
    for frame in (pd.DataFrame({"date": days, "y": WAVE}), pl.DataFrame({"date": days, "y": WAVE})):
        found = streamrnn.forecast(frame, horizon=3, preset="lite")
        assert list(found["date"]) == following


def test_times_and_names_come_back_as_they_were_given() -> None:
    pandas = LONG.assign(
        unique_id=LONG["unique_id"].map({"a": 1, "b": 2}), ds=LONG["ds"].dt.tz_localize("America/New_York")
    )
    polars = pl.from_pandas(LONG).with_columns(
        pl.col("ds").dt.cast_time_unit("ms").dt.replace_time_zone("America/New_York"),
        pl.col("unique_id").cast(pl.Categorical),
    )
    for frame in (pandas, polars):
        model = lite()
        seen, found = model.update(frame), model.forecast()
        for name in ("unique_id", "ds"):
            assert frame[name].dtype == seen[name].dtype == found[name].dtype
    joined = streamrnn.forecast(pandas, horizon=3, preset="lite").merge(
        pandas.assign(ds=pandas["ds"] + pd.Timedelta(hours=3)), on=["unique_id", "ds"]
    )
    assert len(joined) == 6


def test_times_as_numbers_come_back_as_numbers() -> None:
    for numbers in (range(ROWS), [moment.value // 1_000_000 for moment in HOURS], [n + 0.5 for n in range(ROWS)]):
        given = list(numbers)
        found = streamrnn.forecast(pd.DataFrame({"t": given, "y": WAVE}), horizon=2, preset="lite")
        step = given[1] - given[0]
        assert found["t"].tolist() == [given[-1] + step, given[-1] + 2 * step]


def test_an_answer_has_the_index_of_its_frame() -> None:
    shuffled = ONE.sample(frac=1, random_state=1)
    assert lite().update(shuffled)["observed"].equals(shuffled["y"].rename("observed"))
    by_time = ONE.set_index("ds")
    answer = lite().update(by_time)
    assert answer.index.equals(by_time.index.rename(None))
    assert answer["ds"].tolist() == HOURS.tolist()


def test_several_columns_name_a_series_together() -> None:
    frame = LONG.assign(shop=[1] * ROWS + [2] * ROWS, item="x/y").drop(columns="unique_id")
    model = lite(key=["shop", "item"])
    assert model.update(frame).columns.tolist()[:3] == ["shop", "item", "ds"]
    found = model.forecast(1)
    assert found[["shop", "item"]].to_numpy().tolist() == [[1, "x/y"], [2, "x/y"]]
    assert found["shop"].dtype == frame["shop"].dtype


def test_a_saved_model_answers_in_the_same_types(tmp_path: Path) -> None:
    frame = LONG.assign(
        unique_id=LONG["unique_id"].map({"a": 1, "b": 2}), ds=LONG["ds"].dt.tz_localize("America/New_York")
    )
    model = lite()
    model.update(frame)
    model.save(tmp_path / "state")
    pd.testing.assert_frame_equal(StreamModel.load(tmp_path / "state").forecast(), model.forecast(), check_exact=True)
    with pytest.raises(StateError, match=r"No such file or directory$"):
        model.save(tmp_path / "none" / "state")


def test_a_file_that_names_one_key_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As files were written while only one column could name the series."""
    from streamrnn.frames import model as module

    write = module.write_file

    def as_before(path: Path, messages: Any, facts: dict[str, Any], extra: Any) -> None:
        told = json.loads(json.dumps(facts))
        told["columns"]["key"] = told["columns"].pop("keys")[0]
        told.pop("types")
        write(path, messages, told, extra)

    monkeypatch.setattr(module, "write_file", as_before)
    model = lite()
    model.update(LONG)
    model.save(tmp_path / "state")
    loaded = StreamModel.load(tmp_path / "state")
    pd.testing.assert_frame_equal(loaded.forecast(), model.forecast(), check_exact=True, check_dtype=False)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (LONG.assign(shop=[1] * ROWS + [2] * ROWS).drop(columns="unique_id"), {}, r"'shop' tells them apart.*key='shop'"),
    (
        pd.DataFrame({"date": HOURS.date, "hour": HOURS.hour, "y": WAVE}),
        {},
        "'hour' tells them apart.*join the two into one column of datetimes",
    ),
    (
        LONG.assign(item=LONG["unique_id"], shop="s").drop(columns="unique_id"),
        {},
        r"key=\['item', 'shop'\] where it takes them together",
    ),
    (ONE.assign(y=ONE["y"].astype(str)), {}, r"'y' holds numbers as text.*pandas\.to_numeric\(frame\['y'\]\)"),
    (
        ONE.assign(y=[f"{value + place}" for place, value in enumerate(WAVE)]),
        {},
        r"'y' is different in every row.*pandas\.to_numeric",
    ),
    (
        pd.DataFrame({"Month": [f"{year}-{month:02}" for year in (1, 2) for month in range(1, 13)], "y": WAVE[:24]}),
        {},
        r"'Month' is different in every row.*pandas\.to_datetime\(frame\['Month'\]\)",
    ),
    (ONE.assign(y=ONE["y"] > 10), {}, r"y \(true and false\); say target='y'"),
    (pd.concat([ONE, ONE[["y"]]], axis=1), {}, "names 'y' more than once"),
    (ONE.assign(y=[decimal.Decimal(1), "soon", *[None] * (ROWS - 2)]), {}, "row 1 of 'y' holds 'soon'"),
    (ONE.assign(ds=pd.to_timedelta(range(ROWS), unit="h")), {}, "'ds' has a type that is not read as a time"),
    (LONG.rename(columns={"unique_id": "mean"}), {}, "'mean' is the name of a column of the answer"),
    (ONE, {"levels": [90]}, "write 0.9 for 90 %"),
    (ONE, {"seasonality": 24}, "24 seconds are less than two rows.*24 rows are '86400s'"),
    (pl.from_pandas(ONE).lazy(), {}, r"frame\.collect\(\)"),
    (WAVE, {}, r"ndarray is no data frame.*pandas\.DataFrame\(\{'value': values\}\)"),
    ("load.csv", {}, r"pandas\.read_csv\('load\.csv'\)"),
]


@pytest.mark.parametrize(("frame", "settings", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_what_can_be_read_in_two_ways_is_refused_with_what_to_type(
    frame: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        lite(**settings).update(frame)


def test_repeated_and_old_rows_are_said() -> None:
    with pytest.warns(UserWarning, match="60 rows repeat the time of another row"):
        lite().update(pd.concat([ONE, ONE]))
    model = lite()
    model.update(ONE)
    with pytest.warns(UserWarning, match="59 of 60 rows are older than the newest row"):
        model.update(ONE)


def test_a_warning_points_at_the_line_that_called() -> None:
    doubled = pd.concat([ONE, ONE])
    for call in (lite().update, partial(streamrnn.detect, preset="lite")):
        with pytest.warns(UserWarning, match="repeat the time") as said:
            call(doubled)
        assert said[0].filename == __file__


def test_one_number_or_name_is_a_list_of_one() -> None:
    frame = ONE.assign(warm=1.0)
    one = lite(levels=0.8, seasonality="24h", features="warm", target="y")
    many = lite(levels=[0.8], seasonality=["24h"], features=["warm"], target=["y"])
    pd.testing.assert_frame_equal(one.update(frame), many.update(frame), check_exact=True)


def test_a_shorter_horizon_is_the_beginning_of_the_longer_one() -> None:
    model = lite()
    model.update(ONE)
    pd.testing.assert_frame_equal(model.forecast(2), model.forecast()[:2], check_exact=True)
    with pytest.raises(ConfigurationError, match=r"forecasts 1 to 3 rows, not 5: say StreamModel\(horizon=5\)"):
        model.forecast(5)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (streamrnn.forecast, {"h": 12}, "forecast has no argument 'h': horizon=24"),
        (streamrnn.forecast, {"level": [80]}, r"'level': levels=\(0.8, 0.9\)"),
        (streamrnn.forecast, {"id_col": "a"}, "'id_col': key="),
        (streamrnn.detect, {"threshold": 3}, "'threshold': settings="),
        (streamrnn.detect, {"freak": 3}, "no argument 'freak': there are: horizon, preset, "),
        (StreamModel, {"X_df": ONE}, "StreamModel has no argument 'X_df': future="),
        (StreamModel, {"model.cell": "gru"}, "goes into settings="),
    ],
)
def test_an_argument_of_another_library_is_answered_with_ours(
    function: Callable[..., Any], arguments: dict[str, Any], message: str
) -> None:
    given = () if function is StreamModel else (ONE,)
    with pytest.raises(TypeError, match=message):
        function(*given, **arguments)


def test_a_model_is_saved_rather_than_pickled() -> None:
    with pytest.raises(TypeError, match=r"save\(path\)"):
        copy.deepcopy(lite())


@pytest.mark.parametrize(("name", "message"), [("fit", "update"), ("predict", "forecast"), ("learn_one", "update")])
def test_a_method_of_another_library_is_answered_with_ours(name: str, message: str) -> None:
    with pytest.raises(AttributeError, match=rf"no '{name}': {message}\("):
        getattr(StreamModel(), name)
    assert not hasattr(StreamModel(), "anything_else")


def test_the_root_of_the_errors_is_at_hand() -> None:
    assert streamrnn.StreamRNNError is streamrnn.errors.StreamRNNError
    assert "3 rows ahead, 0 rows, 0 series" in repr(lite())
