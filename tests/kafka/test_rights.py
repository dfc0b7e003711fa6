"""Rights that are taken away while a worker runs, and given back: it ends by name, and goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from streamrnn.connectors.kafka import KafkaConnector
from streamrnn.errors import AuthenticationRefused
from tests.broker.artifacts import USERS
from tests.broker.client import Client
from tests.broker.process import Broker
from tests.kafka.helpers import Pipeline, echo, take, take_over

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.usefixtures("leaky_client"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

USER = "alice"
ON_TOPICS = {
    "input": [ACLOperation.READ],
    "output": [ACLOperation.WRITE, ACLOperation.CREATE],
    "changelog": [ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE_CONFIGS, ACLOperation.CREATE],
}


@pytest.fixture(scope="module")
def strict(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Asks for the session's broker only to be skipped where that one is."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with Broker(tmp_path_factory.mktemp("broker"), settings=settings) as started:
        yield started


def rights(made: Pipeline) -> dict[str, list[ACL]]:
    """What docs/keys.md lists, by what it is on."""

    def on(kind: ResourceType, name: str, operations: list[ACLOperation]) -> list[ACL]:
        pattern = ResourcePattern(kind, name, ACLResourcePatternType.PREFIXED)
        return [ACL(f"User:{USER}", "*", one, ACLPermissionType.ALLOW, pattern) for one in operations]

    application = made.application_id
    return {
        "input": on(ResourceType.TOPIC, made.config.input_topic or "", ON_TOPICS["input"]),
        "output": on(ResourceType.TOPIC, made.config.output_topic, ON_TOPICS["output"]),
        "changelog": on(ResourceType.TOPIC, application, ON_TOPICS["changelog"]),
        "group": on(ResourceType.GROUP, application, [ACLOperation.READ]),
        "transactions": on(ResourceType.TRANSACTIONAL_ID, application, [ACLOperation.WRITE]),
    }


def filter_of(acl: ACL) -> ACLFilter:
    pattern = acl.resource_pattern
    wanted = ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type)
    return ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, wanted)


def answer_one(connector: KafkaConnector) -> None:
    connector.commit(echo(take(connector, 1), b"state"))


@pytest.mark.parametrize(
    ("lost", "said", "said_again"),
    [
        ("input", "Read or Write on this topic", r"Describe \(Read and Write imply it\)"),
        ("output", "Read or Write on this topic", r"Describe \(Read and Write imply it\)"),
        ("changelog", "Read or Write on this topic", r"Describe \(Read and Write imply it\)"),
        ("group", "Read and Describe on the group", "Read and Describe on the group"),
        ("transactions", "Write and Describe on the transactional ids", "Write and Describe on the transactional ids"),
    ],
)
def test_a_right_that_is_taken_away_and_given_back(strict: Broker, lost: str, said: str, said_again: str) -> None:
    login = {
        "bootstrap_servers": f"127.0.0.1:{strict.sasl_port}",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": USER,
        "sasl_password": USERS[USER],
    }
    with Client(strict.bootstrap) as client, closing(KafkaAdminClient(bootstrap_servers=strict.bootstrap)) as admin:
        made = Pipeline(client, group_instance_id="one")
        granted = rights(made)
        admin.create_acls([acl for some in granted.values() for acl in some])
        made.feed(0, [(b"k", b"0")])
        with made.connector(**login) as connector:
            take_over(connector)
            answer_one(connector)
            admin.delete_acls([filter_of(acl) for acl in granted[lost]])
            made.feed(0, [(b"k", b"1")])
            with pytest.raises(AuthenticationRefused, match=said):
                answer_one(connector)
        with pytest.raises(AuthenticationRefused, match=said_again), made.connector(**login) as connector:
            take_over(connector)
        admin.create_acls(granted[lost])
        with made.connector(**login) as connector:
            take_over(connector)
            answer_one(connector)
        assert made.outputs()[0] == [b"0:0", b"1:1"]
