"""Options that every client shares, its errors in our words, and a limit on waits that have none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar

from kafka import errors

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.diagnosis import answering
from streamrnn.connectors.kafka.internals import AbstractTokenProvider, KafkaNetClient
from streamrnn.errors import (
    AuthenticationRefused,
    BrokerUnavailable,
    ConfigurationError,
    ConnectorError,
    StateError,
    StreamRNNError,
    TopicMissing,
)

T = TypeVar("T")

SETUP = 3000  # milliseconds for connecting, doubled with each failure

_RIGHTS = {
    errors.TopicAuthorizationFailedError: "Read or Write on this topic",
    errors.GroupAuthorizationFailedError: "Read and Describe on the group that is named by application_id",
    errors.TransactionalIdAuthorizationFailedError: (
        "Write and Describe on the transactional ids that begin with application_id"
    ),
    errors.ClusterAuthorizationFailedError: "a right on the cluster",
}
_UNREACHABLE = (
    errors.KafkaTimeoutError,
    errors.KafkaConnectionError,
    errors.NodeNotReadyError,
    errors.RequestTimedOutError,
    errors.CoordinatorNotAvailableError,
    errors.UnstableOffsetCommitError,
    errors.LeaderNotAvailableError,
    errors.NotEnoughReplicasError,
    errors.NotEnoughReplicasAfterAppendError,
)


class Token(AbstractTokenProvider):  # type: ignore[misc]  # the client has no types and insists on a subclass
    """OAUTHBEARER: the token is what `kafka.sasl_password` or the file holds, read anew for every connection."""

    def __init__(self, config: KafkaConfig) -> None:
        self.config = config

    def token(self) -> str:
        """The token as it is now; whatever writes the file renews it."""
        return password(self.config) or ""

    def extensions(self) -> dict[str, str]:
        """None."""
        return {}


def password(config: KafkaConfig) -> str | None:
    """The secret from `kafka.sasl_password`, else from `kafka.sasl_password_file`."""
    if config.sasl_password is not None:
        return config.sasl_password.get_secret_value()
    if config.sasl_password_file is None:
        return None
    try:
        return config.sasl_password_file.read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"kafka.sasl_password_file cannot be read: {error}") from error


def client_options(config: KafkaConfig, client_id: str) -> dict[str, Any]:
    """Keyword arguments that consumers, producers and the admin client all take."""
    options: dict[str, Any] = {
        "bootstrap_servers": answering(config),
        "client_id": client_id,
        "security_protocol": config.security_protocol,
        "request_timeout_ms": milliseconds(config.broker_timeout),
        "bootstrap_timeout_ms": milliseconds(config.broker_timeout) // 2,
        # the client's own upper bound is 30 s: after a broker's restart that is 30 s of doing nothing
        "reconnect_backoff_max_ms": 1000,
    }
    if config.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = config.sasl_mechanism
        if config.sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = Token(config)
        elif config.sasl_mechanism == "AWS_MSK_IAM":
            if find_spec("botocore") is None:
                raise ConfigurationError("kafka.sasl_mechanism AWS_MSK_IAM needs botocore: pip install botocore")
        else:
            options["sasl_plain_username"] = config.sasl_username
            options["sasl_plain_password"] = password(config)
    if config.security_protocol.endswith("SSL"):
        secret = config.ssl_keyfile_password
        options.update(
            ssl_cafile=_text(config.ssl_cafile),
            ssl_certfile=_text(config.ssl_certfile),
            ssl_keyfile=_text(config.ssl_keyfile),
            ssl_password=secret.get_secret_value() if secret else None,
            ssl_check_hostname=config.ssl_check_hostname,
        )
    return options


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(seconds * 1000))


def made(kind: Callable[..., Any], **options: Any) -> Any:
    """`kind(**options)`; where that fails, close what it had opened: the client would leave a thread and sockets."""
    opened: list[Any] = []

    def connect(**configs: Any) -> Any:
        # a broker that hangs accepts connections and says nothing; the next one is asked after this long
        opened.append(KafkaNetClient(**configs, socket_connection_setup_timeout_ms=SETUP))
        return opened[-1]

    try:
        return kind(**options, kafka_client=connect)
    except BaseException:
        for client in opened:
            client.close()
        raise


def bounded(seconds: float, task: Callable[[], T], doing: str) -> T:
    """`task()`, or BrokerUnavailable when it takes longer than `seconds`.

    For calls of the client that know no time-out. A task that is given up goes on in a daemon thread: whoever gets
    the error is expected to end the process.
    """
    results: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            results.append(task())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name=f"kafka: {doing}", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not results:
        raise BrokerUnavailable(f"Kafka did not answer within {seconds:.0f} s while {doing} (kafka.broker_timeout)")
    return results[0]


@contextmanager
def translated(config: KafkaConfig, doing: str) -> Iterator[None]:
    """Raise the client's errors as ours, in one line that says what was being done and which setting to look at."""
    try:
        yield
    except StreamRNNError:
        raise
    except Exception as error:
        raise translation(config, doing, error) from error


