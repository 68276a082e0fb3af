"""A peering whose route leads one way only."""

from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import PING, PONG, Not, View
from atoll.learn.width import groups_are_narrow
from atoll.model.lookup import route_table_of

PORT = 6379
SHOP, STORES, APPS = "10.0.0.0/16", "10.1.0.0/16", "10.0.0.0/24"
ROUTE = "aws ec2 create-route --route-table-id {rtb:data} --vpc-peering-connection-id {pcx:link}"
UNROUTE = "aws ec2 delete-route --route-table-id {rtb:data}"


async def build(ground: Ground) -> None:
    """Make two VPCs that are peered; only the application's knows the way."""
    shop, stores = await ground.vpc("shop", SHOP), await ground.vpc("stores", STORES)
    apps = await ground.subnet("apps", shop, APPS)
    deep = await ground.subnet("data", stores, "10.1.1.0/24")
    cache = await ground.group("cache", stores)
    await ground.allow(cache, PORT, APPS)
    await ground.subnet_group("stores", deep)
    await ground.valkey("sessions", "stores", cache)
    await ground.instance("app", apps, await ground.group("app", shop))
    peering = await ground.peering("link", shop, stores)
    await ground.lead("apps", STORES, VpcPeeringConnectionId=peering)


def judge(view: View) -> Facts:
    """Check that the application is answered, and that only its VPC is routed back."""
    groups_are_narrow([view.group("cache")])
    for route in route_table_of(view.world, view.subnet("data")).routes:
        if route.destination is not None and route.destination.prefixlen < 16:
            raise Not("too-wide-route", towards=route.towards, subnet="data")
    said = view.must_answer("app", view.node("sessions"), PORT, PING, PONG, name="sessions")
    return {"said": said}


LESSON = Lesson(
    name="lab-peering",
    number=27,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="blocked",
            commands=(f"{ROUTE} --destination-cidr-block {SHOP}",),
            others=((f"{ROUTE} --destination-cidr-block {APPS}",),),
            wrong=(
                Wrong(
                    "too-wide-route",
                    (f"{ROUTE} --destination-cidr-block 0.0.0.0/0",),
                    (f"{UNROUTE} --destination-cidr-block 0.0.0.0/0",),
                ),
                Wrong(
                    "blocked",
                    (f"{ROUTE} --destination-cidr-block 10.0.1.0/24",),
                    (f"{UNROUTE} --destination-cidr-block 10.0.1.0/24",),
                ),
            ),
        ),
    ),
)
