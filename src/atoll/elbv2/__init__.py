"""Elastic Load Balancing verbs.  No I/O."""
