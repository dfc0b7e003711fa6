"""How each kind of receiver is told: one `Receiver.deliver` is one notification, which arrives whole or not at all."""

from __future__ import annotations

import hashlib
import hmac
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from streamrnn.config.notify import AlertmanagerConfig, AppriseConfig, HttpConfig, ReceiverConfig, WebhookConfig
from streamrnn.connectors.requests import Refused, ask
from streamrnn.errors import ConfigurationError, StreamRNNError
from streamrnn.notify import templates
from streamrnn.notify.alerts import Change
from streamrnn.records.alerts import AlertRecord

LINES: Final = 20
"""Alerts that a text lists one by one."""
AGAIN: Final = frozenset({408, 425, 429})
"""Of the 4xx, those that say nothing against the request itself."""
ONE: Final = frozenset({*AlertRecord.model_fields, "id", "status", "text", "link"})
GROUP: Final = frozenset({"receiver", "group", "opened", "resolved", "alerts", "title", "text", "first"})


class Undelivered(StreamRNNError):
    """A notification did not arrive: `final` where another try would end the same way."""

    def __init__(self, text: str, *, final: bool, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.final, self.retry_after = final, retry_after


class Receiver(ABC):
    """Somebody who is told."""

    resend: float | None = None
    """Seconds after which open alerts are to be sent again; None: never."""
    at_once: int | None = None
    """How many changes one notification takes; None: any number."""

    def __init__(self, name: str, page: str | None) -> None:
        self.name, self._page = name, page

    @abstractmethod
    def deliver(self, group: Mapping[str, str], changes: Sequence[Change]) -> None:
        """Tell it of changes, in their order. Raises `Undelivered`."""

    def facts(self, group: Mapping[str, str], changes: Sequence[Change]) -> dict[str, Any]:
        """All that can be told of a group."""
        opened = sum(change.opened for change in changes)
        told = [change.told(self._page) for change in changes]
        return {
            "receiver": self.name,
            "group": dict(group),
            "opened": opened,
            "resolved": len(changes) - opened,
            "title": title(changes, opened),
            "text": text(changes, self._page),
            "first": told[0],
            "alerts": told,
        }


def title(changes: Sequence[Change], opened: int) -> str:
    """One line: how many, or which."""
    if len(changes) == 1:
        return f"{changes[0].key}: {changes[0].kind}" + ("" if changes[0].opened else " is over")
    counts = (("alert", opened, "opened"), ("alert", len(changes) - opened, "over"))
    return ", ".join(f"{count} {name}{'s' * (count > 1)} {what}" for name, count, what in counts if count)


def text(changes: Sequence[Change], page: str | None) -> str:
    """A line an alert, as many as can be read."""
    lines = [f"{change.text} {link}".rstrip() for change in changes[:LINES] for link in (change.link(page) or "",)]
    if len(changes) > LINES:
        lines.append(f"... and {len(changes) - LINES} more")
    return "\n".join(lines)


class _Http(Receiver):
    def __init__(self, name: str, page: str | None, config: HttpConfig) -> None:
        super().__init__(name, page)
        self._url, self._http = config.url.get_secret_value(), config
        self._headers = {header: value.get_secret_value() for header, value in config.headers.items()}
        parts = urlsplit(self._url)
        self.address = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

    def _post(self, url: str, document: Any, headers: Mapping[str, str]) -> None:
        body = document if isinstance(document, bytes) else encoded(document)
        own = {"Content-Type": "application/json", "User-Agent": "streamrnn-notify", **self._headers, **headers}
        try:
            ask(
                "POST", url, body, headers=own, timeout=self._http.timeout, cafile=str(self._http.ca_file or "") or None
            )
        except Refused as refused:
            final = 300 <= refused.status < 500 and refused.status not in AGAIN
            said = _seconds(refused.retry_after) if refused.status in (429, 503) else None
            raise Undelivered(f"{self.address}: {refused}", final=final, retry_after=said) from refused


class Alertmanager(_Http):
    """Prometheus Alertmanager: opened and resolved alerts, told apart by their labels."""

    def __init__(self, name: str, page: str | None, config: AlertmanagerConfig) -> None:
        super().__init__(name, page, config)
        self._config, self.resend = config, config.resend
        self._address = self._url.rstrip("/")
        if not self._address.endswith("/api/v2/alerts"):
            self._address += "/api/v2/alerts"

    def deliver(self, group: Mapping[str, str], changes: Sequence[Change]) -> None:
        """See `Receiver.deliver`; one that opens and is over in one notification is told twice, in this order."""
        for part in _without_repeats(changes):
            self._post(self._address, [self._alert(change) for change in part], {})

    def _alert(self, change: Change) -> dict[str, Any]:
        now = datetime.now(UTC)
        ends = now + timedelta(seconds=self._config.expire) if change.opened else now
        labels = {
            **self._config.labels,
            "alertname": f"streamrnn_{change.kind}",
            "series": change.key,
            "topic": change.topic,
            "partition": str(change.partition),
            "target": change.target or "",
            "channel": change.channel or "",
            "alert_id": change.id,
        }
        told = {name: value for name, value in change.document.items() if isinstance(value, str | int | float | bool)}
        annotations = {name: str(value) for name, value in told.items() if name not in ("key", "state", "target")}
        alert = {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {**annotations, "summary": change.text},
            "startsAt": _rfc3339(min(change.since, ends - timedelta(seconds=1))),
            "endsAt": _rfc3339(ends),
        }
        link = change.link(self._page)
        return alert if link is None else {**alert, "generatorURL": link}


def _without_repeats(changes: Sequence[Change]) -> list[list[Change]]:
    """Cut where an alert comes again: one request names each once."""
    parts: list[list[Change]] = [[]]
    seen: set[str] = set()
    for change in changes:
        if change.id in seen:
            parts.append([])
            seen.clear()
        seen.add(change.id)
        parts[-1].append(change)
    return parts


class Webhook(_Http):
    """A POST with JSON, signed where there is a secret."""

    def __init__(self, name: str, page: str | None, config: WebhookConfig) -> None:
        super().__init__(name, page, config)
        self._each, self._body, self._key = config.each, config.body, config.key()
        self.at_once = 1 if config.each else None
        templates.check(config.body, ONE if config.each else GROUP, f"receivers.{name}.webhook.body")

    def deliver(self, group: Mapping[str, str], changes: Sequence[Change]) -> None:
        """See `Receiver.deliver`."""
        if self._each:  # `at_once`
            facts: Mapping[str, Any] = changes[0].told(self._page)
        else:
            facts = self.facts(group, changes)
        body = encoded(facts if self._body is None else templates.filled(self._body, facts))
        names = "\n".join(f"{change.id} {change.opened}" for change in changes)
        headers = {"Idempotency-Key": hashlib.blake2b(names.encode(), digest_size=16).hexdigest()}
        if self._key is not None:
            headers["X-Streamrnn-Signature"] = signature(self._key, body, int(time.time()))
        self._post(self._url, body, headers)


def signature(secret: bytes, body: bytes, seconds: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`, so that an old request cannot be sent again as a new one."""
    digest = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class Apprise(Receiver):
    """Chat or mail, through apprise."""

    def __init__(self, name: str, page: str | None, config: AppriseConfig) -> None:
        super().__init__(name, page)
        try:
            import apprise
        except ImportError as error:
            raise ConfigurationError(
                f"receivers.{name}.apprise needs more than is installed: pip install 'streamrnn[notify]'"
            ) from error
        templates.check([config.title, config.text], GROUP, f"receivers.{name}.apprise")
        self._config, self._service = config, apprise.Apprise()
        if not self._service.add(config.address()):
            raise ConfigurationError(f"receivers.{name}.apprise: apprise does not know such an address")
        self._kinds = {True: apprise.NotifyType.WARNING, False: apprise.NotifyType.SUCCESS}

    def deliver(self, group: Mapping[str, str], changes: Sequence[Change]) -> None:
        """See `Receiver.deliver`. apprise does not say why a message was not taken."""
        facts = self.facts(group, changes)
        heading, body = (str(templates.filled(one, facts)) for one in (self._config.title, self._config.text))
        kind = self._kinds[any(change.opened for change in changes)]
        if not self._service.notify(body=body, title=heading, notify_type=kind):
            raise Undelivered("apprise: the service did not take the message", final=False)


def receiver(name: str, config: ReceiverConfig, page: str | None) -> Receiver:
    """The receiver of that configuration. Raises `ConfigurationError`."""
    if config.alertmanager is not None:
        return Alertmanager(name, page, config.alertmanager)
    if config.webhook is not None:
        return Webhook(name, page, config.webhook)
    assert config.apprise is not None
    return Apprise(name, page, config.apprise)


def encoded(document: Any) -> bytes:
    """JSON; what no JSON can hold is null."""
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(retry_after: str | None) -> float | None:
    """Of a `Retry-After` in seconds; dates, which hardly anybody sends, count as nothing."""
    text = (retry_after or "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None
