"""Commands, the jobs they run, the terminal."""
