"""docker-compose.yml and what belongs to it, without an engine."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamrnn.config.loading import load
from streamrnn.config.notify import load_notify
from streamrnn.connectors.kafka.internals import murmur2
from tests.deploy import kafka_image
from tests.deploy.engine import PROFILES, ROOT, need_compose, run
from tests.tools import need

COMPOSE = ROOT / "docker-compose.yml"
COMBINATIONS = [c for size in range(len(PROFILES) + 1) for c in itertools.combinations(PROFILES, size)]
ONE_SHOT = {"topics", "cluster", "certificates"}


def resolved(*profiles: str) -> dict[str, Any]:
    """The services, as compose understands them."""
    need_compose()
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    clean = {name: value for name, value in os.environ.items() if not re.match("STREAMRNN|KAFKA|COMPOSE", name)}
    told = run(
        "docker", "compose", "--env-file", "/dev/null", *chosen, "config", "--format", "json", cwd=ROOT, env=clean
    )
    services: dict[str, Any] = json.loads(told.out)["services"]
    return services


@pytest.mark.parametrize("profiles", COMBINATIONS, ids=lambda c: "+".join(c) or "none")
def test_every_combination_of_profiles_is_valid(profiles: tuple[str, ...]) -> None:
    services = resolved(*profiles)
    assert {"streamrnn", "kafka", "topics", "producer", "page"} <= services.keys()
    assert ("kafka-3" in services) == ("cluster" in profiles)
    assert ("certificates" in services) == ("secure" in profiles)
    assert ("grafana" in services) == ("monitoring" in profiles)


def test_what_every_service_has() -> None:
    for name, service in resolved(*PROFILES).items():
        assert service["restart"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
        if name not in ONE_SHOT:
            assert "stop_grace_period" in service, name
        assert not re.search(r":latest$|^[^:]+$", service["image"]), name


def test_every_variable_is_documented_with_its_default() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))
    told = dict(re.findall(r"^#(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    profiles = told.pop("COMPOSE_PROFILES")
    assert profiles in PROFILES
    assert told == used
    assert set(re.findall(r"\$\{(\w+)\}", COMPOSE.read_text())) == {"COMPOSE_PROJECT_NAME"}


def test_the_pipeline_of_compose_is_valid() -> None:
    config = load(ROOT / "deploy" / "compose" / "pipeline.yaml", environment={})
    script = (ROOT / "deploy" / "compose" / "topics.sh").read_text()
    for topic in (config.kafka.input_topic, config.kafka.output_topic, config.kafka.dead_letters, config.changelog):
        assert re.search(rf"^topic {topic} ", script, re.MULTILINE)
    assert re.search(rf"^topic {config.changelog} .*cleanup\.policy=compact", script, re.MULTILINE)
    # a worker that is stopped may close, and take its last snapshot, before the engine kills it
    assert config.kafka.session_timeout < 60


def test_the_notifier_of_compose_is_valid(tmp_path: Path) -> None:
    pipeline = load(ROOT / "deploy" / "compose" / "pipeline.yaml", environment={})
    config = load_notify(ROOT / "deploy" / "compose" / "notify.yaml", {"STREAMRNN__KAFKA__BOOTSTRAP_SERVERS": "k:1"})
    assert (config.topic, config.broker.bootstrap_servers) == (pipeline.kafka.alerts_topic, "k:1")
    script = (ROOT / "deploy" / "compose" / "topics.sh").read_text()
    for topic in (config.topic, config.broker.dead_letters, f"{config.application_id}-changelog"):
        assert re.search(rf"^topic {topic} ", script, re.MULTILINE)
    need("prometheus-alertmanager")
    run("amtool", "check-config", str(ROOT / "deploy" / "compose" / "alertmanager.yml"))


def test_the_broker_is_that_of_the_tests() -> None:
    assert f"KAFKA_VERSION:-{kafka_image.version()}" in COMPOSE.read_text()
    assert kafka_image.version() in (ROOT / "tests" / "broker" / "pom.xml").read_text()


def test_the_replay_is_the_same_for_the_same_seed_and_reaches_every_partition(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "compose" / "replay.py"
    made = []
    for seed in ("7", "7", "8"):
        path = tmp_path / f"events-{len(made)}.jsonl"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, script, path, "12000", seed], check=True, env=environment, timeout=120)
        made.append(path.read_text())
    assert made[0] == made[1] != made[2]
    events = [json.loads(line) for line in made[0].splitlines()]
    chosen = {(murmur2(event["key"].encode()) & 0x7FFFFFFF) % 6 for event in events}
    assert chosen == set(range(6))


def test_shell_scripts_are_well_formed() -> None:
    for script in sorted((ROOT / "deploy" / "compose").glob("*.sh")):
        shell = "bash" if script.name in ("broker.sh", "topics.sh", "healthy.sh") else "sh"
        run(shell, "-n", str(script))


def test_the_image_holds_what_the_package_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "deploy" / "image" / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    for line in [*project["dependencies"], *project["optional-dependencies"]["live"]]:
        requirement = Requirement(line)
        assert requirement.name in locked, f"{requirement.name} is not in the lock; run: make lock"
        assert requirement.specifier.contains(locked[requirement.name]), f"{line}: run: make lock"
    assert lock.count("--hash=sha256:") >= len(locked)


def test_the_label_tells_the_version() -> None:
    from streamrnn import __version__

    assert f"ARG VERSION={__version__}\n" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_configuration_of_prometheus(tmp_path: Path) -> None:
    promtool = need("promtool")
    (tmp_path / "alerts.yml").write_text((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    (tmp_path / "prometheus.yml").write_text((ROOT / "deploy" / "compose" / "prometheus.yml").read_text())
    run(promtool, "check", "config", str(tmp_path / "prometheus.yml"))


def test_every_alert_has_a_runbook() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert sorted(set(alerts)) == sorted(headings)
