"""A job of Flink from the same configuration: topics in, the fold, topics out."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from streamrnn.config.kafka import KafkaConfig
from streamrnn.config.tree import Config
from streamrnn.errors import ConfigurationError
from streamrnn.flink.starting_states import FOLDER
from streamrnn.records.log import Partition
from streamrnn.runtime.stepper import Stepper

CONNECTOR = "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"
"""Of Maven; Flink 2.x does not bring it."""
TRANSACTION_TIMEOUT = 900.0
"""Seconds: the longest that a broker allows by default (transaction.max.timeout.ms). A job that is down for longer
between a checkpoint and its commit loses what the checkpoint had written; raise both for longer outages."""

BUNDLE = 100_000
"""Events of a bundle of Python at most; answers leave a task long before its end."""

SHIPPED = ("task", "event", "output", "model", "anomaly", "labels")
"""Sections that the tasks get: nothing in them is secret."""


class Begun(NamedTuple):
    """What `starting_states.write_states` wrote, and where in the log it stands."""

    archive: Path
    digest: str
    offsets: Mapping[Partition, int]


class Plan(NamedTuple):
    """What the job is to be, besides the configuration."""

    parallelism: int | None = None
    checkpoint_interval: float = 10.0
    """Seconds; with exactly-once delivery records become visible this often."""
    checkpoints: str | None = None
    """Where checkpoints and savepoints go, such as `s3://bucket/path` or `file:///path`."""
    job_manager: str | None = None
    """`host:port` of its REST interface; None: a cluster in this process."""
    jars: Sequence[str] = ()
    held: int = 1_000
    """Decoded states that a task holds."""
    savepoint: str | None = None
    """Begin with the state of this savepoint or checkpoint."""
    states: Begun | None = None
    """Begin with what a worker has learned."""
    python: str = sys.executable
    """The interpreter of the task managers, with streamrnn[flink] installed."""


def check(config: Config) -> Config:
    """The configuration with what a series of its own needs.

    Raises `ConfigurationError` where Flink cannot do what it says.
    """
    found = Stepper(config).config
    problems = []
    if config.connector.name not in (None, "kafka"):
        problems.append(f"connector.name {config.connector.name}: a job of Flink reads and writes Kafka")
    if config.output.format != "json":
        problems.append(f"output.format {config.output.format}: a job of Flink writes plain JSON")
    if problems:
        raise ConfigurationError("not on Flink:\n" + "\n".join(f"  - {one}" for one in problems))
    return found


def flink_settings(plan: Plan) -> dict[str, str]:
    """Flink's own configuration."""
    found = {
        "execution.checkpointing.interval": f"{round(plan.checkpoint_interval * 1000)} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        # What a bundle has changed is written back at its end: a second (`bundle.time`), not a thousand events.
        "python.fn-execution.bundle.size": str(BUNDLE),
        "python.executable": plan.python,
        "python.client.executable": plan.python,
    }
    if plan.parallelism is not None:
        found["parallelism.default"] = str(plan.parallelism)
    if plan.checkpoints is not None:
        found["execution.checkpointing.dir"] = found["execution.checkpointing.savepoint-dir"] = plan.checkpoints
        # Flink's default deletes what was learned with the job that is canceled or fails for good.
        found["execution.checkpointing.externalized-checkpoint-retention"] = "RETAIN_ON_CANCELLATION"
    if plan.job_manager is not None:
        host, _, port = plan.job_manager.rpartition(":")
        if not host or not port.isdecimal():
            raise ConfigurationError(f"{plan.job_manager!r} is no host:port of a job manager")
        found |= {"execution.target": "remote", "rest.address": host, "rest.port": port}
    if plan.jars:
        found["pipeline.jars"] = ";".join(jar if "://" in jar else Path(jar).resolve().as_uri() for jar in plan.jars)
    if plan.savepoint is not None:
        found["execution.state-recovery.path"] = plan.savepoint
    return found


