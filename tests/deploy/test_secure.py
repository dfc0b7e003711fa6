"""The profile `secure`: SCRAM over TLS with the right credentials, and one line for each of the wrong ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.broker.client import Client
from tests.deploy import engine
from tests.deploy.engine import Stack, run, until

pytestmark = pytest.mark.compose


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    engine.need_engine()
    engine.need_kcat()
    engine.need_broker_image()
    made = Stack(tmp_path_factory.mktemp("clone"), "streamrnn-secure", "secure")
    made.remove()
    made.up()
    yield made
    made.remove()


def refusal(stack: Stack, *words: str, options: tuple[str, ...] = ()) -> str:
    """The one line that a worker ends with."""
    command = ["run", "--rm", "--no-deps", "-T", *options, "streamrnn", "run", "--config", "/compose/pipeline.yaml"]
    done = stack.compose(*command, "--set", "kafka.broker_timeout=10s", *words, check=False)
    assert done.code == 1, done.out
    assert "Traceback" not in done.out
    [line] = [line for line in done.out.splitlines() if line.startswith("streamrnn: ")]
    return line


def test_it_works_with_the_right_credentials(stack: Stack) -> None:
    """Read from this machine with the files of a worker, as docs/operations.md says."""
    stack.compose("cp", "streamrnn:/settings/ca.pem", "ca.pem")
    password = stack.compose("exec", "-T", "streamrnn", "cat", "/settings/password").out.strip()
    login = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "streamrnn",
        "sasl_plain_password": password,
        "ssl_cafile": str(stack.folder / "ca.pem"),
    }
    with Client(f"localhost:{stack.kafka}", **login) as client:
        until("forecasts", lambda: sum(client.end_offsets("forecasts").values()) > 100)
    until("ready", lambda: stack.get("/readyz") == (200, "ok\n"))


def test_nobody_gets_in_without(stack: Stack) -> None:
    assert stack.ends("forecasts", range(6), "-X", "socket.timeout.ms=3000", "-m", "5") == {}


def test_a_wrong_password(stack: Stack) -> None:
    line = refusal(stack, options=("-e", "STREAMRNN__KAFKA__SASL_PASSWORD=wrong"))
    assert "kafka.sasl_password" in line


def test_a_password_file_that_is_not_there(stack: Stack) -> None:
    command = ["run", "--rm", "--no-deps", "-T", "streamrnn", "run", "--set", "kafka.sasl_password_file=/nowhere"]
    done = stack.compose(*command, check=False)
    assert done.code == 2
    assert "kafka.sasl_password_file" in done.out
    assert "Traceback" not in done.out


def test_an_authority_that_is_not_known(stack: Stack) -> None:
    line = refusal(stack, "--set", "kafka.ssl_cafile=/etc/ssl/certs/ca-certificates.crt")
    assert "self-signed certificate" in line
    assert "kafka.ssl_cafile" in line


def test_secrets_are_for_their_readers(stack: Stack) -> None:
    told = stack.compose("exec", "-T", "streamrnn", "stat", "-c", "%a %u", "/settings/password").out
    assert told == "600 10001\n"
    told = stack.compose("exec", "-T", "kafka", "stat", "-c", "%a %u", "/settings/broker.pem").out
    assert told == "600 1000\n"
    password = stack.compose("exec", "-T", "streamrnn", "cat", "/settings/password").out.strip()
    assert password not in stack.compose("logs").out
    assert password not in stack.compose("run", "--rm", "-T", "--no-deps", "streamrnn", "check").out


EXPIRE = """
sh /compose/certificates.sh
cat /broker/broker.pem > /real-broker/expired.pem
cat /client/ca.pem > /real-client/expired-ca.pem
chown 1000 /real-broker/expired.pem
chown 10001 /real-client/expired-ca.pem
echo KAFKA_LISTENER_NAME_CLIENT_SSL_KEYSTORE_TYPE=PEM >> /real-broker/secure.env
echo KAFKA_LISTENER_NAME_CLIENT_SSL_KEYSTORE_LOCATION=/settings/expired.pem >> /real-broker/secure.env
"""


def test_an_expired_certificate(stack: Stack) -> None:
    """The last one: the broker keeps it."""
    stack.compose("stop", "streamrnn", "producer", "kafka")
    mounts = ["-v", f"{stack.name}_broker-settings:/real-broker", "-v", f"{stack.name}_client-settings:/real-client"]
    mounts += ["-v", f"{stack.folder}/deploy/compose:/compose:ro", "--tmpfs", "/broker", "--tmpfs", "/client"]
    root = ["--user", "0", "-e", "DAYS=-1", "--entrypoint", "sh"]
    run("docker", "run", "--rm", *root, *mounts, engine.IMAGE, "-ec", EXPIRE)
    stack.compose("start", "kafka")
    authority = ("--set", "kafka.ssl_cafile=/settings/expired-ca.pem")
    line = refusal(stack, "--set", "kafka.broker_timeout=60s", *authority)
    assert "certificate has expired" in line
    assert "kafka.ssl_cafile" in line
