"""How surprising an event is, and when an alert opens."""
