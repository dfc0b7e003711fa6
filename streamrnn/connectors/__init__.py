"""Where events come from and answers go: one protocol, one module per kind of log."""