def tables(config: Config, offsets: Mapping[Partition, int] | None = None) -> dict[str, str]:
    """The source and the sinks as Flink's SQL, by name; the source begins at `offsets`, else where `kafka.start` says.

    Raises `ConfigurationError` for offsets of another topic than the one that is read.
    """
    kafka = config.kafka
    source = {
        "connector": "kafka",
        **(
            {"topic-pattern": kafka.input_pattern}
            if kafka.input_pattern is not None
            else {"topic": ";".join(kafka.inputs)}
        ),
        **_properties(kafka),
        "properties.group.id": config.application_id,
        "properties.isolation.level": "read_committed",
        **(_start(kafka.start) if offsets is None else _start_at(kafka, offsets)),
        "key.format": "raw", "key.fields": "key", "value.format": "raw", "value.fields-include": "EXCEPT_KEY",
    }  # fmt: skip
    columns = (
        "`key` BYTES, `value` BYTES, `timestamp` TIMESTAMP_LTZ(3) METADATA, `offset` BIGINT METADATA, "
        "`topic` STRING METADATA, `partition` INT METADATA, `headers` MAP<STRING, BYTES> METADATA"
    )
    made = {"events": f"CREATE TEMPORARY TABLE events ({columns}) WITH ({_options(source)})"}
    for name, topic in sinks(config).items():
        exactly = kafka.delivery == "exactly-once"
        sink = {
            "connector": "kafka", "topic": topic, **_properties(kafka),
            "key.format": "raw", "key.fields": "key", "value.format": "raw", "value.fields-include": "EXCEPT_KEY",
            "sink.delivery-guarantee": kafka.delivery, "properties.compression.type": kafka.compression,
        }  # fmt: skip
        if exactly:
            sink["sink.transactional-id-prefix"] = f"{config.application_id}-{name}"
            sink["properties.transaction.timeout.ms"] = str(round(TRANSACTION_TIMEOUT * 1000))
        stamp = "`timestamp` TIMESTAMP_LTZ(3) METADATA, " if kafka.record_time == "event" else ""
        made[name] = (
            f"CREATE TEMPORARY TABLE {name} (`key` BYTES, `value` BYTES, {stamp}"
            f"`headers` MAP<STRING, BYTES> METADATA) WITH ({_options(sink)})"
        )
    return made


def sinks(config: Config) -> dict[str, str]:
    """The topics that are written, by the name of their table."""
    kafka = config.kafka
    found = {"forecasts": kafka.output_topic, "dead_letters": kafka.dead_letters}
    return found if kafka.alerts_topic is None else found | {"alerts": kafka.alerts_topic}


def insertion(config: Config, name: str) -> str:
    """SQL that writes the messages of the view `<name>_messages`."""
    stamp = "TO_TIMESTAMP_LTZ(`timestamp`, 3), " if config.kafka.record_time == "event" else ""
    return f"INSERT INTO {name} SELECT `key`, `value`, {stamp}`headers` FROM {name}_messages"


def operator_id(plan: Plan) -> str:
    """By which Flink finds the operator's state in a savepoint.

    States that a job began with have to be there as long as there are series without an event since. So the name says
    which: a savepoint is refused by Flink where they are left out, or are others.
    """
    return "forecasts" if plan.states is None else f"forecasts-{plan.states.digest}"


def shipped(config: Config) -> str:
    """What the tasks need of the configuration, as JSON."""
    return config.model_dump_json(include=set(SHIPPED))


