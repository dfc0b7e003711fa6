"""What listens at an address: a client's own errors say "unable to bootstrap" for everything from a typo to TLS.

Plain sockets and one hand-made request, so that the answer takes seconds and names the cause.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time

from streamrnn.config.tree import KafkaConfig
from streamrnn.errors import AuthenticationRefused, BrokerUnavailable, ConfigurationError, ConnectorError

_CORRELATION = 0x5EED
# ApiVersions request, version 0: every broker answers it before anything else, authentication included.
_BODY = struct.pack(">hhih", 18, 0, _CORRELATION, 9) + b"streamrnn"
_REQUEST = struct.pack(">i", len(_BODY)) + _BODY


class NotKafka(BrokerUnavailable):
    """Somebody answers, in another language; waiting does not help."""


def addresses(config: KafkaConfig) -> list[tuple[str, int]]:
    """`kafka.bootstrap_servers` as (host, port) pairs."""
    found = []
    for server in config.bootstrap_servers.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not colon:
            host, port = port, "9092"
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigurationError(f"kafka.bootstrap_servers: {server.strip()!r} is not host:port")
        found.append((host.strip("[]"), int(port)))
    return found


def wait_for_broker(config: KafkaConfig, seconds: float) -> None:
    """Return when one of the bootstrap servers speaks Kafka; raise what is wrong after `seconds`.

    A broker that is still starting is waited for; one that speaks another protocol or shows a bad certificate is not.
    """
    servers = addresses(config)
    context = tls_context(config)
    deadline = time.monotonic() + seconds
    while True:
        problem: ConnectorError | None = None
        for host, port in servers:
            try:
                probe(config, host, port, context, min(5.0, max(0.5, deadline - time.monotonic())))
            except BrokerUnavailable as error:
                if problem is None or not isinstance(error, NotKafka):
                    problem = error
            else:
                return
        assert problem is not None
        if isinstance(problem, NotKafka) or time.monotonic() + 0.5 > deadline:
            raise problem
        time.sleep(0.25)


def tls_context(config: KafkaConfig) -> ssl.SSLContext | None:
    """The TLS settings as the client will use them, None without TLS; raises ConfigurationError for unusable files."""
    if not config.security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context()
    context.check_hostname = config.ssl_check_hostname
    setting = "kafka.ssl_cafile"
    try:
        if config.ssl_cafile:
            context.load_verify_locations(cafile=str(config.ssl_cafile))
        setting = "kafka.ssl_certfile, kafka.ssl_keyfile"
        if config.ssl_certfile:
            secret = config.ssl_keyfile_password
            context.load_cert_chain(
                str(config.ssl_certfile),
                str(config.ssl_keyfile) if config.ssl_keyfile else None,
                secret.get_secret_value() if secret else "",
            )
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"{setting}: {error}") from error
    return context


def probe(config: KafkaConfig, host: str, port: int, context: ssl.SSLContext | None, seconds: float) -> None:
    """Return if a Kafka broker answers at `host:port`, else raise what is wrong, naming the setting."""
    place = f"{host}:{port} (kafka.bootstrap_servers)"
    try:
        plain = socket.create_connection((host, port), timeout=seconds)
    except socket.gaierror as error:
        raise BrokerUnavailable(f"the host of {place} is unknown: {error.strerror}") from error
    except ConnectionRefusedError as error:
        raise BrokerUnavailable(f"no broker listens at {place}: connection refused") from error
    except OSError as error:
        raise BrokerUnavailable(f"no broker can be reached at {place}: {error}") from error
    with plain:
        try:
            if context is None:
                answer = _ask(plain, seconds)
            else:
                with context.wrap_socket(plain, server_hostname=host) as wrapped:
                    answer = _ask(wrapped, seconds)
        except ssl.SSLCertVerificationError as error:
            raise AuthenticationRefused(
                f"the certificate of {place} is not accepted: {error.verify_message} (kafka.ssl_cafile)"
            ) from error
        except ssl.SSLError as error:
            raise NotKafka(
                f"{place} does not speak TLS as kafka.security_protocol {config.security_protocol} asks: {error.reason}"
            ) from error
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"{place} accepts connections and says nothing: not Kafka, or overloaded, or it expects TLS "
                "(kafka.security_protocol)"
            ) from error
        except OSError as error:
            raise BrokerUnavailable(f"{place} breaks the connection: {error}") from error
    _judge(config, place, answer)


def _ask(connection: socket.socket, seconds: float) -> bytes:
    connection.settimeout(seconds)
    connection.sendall(_REQUEST)
    answer = b""
    while len(answer) < 8:
        more = connection.recv(8 - len(answer))
        if not more:
            break
        answer += more
    return answer


def _judge(config: KafkaConfig, place: str, answer: bytes) -> None:
    if len(answer) == 8 and struct.unpack(">ii", answer)[1] == _CORRELATION:
        return
    if answer[:5] == b"HTTP/":
        raise NotKafka(f"{place} speaks HTTP, not Kafka: wrong port?")
    if answer[:2] == b"\x15\x03":
        raise NotKafka(
            f"{place} expects TLS: set kafka.security_protocol to SSL or SASL_SSL (it is {config.security_protocol})"
        )
    if not answer:
        raise BrokerUnavailable(
            f"{place} accepts connections and closes them: not Kafka, or still starting, or it expects TLS "
            "(kafka.security_protocol)"
        )
    raise NotKafka(f"{place} does not speak Kafka: it answers {answer!r}; wrong port?")
