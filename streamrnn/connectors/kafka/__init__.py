"""Kafka as a connector; this package is the only importer of `kafka` (kafka-python).

connector.py   what the worker sees: poll, restore, commit
writer.py      one commit: a transaction with a deadline for every wait
reader.py      bounded reads of one partition, for snapshots and replay
topics.py      the topics are there, or are made, and fit together
zombies.py     ends transactions that dead workers left open
clients.py     options of every client, and its errors as ours
diagnosis.py   what really listens at an address; plain sockets
login.py       a refused password is noticed at once
"""

from streamrnn.connectors.kafka.connector import KafkaConnector

__all__ = ["KafkaConnector"]
