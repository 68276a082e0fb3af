"""STS verbs.  No I/O."""
