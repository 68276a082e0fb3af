"""What a replication group says of its snapshots: whose they are, and that its last one is to be taken."""

from typing import Any

from atoll.aws.errors import Err
from atoll.elasticache import checks, errors, snapshot_create
from atoll.elasticache.find import find_cluster
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.world import Tx, World

NOT_A_MEMBER = Err("InvalidParameterValue", "Cache cluster {name} is not part of replication group {group}.")
NOT_IN_CLUSTER_MODE = Err(
    "InvalidParameterCombination", "SnapshottingClusterId is not supported with cluster mode enabled."
)
RETAINS = "the primary that is retained keeps all data; take a snapshot of it by CreateSnapshot."


def changes(world: World, group: ReplicationGroup, days: int | None, name: str | None) -> dict[str, Any]:
    """Return what changes of a group: the days that daily snapshots are kept, and the member whose they are."""
    checked, member = checks.retention(days), _member(world, group, name) if name else None
    kept = {} if checked is None else {"snapshot_retention": checked}
    return kept | ({"snapshotting_id": member.id} if member else {})


def _member(world: World, group: ReplicationGroup, name: str) -> CacheCluster:
    if group.is_sharded:
        raise NOT_IN_CLUSTER_MODE()
    cluster = find_cluster(world, name)
    if cluster.id not in group.member_ids:
        raise NOT_A_MEMBER(name=cluster.name, group=group.name)
    return cluster


def begin(tx: Tx, group: ReplicationGroup, days: int | None, key: str | None) -> ReplicationGroup:
    """Write down how long a new group's daily snapshots are kept, and the key it is said to be encrypted with."""
    checked = checks.kms_key(key, at_rest=group.at_rest)
    return tx.put(group.but(snapshot_retention=checks.retention(days) or 0, kms_key_id=checked))


def begin_final(tx: Tx, name: str, group: ReplicationGroup, *, retain: bool) -> None:
    """Begin the last snapshot of a group that is to be deleted."""
    if retain:
        raise errors.UNSUPPORTED(what="FinalSnapshotIdentifier with RetainPrimaryCluster", because=RETAINS)
    snapshot_create.begin_final(tx, name, None, group)