def submit(config: Config, plan: Plan, *, wait: bool = False) -> str:
    """Build the job and hand it to the cluster; returns its id. `wait`: until it ends."""
    config = check(config)
    try:
        from pyflink.common import Configuration
        from pyflink.datastream import StreamExecutionEnvironment
        from pyflink.find_flink_home import _find_flink_home
        from pyflink.java_gateway import get_gateway
        from pyflink.table import StreamTableEnvironment
    except ImportError as error:
        raise ConfigurationError(f"PyFlink is not here ({error}): pip install 'streamrnn[flink]'") from error
    from streamrnn.flink.functions import EVENT, MESSAGE, TAGS, Forecasts, NamesSeries

    if plan.job_manager is not None:  # clusters do not have it, and `flink run` sends it along, too
        bridge = sorted(Path(_find_flink_home(), "opt").glob("flink-python-*.jar"))
        plan = plan._replace(jars=[*plan.jars, *map(str, bridge)])
    settings: Any = Configuration()
    for name, value in flink_settings(plan).items():
        settings.set_string(name, value)
    environment = StreamExecutionEnvironment.get_execution_environment(settings)
    if plan.job_manager is not None:  # what that gives is a cluster in this process, whatever the settings say
        made = get_gateway().jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
        environment = StreamExecutionEnvironment(made(settings._j_configuration))
    table_environment = StreamTableEnvironment.create(environment)
    begun = plan.states
    if begun is not None:
        environment.add_python_archive(str(begun.archive), FOLDER)
    for statement in tables(config, None if begun is None else begun.offsets).values():
        table_environment.execute_sql(statement)
    text = shipped(config)
    rows = table_environment.to_data_stream(table_environment.from_path("events"))
    events = rows.map(NamesSeries(text), output_type=EVENT).uid("series").name("series of each event")
    answers = events.key_by(lambda event: event[0], key_type=EVENT.get_field_types()[0])
    forecasts = (
        answers.process(Forecasts(text, plan.held, begun=begun is not None), output_type=MESSAGE)
        .uid(operator_id(plan))
        .name("forecasts")
    )
    found = {"forecasts": forecasts, "alerts": forecasts.get_side_output(TAGS["alert"])}
    found["dead_letters"] = forecasts.get_side_output(TAGS["dead letter"])
    statements = table_environment.create_statement_set()
    for name in sinks(config):
        table_environment.create_temporary_view(f"{name}_messages", found[name])
        statements.add_insert_sql(insertion(config, name))
    statements.attach_as_datastream()
    job = environment.execute_async(config.application_id)
    if wait:
        job.get_job_execution_result().result()
    return str(job.get_job_id())


def _options(options: Mapping[str, str]) -> str:
    return ", ".join(f"'{name}' = '{_text(value)}'" for name, value in options.items())


def _text(value: str) -> str:
    return value.replace("'", "''")


def _start(start: object) -> dict[str, str]:
    if isinstance(start, datetime):
        moment = str(round(start.timestamp() * 1000))
        return {"scan.startup.mode": "timestamp", "scan.startup.timestamp-millis": moment}
    return {"scan.startup.mode": f"{start}-offset"}


def _start_at(kafka: KafkaConfig, offsets: Mapping[Partition, int]) -> dict[str, str]:
    topics = {partition.topic for partition in offsets}
    if kafka.input_pattern is not None or topics != {*kafka.inputs} or len(topics) != 1:
        raise ConfigurationError(
            f"--state: what was learned stands at offsets of {', '.join(sorted(topics))}, and the input is "
            f"{kafka.input_named}: a job goes on in the one topic that a state was learned from"
        )
    places = (f"partition:{partition.number},offset:{offset}" for partition, offset in sorted(offsets.items()))
    return {"scan.startup.mode": "specific-offsets", "scan.startup.specific-offsets": ";".join(places)}


def _properties(kafka: KafkaConfig) -> dict[str, str]:
    """How to reach the broker, in the words of Kafka's own client."""
    found = {"bootstrap.servers": kafka.bootstrap_servers, "security.protocol": kafka.security_protocol}
    if kafka.ssl_cafile is not None:
        found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(kafka.ssl_cafile)}
    if kafka.ssl_certfile is not None or kafka.ssl_keyfile is not None:
        raise ConfigurationError(
            "kafka.ssl_certfile: Kafka's own client reads certificate and key from one file; name a keystore in the "
            "task managers' configuration, or use SASL"
        )
    if not kafka.ssl_check_hostname:
        found["ssl.endpoint.identification.algorithm"] = ""
    if kafka.sasl_mechanism is not None:
        password = kafka.sasl_password
        secret = password.get_secret_value() if password is not None else _read(kafka.sasl_password_file)
        if kafka.sasl_mechanism == "OAUTHBEARER":
            raise ConfigurationError(
                "kafka.sasl_mechanism OAUTHBEARER: Kafka's own client needs a login class of your own"
            )
        module = "plain.PlainLoginModule" if kafka.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        quoted = re.sub(r'(["\\])', r"\\\1", secret)
        found["sasl.mechanism"] = kafka.sasl_mechanism
        # The jar of the connector has Kafka's client under a name of its own.
        found["sasl.jaas.config"] = (
            f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{module} required "
            f'username="{kafka.sasl_username}" password="{quoted}";'
        )
    return {f"properties.{name}": value for name, value in found.items()}


def _read(file: Path | None) -> str:
    assert file is not None
    return file.read_text().rstrip("\r\n")
