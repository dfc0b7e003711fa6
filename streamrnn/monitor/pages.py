"""The routes: the page and its files, its event stream, `/series`, `/metrics`, `/livez`, `/readyz`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib.resources import files
from typing import Any, Protocol

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamrnn.monitor.frames import Selection, dumps
from streamrnn.monitor.health import Health, Verdict
from streamrnn.monitor.newest import MOST_LISTED
from streamrnn.monitor.streams import Streams

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
LONGEST_SEARCH = 200
DEFAULT_LISTED = 100
LONGEST_KEY = 1000


class Source(Protocol):
    """Who makes the frames."""

    def events(self, selection: Selection) -> AsyncGenerator[bytes, None]:
        """Server-sent events for one page, without end."""

    def listing(self, search: str, after: str, limit: int) -> dict[str, Any]:
        """The series, see `records.latest.SeriesList`."""

    def latest(self, key: str, topic: str | None, number: int | None) -> list[dict[str, Any]]:
        """The newest of a series, in every partition that has one of that key: see `records.latest.LatestRecord`."""


class StaticFile:
    """A file of the package, read once."""

    def __init__(self, name: str, content: bytes) -> None:
        self._content = content
        self._type = TYPES[name.rpartition(".")[2]]
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'

    async def __call__(self, request: Request) -> Response:
        """The file, or that it has not changed."""
        headers = {"etag": self._tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._content, media_type=self._type, headers=headers)


def application(health: Health, registry: CollectorRegistry, streams: Streams, source: Source) -> Starlette:
    """The ASGI application; `Access` goes around it."""

    async def events(request: Request) -> Response:
        selection = _selection(request)
        answer: Response = streams.response(lambda: source.events(selection))  # type: ignore[assignment]
        return answer

    async def listing(request: Request) -> Response:
        query = request.query_params
        limit = min(max(_number(query.get("limit", ""), DEFAULT_LISTED), 1), MOST_LISTED)
        search, after = query.get("search", "")[:LONGEST_SEARCH], query.get("after", "")[:LONGEST_KEY]
        return _json(source.listing(search, after, limit))

    async def latest(request: Request) -> Response:
        key, query = request.path_params["key"], request.query_params
        topic, number = query.get("topic"), query.get("partition")
        if number is not None and not (number.isascii() and number.isdecimal() and len(number) < 10):
            return _json({"error": "partition: give the number of one"}, 400)
        documents = source.latest(key, topic, None if number is None else int(number))
        if not documents:
            text = "this worker has seen no event of that series; another one may have it"
            return _json({"error": text, "key": key}, 404)
        if len(documents) > 1:
            text = "several partitions have that series: add ?topic=NAME&partition=NUMBER"
            return _json({"error": text, "key": key, "sources": [one["source"] for one in documents]}, 409)
        return _json(documents[0])

    folder = files("streamrnn.monitor") / "static"
    static = {entry.name: StaticFile(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()}
    routes = [
        Route("/events", events),
        Route("/series", listing),
        Route("/series/{key:path}", latest),
        *operational(registry, {"/livez": health.alive, "/readyz": health.ready}),
        Route("/", static["index.html"].__call__),
        *(Route(f"/{name}", file.__call__) for name, file in sorted(static.items())),
    ]
    return Starlette(routes=routes)


def operational(registry: CollectorRegistry, health: Mapping[str, Callable[[], Verdict]]) -> list[Route]:
    """`/metrics`, and what says whether all is well, by path."""

    async def metrics(request: Request) -> Response:
        encode, content_type = _encoder(request.headers.get("accept", ""))
        return Response(await run_in_threadpool(encode, registry), headers={"content-type": content_type})

    def verdict(ask: Callable[[], Verdict]) -> Callable[[Request], Response]:
        async def answer(_: Request) -> Response:
            found = ask()
            text = "ok\n" if found.healthy else "\n".join(found.reasons) + "\n"
            return PlainTextResponse(text, 200 if found.healthy else 503)

        return answer  # type: ignore[return-value]

    return [Route("/metrics", metrics), *(Route(path, verdict(ask)) for path, ask in health.items())]


def _encoder(accepted: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """The format a scraper asks for; plain text for what is no proper wish."""
    try:
        encode, content_type = choose_encoder(accepted)
        content_type.encode("latin-1")
        if content_type.isprintable():
            return encode, content_type
    except (ValueError, TypeError, LookupError):
        pass
    return choose_encoder("")


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return Response(dumps(document), status, media_type="application/json")


def _number(text: str, default: int) -> int:
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() and len(text) < 10 else default


def _selection(request: Request) -> Selection:
    """What the address asks for; nonsense counts as nothing."""
    query = request.query_params

    def number(name: str, default: int) -> int:
        return _number(query.get(name, ""), default)

    default = Selection()
    key = query.get("series")
    return Selection(
        partition=number("partition", default.partition) if key is not None else default.partition,
        key=(key or "")[:LONGEST_KEY],
        target=number("target", default.target),
        points=number("points", default.points),
        search=query.get("search", "")[:LONGEST_SEARCH],
        time=_seconds(query.get("time", "")),
    )


def _seconds(text: str) -> float | None:
    """Seconds since 1970; None for what are none."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if abs(seconds) < 1e12 else None
