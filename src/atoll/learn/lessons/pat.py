"""PAT and port overloading: many instances behind one address, as the course's table has it (rows 146 to 149)."""

from ipaddress import ip_address

from atoll.learn.commands import elastic_ip, named
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.lessons.nat_gateway import SOURCE_PORT, seen, standing
from atoll.learn.view import STRANGER, Not, View

NAT = "10.20.1.100"
PAIR = ("one", "two")


async def build(ground: Ground) -> None:
    """Make the VPC of the table, with its two instances."""
    vpc = await ground.vpc("book", "10.20.0.0/16", internet=True)
    await ground.ec2("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.40.0.0/16")
    await ground.subnet("public", vpc, "10.20.1.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.40.2.0/24")
    group = await ground.group("app", vpc)
    for name, address in zip(PAIR, ("10.40.2.101", "10.40.2.201"), strict=True):
        await ground.instance(name, private, group, PrivateIpAddress=address)
    ground.outside(STRANGER)


def gateway(view: View) -> Facts:
    """Check that a NAT gateway has the address of the table."""
    found = standing(view, "book")
    if found.addresses[0].private_ip != ip_address(NAT):
        raise Not("other-address", id=found.id, address=found.addresses[0].private_ip, wanted=NAT)
    if found.state != "available":
        raise Not("not-available", name=found.id, status=found.state)
    return {"id": found.id, "address": NAT}


def overload(view: View) -> Facts:
    """Check that both instances, from one source port, are there at once behind one address."""
    for name in PAIR:
        view.must_reach(name, STRANGER, 8007, name="internet")
    first, second = seen(view, list(PAIR))
    if view.is_real and first.rpartition(":")[0] != second.rpartition(":")[0]:
        raise Not("two-addresses", first=first, second=second)
    assert not view.is_real or first != second, "two flows from one address and port are one"
    return {"port": str(SOURCE_PORT), "first": first, "second": second}


def second(view: View) -> Facts:
    """Check that the gateway has a second address."""
    settled = [a for a in standing(view, "book").addresses if a.status == "succeeded"]
    if len(settled) < 2:
        raise Not("one-address", name=standing(view, "book").id)
    return {"addresses": ", ".join(str(a.public_ip) for a in settled)}


LESSON = Lesson(
    name="pat",
    number=6,
    build=build,
    steps=(
        Step(
            id="gateway",
            judge=gateway,
            before="no-nat-gateway",
            commands=(
                elastic_ip("gateway"),
                "aws ec2 create-nat-gateway --subnet-id {subnet:public} --allocation-id {eipalloc:gateway}"
                f" --private-ip-address {NAT} {named('natgateway', 'gateway')}",
            ),
            wrong=(
                Wrong(
                    code="other-address",
                    commands=(
                        "aws ec2 create-nat-gateway --connectivity-type private --subnet-id {subnet:public}"
                        f" --private-ip-address 10.20.1.101 {named('natgateway', 'other')}",
                    ),
                    undo=("aws ec2 delete-nat-gateway --nat-gateway-id {nat:other}",),
                ),
            ),
        ),
        Step(
            id="overload",
            judge=overload,
            before="blocked",
            commands=(
                "aws ec2 create-route --route-table-id {rtb:private} --destination-cidr-block 0.0.0.0/0"
                " --nat-gateway-id {nat:gateway}",
            ),
        ),
        Step(
            id="second",
            judge=second,
            before="one-address",
            commands=(
                elastic_ip("second"),
                "aws ec2 associate-nat-gateway-address --nat-gateway-id {nat:gateway}"
                " --allocation-ids {eipalloc:second}",
            ),
        ),
    ),
)
