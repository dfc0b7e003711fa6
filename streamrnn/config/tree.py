"""The configuration: one frozen tree, the same for the file, the environment and the flags.

`loading.py` makes one of them; `streamrnn schema config` prints the tree as JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from streamrnn.cells.catalog import CELLS
from streamrnn.config.anomaly import AnomalyConfig
from streamrnn.config.holidays import days_named
from streamrnn.config.prometheus import PrometheusConfig
from streamrnn.config.values import ClassName, FilePath, Finite, Names, Seconds, Section, Size, is_loopback
from streamrnn.errors import ConfigurationError


class IgnoredRange(Section):
    """Events that are forecast, but neither learned from nor alerted on: a deployment, a test of load."""

    model_config = ConfigDict(populate_by_name=True)

    begin: datetime = Field(alias="from")
    """The first moment; without a zone it is in `event.time_zone`."""
    end: datetime = Field(alias="to")
    """The first moment that is not ignored any more."""
    keys: Annotated[str, Field(min_length=1)] = "*"
    """Of these series: a name or a pattern with `*`, `?` and `[..]`."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if (self.begin.tzinfo is None) != (self.end.tzinfo is None):
            raise ValueError("write both times with their zone, or both without")
        if self.end <= self.begin:
            raise ValueError(f"ends at {self.end.isoformat()}, which is not after {self.begin.isoformat()}")
        return self


