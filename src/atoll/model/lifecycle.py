"""Lifecycles, as tables.  A status changes only along a row, so the table is the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass


class IllegalTransition(Exception):
    """A programming error: nothing a caller does may lead here."""


@dataclass(frozen=True)
class Lifecycle:
    """The statuses of one kind of resource, and the events that lead from one to the next."""

    initial: str
    rows: Mapping[tuple[str, str], str]  # (status, event) -> next status

    def after(self, status: str, event: str) -> str:
        """Return the status that follows; raises IllegalTransition."""
        try:
            return self.rows[status, event]
        except KeyError:
            raise IllegalTransition(f"{event} while {status}") from None

    def allows(self, status: str, event: str) -> bool:
        """Tell whether the event may happen now."""
        return (status, event) in self.rows

    def mermaid(self) -> str:
        """Print the table as a state diagram for the documents."""
        return "\n".join(["stateDiagram-v2", *(f"  {a} --> {b}: {e}" for (a, e), b in self.rows.items())])


# EC2 User Guide, "Instance lifecycle".
INSTANCE = Lifecycle(
    initial="pending",
    rows={
        ("pending", "booted"): "running",
        ("pending", "failed"): "terminated",  # "Server.InternalError" in StateReason
        ("pending", "start-failed"): "stopped",  # it ran before: its disk is kept
        ("pending", "terminate"): "shutting-down",
        ("pending", "stop"): "stopping",
        ("running", "stop"): "stopping",
        (
            "running",
            "halted",
        ): "stopping",  # the guest shut itself down: InstanceInitiatedShutdownBehavior=stop
        ("running", "halted-to-terminate"): "shutting-down",
        ("running", "terminate"): "shutting-down",
        ("stopping", "exited"): "stopped",
        ("stopping", "terminate"): "shutting-down",
        ("stopped", "start"): "pending",
        ("stopped", "terminate"): "shutting-down",
        ("shutting-down", "exited"): "terminated",
    },
)

# VPC User Guide, "NAT gateway basics" and "Troubleshoot NAT gateways"; EC2 API Reference, NatGateway, "State".
NAT_GATEWAY = Lifecycle(
    initial="pending",
    rows={
        ("pending", "in-force"): "available",
        ("pending", "refused"): "failed",  # its FailureCode says why
        ("pending", "delete"): "deleting",
        ("available", "delete"): "deleting",
        ("failed", "delete"): "deleting",
        ("deleting", "in-force"): "deleted",
    },
)

# ElastiCache API Reference, CacheCluster, "CacheClusterStatus".  There is no create-failed for a cluster.
CACHE_CLUSTER = Lifecycle(
    initial="creating",
    rows={
        ("creating", "nodes-ready"): "available",
        ("creating", "network-failed"): "incompatible-network",
        ("creating", "restore-failed"): "restore-failed",
        ("creating", "delete"): "deleting",
        ("available", "modify"): "modifying",
        ("available", "reboot"): "rebooting cluster nodes",
        ("available", "snapshot"): "snapshotting",
        ("available", "delete"): "deleting",
        ("snapshotting", "snapshotted"): "modifying",  # until its nodes are seen to be well
        ("snapshotting", "delete"): "deleting",  # by its final snapshot
        ("modifying", "nodes-ready"): "available",
        ("modifying", "delete"): "deleting",
        ("rebooting cluster nodes", "nodes-ready"): "available",
        ("rebooting cluster nodes", "delete"): "deleting",
        ("incompatible-network", "delete"): "deleting",
        ("restore-failed", "delete"): "deleting",
    },
)

# ElastiCache API Reference, ReplicationGroup, "Status".
REPLICATION_GROUP = Lifecycle(
    initial="creating",
    rows={
        ("creating", "nodes-ready"): "available",
        ("creating", "nodes-failed"): "create-failed",
        ("creating", "delete"): "deleting",
        ("available", "modify"): "modifying",
        ("available", "snapshot"): "snapshotting",
        ("available", "delete"): "deleting",
        ("snapshotting", "snapshotted"): "modifying",  # until its nodes are seen to be well
        ("snapshotting", "delete"): "deleting",  # by its final snapshot
        ("modifying", "nodes-ready"): "available",
        ("modifying", "delete"): "deleting",
        ("available", "migrate"): "migrating",  # User Guide, "Starting migration"
        ("migrating", "nodes-ready"): "available",
        ("migrating", "delete"): "deleting",
        ("create-failed", "delete"): "deleting",
    },
)

# ElastiCache API Reference, Snapshot, "SnapshotStatus".  `restoring` is derived: a cache is being made of it.
SNAPSHOT = Lifecycle(
    initial="creating",
    rows={
        ("creating", "taken"): "available",
        ("creating", "failed"): "failed",
        ("available", "export"): "exporting",
        ("exporting", "exported"): "available",
        ("available", "lost"): "failed",  # a file is not what it was
        ("available", "delete"): "deleting",
        ("failed", "delete"): "deleting",
    },
)

# ElastiCache API Reference, CacheNode, "CacheNodeStatus".
CACHE_NODE = Lifecycle(
    initial="creating",
    rows={
        ("creating", "answered"): "available",
        ("creating", "delete"): "deleting",
        ("available", "reboot"): "rebooting",
        ("available", "silent"): "rebooting",  # the process died and is being started again
        ("available", "delete"): "deleting",
        ("rebooting", "answered"): "available",
        ("rebooting", "delete"): "deleting",
    },
)

# ElastiCache API Reference, User and UserGroup, "Status".
USER = Lifecycle(
    initial="active",
    rows={
        ("active", "modify"): "modifying",
        ("modifying", "applied"): "active",
        ("active", "delete"): "deleting",
    },
)
USER_GROUP = Lifecycle(
    initial="creating",
    rows={
        ("creating", "applied"): "active",
        ("active", "modify"): "modifying",
        ("modifying", "applied"): "active",
        ("active", "delete"): "deleting",
    },
)

# VPC Peering Guide, "VPC peering connection lifecycle".
PEERING = Lifecycle(
    initial="initiating-request",
    rows={
        ("initiating-request", "sent"): "pending-acceptance",
        ("initiating-request", "refused"): "failed",  # no such VPC, or its ranges overlap
        ("pending-acceptance", "accept"): "provisioning",
        ("pending-acceptance", "refused"): "failed",  # a range was added that overlaps
        ("pending-acceptance", "reject"): "rejected",
        ("pending-acceptance", "expire"): "expired",
        ("pending-acceptance", "delete"): "deleted",
        ("provisioning", "in-force"): "active",
        ("provisioning", "delete"): "deleting",
        ("active", "delete"): "deleting",
        ("deleting", "out-of-force"): "deleted",
    },
)

# ELB API Reference, LoadBalancerState.  `active_impaired` and `failed` do not happen here.
LOAD_BALANCER = Lifecycle(
    initial="provisioning",
    rows={
        ("provisioning", "in-force"): "active",
    },
)

# ELB API Reference, TargetHealth.  `unused` is derived: nobody checks such a target.
TARGET = Lifecycle(
    initial="initial",
    rows={
        ("initial", "passed"): "healthy",
        ("initial", "failed"): "unhealthy",
        ("unhealthy", "passed"): "healthy",
        ("healthy", "failed"): "unhealthy",
        ("initial", "deregister"): "draining",
        ("healthy", "deregister"): "draining",
        ("unhealthy", "deregister"): "draining",
    },
)

# AWS PrivateLink guide, "Interface endpoint statuses"; EC2 API Reference, VpcEndpoint, "State".
VPC_ENDPOINT = Lifecycle(
    initial="pendingAcceptance",  # where a service asks for none, "pending"
    rows={
        ("pending", "in-force"): "available",
        ("pendingAcceptance", "accept"): "pending",
        ("rejected", "accept"): "pending",
        ("pendingAcceptance", "reject"): "rejected",
        ("pending", "reject"): "rejected",
        ("available", "reject"): "rejected",
        ("pendingAcceptance", "delete"): "deleting",
        ("pending", "delete"): "deleting",
        ("available", "delete"): "deleting",
        ("rejected", "delete"): "deleting",
    },
)
