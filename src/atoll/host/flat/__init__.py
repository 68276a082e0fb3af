"""A machine without namespaces: real engines on loopback, behind a relay that asks the tracer.  Any Unix."""
