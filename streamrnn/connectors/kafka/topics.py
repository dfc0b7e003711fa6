"""The topics exist, or are made, and fit together."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import BrokerResponseError, KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from streamrnn.config.tree import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, made, milliseconds, translated
from streamrnn.errors import ConnectorError, TopicMissing

RECORD_LIMIT = 1048588  # bytes; the broker's own default of max.message.bytes
_PAUSE = 0.2  # seconds between two looks
DEAD_LETTER_ROOM = 65536  # bytes that headers and batch overhead may add to an original record


@dataclass(frozen=True)
class Topics:
    """What the connector knows of its topics."""

    partitions: dict[str, int]
    record_limits: dict[str, int]  # bytes, max.message.bytes


def ensure_topics(config: KafkaConfig, changelog: str, client_id: str) -> Topics:
    """Look at the topics, make the missing ones if `kafka.create_topics` allows it."""
    with translated(config, "looking at the topics"):
        return bounded(config.broker_timeout, lambda: _retry(config, changelog, client_id), "looking at the topics")


def _retry(config: KafkaConfig, changelog: str, client_id: str) -> Topics:
    """`_ensure`, again while another broker of the cluster may answer better."""
    until = time.monotonic() + 0.5 * config.broker_timeout
    while True:
        try:
            return _ensure(config, changelog, client_id)
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
        time.sleep(_PAUSE)


def _ensure(config: KafkaConfig, changelog: str, client_id: str) -> Topics:
    admin = made(KafkaAdminClient, **client_options(config, f"{client_id}-admin"))
    try:
        names = {
            "kafka.input_topic": config.input_topic,
            "kafka.output_topic": config.output_topic,
            "kafka.dead_letter_topic": config.dead_letters,
            "kafka.changelog_topic": changelog,
        }
        if config.alerts_topic is not None:
            names["kafka.alerts_topic"] = config.alerts_topic
        counts = _partitions(admin, list(names.values()))
        if config.input_topic not in counts:
            raise TopicMissing(
                f"kafka.input_topic: {config.bootstrap_servers} has no topic {config.input_topic!r}; create it with: "
                f"{_command(config, config.input_topic, None, {})}"
            )
        wanted = counts[config.input_topic]
        limits = _settings(admin, [config.input_topic])
        limit = int(limits[config.input_topic].get("max.message.bytes", RECORD_LIMIT))
        settings: dict[str, dict[str, str]] = {
            # a record that is too long for the dead letters could not be put aside whole
            config.dead_letters: {"max.message.bytes": str(limit + DEAD_LETTER_ROOM)},
            # small segments: only closed ones are compacted, and a restore reads all that is left
            changelog: {"cleanup.policy": "compact", "segment.ms": "3600000", "segment.bytes": str(64 << 20)},
        }
        missing = [(setting, name) for setting, name in names.items() if name not in counts]
        if missing and not config.create_topics:
            setting, name = missing[0]
            raise TopicMissing(
                f"{setting}: {config.bootstrap_servers} has no topic {name!r} and kafka.create_topics is false; "
                f"create it with: {_command(config, name, wanted, settings.get(name, {}))}"
            )
        for _, name in missing:
            _create(admin, config, name, wanted, settings.get(name, {}))
        if missing:
            admin.wait_for_topics([name for _, name in missing], timeout_ms=milliseconds(config.broker_timeout))
        counts = _partitions(admin, list(names.values()))
        if unknown := sorted(set(names.values()) - counts.keys()):
            # Each broker of a cluster hears of a new topic in its own time.
            raise UnknownTopicOrPartitionError(f"no broker says anything of {', '.join(unknown)}")
        if counts[changelog] < wanted:
            if not config.create_topics:
                raise ConnectorError(
                    f"kafka.changelog_topic: {changelog!r} has {counts[changelog]} partitions and kafka.input_topic "
                    f"{config.input_topic!r} has {wanted}; add the missing ones with: kafka-topics.sh "
                    f"--bootstrap-server {config.bootstrap_servers} --alter --topic {changelog} --partitions {wanted}"
                )
            admin.create_partitions({changelog: wanted}, timeout_ms=milliseconds(config.broker_timeout))
            admin.wait_for_topics([changelog], timeout_ms=milliseconds(config.broker_timeout))
            counts[changelog] = wanted
        known = _settings(admin, list(names.values()))
        policy = known[changelog].get("cleanup.policy", "compact")
        if "compact" not in policy or "delete" in policy:
            raise ConnectorError(
                f"kafka.changelog_topic: {changelog!r} has cleanup.policy={policy}, which would delete the learned "
                f"state; set it with: kafka-configs.sh --bootstrap-server {config.bootstrap_servers} --alter "
                f"--entity-type topics --entity-name {changelog} --add-config cleanup.policy=compact"
            )
        return Topics(
            counts, {name: int(known[name].get("max.message.bytes", RECORD_LIMIT)) for name in names.values()}
        )
    finally:
        admin.close()


def _partitions(admin: Any, names: list[str]) -> dict[str, int]:
    """Number of partitions of those that exist."""
    return {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics(names)
        if topic["error_code"] == 0 and topic["partitions"]
    }


def _settings(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """The topics' settings; empty where this user may not read them."""
    try:
        found = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all"
        )
    except (BrokerResponseError, KafkaError):
        return {name: {} for name in names}
    topics = found.get("topic") or found.get("TOPIC") or {}
    return {name: {key: entry["value"] for key, entry in topics.get(name, {}).items()} for name in names}


def _create(admin: Any, config: KafkaConfig, name: str, partitions: int, settings: dict[str, str]) -> None:
    wanted = {
        name: {"num_partitions": partitions, "replication_factor": config.replication_factor, "configs": settings}
    }
    with suppress(TopicAlreadyExistsError):  # another worker that starts at the same time was first
        admin.create_topics(wanted, timeout_ms=milliseconds(config.broker_timeout))


def _command(config: KafkaConfig, name: str, partitions: int | None, settings: dict[str, str]) -> str:
    words = ["kafka-topics.sh --bootstrap-server", config.bootstrap_servers, "--create --topic", name]
    words.append(f"--partitions {partitions or 'N'}")
    words += [f"--config {key}={value}" for key, value in settings.items()]
    return " ".join(words)
