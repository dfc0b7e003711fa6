"""The page over labelled streams: their series, and labels beside predictions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from streamrnn.records.log import Message
from streamrnn.runtime.task import task_of
from tests.labelled.streams import configured, stream
from tests.monitor.stage import Stage

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_labelled_stream_is_listed_and_drawn(task: str, page: Page, screenshots: Path) -> None:
    config = configured(task, monitor__port=0)
    task_of(config).model().warm_up()  # nothing below waits for a compiler
    with Stage(config) as stage:
        for record in stream(config, 1500):
            stage.log.append(0, Message(record.key, record.value))
        stage.settled()
        page.goto(stage.url)
        expect(page.locator("#series li")).to_have_count(5)
        expect(page.locator("canvas").first).to_be_visible()
        page.screenshot(path=screenshots / f"labels-{task}.png")
