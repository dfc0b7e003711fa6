"""The list of alerts in a real browser: feedback that is copied and run, and faults that are known."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from streamrnn.app.feedback import command
from streamrnn.monitor.known_faults import KnownFault
from streamrnn.records.log import Message, Partition
from streamrnn.runtime.task import make_model
from tests.commands import Streamrnn
from tests.monitor.stage import START, Stage, configured

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

KEY = "pump's 1"
JUMP = 500


class OneFault:
    """What the demo knows: at the event of the jump there was a spike."""

    def of(self, key: str) -> list[KnownFault]:
        time = 1000 * (START + 600_000 * (JUMP + 1))
        return [KnownFault("spike", time, time, time)] if key == KEY else []


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("feedback") / "events.jsonl"
    file.write_text('{"sensor": "other", "value": 1}\n')
    return file


@pytest.fixture(scope="module")
def stage(events: Path) -> Iterator[Stage]:
    config = configured(model__preset="lite", model__horizon=2, event__key="sensor")
    make_model(config).warm_up()
    random = np.random.default_rng(1)
    values = [20 + 5 * math.sin(i / 8) + 0.2 * random.normal() for i in range(JUMP + 40)]
    values[JUMP] = 90.0
    with Stage(config, faults=OneFault(), feedback=command(config, None, events)) as running:
        for step, value in enumerate(values):
            record = {"sensor": KEY, "time": START + 600_000 * (step + 1), "value": value}
            running.log.append(0, Message(None, json.dumps(record).encode()))
        running.settled()
        yield running


def test_the_command_of_an_alert_is_copied_and_does_what_it_says(
    page: Page, stage: Stage, events: Path, streamrnn: Streamrnn, screenshots: Path
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(stage.url)
    opened = page.locator("#alerts li", has_text="alert 1 opened")
    expect(opened).to_be_visible()
    expect(opened.locator(".feedback")).to_be_hidden()
    ask = opened.get_by_role("button", name=f"feedback on alert 1 of {KEY}")
    ask.click()
    expect(ask).to_have_attribute("aria-expanded", "true")
    expect(opened.locator(".feedback code")).to_have_count(2)
    page.screenshot(path=screenshots / "feedback.png")
    opened.locator(".feedback button").first.click()
    words = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert words[:4] == ["streamrnn", "feedback", "expected", KEY]
    assert streamrnn(*words[1:]).code == 0
    assert json.loads(events.read_text().splitlines()[-1]) == {"feedback": "expected", "sensor": KEY, "alert": 1}
    ask.click()
    expect(opened.locator(".feedback")).to_be_hidden()


def test_a_topic_and_its_partition_are_named() -> None:
    arguments = command(configured(), Path("a b.yaml"))(Partition("events", 3))
    assert arguments == ["--config", "a b.yaml", "--topic", "events", "--partition", "3"]


def test_known_faults_are_marked_in_the_list_the_figures_and_the_chart(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    expect(page.locator("#alerts li", has_text="alert 1 opened")).to_contain_text("injected: spike")
    expect(page.locator("#marks li").first).to_contain_text("injected: spike")
    expect(page.locator("#injected-in-view")).to_have_text("spike")
    count = """() => {
        const canvas = document.querySelector("#chart canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let found = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i] === 125 && data[i + 1] === 106 && data[i + 2] === 168) found += 1;
        }
        return found;
    }"""
    assert page.evaluate(count) > 10


def test_it_fits_a_phone_with_the_command_open(page: Page, stage: Stage, screenshots: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(stage.url)
    page.locator("#alerts .ask").first.click()
    expect(page.locator("#alerts .feedback").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=screenshots / "feedback-phone.png", full_page=True)
