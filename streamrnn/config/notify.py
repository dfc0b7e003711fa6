"""The configuration of `streamrnn notify`: where alerts are read, who gets which, and when nobody is disturbed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator

from streamrnn.config.kafka import KafkaConfig
from streamrnn.config.loading import ENVIRONMENT_PREFIX, SECRETS, from_text
from streamrnn.config.parsing import Keys, Lines, parse, read_text
from streamrnn.config.tree import LogConfig, ServerConfig
from streamrnn.config.values import FilePath, Names, Seconds, Section
from streamrnn.errors import ConfigurationError

Kind = Literal["anomaly", "warning"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWN = frozenset({"input_topic", "input_topics", "input_pattern", "output_topic", "alerts_topic", "dead_letter_topic"})
"""Settings of Kafka that are not the notifier's."""


class Limit(Section):
    """At most this many notifications in this time; further alerts wait and are sent together."""

    number: int = Field(ge=1)
    per: Seconds


def _limit(value: object) -> object:
    """`30 per 1h` as a limit."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d{1,9})\s+per\s+(\S+)\s*", value)):
        return {"number": int(match[1]), "per": match[2]}
    return value


class HttpConfig(Section):
    """What every receiver over HTTP has."""

    url: SecretStr
    """Its address; chat services put a secret into it, so it is never shown."""
    timeout: Seconds = 10.0
    ca_file: FilePath | None = None
    """Certificates to trust, for https; default: the system's."""
    headers: dict[str, SecretStr] = Field({})
    """Further headers, such as `Authorization: Bearer ${TOKEN}`."""

    def __hash__(self) -> int:  # a dictionary has none
        return id(self)

    @field_validator("url")
    @classmethod
    def _http(cls, url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0:
                return url
        except ValueError:
            pass
        raise ValueError("is no address: write http://HOST:PORT/PATH or https://...")

    @field_validator("headers")
    @classmethod
    def _one_line(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not text.isprintable() or not text.isascii():
                raise ValueError(f"{name!r} is no header: letters, digits and hyphens, and a value of one line")
        return headers


class AlertmanagerConfig(HttpConfig):
    """Prometheus Alertmanager, API version 2."""

    labels: dict[str, str] = Field({})
    """Labels on every alert, such as `team: plant`, for its routes."""
    resend: Seconds = 300.0
    """Open alerts are sent again this often: an Alertmanager keeps them in memory alone."""
    expire: Seconds = 3600.0
    """An open alert that was not sent again for this long resolves itself there."""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.expire < 2 * self.resend:
            raise ValueError("expire: at least twice resend, or open alerts would resolve in between")
        for name in self.labels:
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise ValueError(f"labels: {name!r} is no name of a label: letters, digits and _")
        return self


class WebhookConfig(HttpConfig):
    """A POST with JSON."""

    secret: SecretStr | None = None
    """Signs every request (HMAC-SHA256) as header `X-Streamrnn-Signature`."""
    secret_file: FilePath | None = None
    each: bool = False
    """One request an alert, not one for all of a group."""
    body: Any = None
    """A JSON tree in which `{{name}}` stands for what is told; default: all of it (docs/notify.md)."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("secret and secret_file: give one of the two")
        return self

    def key(self) -> bytes | None:
        """The secret, from wherever it is."""
        if self.secret is not None:
            return self.secret.get_secret_value().encode()
        try:
            return None if self.secret_file is None else self.secret_file.read_text().strip().encode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"webhook.secret_file cannot be read: {error}") from error


class AppriseConfig(Section):
    """Chat, mail and a hundred other services, by the addresses of apprise (extra `notify`)."""

    url: SecretStr | None = None
    """Such as `slack://...`, `mailto://...`, `tgram://...`: github.com/caronc/apprise lists them."""
    url_file: FilePath | None = None
    title: str = "{{title}}"
    text: str = "{{text}}"

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give url or url_file")
        return self

    def address(self) -> str:
        """The address, from wherever it is."""
        if self.url is not None:
            return self.url.get_secret_value()
        assert self.url_file is not None
        try:
            return self.url_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"apprise.url_file cannot be read: {error}") from error


class ReceiverConfig(Section):
    """Who is notified, and how often. Exactly one of `alertmanager`, `webhook` and `apprise`."""

    alertmanager: AlertmanagerConfig | None = None
    webhook: WebhookConfig | None = None
    apprise: AppriseConfig | None = None
    group_by: tuple[Literal["key", "kind", "target", "channel", "topic", "partition"], ...] = ()
    """Alerts that differ in one of these go into separate notifications; default: all go into one."""
    group_wait: Seconds | None = None
    """How long the first alert of a group waits for others. Default: 10 s; Alertmanager, which groups itself: 1 s."""
    group_interval: Seconds | None = None
    """Between two notifications of one group. Default: a minute; Alertmanager: 1 s."""
    limit: Annotated[Limit | None, BeforeValidator(_limit)] = None
    """Such as `30 per 1h`; further alerts wait and are sent together."""
    retry: Seconds = 1.0
    """Wait before trying again after a failure; doubled with each further failure, up to five minutes."""
    give_up: Seconds = 86_400.0
    """What cannot be delivered for this long becomes a dead letter; until then all later alerts are kept."""
    resolved: bool = True
    """Whether the end of an alert is sent, too."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.alertmanager, self.webhook, self.apprise)) != 1:
            raise ValueError("give exactly one of alertmanager, webhook and apprise")
        if self.alertmanager is not None and not self.resolved:
            raise ValueError("resolved: false is not for Alertmanager: alerts would stay open there")
        return self


class RouteConfig(Section):
    """Which alerts go to which receivers. Every route that matches counts."""

    keys: Names = ("*",)
    """Patterns of series (`pump-*`, `*/eu-?/*`)."""
    kinds: tuple[Kind, ...] = ("anomaly", "warning")
    targets: Names = ()
    """Only alerts of these targets; default: all."""
    to: Names = Field(min_length=1)
    """Receivers, by name."""


class MuteConfig(Section):
    """A window in which alerts that open are held back. One that is still open at its end is sent then."""

    keys: Names = ("*",)
    kinds: tuple[Kind, ...] = ("anomaly", "warning")
    start: datetime | None = Field(None, alias="from")
    """First moment (with `to`), such as 2026-02-01T22:00:00Z."""
    end: datetime | None = Field(None, alias="to")
    days: tuple[Day, ...] = ()
    """Days of the week on which a window begins; with `between`, else all day."""
    between: str | None = None
    """Times of day, such as `22:00-06:00`; past midnight it ends the next morning."""
    time_zone: str = "UTC"
    """Of `days` and `between`, and of `from` and `to` where they have none."""

    @model_validator(mode="after")
    def _a_window(self) -> Self:
        once, weekly = self.start is not None or self.end is not None, bool(self.days) or self.between is not None
        if once == weekly or (self.start is None) != (self.end is None):
            raise ValueError("give from and to, or days and between")
        try:
            zone = ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"time_zone: no time zone {self.time_zone!r}") from None
        if self.start is not None and self.end is not None:
            first, last = (one if one.tzinfo else one.replace(tzinfo=zone) for one in (self.start, self.end))
            if not first < last:
                raise ValueError("from is not before to")
        _ = self.hours
        return self

    @property
    def hours(self) -> tuple[time, time] | None:
        """(from, to) of `between`."""
        if self.between is None:
            return None
        match = re.fullmatch(r"\s*(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)\s*", self.between)
        try:
            if match is not None:
                first, last = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
                if first != last:
                    return first, last
        except ValueError:
            pass
        raise ValueError(f"between: {self.between!r} is no span; write for example 22:00-06:00")


class NotifyConfig(Section):
    """All of it."""

    application_id: str = Field("streamrnn-notify", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Names the consumer group and the topic of its state; every notifier has its own."""
    topic: str | None = None
    """The alerts: `kafka.alerts_topic` of the workers."""
    file: FilePath | None = None
    """Or the file that `run --alerts FILE` writes."""
    state: FilePath | None = None
    """With `file`: where it is kept how far it was read. Default: FILE.notified."""
    dead_letters: FilePath | None = None
    """With `file`: what could not be delivered. Default: FILE.undelivered.jsonl."""
    dead_letter_topic: str | None = None
    """With `topic`. Default: TOPIC-undelivered."""
    kafka: dict[str, Any] = Field({})
    """How to reach the brokers: bootstrap_servers, security, `start` (docs/reference/settings.md)."""
    page: str | None = Field(None, pattern=r"^https?://[^\s#?]+$")
    """Address of the live page, for links to the series."""
    receivers: dict[str, ReceiverConfig] = Field(min_length=1)
    routes: tuple[RouteConfig, ...] = ()
    """Default: everything to every receiver."""
    mute: tuple[MuteConfig, ...] = ()
    monitor: ServerConfig = ServerConfig()
    """Where `/metrics` and `/livez` of the notifier are served; default: not at all."""
    log: LogConfig = LogConfig()

    def __hash__(self) -> int:  # a dictionary has none
        return id(self)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.topic is None) == (self.file is None):
            raise ValueError("topic, file: give one of the two")
        if self.topic is not None and (self.state or self.dead_letters):
            raise ValueError("state and dead_letters go with file; with topic there is dead_letter_topic")
        if self.file is not None and (self.dead_letter_topic or self.kafka):
            raise ValueError("kafka and dead_letter_topic go with topic")
        for number, route in enumerate(self.routes):
            if unknown := sorted({*route.to} - {*self.receivers}):
                raise ValueError(
                    f"routes.{number}.to: no receiver {unknown[0]!r}; there are: {', '.join(self.receivers)}"
                )
        if self.topic is not None:
            _ = self.broker
        return self

    @property
    def broker(self) -> KafkaConfig:
        """The settings of Kafka as a connector takes them: it writes nothing but dead letters and its state."""
        if given := sorted(OWN & self.kafka.keys()):
            raise ValueError(f"kafka.{given[0]}: not here; the alerts are read from topic")
        undelivered = self.dead_letter_topic or f"{self.topic}-undelivered"
        own = {"input_topic": self.topic, "output_topic": undelivered, "dead_letter_topic": undelivered}
        try:
            return KafkaConfig.model_validate({"record_time": "processing", **self.kafka, **own})
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
            told = (".".join(["kafka", *map(str, one["loc"])]) + f": {one['msg']}" for one in problems)
            raise ValueError("; ".join(told)) from None


def load_notify(file: Path, environment: Mapping[str, str] | None = None) -> NotifyConfig:
    """The configuration in a YAML file, with `${NAME}` and the settings of Kafka from the environment.

    Raises `ConfigurationError` with every problem found.
    """
    environment = os.environ if environment is None else environment
    tree, lines = parse(read_text(file), str(file), environment=environment)
    if isinstance(tree, dict) and tree.get("topic") is not None:
        tree = {**tree, "kafka": {**(tree.get("kafka") or {}), **_of_environment(environment)}}
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{file} must hold `receivers:` and `topic:` or `file:`, see docs/notify.md")
    try:
        return NotifyConfig.model_validate(tree)
    except ValidationError as error:
        listed = "\n".join(f"  - {problem}" for problem in _problems(error, lines))
        raise ConfigurationError(f"the configuration in {file} cannot be used:\n{listed}") from None


def _of_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """What says how to reach the brokers, as for workers: `STREAMRNN__KAFKA__BOOTSTRAP_SERVERS` and the like."""
    prefix, found = f"{ENVIRONMENT_PREFIX}KAFKA__", {}
    for name, text in sorted(environment.items()):
        key = name[len(prefix) :].lower()
        if name.upper().startswith(prefix) and key in KafkaConfig.model_fields and key not in OWN:
            found[key] = text if ("kafka", key) in SECRETS else from_text(text, name)
    return found


def _problems(error: ValidationError, lines: Lines) -> Iterator[str]:
    """One line each; what was given is never shown, for it may be a secret."""
    for detail in error.errors(include_url=False, include_input=False):
        path: Keys = tuple(str(part) for part in detail["loc"])
        message = str(detail["msg"]).removeprefix("Value error, ")
        text = "no such key" if detail["type"] == "extra_forbidden" else f"{message[:1].lower()}{message[1:]}"
        place = path
        while place and place not in lines:
            place = place[:-1]
        yield ": ".join(filter(None, (".".join(path), text))) + (f" (line {lines[place]})" if place in lines else "")