class EventConfig(Section):
    """How an input event is read (a JSON object, or a CSV row with the same names)."""

    format: Literal["json", "avro", "protobuf", "json-schema"] = "json"
    """Of Kafka messages: JSON, or framed for the schema registry of `schema_registry.url` (docs/formats.md)."""
    envelope: Literal["none", "connect", "debezium"] = "none"
    """What is around the event: schema and payload of Kafka Connect's JSON converter, or a change of Debezium, whose
    event is the row after it."""
    array: str | None = None
    """Path of an array of events in each message; `.`: the message is one."""
    text_numbers: bool = False
    """Whether numbers may be written as text in JSON (`"3.1"`)."""
    key: str = "key"
    """Field with the series key; where an event has none, the Kafka message key, else the series "default"."""
    time: str = "time"
    """Field with the event time; where an event has none, the record's own timestamp."""
    time_format: str | None = None
    """`strptime` format of the time; default: RFC 3339, or seconds or milliseconds since 1970; files: as found."""
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    """What numbers as times count since 1970; default: by their size."""
    time_zone: str | None = None
    """Zone of times that have none, such as `Europe/Berlin`; seasons follow its days and weeks. Default: UTC."""
    holidays: tuple[date, ...] = ()
    """Days that are like Sundays: a list, a file with a date per line, or a country such as `DE` or `US-CA` (extra
    `streamrnn[holidays]`)."""
    ignore: tuple[IgnoredRange, ...] = ()
    """Ranges of event time that are neither learned from nor alerted on: `[{from: 2026-03-01T22:00, to:
    2026-03-02T02:00, keys: "web-*"}]`, `keys` where it is not for all."""
    targets: Names = ()
    """Fields to forecast; default: `value` (files without it: every numeric column)."""
    features: Names = ()
    """Further numeric fields the model may use; they are inputs, not forecast."""
    id: str = "id"
    """With `task: regression` or `classification`: field with the name under which a prediction's label comes later."""
    label: str = "label"
    """With `task: regression` or `classification`: field with the number or the class to learn."""
    late: Literal["process", "drop", "dead-letter"] = "process"
    """What to do with an event older than the newest one of its series."""
    max_ahead: Seconds | None = 86_400.0
    """An event whose time is further ahead of its record's own timestamp (in Kafka) than this is a dead letter: it
    would make every later event late. None: any time is believed."""
    max_bytes: int = Field(1_048_576, ge=64)
    """A longer event is a dead letter (bytes)."""
    minimum: Finite | dict[str, Finite] | None = None
    """No forecast and no bound of an interval is lower: one number for all targets, or by target."""
    maximum: Finite | dict[str, Finite] | None = None
    """No forecast and no bound is higher."""
    nonnegative: Literal["auto"] | bool = "auto"
    """Whether to keep forecasts and bounds from falling below 0; auto: where a target's own history says so."""
    integers: bool = False
    """The targets are whole numbers: medians and bounds are, too (a mean is not)."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"no time zone {name!r}; write for example Europe/Berlin, America/New_York or UTC"
            ) from None
        return name

    @field_validator("holidays", mode="before")
    @classmethod
    def _dates(cls, value: object) -> object:
        return days_named(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [*self.targets, *self.features, self.key, self.time]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"used for more than one purpose: {', '.join(doubled)}")
        if self.targets:  # else they are known when the input is
            self.check_bounds(self.targets)
        return self

    def __hash__(self) -> int:  # a dictionary has none
        return hash(tuple(tuple(value.items()) if isinstance(value, dict) else value for _, value in self))

    def bound(self, name: Literal["minimum", "maximum"], targets: Sequence[str]) -> list[float | None]:
        """The `minimum` or the `maximum` of every target, None where there is none."""
        declared: float | dict[str, float] | None = getattr(self, name)
        return [declared.get(target) if isinstance(declared, dict) else declared for target in targets]

    def check_bounds(self, targets: Sequence[str]) -> None:
        """Raise ValueError where bounds are declared for what is no target, or leave nothing between them."""
        for name, declared in (("minimum", self.minimum), ("maximum", self.maximum)):
            if isinstance(declared, dict) and (unknown := sorted(set(declared) - set(targets))):
                raise ValueError(f"{name}: {', '.join(unknown)} not among the targets, which are {', '.join(targets)}")
        for target, low, high in zip(
            targets, self.bound("minimum", targets), self.bound("maximum", targets), strict=True
        ):
            low = max(low or 0.0, 0.0) if self.nonnegative is True else low
            if low is not None and high is not None and not low < high:
                raise ValueError(f"minimum {low:g} of {target} is not below its maximum {high:g}")


class FileConfig(Section):
    """How files are read (`run --input`, `evaluate`, `produce`, `check FILE`) where the look shall not decide."""

    keys: Names = ()
    """Columns that together are the series key; one alone is `event.key`."""
    name_is_key: bool = False
    """Of several files each is a series, whose key is the file's name without its suffixes."""
    exclude: Names = ()
    """Columns to leave out."""
    missing: Names = ()
    """Further spellings of a missing value, such as -9999; some thirty usual ones are known."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark; default: found for every column."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What parts the cells of a row; default: found."""
    header: bool | None = None
    """Whether a line names the columns; default: found."""
    partitions: int = Field(1, ge=1, le=1024)
    """`run --input`: deal the series out, by a hash of their key, to so many partitions with a network each."""
    sort: bool = False
    """Read the rows in the order of their times."""
    metric: str | None = None
    """Column that names what a row measures: rows of one time and series become one event, a target for each metric."""
    metric_value: str | None = None
    """Column with the number of such a row; default: found."""


class SchemaRegistryConfig(Section):
    """Where the schemas of framed messages are (extra `registry`)."""

    url: str | None = None
    """For example `https://registry:8081`."""
    username: str | None = None
    password: SecretStr | None = None
    """From the environment (`STREAMRNN__SCHEMA_REGISTRY__PASSWORD`) or `password_file`."""
    password_file: Path | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    timeout: Seconds = 10.0
    """No answer for this long is fatal: exit and let the supervisor restart."""

    def secret(self) -> str | None:
        """The password, from wherever it is."""
        if self.password is not None:
            return self.password.get_secret_value()
        try:
            return None if self.password_file is None else self.password_file.read_text().rstrip("\r\n")
        except OSError as error:
            raise ConfigurationError(f"schema_registry.password_file cannot be read: {error}") from error


