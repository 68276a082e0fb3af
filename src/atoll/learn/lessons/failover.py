"""Replicas and failover: rows 162, 163 and 168 to 170."""

from atoll.cache.endpoint import address_of
from atoll.learn.commands import inside
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import Not, View
from atoll.model.cache import CacheCluster

PORT = 6379
CHANGE = "aws elasticache modify-replication-group --replication-group-id sessions --apply-immediately"


async def build(ground: Ground) -> None:
    """Make a group with a primary and nobody to replace it, in a subnet group of two zones."""
    vpc = await ground.vpc("shop")
    near = await ground.subnet("private-a", vpc, "10.0.1.0/24")
    far = await ground.subnet("private-b", vpc, "10.0.2.0/24", zone="b")
    app, cache = await ground.group("app", vpc), await ground.group("cache", vpc)
    await ground.allow(cache, PORT, app)
    await ground.subnet_group("shop", near, far)
    await ground.instance("app", near, app)
    await ground.valkey("sessions", "shop", cache, PreferredCacheClusterAZs=["us-east-1a"])


def replica(view: View) -> Facts:
    """Check that there is a replica, in another zone, and that it says so itself."""
    group = view.replication("sessions")
    replicas = [view.world[CacheCluster, id] for id in group.member_ids if id != group.shard.primary_id]
    if not replicas:
        raise Not("no-replica", name="sessions")
    primary = view.world[CacheCluster, group.shard.primary_id]
    if all(one.nodes[0].zone == primary.nodes[0].zone for one in replicas):
        raise Not("one-zone", name="sessions", zone=primary.nodes[0].zone)
    for one in replicas:
        address = address_of(view.world, one.nodes[0])
        view.must_answer("app", address, PORT, "ROLE\r\n", "slave", name=one.name)
    return {"replicas": ", ".join(f"{one.name} ({one.nodes[0].zone})" for one in replicas)}


def automatic(view: View) -> Facts:
    """Check that a replica would take over by itself."""
    group = view.replication("sessions")
    if group.automatic_failover != "enabled":
        raise Not("no-automatic-failover", name="sessions")
    if group.multi_az != "enabled":
        raise Not("no-multi-az", name="sessions")
    return {}


def failover(view: View) -> Facts:
    """Check that another node is the primary, and that it takes writes."""
    group = view.replication("sessions")
    primary = view.world[CacheCluster, group.shard.primary_id]
    if primary.name == "sessions-001":
        raise Not("same-primary", name="sessions", primary=primary.name)
    address = address_of(view.world, primary.nodes[0])
    said = view.must_answer("app", address, PORT, "SET lesson kept\r\n", "+OK", name=primary.name, code="no-writes")
    return {"primary": primary.name, "said": said}


LESSON = Lesson(
    name="failover",
    number=10,
    build=build,
    steps=(
        Step(
            id="replica",
            judge=replica,
            before="no-replica",
            commands=(
                "aws elasticache increase-replica-count --replication-group-id sessions --apply-immediately"
                " --replica-configuration"
                " NodeGroupId=0001,NewReplicaCount=1,PreferredAvailabilityZones=us-east-1a,us-east-1b",
            ),
            others=(
                (
                    "aws elasticache create-cache-cluster --cache-cluster-id sessions-002"
                    " --replication-group-id sessions --preferred-availability-zone us-east-1b",
                ),
            ),
            wrong=(
                Wrong(
                    code="one-zone",
                    commands=(
                        "aws elasticache create-cache-cluster --cache-cluster-id sessions-009"
                        " --replication-group-id sessions --preferred-availability-zone us-east-1a",
                    ),
                    undo=("aws elasticache delete-cache-cluster --cache-cluster-id sessions-009",),
                ),
            ),
        ),
        Step(
            id="automatic",
            judge=automatic,
            before="no-automatic-failover",
            commands=(f"{CHANGE} --automatic-failover-enabled --multi-az-enabled",),
            wrong=(Wrong(code="no-multi-az", commands=(f"{CHANGE} --automatic-failover-enabled",)),),
        ),
        Step(
            id="failover",
            judge=failover,
            before="same-primary",
            commands=(
                "aws elasticache test-failover --replication-group-id sessions --node-group-id 0001",
                inside("app", "redis-cli -h {endpoint:sessions} SET lesson kept"),
            ),
        ),
    ),
)
