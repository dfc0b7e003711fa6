"""What is said when the address is wrong; needs no broker."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.errors import BrokerUnavailable, ConfigurationError
from tests.broker.process import free_ports


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something that is not Kafka; `answer` talks to each connection and returns to close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(30)
                    answer(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def failure(servers: str, **settings: object) -> str:
    config = KafkaConfig.model_validate({"bootstrap_servers": servers, "broker_timeout": 2.0, **settings})
    with pytest.raises((BrokerUnavailable, ConfigurationError)) as raised:
        KafkaConnector(config, application_id="app", changelog_topic="app-changelog").open()
    message = str(raised.value)
    assert "\n" not in message
    return message


def http(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def tls(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


def close(connection: socket.socket) -> None:
    connection.recv(1)


def test_nobody_listens() -> None:
    [port] = free_ports(1)
    assert failure(f"127.0.0.1:{port}") == (
        f"no broker listens at 127.0.0.1:{port} (kafka.bootstrap_servers): connection refused"
    )


def test_a_host_without_address() -> None:
    assert "the host of no-such-host.invalid:9092 (kafka.bootstrap_servers) is unknown" in failure(
        "no-such-host.invalid"
    )


@pytest.mark.parametrize("servers", ["127.0.0.1:", "127.0.0.1:kafka", "127.0.0.1:70000", ":9092"])
def test_an_address_that_is_none(servers: str) -> None:
    assert failure(servers) == f"kafka.bootstrap_servers: {servers!r} is not host:port"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http, "speaks HTTP, not Kafka: wrong port?"),
        (silent, "accepts connections and says nothing"),
        (tls, "expects TLS: set kafka.security_protocol to SSL or SASL_SSL (it is PLAINTEXT)"),
        (close, "breaks the connection"),
        (lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n"), "does not speak Kafka"),
    ],
    ids=["http", "silent", "tls", "close", "smtp"],
)
def test_somebody_else_listens(answer: Callable[[socket.socket], None], expected: str) -> None:
    with server(answer) as port:
        message = failure(f"127.0.0.1:{port}")
    assert expected in message or (answer is close and "closes them" in message)
    assert f"127.0.0.1:{port} (kafka.bootstrap_servers)" in message


def test_tls_towards_a_server_without() -> None:
    with server(http) as port:
        message = failure(f"127.0.0.1:{port}", security_protocol="SSL")
    assert "does not speak TLS as kafka.security_protocol SSL asks" in message


def test_files_of_tls_that_are_not_there() -> None:
    assert failure("127.0.0.1:9", security_protocol="SSL", ssl_cafile="/no/such/ca.pem").startswith(
        "kafka.ssl_cafile: "
    )


def test_a_password_file_that_is_not_there() -> None:
    with server(lambda connection: connection.sendall(b"\0\0\0\4\0\0\x5e\xed")) as port:
        message = failure(
            f"127.0.0.1:{port}", security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="alice",
            sasl_password_file="/no/such/file",
        )  # fmt: skip
    assert message.startswith("kafka.sasl_password_file cannot be read")
