"""What listens at an address: a client's own errors say "unable to bootstrap" for everything from a typo to TLS.

Plain sockets and one hand-made request, so that the answer takes seconds and names the cause.
"""

from __future__ import annotations

import logging
import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from typing import TypeAlias

from streamrnn.config.kafka import KafkaConfig
from streamrnn.errors import AuthenticationRefused, BrokerUnavailable, ConfigurationError, ConnectorError

log = logging.getLogger(__name__)

Server: TypeAlias = tuple[str, int]  # host and port

GRACE = 0.3  # seconds that others have after the first answer
_CORRELATION = 0x5EED
# ApiVersions request, version 0: every broker answers it before anything else, authentication included.
_BODY = struct.pack(">hhih", 18, 0, _CORRELATION, 9) + b"streamrnn"
_REQUEST = struct.pack(">i", len(_BODY)) + _BODY


class NotKafka(BrokerUnavailable):
    """Somebody answers, in another language; waiting does not help."""


def addresses(config: KafkaConfig) -> list[Server]:
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
    deadline = time.monotonic() + seconds
    while True:
        answered, problems = probe_all(config, servers, min(5.0, max(0.5, deadline - time.monotonic())))
        if answered:
            return
        if refused := [error for error in problems.values() if isinstance(error, AuthenticationRefused)]:
            raise refused[0]
        waiting = [error for error in problems.values() if not isinstance(error, NotKafka)]
        if not waiting:
            raise next(iter(problems.values()))
        if time.monotonic() + 0.5 > deadline:
            raise waiting[0]
        time.sleep(0.25)


def answering(config: KafkaConfig, seconds: float = 2.0) -> list[str]:
    """Those of the bootstrap servers that answer now, for a new client; all of them where none does.

    The client picks one at random and stays with it: one that hangs would cost it all of its time.
    """
    named = [server.strip() for server in config.bootstrap_servers.split(",")]
    if len(named) == 1:
        return named
    servers = dict(zip(addresses(config), named, strict=False))
    answered, _ = probe_all(config, list(servers), seconds)
    return [servers[server] for server in answered] or named


def check_advertised(config: KafkaConfig, brokers: Sequence[Server], seconds: float) -> None:
    """Raise BrokerUnavailable when none of the addresses can be reached at which the brokers want to be asked.

    A broker tells its clients where to come back to (`advertised.listeners`); behind a container's or a cloud's network
    that is often an address which only its neighbors know.
    """
    asked = set(addresses(config))
    others = sorted(set(brokers) - asked)
    if not others:
        return
    answered, problems = probe_all(config, others, seconds, "advertised.listeners")
    silent = [server for server in others if server not in answered]
    if not silent:
        return
    reasons = "; ".join(str(problems.get(server, f"{_place(*server)} does not answer")) for server in silent)
    if answered or asked & set(brokers):
        log.warning("not every broker can be reached at the address that it advertises: %s", reasons)
        return
    raise BrokerUnavailable(
        f"the broker at {config.bootstrap_servers} (kafka.bootstrap_servers) answers, and tells its clients to come "
        f"back at {', '.join(f'{host}:{port}' for host, port in silent)}, where it cannot be reached from here: "
        f"{reasons}; correct the broker's advertised.listeners, or use the listener that is meant for this network"
    )


def probe_all(
    config: KafkaConfig, servers: Sequence[Server], seconds: float, setting: str = "kafka.bootstrap_servers"
) -> tuple[list[Server], dict[Server, ConnectorError]]:
    """Probe all side by side; which answered, in the order of `servers`, and what is wrong with others.

    Returns once all have been heard of, after `seconds`, or a moment after the first answer: a server that hangs shall
    keep nobody waiting.
    """
    context = tls_context(config)
    heard: queue.SimpleQueue[tuple[Server, ConnectorError | None]] = queue.SimpleQueue()

    def ask(server: Server) -> None:
        try:
            probe(config, *server, context, seconds, setting)
        except ConnectorError as error:
            heard.put((server, error))
        else:
            heard.put((server, None))

    for server in servers:
        threading.Thread(target=ask, args=(server,), name="kafka: probe", daemon=True).start()
    problems: dict[Server, ConnectorError] = {}
    answered: set[Server] = set()
    until = time.monotonic() + seconds + 0.1
    while len(answered) + len(problems) < len(servers):
        try:
            server, problem = heard.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if problem is not None:
            problems[server] = problem
            continue
        if not answered:
            until = min(until, time.monotonic() + GRACE)
        answered.add(server)
    for server in servers:
        if not answered and server not in problems:
            problems[server] = BrokerUnavailable(f"{_place(*server, setting)} does not answer")
    return [server for server in servers if server in answered], problems


def _place(host: str, port: int, setting: str = "advertised.listeners") -> str:
    return f"{host}:{port} ({setting})"


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


def probe(
    config: KafkaConfig,
    host: str,
    port: int,
    context: ssl.SSLContext | None,
    seconds: float,
    setting: str = "kafka.bootstrap_servers",
) -> None:
    """Return if a Kafka broker answers at `host:port`, else raise what is wrong, naming the setting."""
    place = _place(host, port, setting)
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
