"""The page in a real browser, over a real worker with a real model."""

from __future__ import annotations

import itertools
import math
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from streamrnn.runtime.task import make_model
from tests.broker.process import free_ports
from tests.commands import Streamrnn
from tests.monitor.stage import Stage, configured, get, until

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

PERIOD = 48
EVIL = "<img src=x onerror=\"document.body.id='owned'\"><script>document.body.id='owned'</script>"


def wave(step: int, random: np.random.Generator) -> float:
    return 20 + 5 * math.sin(2 * math.pi * step / PERIOD) + 0.2 * float(random.normal())


class Player:
    """Feeds some series at an even pace until told to stop."""

    def __init__(self, stage: Stage, keys: list[str], pause: float = 0.02) -> None:
        self._stage = stage
        self._keys = keys
        self._pause = pause
        self._stop = threading.Event()
        self._random = np.random.Generator(np.random.Philox(key=3))
        self._steps = itertools.count()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def past(self, count: int) -> None:
        """Events that have happened before anybody looks."""
        for step in itertools.islice(self._steps, count):
            for key in self._keys:
                self._stage.feed(key, wave(step, self._random))
        self._stage.settled()

    def _play(self) -> None:
        for step in self._steps:
            if self._stop.wait(self._pause):
                return
            for key in self._keys:
                self._stage.feed(key, wave(step, self._random))

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    config = configured(model__preset="lite", model__horizon=6)
    make_model(config).warm_up()
    with Stage(config) as running:
        player = Player(running, ["pump-1", "pump-2", "pump-3"])
        player.past(600)
        with player:
            yield running


def events(page: Page) -> int:
    return int(page.get_attribute("#chart", "data-events") or 0)


def test_the_chart_moves_and_a_series_can_be_picked(page: Page, stage: Stage, screenshots: Path) -> None:
    page.goto(stage.url)
    expect(page.locator("#status-text")).to_have_text("live")
    expect(page.locator("#series button")).to_have_count(3)
    expect(page.locator("#chart canvas")).to_be_visible()
    before = events(page)
    until(lambda: events(page) > before + 20)
    page.get_by_role("button", name="pump-2").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("pump-2")
    expect(page.locator("#series button[aria-current=true] .key")).to_have_text("pump-2")
    expect(page.locator("#values tr")).to_have_count(8)
    expect(page.locator("#experts li").first).to_be_visible()
    assert "series=pump-2" in page.url
    page.reload()
    expect(page.get_by_role("heading", level=2)).to_have_text("pump-2")
    assert float((page.text_content("#rate") or "0").replace(",", "")) > 0
    page.screenshot(path=screenshots / "desktop.png")


def test_an_injected_anomaly_is_marked_within_two_seconds(page: Page, stage: Stage, screenshots: Path) -> None:
    page.goto(f"{stage.url}#series=pump-3&partition=0")
    expect(page.get_by_role("heading", level=2)).to_have_text("pump-3")
    until(lambda: page.get_attribute("#chart", "data-marks") == "0")
    injected = time.monotonic()
    stage.feed("pump-3", 500.0)
    until(lambda: page.get_attribute("#chart", "data-marks") != "0")
    assert time.monotonic() - injected < 2
    expect(page.locator("#marks li").first).to_contain_text("500 instead of")
    expect(page.locator("#series button").first).to_contain_text("pump-3")
    expect(page.locator("#series button").first).to_contain_text("anomaly")
    assert red_pixels(page) > 10
    page.screenshot(path=screenshots / "anomaly.png")


