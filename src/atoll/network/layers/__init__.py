"""The layers of the tracer, one file each."""
