"""The flat host: engines on loopback behind a relay."""
