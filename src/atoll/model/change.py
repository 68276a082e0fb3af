"""A change of what a cache runs on: its engine, the version of it, whether in cluster mode, its node type.

It is written down before anything is done, in each cluster that it concerns.  One that waits for the maintenance
window is not `begun`; one that is under way has begun, and goes when the cluster has become what it says.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a cluster is to become, in full: also what stays as it is."""

    engine: str
    engine_version: str  # full
    requested_version: str | None  # as asked for: major.minor
    node_type: str
    parameter_group: str  # name
    sharded: bool = False  # its engine runs in cluster mode
    begun: bool = False
