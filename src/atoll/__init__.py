"""Amazon ElastiCache and the Amazon VPC around it, on one Linux machine."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return what tests import from here (`atoll.world`): loaded when it is first asked for, never by the daemon."""
    if name in ("AtollError", "Cache", "Completed", "Failover", "Instance", "Vpc", "World", "world"):
        from importlib import import_module  # no import statement: the daemon's floors are below

        return getattr(import_module("atoll.testing"), name)
    raise AttributeError(f"module 'atoll' has no attribute {name!r}")