def test_a_link_opens_the_series_at_its_time(page: Page, stage: Stage, screenshots: Path) -> None:
    moment = "2026-01-02T02:00:00Z"  # of the 156th event, long past
    page.goto(f"{stage.url}#series=pump-2&partition=0&points=120&time={moment}")
    expect(page.locator("#facts")).to_contain_text("around 2026-01-02 02:00:00")
    expect(page.locator("#values tr").first).to_contain_text("2026-01-02 07:00:00")
    expect(page.locator("#next")).to_have_text("–")
    page.screenshot(path=screenshots / "moment.png")
    page.get_by_role("button", name="newest").click()
    expect(page.locator("#newest")).to_be_hidden()
    expect(page.locator("#facts")).not_to_contain_text("around")
    assert "time=" not in page.url
    page.goto(f"{stage.url}#series=pump-2&partition=0&time=1999-01-01T00:00:00Z")
    expect(page.locator("#facts")).to_contain_text("is before what this page remembers")
    page.goto(f"{stage.url}#series=pump-2&partition=0&time=nonsense")
    expect(page.locator("#newest")).to_be_hidden()


def red_pixels(page: Page) -> int:
    """Pixels of the chart in the color of anomalies."""
    script = """() => {
        const canvas = document.querySelector("#chart canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i] > 170 && data[i + 1] < 90 && data[i + 2] < 70 && data[i + 3] > 200) count += 1;
        }
        return count;
    }"""
    return int(page.evaluate(script))


