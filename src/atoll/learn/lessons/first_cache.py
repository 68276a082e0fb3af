"""Reach a cache from an instance: rows 1, 2, 17 to 19, 81 and 84 of the inventory."""

from atoll.cache.endpoint import primary_name
from atoll.learn.commands import admit, inside, withdraw
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import PING, PONG, Not, View
from atoll.learn.width import groups_are_narrow
from atoll.model.cache import CacheCluster, CacheSubnetGroup
from atoll.model.lookup import is_public
from atoll.model.subnet import Subnet


async def build(ground: Ground) -> None:
    """Make a VPC with a public and a private subnet, and an instance."""
    vpc = await ground.vpc("shop", internet=True)
    public = await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    await ground.subnet("private", vpc, "10.0.1.0/24")
    app = await ground.group("app", vpc)
    await ground.group("cache", vpc)
    await ground.instance("app", public, app)


def subnet_group(view: View) -> Facts:
    """Check that there is a subnet group, of private subnets only."""
    found = [g for g in view.world.all(CacheSubnetGroup) if g.vpc_id == view.vpc("shop").id]
    if not found:
        raise Not("no-subnet-group", vpc="shop")
    for id in found[-1].subnet_ids:
        if is_public(view.world, view.world[Subnet, id]):
            raise Not("public-cache-subnet", group=found[-1].name, subnet=id)
    return {"group": found[-1].name}


def cache(view: View) -> Facts:
    """Check that the cache is there, with its own group."""
    group = view.replication("sessions")
    cluster = view.world[CacheCluster, group.shard.primary_id]
    if group.engine != "valkey":
        raise Not("other-engine", name="sessions", engine=group.engine, wanted="valkey")
    if view.group("cache") not in view.groups_of(cluster):
        raise Not("without-group", name="sessions", group="cache")
    return {"endpoint": primary_name(group), "port": str(group.port)}


def reach(view: View) -> Facts:
    """Check that the instance gets an answer, and that nobody else was let in."""
    group = view.replication("sessions")
    groups_are_narrow([view.group("cache")])
    said = view.must_answer("app", view.node("sessions"), group.port, PING, PONG, name="sessions")
    return {"said": said}


LESSON = Lesson(
    name="first-cache",
    number=1,
    build=build,
    steps=(
        Step(
            id="subnet-group",
            judge=subnet_group,
            before="no-subnet-group",
            commands=(
                "aws elasticache create-cache-subnet-group --cache-subnet-group-name shop"
                " --cache-subnet-group-description 'private subnets' --subnet-ids {subnet:private}",
            ),
            wrong=(
                Wrong(
                    code="public-cache-subnet",
                    commands=(
                        "aws elasticache create-cache-subnet-group --cache-subnet-group-name open"
                        " --cache-subnet-group-description public --subnet-ids {subnet:public}",
                    ),
                    undo=("aws elasticache delete-cache-subnet-group --cache-subnet-group-name open",),
                ),
            ),
        ),
        Step(
            id="create",
            judge=cache,
            before="no-replication-group",
            commands=(
                "aws elasticache create-replication-group --replication-group-id sessions"
                " --replication-group-description 'sessions of the shop' --engine valkey"
                " --cache-node-type cache.t3.micro --num-cache-clusters 1 --cache-subnet-group-name shop"
                " --security-group-ids {sg:cache}",
            ),
        ),
        Step(
            id="open",
            judge=reach,
            before="blocked",
            commands=(
                admit("cache", 6379, "sg:app"),
                inside("app", "redis-cli -h {endpoint:sessions} PING"),
            ),
            others=((admit("cache", 6379, "{ip:app}/32"),),),
            wrong=(
                Wrong(
                    code="blocked",
                    commands=(admit("cache", 6380, "sg:app"),),
                    undo=(withdraw("cache", 6380, "sg:app"),),
                ),
                Wrong(
                    code="too-wide",
                    commands=(admit("cache", 6379, "0.0.0.0/0"),),
                    undo=(withdraw("cache", 6379, "0.0.0.0/0"),),
                ),
            ),
        ),
    ),
)
