"""One connection by hand: the clients answer a refused password by trying again until they time out."""

from __future__ import annotations

import time

from kafka.errors import KafkaConnectionError

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, milliseconds, translated
from streamrnn.connectors.kafka.internals import BareClient
from streamrnn.errors import AuthenticationRefused, BrokerUnavailable, ConnectorError

ATTEMPTS = 4  # a broker that refuses a password closes the connection with its answer, and the client may see only that


def log_in(config: KafkaConfig, client_id: str, seconds: float) -> list[tuple[str, int]]:
    """Connect and authenticate as every client will, and ask one question; raises what is wrong within `seconds`.

    Returns host and port of every broker of the cluster, as they advertise them.
    """
    doing = "logging in"
    with translated(config, doing):
        return bounded(seconds, lambda: _log_in(config, client_id, time.monotonic() + seconds), doing)


def _log_in(config: KafkaConfig, client_id: str, deadline: float) -> list[tuple[str, int]]:
    client = BareClient(**client_options(config, client_id))
    attempts = 0
    try:
        while True:
            try:
                return client.brokers(milliseconds(deadline - time.monotonic()))
            except KafkaConnectionError as error:
                attempts += 1
                if attempts == ATTEMPTS:
                    raise _broken_off(config) from error
                time.sleep(0.1)
    finally:
        client.close()


def _broken_off(config: KafkaConfig) -> ConnectorError:
    """It answered `wait_for_broker`, so it is there, and the first thing that it does not like is who asks."""
    broker = f"the broker at {config.bootstrap_servers} (kafka.bootstrap_servers)"
    if config.security_protocol.startswith("SASL"):
        return AuthenticationRefused(
            f"{broker} breaks the connection off while authenticating: it refuses the user or the password "
            "(kafka.sasl_username, kafka.sasl_password, kafka.sasl_mechanism)"
        )
    return BrokerUnavailable(
        f"{broker} breaks the connection off when asked as kafka.security_protocol {config.security_protocol}: "
        "does it expect another?"
    )
