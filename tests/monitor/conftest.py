from tests.monitor.stage import free_model  # noqa: F401
