"""Thousands of series at full speed: what an open page costs the worker, and whether the page keeps up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from streamrnn.monitor.feed import SHARE
from tests.monitor.load import RATE, SERIES, Endless, compare, costs_less_than_a_twentieth
from tests.monitor.stage import Stage, configured, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("free_model")]

FRAME_RATE = """() => new Promise((done) => {
    const began = performance.now();
    let frames = 0;
    const next = () => {
        frames += 1;
        if (performance.now() - began < 2000) requestAnimationFrame(next);
        else done(frames / 2);
    };
    requestAnimationFrame(next);
})"""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Stage]:
    monkeypatch.setattr(Stage, "_connect", lambda self: Endless(getattr(request, "param", None)))
    with Stage(configured()) as running:
        until(lambda: len(running.monitor.feed.history) == SERIES, 60)
        yield running


def turns(page: Page, stage: Stage) -> tuple[Callable[[], object], Callable[[], object]]:
    """(leave the page, open it and wait for its chart)."""

    def leave() -> None:
        page.goto("about:blank")
        until(lambda: stage.monitor.streams.open == 0)

    def come() -> None:
        page.goto(stage.url)
        until(lambda: page.get_attribute("#chart", "data-events"))

    come()
    expect(page.locator("#series button")).to_have_count(60)
    return leave, come


@pytest.mark.parametrize("stage", [RATE], indirect=True)
def test_at_20_000_events_a_second_an_open_page_costs_less_than_a_twentieth(
    page: Page, stage: Stage, screenshots: Path
) -> None:
    leave, come = turns(page, stage)
    page.screenshot(path=screenshots / "many-series.png")
    costs_less_than_a_twentieth(compare(stage, leave, come))


def test_flat_out_the_server_keeps_to_its_share(page: Page, stage: Stage) -> None:
    """The rest of what the worker loses then is the browser's, which wants processors too."""
    leave, come = turns(page, stage)
    assert compare(stage, leave, come).server < 1.5 * SHARE


def test_the_page_stays_fluent_and_up_to_date(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    expect(page.locator("#series button")).to_have_count(60)
    rate = page.evaluate(FRAME_RATE)
    print(f"\n{rate:.0f} frames a second, a new chart every {stage.monitor.feed._tick:.2f} s")
    assert rate >= 20
    before = int(page.get_attribute("#chart", "data-events") or 0)
    until(lambda: int(page.get_attribute("#chart", "data-events") or 0) > before)
    page.get_by_role("searchbox").fill("sensor 4321")
    expect(page.locator("#series button")).to_have_count(1)
    page.locator("#series button").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("sensor 4321")
