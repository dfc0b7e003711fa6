"""OAUTHBEARER: the token is a file, read anew for every connection."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.errors import AuthenticationRefused
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

# The broker's own validator for tokens without a signature: what it checks are the name and the times.
TOKENS = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
    "listener.name.sasl.oauthbearer.sasl.jaas.config": (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";'
    ),
}


def token(seconds: float) -> str:
    """One that is good until `seconds` from now."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": "alice", "iat": now - 120, "exp": now + seconds})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Broker]:
    """A broker that takes tokens; `broker` is asked for so that this is skipped where none can run."""
    with Broker(tmp_path_factory.mktemp("tokens"), settings=TOKENS) as started:
        with Client(started.bootstrap) as client:
            client.create_topic("events", 1)
        yield started


def test_a_token_from_a_file_that_is_renewed(offering: Broker, tmp_path: Path) -> None:
    file = tmp_path / "token"
    config = KafkaConfig(
        bootstrap_servers=f"127.0.0.1:{offering.sasl_port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="OAUTHBEARER",
        sasl_password_file=file,
        broker_timeout=10.0,
    )
    file.write_text(token(-60) + "\n")
    with pytest.raises(AuthenticationRefused, match=r"kafka\.sasl_password"):
        KafkaConnector(config, application_id="app", changelog_topic="app-changelog").open()
    file.write_text(token(600) + "\n")
    with KafkaConnector(config, application_id="app", changelog_topic="app-changelog") as connector:
        assert take_over(connector)
