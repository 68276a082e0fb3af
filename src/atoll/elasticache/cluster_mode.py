"""ModifyReplicationGroup with ClusterMode: disabled - compatible - enabled, and back from compatible to disabled.

Source: ElastiCache User Guide, "Modifying cluster mode".  In `compatible` clients of both protocols are served: the
engines are in cluster mode, one shard has all slots, and the names of both modes lead to it.
"""

from collections.abc import Collection
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.cache.changes import as_change
from atoll.cache.families import family, numbers
from atoll.cache.history import GROUP, record
from atoll.elasticache import changes, errors
from atoll.elasticache.order import CLUSTER_OFF, CLUSTER_ON, OTHER_FAMILY
from atoll.elasticache.parameter_group import find_group as find_parameters
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.change import Change
from atoll.model.world import Tx, World

STEPS = (("disabled", "compatible"), ("compatible", "enabled"), ("compatible", "disabled"))
OLDEST = {"redis": (7, 0), "valkey": (7, 2)}  # that can change its mode

NO_STEP = Err(
    "InvalidParameterCombination",
    "Cluster mode cannot be modified from {current} to {requested}. From disabled to enabled it is modified to "
    "compatible first, and enabled cannot be reverted.",
)
ALONE = Err(
    "InvalidParameterCombination",
    "Nothing can be modified together with ClusterMode but CacheParameterGroupName.",
)
TOO_OLD = Err(
    "InvalidParameterCombination",
    "Cluster mode can be modified from Valkey 7.2 and Redis OSS 7.0 on; {name} runs {engine} {version}.",
)
NO_REPLICA = Err(
    "InvalidParameterCombination",
    "Cluster mode can be modified with automatic failover enabled and at least one replica only.",
)
COMPATIBLE = Err(
    "InvalidReplicationGroupState",
    "{what} is not allowed while the cluster mode of replication group {name} is compatible: modify it to enabled, "
    "or back to disabled, first.",
)


def goal(
    tx: Tx, group: ReplicationGroup, mode: str | None, parameters: str | None, others: Collection[object]
) -> Change | None:
    """Return what the members are to become; None: no other mode was asked for, or it takes no other engine.

    `others`: the values of all other parameters of the request.  Raises what forbids it.
    """
    if mode is None or mode == group.cluster_mode:
        return None
    if (group.cluster_mode, mode) not in STEPS:
        raise NO_STEP(current=group.cluster_mode, requested=mode)
    if any(value not in (None, (), [], False) for value in others):
        raise ALONE()
    if group.shard.migration:
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    primary = tx.world[CacheCluster, group.shard.primary_id]
    if primary.change:
        raise changes.ONE_AT_A_TIME(name="ClusterMode")
    if mode == "enabled":
        return None
    _check(group, primary)
    name = _parameters(tx.world, primary, parameters, sharded=mode == "compatible")
    return replace(as_change(primary), sharded=mode == "compatible", parameter_group=name)


def enable(tx: Tx, group: ReplicationGroup, mode: str | None) -> ReplicationGroup:
    """Take the names of cluster mode disabled from a group that is compatible, if that was asked for."""
    if mode != "enabled" or group.cluster_mode != "compatible":
        return group
    told = "Finished modifying the cluster mode from compatible to enabled"
    record(tx, group, GROUP, group.name, told)
    return tx.put(group.but(cluster_mode="enabled"))


def refuse(group: ReplicationGroup, what: str) -> None:
    """Refuse what AWS allows before and after, but not while a group is compatible."""
    if group.cluster_mode == "compatible":
        raise COMPATIBLE(what=what, name=group.name)


def _check(group: ReplicationGroup, primary: CacheCluster) -> None:
    if numbers(primary.engine_version) < OLDEST[primary.engine]:
        raise TOO_OLD(name=group.name, engine=primary.engine, version=primary.engine_version)
    if group.automatic_failover != "enabled" or len(group.shard.member_ids) < 2:
        raise NO_REPLICA()


def _parameters(world: World, cluster: CacheCluster, asked: str | None, *, sharded: bool) -> str:
    """Return the parameter group of the other mode: of a default one its like; one's own has to be named."""
    own = family(cluster.engine, cluster.engine_version)
    like = f"default.{own}{'.cluster.on' if sharded else ''}"
    is_default = cluster.parameter_group.startswith("default.")
    if not asked and not is_default:
        raise errors.MISSING(name="CacheParameterGroupName")
    group = find_parameters(world, asked or like)
    if group.family != own:
        raise OTHER_FAMILY(wanted=own, found=group.family)
    if group.cluster_on != sharded:
        raise CLUSTER_OFF() if sharded else CLUSTER_ON()
    return group.name
