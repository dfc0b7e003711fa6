"""Kafka as a connector; this package is the only importer of `kafka` (kafka-python).

connector.py             what the worker sees: poll, restore, commit
rebalances.py            partitions that come and go
writer.py                one commit: a transaction with a deadline for every wait
reader.py                bounded reads of one partition, for snapshots and replay
topics.py                the topics exist, or are made, and fit together
lost_topics.py           topics that are deleted while a worker runs
hanging_transactions.py  ends transactions that dead workers left open
clients.py               options of every client, and its errors as ours
internals.py             the private parts of kafka-python that are used
diagnosis.py             what really listens at an address; plain sockets
login.py                 a refused password is noticed at once
"""

from streamrnn.connectors.kafka.connector import KafkaConnector

__all__ = ["KafkaConnector"]
