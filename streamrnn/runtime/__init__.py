"""The worker's loop: poll, process, commit, recover."""
