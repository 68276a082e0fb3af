"""What a daemon of a story has on its PYTHONPATH."""