class OutputConfig(Section):
    """How forecasts and alerts are written to Kafka (docs/formats.md)."""

    shape: Literal["nested", "flat"] = "nested"
    """Of forecasts: as `streamrnn schema output` says, or one level of columns, for sinks and SQL."""
    format: Literal["json", "json-schema", "avro", "protobuf"] = "json"
    """JSON, or framed with its schema, which is registered as `<topic>-value`; Avro and Protobuf of forecasts alone."""

    @model_validator(mode="after")
    def _a_schema_is_nested(self) -> Self:
        if self.format != "json" and self.shape == "flat":
            raise ValueError(f"format {self.format} is for shape nested: the columns depend on the model")
        return self


if TYPE_CHECKING:
    CellName: TypeAlias = str
else:
    CellName = Literal[tuple(CELLS)]


class ModelConfig(Section):
    """The forecaster. Everything here but the rates shapes the stored state."""

    preset: Literal["lite", "standard", "full"] = "standard"
    """How much machinery per series: see docs/accuracy.md for cost and bytes of each."""
    horizon: int = Field(1, ge=1, le=1000)
    """How many steps ahead every event is answered with (steps are events of the series)."""
    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.9,)
    """Coverage of the prediction intervals; the first is published as lower and upper."""
    cell: CellName = "gru"
    """Kind of the recurrent network. elman and jordan: perceptron units fed back their hidden layer or their output;
    mlp: no recurrence at all. See docs/cells.md."""
    layers: int = Field(1, ge=1, le=8)
    """Cells on top of each other."""
    hidden_size: int | None = Field(None, ge=1, le=1024)
    """Units of each layer; default: the preset's."""
    truncation_length: int | None = Field(None, ge=1, le=1024)
    """Steps the error flows back through time (TBPTT); default: the preset's."""
    update_every: int = Field(1, ge=1, le=1024)
    """Events between two updates of the recurrent weights."""
    learning_rate: float | None = Field(None, ge=0, le=1)
    """Step size of Adam on the recurrent weights; default: 0.001, or 0.003 where labels are learned."""
    gradient_clip: float = Field(3.0, gt=0)
    """Largest global norm of one gradient."""
    weights: Literal["partition", "series"] = "partition"
    """Whether the series of a partition share one recurrent network or have one each."""
    seasonality: tuple[Seconds, ...] = ()
    """Periods such as `24h`; default: detected."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the initial weights."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.levels:
            raise ValueError("levels: give at least one, for example [0.9]")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("levels: each only once")
        return self


class LabelsConfig(Section):
    """Labels, with `task: regression` or `classification` (docs/labels.md)."""

    label_ttl: Seconds = 604_800.0
    """A label whose event time is later than its prediction's by more than this is counted, not learned from."""
    pending: int = Field(256, ge=1, le=100_000)
    """Predictions per series that wait for their label; the oldest expires when there are more."""
    classes: tuple[ClassName, ...] = ()
    """The classes there are; another one is a dead letter. Default: they appear as labels come."""
    max_classes: int = Field(16, ge=2, le=1000)
    """How many classes may appear where none are declared."""
    max_classes_per_key: int | None = Field(None, ge=1, le=1000)
    """How many of these the labels of one key may bring; default: three quarters, so that no key takes all."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.classes and not 2 <= len(self.classes) == len(set(self.classes)) <= 1000:
            raise ValueError("classes: name at least two, and each only once")
        return self

    @property
    def most_classes(self) -> int:
        """How many classes there can be."""
        return len(self.classes) or self.max_classes

    @property
    def most_of_a_key(self) -> int:
        """How many classes one key may bring."""
        share = self.max_classes - self.max_classes // 4
        return share if self.max_classes_per_key is None else self.max_classes_per_key


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
    input_topic: str = "events"
    input_topics: Names = ()
    """Several topics, instead of `input_topic`: one group, and each partition of each has its own state."""
    input_pattern: str | None = None
    """Every topic whose whole name this regular expression matches, instead of `input_topic`; also those to come."""
    output_topic: str = "forecasts"
    alerts_topic: str | None = None
    """One record where an alert or an early warning begins, one where it is over; default: not published."""
    dead_letter_topic: str | None = None
    """Default: `<output_topic>-dead-letters`."""
    changelog_topic: str | None = None
    """Default: `<application_id>-changelog`."""
    create_topics: bool = True
    """Create missing output, alerts, dead-letter and changelog topics."""
    replication_factor: int = Field(-1, ge=-1)
    """Of topics we create; -1: the broker's default."""
    delivery: Literal["exactly-once", "at-least-once"] = "exactly-once"
    """Whether everything a step produces is one transaction."""
    placement: Literal["input", "key"] = "input"
    """Partition of what is written: the number of the event's own, where the topic has as many partitions as the input
    (else as `key`); or where every Kafka client puts the record's key (murmur2)."""
    record_time: Literal["event", "processing"] = "event"
    """Timestamp of what is written: the event's time (a topic's retention counts from it), or when it is written."""
    client_id: str = "streamrnn"
    group_instance_id: str | None = None
    """Static membership: a name that stays with this worker over restarts."""
    start: Start = "earliest"
    """Where a partition begins that was never committed; a time: at its first record with no earlier timestamp. A
    partition that is added later begins at its first record."""
    max_poll_records: int = Field(2000, ge=1)
    """Upper bound of one micro-batch, which is one transaction."""
    snapshot_slice: int = Field(1 << 20, ge=1)
    """Bytes of a snapshot that one commit carries, or as many as it has of outputs if these are more: what is left
    comes with the next commits, so that no event waits for a whole snapshot."""
    broker_timeout: Seconds = 30.0
    """No answer for this long is fatal: exit and let the supervisor restart."""
    session_timeout: Seconds = 45.0
    """The group gives a silent worker's partitions away after this long."""
    max_poll_interval: Seconds = 60.0
    """And a worker's that does not come back for records after this long."""
    compression: Literal["none", "gzip", "lz4", "snappy", "zstd"] = "none"
    """Of what we write; every codec is read, whatever this says."""
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