def test_the_theme_follows_the_system_and_the_switch(page: Page, stage: Stage, screenshots: Path) -> None:
    page.goto(stage.url)
    expect(page.locator("#chart canvas")).to_be_visible()

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = background()
    assert light != dark
    page.screenshot(path=screenshots / "dark.png")
    switch = page.get_by_role("button", name="Dark theme")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    assert background() == light
    expect(page.locator("#chart canvas")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_it_fits_a_phone(page: Page, stage: Stage, screenshots: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(stage.url)
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#experts li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=screenshots / "phone.png", full_page=True)


def test_the_keyboard_is_enough(page: Page, stage: Stage) -> None:
    page.goto(f"{stage.url}#series=pump-1&partition=0")
    expect(page.locator("#series button")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#search").focus()
    page.keyboard.press("Tab")
    first = page.locator("#series button").nth(0)
    expect(first).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid", "the focus can be seen"
    page.keyboard.press("ArrowDown")
    second = page.locator("#series button").nth(1)
    expect(second).to_be_focused()
    name = second.locator(".key").text_content()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(name or "")


def test_screen_readers_get_names_for_everything(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    expect(page.locator("#series button")).to_have_count(3)
    expect(page.get_by_role("navigation", name="Series")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Search series")).to_be_visible()
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile(r"observed .*expected .*next"))
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.get_by_role("status")).to_be_visible()
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [role=img]')]"
        ".filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert nameless == []


def test_search(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    expect(page.locator("#series button")).to_have_count(3)
    page.get_by_role("searchbox").fill("MP-2")
    expect(page.locator("#series button")).to_have_count(1)
    expect(page.locator("#matching")).to_have_text("1 of 3 series")
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#series button")).to_have_count(3)


@pytest.mark.usefixtures("free_model")
def test_a_key_full_of_markup_is_shown_as_text(page: Page) -> None:
    with Stage(configured()) as stage:
        stage.feed(EVIL, *range(50))
        stage.feed("", *range(50))
        stage.feed("名前 🜚 \u202egnp.exe", *range(50))
        stage.settled()
        page.goto(stage.url)
        expect(page.locator("#series button")).to_have_count(3)
        page.locator("#series button", has_text="<img").click()
        expect(page.get_by_role("heading", level=2)).to_have_text(EVIL)
        expect(page.locator("#values tr")).to_have_count(8)
        assert page.evaluate("document.body.id") == ""
        assert page.locator("nav img, nav script, main img").count() == 0


@pytest.mark.usefixtures("free_model")
def test_without_the_token_401_with_it_the_page(page: Page) -> None:
    with Stage(configured(monitor__token="open sesame")) as stage:
        stage.feed("pump", *range(50))
        stage.settled()
        refused = page.goto(stage.url)
        assert refused is not None
        assert refused.status == 401
        page.goto(f"{stage.url}?token=open+sesame")
        expect(page.locator("#status-text")).to_have_text("live")
        expect(page.locator("#series button")).to_have_count(1)
        assert "token" not in page.url


@pytest.mark.usefixtures("free_model")
def test_a_restarted_server_is_found_again(page: Page) -> None:
    with Stage(configured()) as stage:
        stage.feed("pump", *range(50))
        stage.settled()
        page.goto(stage.url)
        expect(page.locator("#status-text")).to_have_text("live")
        boot = page.get_attribute("html", "data-boot")
        port = stage.monitor.port
    expect(page.locator("#status-text")).to_have_text("reconnecting")
    with Stage(configured(monitor__port=port)) as stage:
        stage.feed("pump", *range(70))
        stage.settled()
        expect(page.locator("#status-text")).to_have_text("live")
        until(lambda: events(page) == 70)
        assert page.get_attribute("html", "data-boot") != boot


@pytest.mark.usefixtures("free_model")
def test_a_recovering_and_a_troubled_worker_are_told_apart_from_a_live_one(page: Page) -> None:
    with Stage(configured(monitor__stall_timeout="2s")) as stage:
        stage.feed("pump", *range(50))
        stage.settled()
        page.goto(stage.url)
        expect(page.locator("#status-text")).to_have_text("live")
        stage.stop.set()
        expect(page.locator("#status")).to_have_attribute("data-state", "trouble")


def test_the_demo_serves_its_page(page: Page, streamrnn: Streamrnn) -> None:
    (port,) = free_ports(1)
    process = streamrnn.start("demo", "--headless", "--port", str(port))
    until(lambda: process.poll() is not None or reachable(port), 240)
    page.goto(f"http://127.0.0.1:{port}/")
    expect(page.locator("#series button")).to_have_count(9)
    before = events(page)
    until(lambda: events(page) > before + 20)


def reachable(port: int) -> bool:
    try:
        return get(port, "/readyz").status == 200
    except OSError:
        return False


def test_every_figure_says_what_it_is(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    headed = page.locator("main h3")
    for number in range(headed.count()):
        name = headed.nth(number).inner_text()
        if name != "Last values":
            help_ = headed.nth(number).locator("xpath=..").locator("details.help")
            help_.locator("summary").click()
            expect(help_.locator("p")).to_be_visible()
            box = help_.locator("p").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 1440
            help_.locator("summary").click()


def test_it_can_be_paused_and_goes_on_with_the_newest(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    expect(page.locator("#observed")).not_to_have_text("–")
    page.click("#pause")
    page.wait_for_timeout(300)
    before = events(page)
    page.wait_for_timeout(1500)
    assert events(page) == before
    page.click("#pause")
    until(lambda: events(page) > before + 20)


def test_values_are_copied_and_the_chart_saved(page: Page, stage: Stage) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(stage.url)
    expect(page.locator("#observed")).not_to_have_text("–")
    page.click("#pause")
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("copied")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0] == "time,observed,expected,expected_median,lower,upper"
    assert len(lines) == 1 + 240 + 6
    assert float(lines[240].split(",")[1]) > 0
    assert lines[-1].split(",")[1] == ""
    with page.expect_download() as download:
        page.click("#picture")
    assert download.value.suggested_filename.endswith(".png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def seconds_of_day(text: str) -> int:
    hours, minutes, seconds = map(int, text.split()[-1].split(":"))
    return 3600 * hours + 60 * minutes + seconds


def test_times_are_in_utc_or_in_the_browsers_zone(browser: Browser, stage: Stage) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(stage.url)
    expect(page.locator("#values tr").first).to_be_visible()
    page.click("#pause")
    first = page.locator("#values tr").first.locator("td").first
    page.click("#zone")
    expect(page.locator("th .zone")).to_have_text(re.compile("Asia/(Kolkata|Calcutta)"))
    now = seconds_of_day(first.inner_text())
    page.click("#zone")
    expect(page.locator("th .zone")).to_have_text("UTC")
    then = seconds_of_day(first.inner_text())
    assert (now - then) % 86400 == 19800
    page.click("#zone")
    page.reload()
    expect(page.locator("#zone")).to_have_text("local")
    context.close()