def _cut(error: errors.LogTruncationError) -> str:
    """Which partitions were cut, and where, as far as the broker can tell."""
    return ", ".join(
        f"{topic}[{number}]" + ("" if end is None else f" was cut at offset {end.offset}")
        for (topic, number), end in sorted(error.divergent_offsets.items())
    )


def forbidden(doing: str, what: str, right: str) -> AuthenticationRefused:
    """The user is known, and lacks `right`."""
    return AuthenticationRefused(
        f"the broker forbids this user {doing}: {what}; it lacks {right}: grant that to kafka.sasl_username "
        "(docs/keys.md lists the rights that are needed), or use another user"
    )


def displaced(config: KafkaConfig) -> ConnectorError:
    """Of a worker whose name another one has taken."""
    return ConnectorError(
        f"another worker runs as kafka.group_instance_id {config.group_instance_id!r} and has taken this one's place; "
        "give each worker its own"
    )


def translation(config: KafkaConfig, doing: str, error: Exception) -> StreamRNNError:
    """Our error for one of the client's."""
    what = " ".join(str(error).split())
    servers = config.bootstrap_servers
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return AuthenticationRefused(
            f"the broker at {servers} refuses the user or the password (kafka.sasl_username, kafka.sasl_password, "
            f"kafka.sasl_mechanism): {what}"
        )
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return AuthenticationRefused(
            f"the broker at {servers} does not offer kafka.sasl_mechanism {config.sasl_mechanism}"
        )
    if isinstance(error, errors.IllegalSaslStateError):
        return AuthenticationRefused(
            f"the broker at {servers} wants no user on this port: kafka.security_protocol is {config.security_protocol}"
        )
    if isinstance(error, errors.AuthorizationError):
        return forbidden(doing, what, _RIGHTS.get(type(error), "a right"))
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return TopicMissing(f"a topic has gone while {doing}: {what}")
    if isinstance(error, errors.FencedInstanceIdError):
        return displaced(config)
    if isinstance(error, errors.InconsistentGroupProtocolError):
        return ConnectorError(
            "the consumer group that is named by application_id has members of another kind, such as another "
            "application's: give this pipeline an application_id of its own, or stop them"
        )
    if isinstance(error, errors.OffsetOutOfRangeError):
        return ConnectorError(
            f"the broker's log does not hold what is asked for while {doing}: {what}; it was deleted before it was "
            "read (the topic's retention), or records that were read are gone (an unclean leader election, a broker "
            "whose disk was restored, a topic that was made anew): see `streamrnn reset`"
        )
    if isinstance(error, errors.LogTruncationError):
        return StateError(
            f"records that were read are no longer in the broker's log: {_cut(error)} (an unclean leader election, a "
            "broker whose disk was restored, or a topic that was made anew), and what was learned from them would mix "
            "with what is there now; run `streamrnn reset` to choose where to start again"
        )
    if isinstance(error, errors.InvalidSessionTimeoutError):
        return ConnectorError(
            f"the broker at {servers} takes no kafka.session_timeout of {config.session_timeout:g} s: set one between "
            "its group.min.session.timeout.ms and group.max.session.timeout.ms"
        )
    if isinstance(error, errors.GroupMaxSizeReachedError):
        return ConnectorError(
            "the consumer group that is named by application_id is full: run fewer workers, or raise the broker's "
            "group.max.size"
        )
    if "OffsetMetadataTooLargeError" in what:
        return ConnectorError(
            f"the broker at {servers} takes no mark of ours beside a committed offset: raise its "
            "offset.metadata.max.bytes (4096 by default)"
        )
    if "InvalidTransactionTimeoutError" in what:  # of no class of its own, either
        return ConnectorError(
            f"the broker at {servers} allows no transaction of {config.broker_timeout:g} s (kafka.broker_timeout): set "
            "that to less than its transaction.max.timeout.ms, or raise this"
        )
    # The transaction manager wraps what a broker that hangs comes to in an error without a class of its own.
    hangs = type(error) is errors.KafkaError and "RequestTimedOutError" in what
    if hangs or isinstance(error, _UNREACHABLE):
        return BrokerUnavailable(f"Kafka at {servers} (kafka.bootstrap_servers) fails {doing}: {what}")
    if isinstance(error, errors.KafkaConfigurationError):
        return ConfigurationError(f"the Kafka client refuses its settings: {what}")
    return ConnectorError(f"Kafka fails {doing}: {type(error).__name__}: {what}")
