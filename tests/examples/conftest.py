"""The examples that need a broker have the one of the tests."""

from tests.broker.fixtures import bootstrap, broker  # noqa: F401
