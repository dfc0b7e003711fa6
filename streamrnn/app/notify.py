"""`streamrnn notify`: wires the configuration, the log of alerts and the receivers together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from streamrnn.config.notify import NotifyConfig
from streamrnn.connectors.base import Connector
from streamrnn.connectors.line_file import LineFile
from streamrnn.errors import ConfigurationError
from streamrnn.monitor.health import Health
from streamrnn.monitor.launch import REMEDY
from streamrnn.notify.courier import Courier
from streamrnn.notify.notifier import Notifier
from streamrnn.notify.receivers import receiver

NOBODY = {True: "all", False: "no route"}

log = logging.getLogger(__name__)


def notify(config: NotifyConfig, *, once: bool, stop: threading.Event) -> dict[str, int]:
    """Tell of alerts until `stop`, or with `once` of those that are there; returns what was counted."""
    couriers = [Courier(name, of, receiver(name, of, config.page)) for name, of in config.receivers.items()]
    health = Health(config.monitor.stall_timeout)
    notifier = Notifier(config, couriers, _connector(config, follow=not once), stop=stop, beat=health.beat)
    try:
        with _served(config, notifier, couriers, health):
            notifier.run(once=once)
    finally:
        for courier in couriers:
            log.info(
                "%s: %d told, %d failures, %d given up, %d waiting",
                courier.name, courier.delivered, courier.failures, courier.given_up, courier.waiting(),
            )  # fmt: skip
    return notifier.counts


def described(config: NotifyConfig) -> list[str]:
    """What the configuration comes to, without secrets. Raises `ConfigurationError` for what cannot be made."""
    lines = [f"alerts from {config.topic or config.file}"]
    for name, of in config.receivers.items():
        made = receiver(name, of, config.page)
        kind = type(made).__name__.lower()
        routes = [route for route in config.routes if name in route.to]
        whom = "; ".join(f"{', '.join(route.keys)} ({', '.join(route.kinds)})" for route in routes)
        lines.append(
            f"{name}: {kind} {getattr(made, 'address', '')}".rstrip() + f" <- {whom or NOBODY[not config.routes]}"
        )
    lines += [f"muted: {mute.model_dump(mode='json', by_alias=True, exclude_defaults=True)}" for mute in config.mute]
    return lines


def _served(
    config: NotifyConfig, notifier: Notifier, couriers: Sequence[Courier], health: Health
) -> AbstractContextManager[object]:
    if config.monitor.port is None:
        return nullcontext()
    try:
        from streamrnn.monitor.endpoints import endpoints
        from streamrnn.notify.metrics import registry
    except ImportError as error:
        raise ConfigurationError(f"/metrics (monitor.port) needs more than is installed: {REMEDY}") from error
    return endpoints(config.monitor, registry(notifier, couriers), health)


def _connector(config: NotifyConfig, *, follow: bool) -> Callable[[], Connector]:
    if config.file is not None:
        file = config.file
        state = config.state or file.with_name(file.name + ".notified")
        letters = config.dead_letters or file.with_name(file.name + ".undelivered.jsonl")
        return lambda: LineFile(file, state, letters, follow=follow)
    from streamrnn.connectors.kafka import KafkaConnector

    broker = config.broker
    return lambda: KafkaConnector(
        broker, application_id=config.application_id, changelog_topic=f"{config.application_id}-changelog"
    )
