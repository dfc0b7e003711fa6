"""What one event teaches about each series, and what is expected next."""
