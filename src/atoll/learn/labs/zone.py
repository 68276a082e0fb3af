"""A subnet group of one zone: a replica that is to survive the loss of the zone has no place to stand."""

from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.lessons.failover import PORT, replica
from atoll.learn.view import Not, View
from atoll.model.cache import CacheSubnetGroup
from atoll.model.lookup import is_public
from atoll.model.subnet import Subnet

GROUP = "aws elasticache modify-cache-subnet-group --cache-subnet-group-name shop --subnet-ids"
REPLICA = (
    "aws elasticache increase-replica-count --replication-group-id sessions --apply-immediately"
    " --replica-configuration NodeGroupId=0001,NewReplicaCount=1,PreferredAvailabilityZones=us-east-1a,us-east-1b"
)


async def build(ground: Ground) -> None:
    """Make a lone primary, in a subnet group of its own zone."""
    vpc = await ground.vpc("shop", internet=True)
    near = await ground.subnet("private-a", vpc, "10.0.1.0/24")
    await ground.subnet("private-b", vpc, "10.0.2.0/24", zone="b")
    await ground.subnet("public-b", vpc, "10.0.3.0/24", zone="b", public=True)
    app, cache = await ground.group("app", vpc), await ground.group("cache", vpc)
    await ground.allow(cache, PORT, app)
    await ground.subnet_group("shop", near)
    await ground.instance("app", near, app)
    await ground.valkey("sessions", "shop", cache)


def judge(view: View) -> Facts:
    """Check that a replica stands in another zone, and that no cache may stand in a public subnet."""
    for group in view.world.all(CacheSubnetGroup):
        for id in group.subnet_ids:
            if is_public(view.world, view.world[Subnet, id]):
                raise Not("public-cache-subnet", group=group.name, subnet=id)
    return replica(view)


LESSON = Lesson(
    name="lab-zone",
    number=29,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="no-replica",
            commands=(f"{GROUP} {{subnet:private-a}} {{subnet:private-b}}", REPLICA),
            others=(
                (
                    f"{GROUP} {{subnet:private-a}} {{subnet:private-b}}",
                    "aws elasticache create-cache-cluster --cache-cluster-id sessions-002"
                    " --replication-group-id sessions --preferred-availability-zone us-east-1b",
                ),
            ),
            wrong=(
                Wrong(
                    "public-cache-subnet",
                    (f"{GROUP} {{subnet:private-a}} {{subnet:public-b}}",),
                    (f"{GROUP} {{subnet:private-a}}",),
                ),
                Wrong(
                    "one-zone",
                    (
                        "aws elasticache increase-replica-count --replication-group-id sessions"
                        " --new-replica-count 1 --apply-immediately",
                    ),
                    (
                        "aws elasticache decrease-replica-count --replication-group-id sessions"
                        " --new-replica-count 0 --apply-immediately",
                    ),
                ),
            ),
        ),
    ),
)
