"""Attacks.  docs/security.md says what holds them, and names for each claim the test here that attacks it."""
