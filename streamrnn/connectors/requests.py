"""One HTTP request with a deadline: the standard library's client, without what is wrong for us.

It follows no redirect (a POST would silently become a GET, and a token go to another host), reads no more than it is
told, and waits no longer than it is told for the next bytes and for the whole body.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from streamrnn.errors import StreamRNNError

_BLOCK: Final = 1 << 16
MOST: Final = 1 << 20
"""Bytes of an answer that are read, by default."""


class Refused(StreamRNNError):
    """No answer, or another one than 2xx: `status` is 0 where nothing answered."""

    def __init__(self, text: str, status: int = 0, body: bytes = b"", retry_after: str | None = None) -> None:
        super().__init__(text)
        self.status, self.body, self.retry_after = status, body, retry_after


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@lru_cache(8)
def _opener(cafile: str | None) -> OpenerDirector:
    return build_opener(_NoRedirect(), HTTPSHandler(context=ssl.create_default_context(cafile=cafile)))


def ask(
    method: str, url: str, body: bytes | None = None, *, headers: Mapping[str, str], timeout: float,
    cafile: str | None = None, most: int = MOST,
) -> bytes:  # fmt: skip
    """The body of the answer, at most `most` bytes of it.

    Raises `Refused` for every other status than 2xx and where nothing, or no HTTP, answers within `timeout` seconds.
    """
    where = url.partition("?")[0]
    if url.partition("://")[0].lower() not in ("http", "https"):
        raise Refused(f"{where}: an address begins with http:// or https://")
    deadline = time.monotonic() + timeout
    try:
        request = Request(url, body, dict(headers), method=method)
        with _opener(cafile).open(request, timeout=timeout) as answer:
            return _read(answer, deadline, most)
    except HTTPError as error:
        with error, contextlib.suppress(OSError, http.client.HTTPException):
            error.streamrnn_body = _read(error, deadline, 1 << 14)  # type: ignore[attr-defined]
        said = getattr(error, "streamrnn_body", b"")
        text = " ".join(said.decode(errors="replace").split())[:200]
        raise Refused(
            f"{error.code} {error.reason}" + (f": {text}" if text else ""), error.code, said,
            error.headers.get("Retry-After"),
        ) from None  # fmt: skip
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        late = isinstance(reason, TimeoutError | socket.timeout)
        raise Refused(f"no answer within {timeout:g} s" if late else f"{type(reason).__name__}: {reason}") from None


def _read(answer: http.client.HTTPResponse | HTTPError, deadline: float, most: int) -> bytes:
    parts, size = [], 0
    while size < most and (part := answer.read1(min(_BLOCK, most - size))):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)
