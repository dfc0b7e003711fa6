"""Who may see the page: the token, the names it answers to, and the headers that keep browsers strict.

The order of the checks is the order of the functions below. Without a token the Host header must name this machine, or
be an address where others may ask, too: any web site could else read the page by rebinding its own name to the address.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamrnn.config.values import is_address, is_loopback

HEALTH = frozenset({"/livez", "/readyz"})
MOST_ANSWERS = 128
"""Answers under way, health not counted: that one is given whatever else is going on."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Access:
    """ASGI middleware around everything that is served."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str | None) -> None:
        self._app = app
        self._token = token
        # Tokens of several workers on one machine must not overwrite each other: cookies know no ports.
        self._cookie = f"streamrnn-{port}"
        self._open = not is_loopback(host)
        self._names = {"localhost", host.lower(), *([socket.gethostname().lower()] if self._open else [])} - {""}
        self._answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            return

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(scope) or self._authorization(scope)
        if answer is not None or scope["path"] in HEALTH:
            await (answer or self._app)(scope, receive, send_strict)
            return
        if self._answers >= MOST_ANSWERS:
            await PlainTextResponse("too many requests at once\n", 503, {"retry-after": "5"})(
                scope, receive, send_strict
            )
            return
        self._answers += 1
        try:
            await self._app(scope, receive, send_strict)
        finally:
            self._answers -= 1

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("only GET\n", 405, {"allow": "GET, HEAD"})
        if self._token is None and not self._ours(_host(scope)):
            text = "ask by its address, or set monitor.token" if self._open else "this page is for its own machine only"
            return PlainTextResponse(f"{text} (monitor.host)\n", 421)
        return None

    def _ours(self, host: str) -> bool:
        if host in self._names:
            return True
        return is_address(host) if self._open else is_loopback(host)  # no web site can be an address

    def _authorization(self, scope: Scope) -> Response | None:
        """None when the request may pass."""
        if self._token is None:
            return None
        headers = Headers(scope=scope)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip().encode("latin-1"), self._token):
            return None
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        query = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, errors="surrogateescape")
        given = dict(query).get("token")
        if given is None:
            if _same(cookie.encode("latin-1", "replace"), self._proof):
                return None
        elif _same(_bytes(given), self._token):
            if scope["path"] != "/":
                return None
            # Into a cookie and out of the address: addresses end up in histories and screenshots.
            rest = urlencode([(name, value) for name, value in query if name != "token"], errors="surrogateescape")
            response = RedirectResponse(str(URL(scope["path"]).replace(query=rest)), 303)
            response.set_cookie(self._cookie, self._proof, httponly=True, samesite="strict", path="/")
            return response
        return PlainTextResponse(
            "this page needs its token: open /?token=..., or send Authorization: Bearer ... (monitor.token)\n",
            401,
            {"www-authenticate": 'Bearer realm="streamrnn"'},
        )

    @property
    def _proof(self) -> str:
        """What the cookie holds: shows that its owner knew the token, without being it."""
        assert self._token is not None
        return hmac.new(_bytes(self._token), b"streamrnn page", hashlib.sha256).hexdigest()


def _bytes(token: str) -> bytes:
    return token.encode("utf-8", "surrogateescape")


def _same(given: bytes, wanted: str) -> bool:
    return hmac.compare_digest(given, _bytes(wanted))


def _host(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "")
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.strip("[]").lower()
