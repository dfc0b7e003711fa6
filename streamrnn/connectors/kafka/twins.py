"""Two workers of one `kafka.group_instance_id`: the one that was displaced ends by name, instead of taking all back.

They have one transactional id as well, so each fences the other's producer. A commit that is refused for that looks
like any other, and whoever recovers from it displaces the other in turn: both restore for ever, and say nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streamrnn.config.kafka import KafkaConfig
from streamrnn.connectors.kafka.clients import bounded, client_options, displaced, made
from streamrnn.connectors.kafka.internals import heartbeat_ended
from streamrnn.errors import StreamRNNError

PAUSE = 5.0  # seconds between two looks
_LOOK = 5.0  # seconds for one


class Twins:
    """Asks the group who has this worker's name, when there is reason to."""

    def __init__(self, config: KafkaConfig, application_id: str, client_id: str) -> None:
        self._config, self._application_id, self._client_id = config, application_id, client_id
        self._next_look = 0.0

    def watch(self, consumer: Any, member: str) -> None:
        """Between polls: the client ends its heartbeat without an error when another one has taken the name."""
        if self._config.group_instance_id is None or not heartbeat_ended(consumer):
            return
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + PAUSE
            self.refuse(consumer, member)

    def refuse(self, consumer: Any, member: str) -> None:
        """Raise `ConnectorError` if this worker's name is another one's by now.

        `member` is the id that the group gave it with its partitions; it has another one since if it joined again.
        """
        own = (None, member, consumer.group_metadata().member_id)
        if self._config.group_instance_id is not None and self._holder() not in own:
            raise displaced(self._config)

    def _holder(self) -> str | None:
        """Id of the member that has the name; None where nobody has it, or nobody says so."""

        def ask() -> str | None:
            admin = made(KafkaAdminClient, **client_options(self._config, f"{self._client_id}-admin"))
            try:
                found = admin.describe_groups([self._application_id])[self._application_id].get("members") or []
            finally:
                admin.close()
            ids = [one["member_id"] for one in found if one["group_instance_id"] == self._config.group_instance_id]
            return ids[0] if ids else None

        with suppress(KafkaError, StreamRNNError):
            return bounded(min(_LOOK, self._config.broker_timeout), ask, "looking for a worker of the same name")
        return None
