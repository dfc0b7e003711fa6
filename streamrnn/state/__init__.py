"""The state of a partition: arrays, rows per series, snapshots."""
