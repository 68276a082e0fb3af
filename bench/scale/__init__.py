"""How the cost of a call grows with the world; see `python -m bench.scale --help`."""
