"""The configuration: one frozen tree, the same for the file, the environment and the flags.

`loading.py` makes one of them; `streamrnn schema config` prints the tree as JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, SecretStr, field_validator, model_validator

from streamrnn.cells.catalog import CELLS
from streamrnn.config.anomaly import AnomalyConfig
from streamrnn.config.event import EventConfig
from streamrnn.config.kafka import KafkaConfig
from streamrnn.config.prometheus import PrometheusConfig
from streamrnn.config.values import ClassName, FilePath, Names, Seconds, Section, Size, is_loopback
from streamrnn.errors import ConfigurationError


class FileConfig(Section):
    """How files are read (`run --input`, `evaluate`, `produce`, `check FILE`); what is not set is detected."""

    keys: Names = ()
    """Columns that together are the series key; one alone is `event.key`."""
    name_is_key: bool = False
    """Each of several files is one series; its key is the file's name without suffixes."""
    exclude: Names = ()
    """Columns to leave out."""
    missing: Names = ()
    """Further spellings of a missing value, such as -9999; some thirty usual ones are known."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark; default: detected for every column."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the cells of a row; default: detected."""
    encoding: str | None = None
    """Encoding of the text, such as cp1250 or shift_jis; default: detected."""
    table: str | None = None
    """Which table of a JSON document with several, by its place in it: `hourly`; default: the largest."""
    header: bool | None = None
    """Whether a line names the columns; default: detected."""
    partitions: int = Field(1, ge=1, le=1024)
    """`run --input`: spread the series, by a hash of their key, over this many partitions with a network each."""
    sort: bool = False
    """Read the rows in the order of their times."""
    metric: str | None = None
    """Column that names what a row measures: rows of one time and series become one event, a target for each metric."""
    metric_value: str | None = None
    """Column with the number of such a row; default: detected."""


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
    """Shape of a forecast record: nested (`streamrnn schema forecast`), or one level of columns, for sinks and SQL."""
    format: Literal["json", "json-schema", "avro", "protobuf"] = "json"
    """JSON, or framed with a schema that is registered as `<topic>-value`; Avro and Protobuf are for forecasts only."""

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
    """What is stored between runs, and how much of it is in memory."""

    directory: FilePath | None = None
    """Files: where snapshots go (default: none are kept). Kafka: where idle series go."""
    snapshot_interval: Seconds = 30.0
    """Time between two snapshots; events since the last one are replayed after a crash."""
    max_memory: Size | None = None
    """Memory of this process for series, such as `512MiB`; beyond it the series unseen for longest go to the local
    store. Default: a quarter of what the container, the process or the machine may use, less 256 MiB; `streamrnn check`
    shows it."""
    max_series: int | None = Field(None, ge=1)
    """Series in memory per partition at most; those unseen for longest go to the local store."""
    series_ttl: Seconds | None = None
    """Series idle for this long in event time leave the memory. (The time that three series agree on.)"""
    forget_after: Seconds | None = None
    """Series idle for this long in event time are forgotten for good; one that returns is a new one."""
    store: FilePath | None = None
    """Folder on a disk for series that are not in memory; default: `rows` in `directory`, else /var/lib/streamrnn or
    /var/tmp where that can be written."""


class ServerConfig(Section):
    """What a process serves over HTTP, and who may ask."""

    port: int | None = Field(None, ge=0, le=65535)
    """Serve them on this port (0: any free one); default: not at all."""
    host: str = Field("127.0.0.1", min_length=1)
    """Address to bind; one that other machines can reach needs `token` or `open`."""
    token: SecretStr | None = None
    """When set, every request must carry it (`Authorization: Bearer ...` or `?token=...`)."""
    open: bool = False
    """Let everybody who can reach `host` see the page without a token."""
    stall_timeout: Seconds = 60.0
    """No progress for this long, where there is something to do, makes `/livez` fail."""

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


class MonitorConfig(ServerConfig):
    """The live page, metrics and health endpoints."""

    series: Names = ()
    """Series that have gauges of their own in `/metrics`, by patterns of keys such as `pump-*`; default: none."""
    most_series: int = Field(200, ge=1, le=10_000)
    """At most this many series have gauges; `streamrnn_series_omitted` counts the others."""


class LogConfig(Section):
    """What is logged to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(Section):
    """The whole configuration."""

    application_id: str = Field("streamrnn", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Names the consumer group and the changelog; two pipelines must not share it."""
    task: Literal["forecast", "regression", "classification"] = "forecast"
    """What is predicted: the next values, or a number or a class, learned from the labels of events."""
    workers: int = Field(1, ge=1, le=1024)
    """Threads that process partitions in parallel; more than there are processors or partitions are of no use."""
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
        for name in ("future", "ignore", "minimum", "maximum", "nonnegative", "integers"):
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

    def only_forecasts(self, what: str) -> None:
        """Refuse the other tasks. Raises `ConfigurationError`; `what` says why."""
        if self.labelled:
            raise ConfigurationError(f"{what}; task is {self.task}")

    @property
    def changelog(self) -> str:
        """Topic of the state."""
        return self.kafka.changelog_topic or f"{self.application_id}-changelog"
