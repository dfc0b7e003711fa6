"""Ends the transactions that dead workers left open.

A worker killed inside a commit leaves its transaction to the coordinator's time-out. Until then its input offsets are
pending, so nobody may learn where the partition stands, and read_committed readers of the outputs wait behind it. The
remedy is the one the worker itself would use if it came back: `InitProducerId` under its transactional id, which
aborts what is open and fences whoever still holds that id. Aborting is always safe: if the owner lives after all, its
commit is refused and it recovers as after a crash.

A transactional id is `<application id>/<instance>` and the member's client id ends in `@<instance>`: an open
transaction whose instance is no member of the group belongs to the dead.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, UnsupportedVersionError

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, made, milliseconds, translated

log = logging.getLogger(__name__)


def transactional_id(application_id: str, instance: str) -> str:
    """The id that fences: one per worker instance."""
    return f"{application_id}/{instance}"


def member_client_id(config: KafkaConfig, instance: str) -> str:
    """The client id by which the group's description shows the instance."""
    return f"{config.client_id}@{instance}"


def end_transactions_of_the_dead(config: KafkaConfig, application_id: str, client_id: str, own: str) -> list[str]:
    """Abort every open transaction of this application whose worker has left the group; returns their ids.

    `own` is the caller's transactional id. Without the right to describe transactions or the group nothing is done
    and their time-out has to be waited for.
    """
    doing = "ending transactions that dead workers left open"
    with translated(config, doing):
        return bounded(
            2 * config.broker_timeout, lambda: _end(config, application_id, f"{client_id}-admin", own), doing
        )


def _end(config: KafkaConfig, application_id: str, client_id: str, own: str) -> list[str]:
    admin = made(KafkaAdminClient, **client_options(config, client_id))
    try:
        opened = _open_transactions(admin, application_id) - {own}
        if not opened:
            return []
        members = admin.describe_groups([application_id])[application_id].get("members") or []
        alive = {transactional_id(application_id, member["client_id"].rpartition("@")[2]) for member in members}
        dead = sorted(opened - alive)
    except KafkaError as error:
        log.warning("cannot look for transactions of dead workers (%s); they end by their time-out", error)
        return []
    finally:
        admin.close()
    for name in dead:
        log.info("ending the open transaction of %s, which is no member of the group any more", name)
        _fence(config, client_id, name)
    return dead


def _open_transactions(admin: Any, application_id: str) -> set[str]:
    pattern = f"^{re.escape(application_id)}/[^/]+$"
    try:
        listed = admin.list_transactions(state_filters=["Ongoing"], transactional_id_pattern=pattern)
    except UnsupportedVersionError:  # brokers before 4.1 know no patterns
        listed = admin.list_transactions(state_filters=["Ongoing"])
    names = {entry.transactional_id for entries in listed.values() for entry in entries}
    return {name for name in names if re.match(pattern, name)}


def _fence(config: KafkaConfig, client_id: str, name: str) -> None:
    producer = made(
        KafkaProducer,
        **client_options(config, client_id),
        transactional_id=name,
        max_block_ms=milliseconds(config.broker_timeout),
        metrics_enabled=False,
    )
    try:
        producer.init_transactions()
    finally:
        producer.close(timeout=1)
