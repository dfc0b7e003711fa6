from tests.kafka.conftest import leaky_client  # noqa: F401
from tests.monitor.stage import free_model  # noqa: F401
