"""The section `kafka`: the broker, the topics, the consumer group, how to log in."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from streamrnn.config.values import FilePath, Seconds, Section, TopicName


def _start(value: object) -> object:
    """`earliest`, `latest` or a time; one error for all three."""
    if value in ("earliest", "latest"):
        return value
    try:
        return TypeAdapter(datetime).validate_python(value)
    except ValidationError:
        raise ValueError("input should be 'earliest' or 'latest', or a time such as 2026-01-31T06:00:00Z") from None


Start = Annotated[Literal["earliest", "latest"] | datetime, BeforeValidator(_start)]


class KafkaConfig(Section):
    """The broker and the topics."""

    bootstrap_servers: str = "localhost:9092"
    """Comma-separated host:port list."""
    input_topic: TopicName = "events"
    input_topics: tuple[TopicName, ...] = ()
    """Several topics, instead of `input_topic`: one group, and each partition of each has its own state."""
    input_pattern: str | None = None
    """Every topic whose whole name this regular expression matches, instead of `input_topic`; also those to come."""
    output_topic: TopicName = "forecasts"
    alerts_topic: TopicName | None = None
    """One record where an alert or an early warning begins, one where it is over; default: not published."""
    dead_letter_topic: TopicName | None = None
    """Default: `<output_topic>-dead-letters`."""
    changelog_topic: TopicName | None = None
    """Default: `<application_id>-changelog`."""
    create_topics: bool = True
    """Create missing output, alerts, dead-letter and changelog topics."""
    replication_factor: int = Field(-1, ge=-1)
    """Of topics that are created; -1: the broker's default."""
    delivery: Literal["exactly-once", "at-least-once"] = "exactly-once"
    """Whether everything a step produces is one transaction."""
    placement: Literal["input", "key"] = "input"
    """Partition of an output record: that of its event, where the topic has as many partitions as the input (else as
    `key`); or the one that every Kafka client gives the record's key (murmur2)."""
    record_time: Literal["event", "processing"] = "event"
    """Timestamp of an output record: the event's time (a topic's retention counts from it), or the time of writing."""
    client_id: str = "streamrnn"
    group_instance_id: str | None = None
    """Static membership: a name that stays with this worker over restarts."""
    start: Start = "earliest"
    """Where to begin in a partition without a committed offset; a time: at the first record with that timestamp or a
    later one. A partition that is added later is read from its first record."""
    max_poll_records: int = Field(2000, ge=1)
    """Upper bound of one micro-batch, which is one transaction."""
    snapshot_slice: int = Field(1 << 20, ge=1)
    """Bytes of a snapshot that one commit carries at most (or as many as its outputs have, if that is more); the rest
    goes with the next commits, so that no event waits for a whole snapshot."""
    broker_timeout: Seconds = 30.0
    """No answer for this long is fatal: exit and let the supervisor restart."""
    session_timeout: Seconds = 45.0
    """A worker that sends no heartbeat for this long loses its partitions."""
    max_poll_interval: Seconds = 60.0
    """A worker that does not poll for this long loses its partitions."""
    compression: Literal["none", "gzip", "lz4", "snappy", "zstd"] = "none"
    """Codec of the records that are written; records of every codec are read."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    client_rack: str | None = None
    """Where this worker is, as `broker.rack` names it: events are fetched from a replica there, if brokers do so."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"] | None = None
    """AWS_MSK_IAM takes credentials and region from where AWS's own tools find them, and needs `botocore`."""
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    """From the environment (`STREAMRNN__KAFKA__SASL_PASSWORD`) or `sasl_password_file`; for OAUTHBEARER the token."""
    sasl_password_file: FilePath | None = None
    ssl_cafile: FilePath | None = None
    ssl_certfile: FilePath | None = None
    ssl_keyfile: FilePath | None = None
    ssl_keyfile_password: SecretStr | None = None
    ssl_check_hostname: bool = True

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.security_protocol.startswith("SASL") and self.sasl_mechanism is None:
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_mechanism")
        if self.sasl_mechanism == "AWS_MSK_IAM":
            if self.security_protocol != "SASL_SSL":
                raise ValueError("sasl_mechanism AWS_MSK_IAM needs security_protocol SASL_SSL")
        elif self.sasl_mechanism is not None:
            if self.sasl_mechanism != "OAUTHBEARER" and self.sasl_username is None:
                raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs sasl_username")
            if self.sasl_password is None and self.sasl_password_file is None:
                raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs sasl_password or sasl_password_file")
        return self

    @model_validator(mode="after")
    def _inputs(self) -> Self:
        if self.input_topics and self.input_pattern is not None:
            raise ValueError("input_topics and input_pattern: give one of the two")
        try:
            pattern = re.compile(self.input_pattern) if self.input_pattern is not None else None
        except re.error as error:
            raise ValueError(f"input_pattern is no regular expression: {error}") from error
        setting = self.input_setting.removeprefix("kafka.")
        written = {"output_topic": self.output_topic, "alerts_topic": self.alerts_topic}
        written |= {"dead_letter_topic": self.dead_letters}
        what = {"output_topic": "forecasts", "alerts_topic": "alerts", "dead_letter_topic": "dead letters"}
        for name, topic in written.items():
            if topic is not None and (pattern.fullmatch(topic) if pattern else topic in self.inputs):
                are = "are the same" if self.inputs == (topic,) else f"both hold {topic!r}"
                raise ValueError(f"{setting} and {name} {are}: the {what[name]} would be read as events")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input topics; none where they are known by `input_pattern` alone."""
        return () if self.input_pattern is not None else self.input_topics or (self.input_topic,)

    @property
    def first_input(self) -> str:
        """The topic that a command writes events to where none is named; with `input_pattern` it is `input_topic`."""
        return next(iter(self.inputs), self.input_topic)

    @property
    def several_inputs(self) -> bool:
        """Whether there may be more than one input topic."""
        return bool(self.input_topics) or self.input_pattern is not None

    @property
    def input_setting(self) -> str:
        """The setting that names the input."""
        if self.input_pattern is not None:
            return "kafka.input_pattern"
        return "kafka.input_topics" if self.input_topics else "kafka.input_topic"

    @property
    def input_named(self) -> str:
        """The input topics in a message."""
        return self.input_pattern or ", ".join(self.inputs)

    @property
    def dead_letters(self) -> str:
        """Topic of the dead letters."""
        return self.dead_letter_topic or f"{self.output_topic}-dead-letters"
