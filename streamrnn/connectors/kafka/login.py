"""One connection by hand: the clients answer a refused password by trying again until they time out."""

from __future__ import annotations

import time
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import MetadataRequest

from streamrnn.config.tree import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, milliseconds, translated
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
    client = KafkaNetClient(**client_options(config, client_id))
    client._net.start()
    attempts = 0
    try:
        while True:
            left = milliseconds(deadline - time.monotonic())
            try:
                return [(str(host), int(port)) for host, port in client._net.run(_ask, client._manager, left)]
            except KafkaConnectionError as error:
                attempts += 1
                if attempts == ATTEMPTS:
                    raise _broken_off(config) from error
                time.sleep(0.1)
    finally:
        client.close()
        client._net.stop()


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


async def _ask(manager: Any, timeout: int) -> list[tuple[str, int]]:
    """Any of the bootstrap servers will do; the last one's error counts."""
    brokers = manager.cluster.bootstrap_brokers()
    for broker in brokers:
        try:
            connection = manager.get_connection(
                broker.node_id, timeout_ms=timeout, pop_on_close=True, refresh_metadata_on_err=False
            )
            await connection
            answer = await manager.wait_for(connection.send_request(MetadataRequest(topics=[])), timeout)
        except Exception:
            manager.reset_backoff(broker.node_id)
            if broker is brokers[-1]:
                raise
        else:
            return [(one.host, one.port) for one in answer.brokers]
    return []
