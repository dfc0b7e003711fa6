"""Watching a worker: metrics, health, the live page."""
