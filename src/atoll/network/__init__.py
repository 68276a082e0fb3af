"""Packets: what happens to them, and what Linux must look like so that it happens.  No I/O."""
