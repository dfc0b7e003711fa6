"""The profile `monitoring`: Prometheus finds every worker, Grafana has the dashboard."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy import engine
from tests.deploy.engine import ROOT, Stack, until

pytestmark = pytest.mark.compose


def image_of(service: str) -> str:
    """The image that docker-compose.yml names."""
    text = (ROOT / "docker-compose.yml").read_text()
    found = re.search(rf"image: (\S*{service}):\$\{{\w+:-([^}}]+)\}}", text)
    assert found is not None
    return f"{found[1]}:{found[2]}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    engine.need_engine()
    engine.need_broker_image()
    engine.need_image(image_of("prometheus"))
    made = Stack(tmp_path_factory.mktemp("clone"), "streamrnn-monitoring", "monitoring")
    made.remove()
    made.compose(
        "up", "--detach", "--scale", "streamrnn=2", "streamrnn", "prometheus"
    )  # Grafana's image may be missing
    yield made
    made.remove()


def ask(port: str, path: str, user: str | None = None) -> Any:
    """The JSON at a path, None where nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if user is not None:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError):
        return None


def test_prometheus_finds_every_worker(stack: Stack) -> None:
    def scraped() -> bool:
        found = ask(stack.environment["PROMETHEUS_PORT"], "/api/v1/query?query=up%7Bjob%3D%22streamrnn%22%7D")
        return found is not None and [one["value"][1] for one in found["data"]["result"]] == ["1", "1"]

    until("two workers scraped", scraped)


def test_prometheus_has_the_alerts(stack: Stack) -> None:
    until("up", lambda: ask(stack.environment["PROMETHEUS_PORT"], "/api/v1/rules"))
    groups = ask(stack.environment["PROMETHEUS_PORT"], "/api/v1/rules")["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} >= {"StreamrnnDown", "StreamrnnStalled"}


def test_grafana_has_the_dashboard(stack: Stack) -> None:
    engine.need_image(image_of("grafana"))
    stack.compose("up", "--detach", "--no-deps", "grafana")
    path, user = "/api/dashboards/uid/streamrnn", "admin:streamrnn"
    until("provisioned", lambda: ask(stack.environment["GRAFANA_PORT"], path, user))
    assert ask(stack.environment["GRAFANA_PORT"], path, user)["dashboard"]["title"] == "streamrnn"
