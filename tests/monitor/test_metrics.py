from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streamrnn.connectors.memory import MemoryConnector
from streamrnn.monitor.metrics import Metrics
from streamrnn.records.log import Message
from tests.broker.process import free_ports
from tests.monitor.stage import Stage, configured, get, until
from tests.notify import test_metrics as notifier
from tests.tools import need

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
PAGE = ROOT / "docs" / "monitoring.md"

pytestmark = pytest.mark.usefixtures("free_model")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(configured(event__late="dead-letter"), partitions=2) as running:
        for number in range(40):
            running.feed(f"series {number}", 1.0, 2.0, None, 3.0, number=number % 2)
        running.log.append(0, Message(None, b"no event"))
        running.log.append(0, Message(None, b'{"value": "text"}'))
        running.settled()
        until(lambda: len(running.monitor.feed.history) == 40)
        yield running


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(stage: Stage) -> dict[str, float]:
    """Sum of each sample name over its labels."""
    found: dict[str, float] = {}
    for family in families(stage.get("/metrics").text).values():
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def panel_queries() -> list[str]:
    panels = [panel for board in DASHBOARDS for panel in json.loads(board.read_text())["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:streamrnn|process)_[a-z_]+", expression))


def exposed() -> set[str]:
    """Every sample name that a worker can expose."""
    found = {"process_resident_memory_bytes"}
    for family in Metrics().registry.collect():
        if family.type == "counter":
            found.add(f"{family.name}_total")
        elif family.type == "histogram":
            found |= {f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count")}
        elif family.type == "info":
            found.add(f"{family.name}_info")
        else:
            found.add(family.name)
    return found


def test_the_numbers_are_right(stage: Stage) -> None:
    found = samples(stage)
    assert found["streamrnn_events_total"] == 160
    assert found["streamrnn_forecasts_total"] == 160
    assert found["streamrnn_committed_offset"] == 162
    assert found["streamrnn_series_in_memory"] == 40
    assert found["streamrnn_recovery_progress_ratio"] == 2
    assert found["streamrnn_skill_ratio"] == 0.5
    assert found["streamrnn_coverage_ratio"] == 1
    assert found["streamrnn_commits_total"] == found["streamrnn_commit_duration_seconds_count"] > 0
    dead = families(stage.get("/metrics").text)["streamrnn_dead_letters"]
    assert {(s.labels["reason"], s.value) for s in dead.samples if s.name.endswith("_total")} == {("EventInvalid", 2)}


def test_lag_is_what_the_connector_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, Stage(configured(), partitions=2) as stage:
        patched.setattr(MemoryConnector, "lag", lambda self, partition: 10 + partition.number)
        until(lambda: samples(stage).get("streamrnn_lag_events") == 21)
        assert {found.lag for found in stage.monitor.health.partitions().values()} == {10, 11}
    with Stage(configured()) as stage:
        stage.feed("pump", *range(10))
        stage.settled()
        until(lambda: samples(stage).get("streamrnn_lag_events") == 0)


def test_no_label_names_a_series(stage: Stage) -> None:
    text = stage.get("/metrics").text
    assert "series 7" not in text
    lines = len(text.splitlines())
    for number in range(40, 400):
        stage.feed(f"series {number}", 1.0)
    stage.settled()
    until(lambda: samples(stage)["streamrnn_events_total"] == 520)
    assert len(stage.get("/metrics").text.splitlines()) == lines


def test_gauges_of_a_lost_partition_are_gone_and_counters_stay() -> None:
    with Stage(configured(), partitions=2) as stage:
        stage.feed("a", 1.0, number=0)
        stage.feed("b", 1.0, number=1)
        stage.settled()
        stage.stop.set()
        until(lambda: not stage.alive)
        found = families(stage.get("/metrics").text)
        assert not found["streamrnn_committed_offset"].samples
        assert sum(s.value for s in found["streamrnn_events"].samples if s.name.endswith("_total")) == 2
        assert samples(stage)["streamrnn_rebalances_total"] == 4


def test_promtool_has_no_complaint(stage: Stage) -> None:
    promtool = need("promtool")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=stage.get("/metrics").text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_rules_and_the_configuration_are_valid() -> None:
    promtool = need("promtool")
    for what, path in (("rules", RULES), ("config", RULES.with_name("prometheus.yml"))):
        subprocess.run([promtool, "check", what, str(path)], capture_output=True, check=True)


def test_every_metric_that_is_named_exists() -> None:
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    queries = panel_queries()
    for board in DASHBOARDS:
        queries += [variable["query"] for variable in json.loads(board.read_text())["templating"]["list"]]
    assert len(rules) > 5
    assert len(queries) > 20
    named = set().union(*map(names_in, rules + queries))
    assert named <= exposed() | notifier.exposed()


def test_every_metric_is_documented_and_none_else() -> None:
    documented = set(re.findall(r"^\| `(streamrnn_[a-z_]+)`", PAGE.read_text(), re.MULTILINE))
    exposing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed() if name.startswith("streamrnn_")}
    assert documented == exposing


def test_a_real_prometheus_scrapes_it(stage: Stage, tmp_path: Path) -> None:
    prometheus = need("prometheus")
    (port,) = free_ports(1)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES)],
                "scrape_configs": [
                    {"job_name": "streamrnn", "static_configs": [{"targets": [f"127.0.0.1:{stage.monitor.port}"]}]}
                ],
            }
        )
    )
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [
                prometheus,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:

        def ask(query: str) -> list[Any]:
            try:
                answer = get(port, f"/api/v1/query?query={urllib.parse.quote(query)}")
            except OSError:
                return []
            result: list[Any] = json.loads(answer.text)["data"]["result"] if answer.status == 200 else []
            return result

        until(lambda: ask('up{job="streamrnn"} == 1'), 60)
        until(lambda: ask("sum(streamrnn_events_total) == 160"), 60)
        rules = json.loads(get(port, "/api/v1/rules").text)["data"]["groups"][0]["rules"]
        until(lambda: all(rule["health"] == "ok" for rule in rules_of(port)), 60)
        for query in panel_queries():
            for name, value in {
                "$job": ".*",
                "$instance": ".*",
                "$key": ".*",
                "$target": ".*",
                "$__rate_interval": "1m",
            }.items():
                query = query.replace(name, value)
            answer = get(port, f"/api/v1/query?query={urllib.parse.quote(query)}")
            assert answer.status == 200, (query, answer.text)
        assert len(rules) > 5
    finally:
        server.terminate()
        server.wait(20)


def rules_of(port: int) -> list[Any]:
    found: list[Any] = json.loads(get(port, "/api/v1/rules").text)["data"]["groups"][0]["rules"]
    return found
