"""Automatic failover and Multi-AZ as settings, TestFailover, and manual promotion.

Source: ElastiCache API Reference, TestFailover and ModifyReplicationGroup; User Guide, "Minimizing downtime by using
Multi-AZ" and "Promoting a read replica to primary".
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.history import GROUP, record
from atoll.cache.takeover import MANUAL, TEST
from atoll.elasticache import errors
from atoll.elasticache.find import find_cluster, find_group
from atoll.elasticache.global_group import refuse_copy
from atoll.elasticache.replication_group import render
from atoll.model.cache import CacheCluster, Promotion, ReplicationGroup
from atoll.model.event import Event
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx, World

TESTS_MAX, TESTS_SPAN = 15, timedelta(hours=24)
TESTED = "Test Failover API called for node group {id}"

NO_REPLICA = Err(
    "InvalidParameterValue", "Replication group must have at least one read replica to enable autofailover."
)
SHARDED = Err(
    "InvalidParameterCombination",
    "Turning off automatic failover for replication group with cluster mode enabled is not supported.",
)
MULTI_AZ_ALONE = Err("InvalidParameterCombination", "Automatic failover must be enabled to enable Multi-AZ.")
MULTI_AZ_REPLICA = Err(
    "InvalidParameterCombination", "Replication group must have at least one read replica to enable Multi-AZ."
)
MULTI_AZ_ZONES = Err(
    "InvalidParameterCombination",
    "Multi-AZ needs cache clusters in at least two availability zones; those of {name} are all in {zone}.",
)
AUTOFAILOVER = Err(
    "InvalidReplicationGroupState",
    "Cannot manually promote a new master cache cluster while autofailover is enabled",
)
NOT_A_MEMBER = Err("InvalidParameterValue", "Cache cluster {name} is not part of replication group {group}.")
PRIMARY_ALREADY = Err("InvalidParameterValue", "Cache cluster {name} is the primary of replication group {group}.")
LATER = "a promotion happens at once; say ApplyImmediately=true."
TEST_DISABLED = Err(
    "InvalidReplicationGroupState",
    "Automatic failover must be enabled for replication group {name} to test it.",
)
TEST_NO_REPLICA = Err("TestFailoverNotAvailableFault", "Node group {id} has no read replica that is available.")
NOT_OF_A_COPY = (
    "no replica of a secondary in cluster mode can take its primary's place, which is started anew when it is lost; "
    "test the primary, or use FailoverGlobalReplicationGroup."
)
TEST_RATE = Err(
    "APICallRateForCustomerExceeded",
    "The customer has exceeded the allowed rate of API calls: TestFailover, {limit} node groups in 24 hours.",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Both settings, as they are shown."""

    automatic_failover: str
    multi_az: str

    @classmethod
    def of(cls, automatic: bool, multi_az: bool) -> Self:
        """Return the settings as AWS writes them."""
        return cls("enabled" if automatic else "disabled", "enabled" if multi_az else "disabled")


def check(settings: Settings, members: int) -> None:
    """Check that a group with so many members can have these settings."""
    if settings.automatic_failover == "enabled" and members < 2:
        raise NO_REPLICA()
    if settings.multi_az == "enabled":
        if settings.automatic_failover != "enabled":
            raise MULTI_AZ_ALONE()
        if members < 2:
            raise MULTI_AZ_REPLICA()


def check_spread(world: World, group: ReplicationGroup) -> None:
    """Check that each shard has nodes in two zones."""
    for shard in group.node_groups:
        zones = {node.zone for id in shard.member_ids for node in world[CacheCluster, id].nodes}
        if len(zones) < 2:
            raise MULTI_AZ_ZONES(name=group.name, zone=min(zones, default="none"))


def changed_settings(
    world: World, group: ReplicationGroup, automatic: bool | None, multi_az: bool | None
) -> Settings:
    """Return the settings that a group is to have; `None` leaves one as it is.  Raises what forbids them."""
    settings = Settings.of(
        (group.automatic_failover == "enabled") if automatic is None else automatic,
        (group.multi_az == "enabled") if multi_az is None else multi_az,
    )
    before = Settings(group.automatic_failover, group.multi_az)
    if settings != before:
        if group.is_sharded and settings.automatic_failover != "enabled":
            raise SHARDED()
        check(settings, min(len(shard.member_ids) for shard in group.node_groups))
        if settings.multi_az != before.multi_az and multi_az:
            check_spread(world, group)
    return settings


def tell(tx: Tx, group: ReplicationGroup) -> None:
    """Record that automatic failover was turned on or off."""
    state = "on" if group.automatic_failover == "enabled" else "off"
    told = f"Automatic failover has been turned {state} for replication group {group.name}"
    record(tx, group, GROUP, group.name, told)


def promotable(world: World, group: ReplicationGroup, name: str | None, *, now: bool) -> CacheCluster | None:
    """Return the replica that is to be primary; None: none was named.  `now`: ApplyImmediately."""
    if not name:
        return None
    cluster = find_cluster(world, name)
    shard = group.shard_of(cluster.id)
    if shard is None:
        raise NOT_A_MEMBER(name=cluster.name, group=group.name)
    if group.automatic_failover == "enabled":
        raise AUTOFAILOVER()
    if cluster.id == shard.primary_id:
        raise PRIMARY_ALREADY(name=cluster.name, group=group.name)
    if cluster.status != "available" or cluster.nodes[0].status != "available":
        raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    if not now:
        raise errors.UNSUPPORTED(what="PrimaryClusterId with ApplyImmediately=false", because=LATER)
    return cluster


def promote(tx: Tx, group: ReplicationGroup, target: CacheCluster) -> ReplicationGroup:
    """Ask for a manual promotion; the group is `modifying` until the names lead to the new primary."""
    shard = group.shard_of(target.id)
    assert shard, "promotable looked it up"
    return _ask(tx, group, shard.id, Promotion(because=MANUAL, target_id=target.id))


@operation("elasticache", "TestFailover")
def test_failover(tx: Tx, *, replication_group_id: str, node_group_id: str) -> Shape:
    """Fail over on purpose: the replica with most of the data becomes primary, the primary is replaced."""
    group = find_group(tx.world, replication_group_id)
    shard = next((shard for shard in group.node_groups if shard.id == node_group_id), None)
    if shard is None:
        raise errors.SHARD_NOT_FOUND(id=node_group_id)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    refuse_copy(tx.world, group, NOT_OF_A_COPY)
    if group.automatic_failover != "enabled":
        raise TEST_DISABLED(name=group.name)
    replicas = [tx.world[CacheCluster, id] for id in shard.member_ids if id != shard.primary_id]
    if not any(c.status == "available" and c.nodes[0].status == "available" for c in replicas):
        raise TEST_NO_REPLICA(id=shard.id)
    told = TESTED.partition("{")[0]
    recent = [e for e in tx.world.all(Event) if e.message.startswith(told) and e.at > tx.now - TESTS_SPAN]
    if len(recent) >= TESTS_MAX:
        raise TEST_RATE(limit=TESTS_MAX)
    record(tx, group, GROUP, group.name, TESTED.format(id=shard.id))
    return {"ReplicationGroup": render(tx.world, _ask(tx, group, shard.id, Promotion(because=TEST)))}


def _ask(tx: Tx, group: ReplicationGroup, shard_id: str, promotion: Promotion) -> ReplicationGroup:
    shard = next(shard for shard in group.node_groups if shard.id == shard_id)
    busy = group.but(status=REPLICATION_GROUP.after(group.status, "modify"))
    return tx.put(busy.with_shard(replace(shard, promotion=promotion)))
