"""What docs/labels.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
import yaml

from streamrnn.config.tree import Config
from streamrnn.records.predictions import LabelRecord, PredictionRecord
from streamrnn.runtime.task import make_decoder
from tests.labelled.streams import record

PAGE = (Path(__file__).parents[2] / "docs" / "labels.md").read_text()


def test_the_configuration_the_events_and_the_records() -> None:
    config = Config.model_validate(yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]))
    events = [text.replace("...", "0") for text in re.findall(r"^\| `(\{.*?\})`", PAGE, re.MULTILINE)]
    decoded = make_decoder(config).decode([record(at, text.encode()) for at, text in enumerate(events)])
    assert not decoded.rejected
    assert decoded.labels is not None
    assert decoded.labels.alone.tolist() == [False, True, False, False]
    assert decoded.labels.names == ["o-41", "o-41", None, None]
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    prediction, label = shown.split("\n\n")
    assert PredictionRecord.model_validate_json(prediction).id == "o-41"
    read = LabelRecord.model_validate_json(label)
    assert read.score is not None
    assert read.score.log_loss == 2.66  # -log of the 0.07 that the record above gives to fraud
    assert orjson.loads(label).keys() <= LabelRecord.model_fields.keys()


def test_the_command(inside, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from river import datasets

    rows = [[*x.values(), y] for x, y in datasets.Phishing()]
    file = tmp_path / "phishing.csv"
    file.write_text("\n".join(["a,b,c,d,e,f,g,h,i,label", *(",".join(map(str, row)) for row in rows)]))
    flags = re.findall(r"--feature \w", PAGE)
    out = tmp_path / "out.jsonl"
    words = " ".join(flags).split()
    ended = inside("run", "--input", file, "--output", out, "--task", "classification", *words)
    assert ended.code == 0, ended.err
    scores = [json.loads(line)["score"] for line in out.read_text().splitlines()]
    assert round(sum(score["correct"] for score in scores if score) / 1249, 2) == 0.89
