"""A real Apache Kafka for the tests, without Docker: the server's Maven artifacts, Java 17 and KRaft."""

from tests.broker.artifacts import Artifacts, BrokerMissing, artifacts, fetch
from tests.broker.client import Client
from tests.broker.process import Broker, Cluster

__all__ = ["Artifacts", "Broker", "BrokerMissing", "Client", "Cluster", "artifacts", "fetch"]