class ConnectorConfig(Section):
    """A connector of another package, in place of Kafka (CONTRIBUTING.md)."""

    name: str | None = Field(None, min_length=1)
    """Name of an entry point in the group `streamrnn.connectors`; default: Kafka."""
    options: dict[str, Any] = Field({})
    """Settings of that connector's own."""

    def __hash__(self) -> int:  # a dictionary has none
        return hash((self.name, repr(self.options)))

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.options and self.name is None:
            raise ValueError("options: only with a name")
        return self


class StateConfig(Section):
    """What is kept between runs, and how much of it in memory."""

    directory: FilePath | None = None
    """Files: where snapshots go (default: none are kept). Kafka: where idle series go."""
    snapshot_interval: Seconds = 30.0
    """Between two snapshots; what lies between is replayed after a crash."""
    max_memory: Size | None = None
    """Of this process for series, such as `512MiB`; those unseen for longest go to the local store beyond it. Default:
    a quarter of what the container, the process or the machine may have, less 256 MiB; `streamrnn check` says it."""
    max_series: int | None = Field(None, ge=1)
    """Series in memory per partition at most; those unseen for longest go to the local store."""
    series_ttl: Seconds | None = None
    """Series idle for this long in event time leave the memory. (The time is what three series agree on.)"""
    forget_after: Seconds | None = None
    """Series idle for this long in event time are forgotten for good; one that returns is a new one."""
    store: FilePath | None = None
    """Folder on a disk for series that are not in memory; default: `rows` in `directory`, else /var/lib/streamrnn or
    /var/tmp where that can be written."""


class MonitorConfig(Section):
    """The live page, metrics and health endpoints."""

    port: int | None = Field(None, ge=0, le=65535)
    """Serve them on this port (0: any free one); default: not at all."""
    host: str = Field("127.0.0.1", min_length=1)
    """Address to bind; other machines can only reach it when this says so, and then `token` or `open` is needed."""
    token: SecretStr | None = None
    """When set, every request must carry it (`Authorization: Bearer ...` or `?token=...`)."""
    open: bool = False
    """Let everybody who can reach `host` see the page without a token."""
    stall_timeout: Seconds = 60.0
    """A partition with lag and no progress for this long makes `/livez` fail."""
    series: Names = ()
    """Series with gauges of their own in `/metrics`, by patterns of their keys such as `pump-*`; default: none."""
    most_series: int = Field(200, ge=1, le=10_000)
    """At most so many of them; `streamrnn_series_omitted` counts the others."""

    @field_validator("token")
    @classmethod
    def _told(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value().strip() if token is not None else None
        if text is not None and text.lower() in ("", "null", "none", "~"):
            raise ValueError("is empty: give a token, or leave the key out")
        return token

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.port is not None and self.token is None and not self.open and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} lets other machines in: set monitor.token, or monitor.open: true to let everybody"
            )
        return self


