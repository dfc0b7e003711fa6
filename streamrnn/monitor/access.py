"""Who may see the page: the token, the names it answers to, and the headers that keep browsers strict.

The order of the checks is the order of the functions below. Without a token the page is for this machine alone, and
then the Host header must name this machine, or any web site could read it by rebinding its own name to 127.0.0.1.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

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
        self._local = host in LOOPBACK and token is None

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
        await (answer or self._app)(scope, receive, send_strict)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("only GET\n", 405, {"allow": "GET, HEAD"})
        if self._local and _host(scope) not in LOOPBACK:
            return PlainTextResponse("this page is served to this machine only (monitor.host)\n", 421)
        return None

    def _authorization(self, scope: Scope) -> Response | None:
        """None when the request may pass."""
        if self._token is None:
            return None
        headers = Headers(scope=scope)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), self._token):
            return None
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is None:
            if _same(cookie, self._proof):
                return None
        elif _same(given, self._token):
            if scope["path"] != "/":
                return None
            # Into a cookie and out of the address: addresses end up in histories and screenshots.
            rest = urlencode([(name, value) for name, value in query if name != "token"])
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
        return hmac.new(self._token.encode(), b"streamrnn page", hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _host(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "")
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.strip("[]").lower()
