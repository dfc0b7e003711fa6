from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.monitor.stage import Stage, configured, get

TOKEN = "a secret, with spaces & signs"
PATHS = ("/", "/page.js", "/events", "/metrics", "/livez", "/readyz", "/nothing")


@pytest.fixture(scope="module")
def locked() -> Iterator[Stage]:
    with Stage(configured(monitor__token=TOKEN)) as stage:
        yield stage


@pytest.fixture(scope="module")
def unlocked() -> Iterator[Stage]:
    with Stage(configured()) as stage:
        yield stage


@pytest.mark.parametrize("path", PATHS)
def test_every_request_needs_the_token(locked: Stage, path: str) -> None:
    assert locked.get(path).status == 401
    assert locked.get(path, Authorization="Bearer wrong").status == 401
    assert locked.get(path, Authorization=f"Basic {TOKEN}").status == 401
    assert locked.get(f"{path}?token=wrong").status == 401
    assert locked.get(path, Cookie=f"streamrnn-{locked.monitor.port}={TOKEN}").status == 401
    assert TOKEN not in locked.get(path).text


def test_the_bearer_header_opens(locked: Stage) -> None:
    assert locked.get("/livez", Authorization=f"Bearer {TOKEN}").status == 200
    assert locked.get("/livez", Authorization=f"bearer  {TOKEN}").status == 200


def test_the_address_opens_and_becomes_a_cookie(locked: Stage) -> None:
    query = "token=a+secret%2C+with+spaces+%26+signs"
    assert locked.get(f"/livez?{query}").status == 200
    entered = locked.get(f"/?{query}&points=120")
    assert (entered.status, entered.headers["location"]) == (303, "/?points=120")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "secret" not in cookie
    assert locked.get("/", Cookie=cookie.partition(";")[0]).status == 200


def test_the_right_cookie_does_not_excuse_a_wrong_token(locked: Stage) -> None:
    entered = locked.get("/?token=a+secret%2C+with+spaces+%26+signs")
    cookie = entered.headers["set-cookie"].partition(";")[0]
    assert locked.get("/?token=wrong", Cookie=cookie).status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_sites_cannot_read_the_page_by_rebinding_their_name(unlocked: Stage, host: str) -> None:
    assert unlocked.get("/livez", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8321", "127.0.0.1:1", "[::1]:8321", "LOCALHOST"])
def test_this_machine_can(unlocked: Stage, host: str) -> None:
    assert unlocked.get("/livez", Host=host).status == 200


def test_only_reading_is_possible(unlocked: Stage) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(unlocked.monitor.port, "/", method).status == 405


@pytest.mark.parametrize("path", ["/", "/page.js", "/metrics", "/nothing"])
def test_browsers_are_told_to_be_strict(unlocked: Stage, path: str) -> None:
    headers = unlocked.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_files_are_sent_once(unlocked: Stage) -> None:
    first = unlocked.get("/page.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert unlocked.get("/page.js", If_None_Match=first.headers["etag"]).status == 304
    for path in ("/../monitor.py", "/static/page.js", "/%2e%2e/monitor.py", "/monitor.py"):
        assert unlocked.get(path).status == 404


def test_nothing_of_the_page_points_outside(unlocked: Stage) -> None:
    for path in ("/", "/page.css", "/page.js", "/charts.js", "/theme.js"):
        text = unlocked.get(path).text
        assert "innerHTML" not in text
        assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https:" not in text
