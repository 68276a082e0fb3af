"""Nouns: what exists, as frozen facts.  No I/O, no clock, no dice."""
