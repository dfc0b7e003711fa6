"""Our networks behind river's interfaces (docs/river.md)."""
