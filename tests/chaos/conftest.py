from __future__ import annotations

from tests.broker.fixtures import bootstrap, broker, client, proxy  # noqa: F401
from tests.kafka.conftest import leaky_client  # noqa: F401
from tests.pipeline.conftest import application  # noqa: F401
