"""The topics exist, or are made, and fit together."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidPartitionsError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, forbidden, made, milliseconds, translated
from streamrnn.errors import AuthenticationRefused, ConnectorError, StreamRNNError, TopicMissing

RECORD_LIMIT = 1048588  # bytes; the broker's own default of max.message.bytes
_UNKNOWN = UnknownTopicOrPartitionError.errno
_PAUSE = 0.2  # seconds between two looks
_LOOK = 5.0  # seconds for one that only helps to say what is wrong
DEAD_LETTER_ROOM = 65536  # bytes that headers and batch overhead may add to an original record
COMPACTED = {"cleanup.policy": "compact", "segment.ms": "3600000", "segment.bytes": str(64 << 20)}
"""Of a changelog. Small segments: only closed ones are compacted, and a restore reads all that is left."""

_UNKNOWN = UnknownTopicOrPartitionError.errno


@dataclass(frozen=True)
class Topics:
    """What the connector knows of its topics."""

    inputs: dict[str, int]  # partitions of every input topic
    changelogs: dict[str, str]  # of every input topic, where state is kept
    partitions: dict[str, int]
    record_limits: dict[str, int]  # bytes, max.message.bytes


def changelog_of(config: KafkaConfig, changelog: str, topic: str) -> str:
    """The changelog of one input topic: with several, each has its own."""
    return f"{changelog}-{topic}" if config.several_inputs else changelog


def input_topics(config: KafkaConfig, admin: Any) -> list[str]:
    """The names of the input topics; those that match, where a pattern is configured."""
    if config.input_pattern is None:
        return list(config.inputs)
    names = sorted(name for name in admin.list_topics() if re.fullmatch(config.input_pattern, name))
    if not names:
        raise TopicMissing(
            f"kafka.input_pattern: {config.bootstrap_servers} has no topic that matches {config.input_pattern!r}"
        )
    return names


def ensure_topics(config: KafkaConfig, changelog: str | None, client_id: str) -> Topics:
    """Look at the topics, make the missing ones if `kafka.create_topics` allows it."""
    with translated(config, "looking at the topics"):
        return bounded(config.broker_timeout, lambda: _retry(config, changelog, client_id), "looking at the topics")


def gone(config: KafkaConfig, names: Sequence[str], client_id: str) -> list[str]:
    """Which of these topics do not exist; none of them as long as nobody answers that."""

    def ask(admin: Any) -> list[str]:
        unknown = {topic["name"] for topic in admin.describe_topics(list(names)) if topic["error_code"] == _UNKNOWN}
        return [name for name in names if name in unknown]

    return _look_at(config, ask, client_id, "looking for topics that are gone")


def unserved(config: KafkaConfig, names: Sequence[str], client_id: str) -> list[str]:
    """Which partitions no broker reads or writes now, each in some words; none as long as nobody answers that."""

    def ask(admin: Any) -> list[str]:
        found: list[str] = []
        for topic in admin.describe_topics(list(names)):
            name, partitions = topic["name"], topic["partitions"] or []
            silent = [one["partition_index"] for one in partitions if one["leader_id"] < 0]
            found += [f"{name}[{number}] has no leader: the brokers that hold it are away" for number in silent]
            settings = _settings(admin, [name])[name]
            wanted = int(settings.get("min.insync.replicas", 1))
            found += [
                f"{name}[{one['partition_index']}] has {len(one['isr_nodes'])} of {len(one['replica_nodes'])} replicas "
                f"in sync, and its min.insync.replicas is {wanted}: brokers are away"
                for one in partitions
                if one["partition_index"] not in silent
                and len(one["isr_nodes"]) < min(wanted, len(one["replica_nodes"]))
            ]
        return found

    return _look_at(config, ask, client_id, "looking at the topics' replicas")


def _look_at(config: KafkaConfig, ask: Callable[[Any], list[str]], client_id: str, doing: str) -> list[str]:
    """What `ask` finds out through an admin client; nothing where that fails: it only helps to say what is wrong."""

    def look() -> list[str]:
        admin = made(KafkaAdminClient, **client_options(config, f"{client_id}-admin"))
        try:
            return ask(admin)
        finally:
            admin.close()

    with suppress(KafkaError, StreamRNNError):
        return bounded(min(_LOOK, config.broker_timeout), look, doing)
    return []


def _retry(config: KafkaConfig, changelog: str | None, client_id: str) -> Topics:
    """`_ensure`, again while another broker of the cluster may answer better."""
    until = time.monotonic() + 0.5 * config.broker_timeout
    while True:
        admin = made(KafkaAdminClient, **client_options(config, f"{client_id}-admin"))
        try:
            return _ensure(admin, config, changelog)
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
        finally:
            admin.close()
        time.sleep(_PAUSE)


def require_topic(config: KafkaConfig, setting: str, topic: str) -> None:
    """Ask for the topic that `setting` names. Raises `TopicMissing` where there is none, and says how to create it."""
    admin = made(KafkaAdminClient, **client_options(config, f"{config.client_id}-admin"))
    try:
        if any(found["error_code"] == _UNKNOWN for found in admin.describe_topics([topic])):
            raise _missing(config, setting, topic)
    finally:
        admin.close()


def _missing(config: KafkaConfig, setting: str, topic: str) -> TopicMissing:
    return TopicMissing(
        f"{setting}: {config.bootstrap_servers} has no topic {topic!r}; create it with: "
        f"{_command(config, topic, None, {})}"
    )


def _ensure(admin: Any, config: KafkaConfig, changelog: str | None) -> Topics:
    inputs = input_topics(config, admin)
    changelogs = {} if changelog is None else {topic: changelog_of(config, changelog, topic) for topic in inputs}
    names = {**dict.fromkeys(inputs, config.input_setting), config.output_topic: "kafka.output_topic"}
    names |= {config.dead_letters: "kafka.dead_letter_topic"}
    names |= dict.fromkeys(changelogs.values(), "kafka.changelog_topic")
    if config.alerts_topic is not None:
        names[config.alerts_topic] = "kafka.alerts_topic"
    counts = _partitions(admin, list(names))
    if absent := [topic for topic in inputs if topic not in counts]:
        raise _missing(config, config.input_setting, absent[0])
    created = _create_missing(admin, config, names, inputs, changelogs, counts)
    counts = _partitions(admin, list(names))
    if unknown := sorted(names.keys() - counts.keys()):
        # Each broker of a cluster hears of a new topic in its own time.
        raise UnknownTopicOrPartitionError(f"no broker describes {', '.join(unknown)}")
    for topic, log in changelogs.items():
        _widen(admin, config, topic, log, counts)
    known = _settings(admin, list(names))
    for log in changelogs.values():
        _check_changelog(config, log, COMPACTED if log in created else known[log])
    limits = {name: int(known[name].get("max.message.bytes", RECORD_LIMIT)) for name in names}
    return Topics({topic: counts[topic] for topic in inputs}, changelogs, counts, limits)


def _create_missing(
    admin: Any,
    config: KafkaConfig,
    names: dict[str, str],
    inputs: list[str],
    changelogs: dict[str, str],
    counts: dict[str, int],
) -> set[str]:
    """Create what is not there, or say how; `names` are the topics with their settings, `counts` those that exist."""
    missing = [name for name in names if name not in counts]
    if not missing:
        return set()
    limits = _settings(admin, inputs)
    limit = max(int(limits[topic].get("max.message.bytes", RECORD_LIMIT)) for topic in inputs)
    # a record that is too long for the dead letters could not be put aside whole
    settings = {config.dead_letters: {"max.message.bytes": str(limit + DEAD_LETTER_ROOM)}}
    settings |= dict.fromkeys(changelogs.values(), COMPACTED)
    wanted = dict.fromkeys(names, max(counts[topic] for topic in inputs))
    wanted |= {log: counts[topic] for topic, log in changelogs.items()}
    if not config.create_topics:
        name = missing[0]
        raise TopicMissing(
            f"{names[name]}: {config.bootstrap_servers} has no topic {name!r} and kafka.create_topics is false; "
            f"create it with: {_command(config, name, wanted[name], settings.get(name, {}))}"
        )
    made_here = {name for name in missing if _create(admin, config, name, wanted[name], settings.get(name, {}))}
    admin.wait_for_topics(missing, timeout_ms=milliseconds(config.broker_timeout))
    return made_here


def _widen(admin: Any, config: KafkaConfig, topic: str, log: str, counts: dict[str, int]) -> None:
    """Give the changelog as many partitions as its input has."""
    wanted = counts[topic]
    if counts[log] >= wanted:
        return
    if not config.create_topics:
        raise ConnectorError(
            f"kafka.changelog_topic: {log!r} has {counts[log]} partitions and {config.input_setting} {topic!r} has "
            f"{wanted}; add the missing ones with: kafka-topics.sh --bootstrap-server {config.bootstrap_servers} "
            f"--alter --topic {log} --partitions {wanted}"
        )
    with suppress(InvalidPartitionsError):  # another worker was first
        admin.create_partitions({log: wanted}, timeout_ms=milliseconds(config.broker_timeout))
    admin.wait_for_topics([log], timeout_ms=milliseconds(config.broker_timeout))
    counts[log] = wanted


def _check_changelog(config: KafkaConfig, log: str, settings: dict[str, str]) -> None:
    remedy = (
        f"kafka-configs.sh --bootstrap-server {config.bootstrap_servers} --alter --entity-type topics --entity-name "
        f"{log} --add-config cleanup.policy=compact"
    )
    policy = settings.get("cleanup.policy")
    if policy is None:
        raise AuthenticationRefused(
            f"kafka.changelog_topic: this user may not read the settings of {log!r}, so nobody knows whether it keeps "
            f"the learned state (cleanup.policy=compact) or deletes it; grant it: kafka-acls.sh --bootstrap-server "
            f"{config.bootstrap_servers} --add --allow-principal User:{config.sasl_username or '...'} "
            f"--operation DescribeConfigs --topic {log}"
        )
    if "compact" not in policy or "delete" in policy:
        raise ConnectorError(
            f"kafka.changelog_topic: {log!r} has cleanup.policy={policy}, which would delete the learned state; set it "
            f"with: {remedy}"
        )


def _partitions(admin: Any, names: list[str]) -> dict[str, int]:
    """Number of partitions of those that exist.

    Raises `AuthenticationRefused` where this user may not know: such a topic would seem to be missing.
    """
    found = admin.describe_topics(names)
    hidden = sorted(topic["name"] for topic in found if topic["error_code"] == TopicAuthorizationFailedError.errno)
    if hidden:
        raise forbidden(
            "looking at the topics", ", ".join(hidden), "Describe (Read and Write imply it) on each of them"
        )
    return {
        topic["name"]: len(topic["partitions"]) for topic in found if topic["error_code"] == 0 and topic["partitions"]
    }


def _settings(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """The topics' settings; empty where this user may not read them."""
    found: dict[str, dict[str, str]] = {}
    for name in names:  # one by one: one that is forbidden refuses the whole question
        try:
            asked = [ConfigResource(ConfigResourceType.TOPIC, name)]
            answer = admin.describe_configs(asked, config_filter="all")
        except AuthorizationError:
            answer = {}
        entries = answer.get("topic", {}).get(name, {})
        found[name] = {key: entry["value"] for key, entry in entries.items()}
    return found


def _create(admin: Any, config: KafkaConfig, name: str, partitions: int, settings: dict[str, str]) -> bool:
    """Whether it was this call that created it: another worker that starts at the same time may be first."""
    wanted = {
        name: {"num_partitions": partitions, "replication_factor": config.replication_factor, "configs": settings}
    }
    try:
        admin.create_topics(wanted, timeout_ms=milliseconds(config.broker_timeout))
    except TopicAlreadyExistsError:
        return False
    return True


def _command(config: KafkaConfig, name: str, partitions: int | None, settings: dict[str, str]) -> str:
    words = ["kafka-topics.sh --bootstrap-server", config.bootstrap_servers, "--create --topic", name]
    words.append(f"--partitions {partitions or 'N'}")
    words += [f"--config {key}={value}" for key, value in settings.items()]
    return " ".join(words)
