"""The configuration: one frozen tree, and where its values come from."""
