"""NAT gateway against NAT instance: two ways out of a private subnet (rows 109 to 111, 136 to 145)."""

from atoll.learn.commands import elastic_ip, named
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import CLIENT, STRANGER, Not, View
from atoll.model.lookup import is_public, public_ip_of, route_table_of
from atoll.model.nat_gateway import NatGateway
from atoll.model.subnet import Subnet

PORT, SOURCE_PORT = 8007, 40001  # of the server on the internet, and of who asks it
GATEWAY = "aws ec2 create-nat-gateway --allocation-id {eipalloc:gateway}"


async def build(ground: Ground) -> None:
    """Make a VPC with a public and a private subnet, and an instance in the private one."""
    vpc = await ground.vpc("office", internet=True)
    await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.0.1.0/24")
    await ground.allow(await ground.group("nat", vpc), "0-65535", "10.0.1.0/24")
    await ground.instance("app", private, await ground.group("app", vpc))
    ground.outside(CLIENT, STRANGER)


def gateway(view: View) -> Facts:
    """Check that a NAT gateway stands in the public subnet."""
    found = standing(view, "office")
    if not is_public(view.world, view.world[Subnet, found.subnet_id]):
        raise Not("nat-in-private-subnet", id=found.id, subnet=found.subnet_id)
    if found.state != "available":
        raise Not("not-available", name=found.id, status=found.state)
    return {"id": found.id, "address": str(found.addresses[0].public_ip)}


def route(view: View) -> Facts:
    """Check that the private instance goes out by the gateway, and that nobody comes in by it."""
    public = gateway(view)["address"]
    view.must_reach("app", STRANGER, PORT, name="internet")
    if _target(view) != standing(view, "office").id:
        raise Not("other-route", subnet="private", target=_target(view))
    because = view.must_not_reach(CLIENT, public, PORT)
    return {"seen": seen(view, ["app"])[0], "because": because}


def instance(view: View) -> Facts:
    """Check that the private instance goes out by a NAT instance."""
    if _target(view).startswith("nat-"):
        raise Not("still-gateway", subnet="private")
    view.must_reach("app", STRANGER, PORT, name="internet")
    interface = view.interface("nat")
    if _target(view) != interface.id:
        raise Not("other-route", subnet="private", target=_target(view))
    public, (found,) = str(public_ip_of(view.world, interface)), seen(view, ["app"])
    if view.is_real and not found.startswith(f"{public}:"):
        raise Not("seen-as-other", name="app", seen=found, wanted=public)
    return {"seen": found}


def standing(view: View, vpc: str) -> NatGateway:
    """Return the newest NAT gateway that stands in a VPC.  Raises Not."""
    id = view.vpc(vpc).id
    found = [g for g in view.world.all(NatGateway) if g.stands and g.vpc_id == id]
    if not found:
        raise Not("no-nat-gateway", vpc=vpc)
    return found[-1]


def seen(view: View, senders: list[str]) -> list[str]:
    """Return how a server on the internet sees some instances, all at once.  Raises Not if one does not come."""
    found = view.mirror(senders, STRANGER, PORT, SOURCE_PORT)
    for sender, what in zip(senders, found, strict=False):
        if what == "dropped":
            raise Not("silent", from_=sender, to=STRANGER, port=PORT, said=what)
    return found or ["-"] * len(senders)


def _target(view: View) -> str:
    routes = route_table_of(view.world, view.subnet("private")).routes
    return next((r.target for r in routes if r.towards == ANYWHERE), "-")


LESSON = Lesson(
    name="nat-gateway",
    number=5,
    build=build,
    steps=(
        Step(
            id="gateway",
            judge=gateway,
            before="no-nat-gateway",
            commands=(
                elastic_ip("gateway"),
                f"{GATEWAY} --subnet-id {{subnet:public}} {named('natgateway', 'gateway')}",
            ),
            wrong=(
                Wrong(
                    code="nat-in-private-subnet",
                    commands=(
                        "aws ec2 create-nat-gateway --connectivity-type private --subnet-id {subnet:private}"
                        f" {named('natgateway', 'inner')}",
                    ),
                    undo=("aws ec2 delete-nat-gateway --nat-gateway-id {nat:inner}",),
                ),
            ),
        ),
        Step(
            id="route",
            judge=route,
            before="blocked",
            commands=(
                "aws ec2 create-route --route-table-id {rtb:private} --destination-cidr-block 0.0.0.0/0"
                " --nat-gateway-id {nat:gateway}",
            ),
            wrong=(
                Wrong(
                    code="blocked",
                    commands=(
                        "aws ec2 create-route --route-table-id {rtb:private} --destination-cidr-block 0.0.0.0/0"
                        " --gateway-id {igw:office}",
                    ),
                    undo=("aws ec2 delete-route --route-table-id {rtb:private} --destination-cidr-block 0.0.0.0/0",),
                ),
            ),
        ),
        Step(
            id="instance",
            judge=instance,
            before="still-gateway",
            commands=(
                "aws ec2 run-instances --image-id {ami:nat} --instance-type t3.micro --subnet-id {subnet:public}"
                f" --security-group-ids {{sg:nat}} --associate-public-ip-address {named('instance', 'nat')}",
                "aws ec2 replace-route --route-table-id {rtb:private} --destination-cidr-block 0.0.0.0/0"
                " --instance-id {i:nat}",
                "aws ec2 modify-instance-attribute --instance-id {i:nat} --no-source-dest-check",
            ),
        ),
    ),
)
