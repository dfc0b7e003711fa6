"""Connectors of other packages, found by their entry points in the group `streamrnn.connectors`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from streamrnn.config.tree import Config
from streamrnn.connectors.base import Connector
from streamrnn.errors import ConfigurationError

GROUP = "streamrnn.connectors"


def plugin(config: Config) -> Callable[[], Connector]:
    """What makes the connector that `connector.name` names, again after a failure.

    The entry point is called with the whole configuration; `connector.options` is its own. Raises
    `ConfigurationError` where no installed package has one of that name, or where it does not take the options.
    """
    name = config.connector.name
    found = {one.name: one for one in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigurationError(f"connector.name: no installed package has a connector {name!r}; there are: {known}")
    try:
        make = found[name].load()
    except Exception as error:
        raise ConfigurationError(f"connector.name: {name!r} cannot be loaded ({found[name].value}): {error}") from error

    def connect() -> Connector:
        connector = make(config)
        if not isinstance(connector, Connector):
            raise ConfigurationError(f"connector.name: {name!r} makes a {type(connector).__name__}, no Connector")
        return connector

    return connect
