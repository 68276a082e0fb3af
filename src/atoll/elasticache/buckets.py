"""The buckets of this machine, as verbs may know them: only the host can look, and `look_with` says how.

They are those of `guest/objects.py`, behind gateway endpoints; every account sees every bucket.
"""

import re
from typing import Protocol

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Buckets(Protocol):
    """What can be known of the buckets of this machine."""

    def has_bucket(self, bucket: str) -> bool:
        """Tell whether there is a bucket."""
        ...

    def beginning(self, bucket: str, key: str) -> tuple[str, int, bytes] | None:
        """Return an object's path below the state directory, its length and its first bytes; None: there is none."""
        ...


class _NoBuckets:
    def has_bucket(self, bucket: str) -> bool:  # noqa: ARG002
        return False

    def beginning(self, bucket: str, key: str) -> None:  # noqa: ARG002
        return None


_buckets: Buckets = _NoBuckets()


def look_with(buckets: Buckets) -> None:
    """Look into buckets by this; the daemon says so when it starts."""
    global _buckets
    _buckets = buckets


def buckets() -> Buckets:
    """Return how to look into buckets."""
    return _buckets
