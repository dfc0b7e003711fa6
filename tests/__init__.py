"""Tests, in folders that mirror the package; `broker` and `proxy` are their tools."""
