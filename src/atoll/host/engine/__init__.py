"""Engines as this machine runs them: where they are, and what is said to them.  Any Unix; no kernel of its own."""
