"""A stream processor that learns while it runs."""

__version__ = "0.1.0"
