"""Data frames in and out: the same model as the service's, whatever library holds the frame."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import streamrnn
from streamrnn import StreamModel
from streamrnn.app.cli import main
from streamrnn.errors import ConfigurationError, SnapshotCorrupt, StateError, StreamRNNError

ROWS = 120


def long_frame(rows: int = ROWS) -> pd.DataFrame:
    """Two series of a daily wave, hourly, one after the other."""
    parts = []
    for place, name in enumerate(("a", "b")):
        noise = np.random.default_rng(place).normal(0, 0.1, rows)
        values = 10.0 * place + np.sin(2 * math.pi * np.arange(rows) / 24) + noise
        times = pd.date_range("2026-01-01", periods=rows, freq="h")
        parts.append(pd.DataFrame({"unique_id": name, "ds": times, "y": values}))
    return pd.concat(parts, ignore_index=True)


def lite(**settings: Any) -> StreamModel:
    return StreamModel(3, preset="lite", **settings)


def test_one_line_forecasts_every_series() -> None:
    found = streamrnn.forecast(long_frame(), horizon=3, preset="lite")
    assert found.columns.tolist() == ["unique_id", "ds", "step", "mean", "median", "lower", "upper"]
    assert found["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["ds"].tolist()[:3] == pd.date_range("2026-01-06", periods=3, freq="h").tolist()
    assert (found["lower"] <= found["mean"]).all()
    assert (found["mean"] <= found["upper"]).all()
    assert found[found["unique_id"] == "b"]["mean"].between(8, 12).all()


def test_what_is_said_of_the_rows_is_what_the_command_says(tmp_path: Path) -> None:
    frame = long_frame().sort_values("ds", kind="stable")
    frame.rename(columns={"unique_id": "key", "ds": "time", "y": "value"}).to_csv(tmp_path / "in.csv", index=False)
    arguments = ["--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.jsonl"), "--quiet"]
    with pytest.raises(SystemExit) as left:
        main(["run", *arguments, "--set", "model.preset=lite", "--set", "model.horizon=3"])
    assert not left.value.code
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    told = lite().update(frame)
    for name in ("expected", "lower", "upper"):
        expected = [record["targets"]["value"][name] for record in records]
        assert [None if math.isnan(value) else value for value in told[name]] == expected
    assert told["score"].tolist() == [record["anomaly"]["score"] for record in records]


def test_polars_says_what_pandas_says() -> None:
    pandas = long_frame()
    polars = pl.DataFrame(
        {
            "unique_id": pandas["unique_id"].tolist(),
            "ds": pandas["ds"].dt.to_pydatetime().tolist(),
            "y": pandas["y"].tolist(),
        }
    )
    found = streamrnn.forecast(polars, horizon=3, preset="lite")
    assert isinstance(found, pl.DataFrame)
    assert found["mean"].to_list() == streamrnn.forecast(pandas, horizon=3, preset="lite")["mean"].tolist()


def test_rows_come_back_in_the_order_of_the_frame() -> None:
    frame = long_frame()
    shuffled = frame.sample(frac=1, random_state=1)
    straight, mixed = lite().update(frame), lite().update(shuffled)
    assert mixed["observed"].tolist() == shuffled["y"].tolist()
    both = straight.merge(mixed, on=["unique_id", "ds"], suffixes=("", "_mixed"))
    a = both[both["unique_id"] == "a"]  # among equal times rows are learned as they come, so only one series at a time
    assert len(a) == ROWS
    assert np.array_equal(a["observed"], a["observed_mixed"])


def test_a_saved_model_goes_on_bit_for_bit(tmp_path: Path) -> None:
    frame = long_frame().sort_values("ds", kind="stable")
    model = lite()
    model.update(frame[:150])
    model.save(tmp_path / "state.safetensors")
    model.save(tmp_path / "again.safetensors")
    loaded = StreamModel.load(tmp_path / "again.safetensors")
    assert loaded.series == 2
    pd.testing.assert_frame_equal(model.update(frame[150:]), loaded.update(frame[150:]), check_exact=True)
    pd.testing.assert_frame_equal(model.forecast(), loaded.forecast(), check_exact=True)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    model = lite()
    model.update(long_frame()[:20])
    model.save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with pytest.raises((SnapshotCorrupt, StateError)):
            StreamModel.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnapshotCorrupt):
        StreamModel.load(path)
    with pytest.raises(StateError, match="cannot read"):
        StreamModel.load(tmp_path / "none")


def test_a_pandas_index_of_times_and_several_targets() -> None:
    one = long_frame()[:ROWS].set_index("ds")[["y"]].assign(z=lambda frame: -frame["y"])
    found = lite(target=["y", "z"]).update(one)
    assert found.columns.tolist()[:3] == ["ds", "target", "observed"]
    assert found["target"].tolist() == ["y"] * ROWS + ["z"] * ROWS
    assert found["observed"].tolist() == one["y"].tolist() + one["z"].tolist()


def test_without_times_rows_are_a_second_apart_and_missing_values_are_forecast() -> None:
    frame = pd.DataFrame({"load": [1.0, 5.0] * 60})
    frame.loc[100, "load"] = None
    model = lite()
    model.update(frame)
    found = model.forecast()
    assert found.columns.tolist() == ["time", "step", "mean", "median", "lower", "upper"]
    assert found["mean"].tolist() == pytest.approx([1, 5, 1], abs=0.5)


@pytest.mark.parametrize(
    ("frame", "settings", "message"),
    [
        ({"a": ["x"], "b": ["y"], "v": [1.0]}, {}, r"several columns may name the series \(a, b\).*key="),
        ({"key": ["x"], "v": [1.0], "w": [2.0]}, {}, r"several columns may be the target \(v, w\).*target="),
        ({"key": ["x"]}, {}, "no numeric column to forecast"),
        ({"v": [1.0]}, {"target": "w"}, "no column 'w'; there are: v"),
        ({"v": [1.0, math.inf]}, {}, "row 1 of 'v' holds inf"),
        ({"ds": ["2026-01-01", "soon"], "v": [1.0, 2.0]}, {}, "row 1 of 'ds' holds 'soon'"),
        ({"key": ["x", None], "v": [1.0, 2.0]}, {"key": "key"}, "row 1 has no 'key'"),
        ({"v": []}, {}, "no rows"),
    ],
)
def test_what_cannot_be_read_is_refused(frame: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        lite(**settings).update(pd.DataFrame(frame))


def test_what_is_no_frame_and_what_was_not_learned() -> None:
    with pytest.raises(ConfigurationError, match="list is no data frame"):
        lite().update([1, 2, 3])
    with pytest.raises(StreamRNNError, match=r"call update\(frame\) first"):
        lite().forecast()
    model = lite()
    model.update(long_frame()[:5])
    with pytest.raises(ConfigurationError, match="no column 'y', which the first one had"):
        model.update(pd.DataFrame({"ds": ["2026-02-01"], "unique_id": ["a"]}))


def test_settings_of_the_service_are_checked_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean model\.hidden_size"):
        StreamModel(settings={"model.hiden_size": 3})


def with_outage() -> pd.DataFrame:
    """Two series on a daily wave; `a` falls to nothing for six hours, `b` twice as high for one."""
    wave = 100 + 40 * np.sin(np.arange(600) * 2 * np.pi / 24) + np.random.default_rng(4).normal(0, 2, 600)
    times = pd.date_range("2026-01-01", periods=600, freq="h", tz="Europe/Berlin")
    a, b = wave.copy(), wave[::-1].copy()
    a[500:506], b[550] = 0, 400
    frames = [pd.DataFrame({"unique_id": key, "ds": times, "y": y}) for key, y in (("a", a), ("b", b))]
    return pd.concat(frames, ignore_index=True).sort_values("ds", kind="stable", ignore_index=True)


def test_alerts_say_when_how_much_and_why(tmp_path: Path) -> None:
    frame = with_outage()
    model = lite()
    rows = model.update(frame)
    (outage, spike), at = model.alerts().to_dict("records")[:2], frame["ds"].iloc[1000]
    said = ("unique_id", "alert", "kind", "since", "target", "direction")
    assert [outage[name] for name in said] == ["a", 1, "anomaly", at, "y", "low"]
    assert [spike[name] for name in said] == ["b", 1, "anomaly", at + pd.Timedelta("50h"), "y", "high"]
    assert outage["size"] < -30
    assert spike["size"] > 200
    assert outage["text"].startswith("y is 0.0, ")
    assert outage["until"] > at + pd.Timedelta("5h")
    told = rows[(rows["unique_id"] == "a") & (rows["alert"] == outage["alert"])]
    assert told["ds"].min() == at
    assert told.loc[told["is_anomaly"], "ds"].max() < outage["until"]
    assert rows.loc[rows["alert"] == 0, "is_anomaly"].sum() == 0


def test_an_alert_that_is_open_when_the_model_is_saved_ends_in_the_next_one(tmp_path: Path) -> None:
    frame = with_outage()
    model = lite()
    model.update(frame[:1004])
    assert model.alerts()["until"].isna().tolist() == [True]
    model.save(tmp_path / "model.safetensors")
    model = StreamModel.load(tmp_path / "model.safetensors")
    assert len(model.alerts()) == 0
    model.update(frame[1004:1090])
    (alert,) = model.alerts().to_dict("records")
    assert (alert["unique_id"], alert["since"], alert["text"]) == ("a", frame["ds"].iloc[1000], None)
    assert alert["until"] > alert["since"]


def test_alerts_of_polars_and_of_numbered_rows() -> None:
    frame = with_outage()
    model = lite()
    model.update(pl.from_pandas(frame))
    found = model.alerts()
    assert isinstance(found, pl.DataFrame)
    assert found["since"].to_list()[:2] == [frame["ds"].iloc[1000], frame["ds"].iloc[1100]]
    model = lite()
    model.update(frame.loc[frame["unique_id"] == "a", ["y"]].reset_index(drop=True))
    assert model.alerts()["since"].tolist()[0] == pd.Timestamp("1970-01-01 00:08:20")


def test_a_key_that_is_called_as_a_column_of_alerts_is_refused() -> None:
    model = lite()
    model.update(with_outage().rename(columns={"unique_id": "kind"}))
    with pytest.raises(ConfigurationError, match="'kind' is the name of a column of alerts, too"):
        model.alerts()
    with pytest.raises(ConfigurationError, match="'alert' is the name of a column of the answer, too"):
        lite().update(with_outage().rename(columns={"unique_id": "alert"}))