class LogConfig(Section):
    """What is logged to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(Section):
    """The whole configuration."""

    application_id: str = Field("streamrnn", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Names the consumer group and the changelog; two pipelines must not share it."""
    task: Literal["forecast", "regression", "classification"] = "forecast"
    """What is learned: the next values, or a number or a class that comes as the label of an event's features."""
    workers: int = Field(1, ge=1, le=1024)
    """Threads that fold partitions side by side; of use where there are as many processors and partitions."""
    event: EventConfig = EventConfig()
    file: FileConfig = FileConfig()
    schema_registry: SchemaRegistryConfig = SchemaRegistryConfig()
    output: OutputConfig = OutputConfig()
    model: ModelConfig = ModelConfig()
    anomaly: AnomalyConfig = AnomalyConfig()
    labels: LabelsConfig = LabelsConfig()
    kafka: KafkaConfig = KafkaConfig()
    prometheus: PrometheusConfig = PrometheusConfig()
    connector: ConnectorConfig = ConnectorConfig()
    state: StateConfig = StateConfig()
    monitor: MonitorConfig = MonitorConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _limits_of_targets(self) -> Self:
        if self.event.targets:  # else they are known when the input is
            self.anomaly.check_limits(self.event.targets)
        return self

    @model_validator(mode="after")
    def _registry_is_named(self) -> Self:
        for name, form in (("event.format", self.event.format), ("output.format", self.output.format)):
            if form != "json" and self.schema_registry.url is None:
                raise ValueError(f"{name} is {form}: set schema_registry.url")
        return self

    @model_validator(mode="after")
    def _fits_the_task(self) -> Self:
        problems = [*(self._against_labels() if self.labelled else self._against_forecasts())]
        if problems:
            raise ValueError("; ".join(f"{problem} (task is {self.task})" for problem in problems))
        return self

    def _against_forecasts(self) -> Iterator[str]:
        if self.labels != LabelsConfig():
            yield "labels: only for task regression or classification"

    def _against_labels(self) -> Iterator[str]:
        if self.output.format in ("avro", "protobuf"):
            yield f"output.format: {self.output.format} is for forecasts; json-schema frames predictions"
        if self.file.partitions > 1:
            yield "file.partitions: only for forecasts"
        event, plain, quiet = self.event, ModelConfig(), AnomalyConfig()
        if not event.features:
            yield "event.features: name the fields to predict from"
        if event.targets:
            yield "event.targets: nothing is forecast; name the field to learn with event.label"
        names = [*event.features, event.key, event.time, event.id, event.label]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            yield f"event: used for more than one purpose: {', '.join(doubled)}"
        for name in ("preset", "horizon", "levels", "seasonality", "update_every"):
            if getattr(self.model, name) != getattr(plain, name):
                yield f"model.{name}: only for task forecast"
        for name in ("ignore", "minimum", "maximum", "nonnegative", "integers"):
            if getattr(event, name) != getattr(EventConfig(), name):
                yield f"event.{name}: only for task forecast"
        for name, value in self.anomaly:
            if value != getattr(quiet, name):
                yield f"anomaly.{name}: only for task forecast"
        if self.kafka.alerts_topic is not None:
            yield "kafka.alerts_topic: only for task forecast"
        if self.task == "regression" and self.labels.classes:
            yield "labels.classes: only for task classification"

    @property
    def labelled(self) -> bool:
        """Whether labels are learned instead of the next values."""
        return self.task != "forecast"

    @property
    def changelog(self) -> str:
        """Topic of the state."""
        return self.kafka.changelog_topic or f"{self.application_id}-changelog"
