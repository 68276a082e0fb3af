"""STS verbs: who calls, and temporary keys.  No I/O."""
