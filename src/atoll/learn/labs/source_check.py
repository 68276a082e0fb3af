"""A NAT instance that is not allowed to forward: its source/destination check is on."""

from atoll.learn.commands import elastic_ip, named
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.labs.route import stays_private
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.lessons.nat_gateway import PORT, seen
from atoll.learn.view import STRANGER, View

LEAD = f"aws ec2 replace-route --route-table-id {{rtb:private}} --destination-cidr-block {ANYWHERE}"


async def build(ground: Ground) -> None:
    """Make a private subnet that is led to a NAT instance as it was launched."""
    vpc = await ground.vpc("office", internet=True)
    public = await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.0.1.0/24")
    group = await ground.group("nat", vpc)
    await ground.allow(group, "0-65535", "10.0.1.0/24")
    nat = await ground.instance("nat", public, group, image="nat")
    await ground.address("nat", nat)
    await ground.instance("app", private, await ground.group("app", vpc))
    await ground.lead("private", ANYWHERE, InstanceId=nat)
    ground.outside(STRANGER)


def judge(view: View) -> Facts:
    """Check that the private instance reaches the internet, and that its subnet is still private."""
    stays_private(view)
    view.must_reach("app", STRANGER, PORT, name="internet")
    return {"seen": seen(view, ["app"])[0]}


LESSON = Lesson(
    name="lab-source-check",
    number=24,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="blocked",
            commands=("aws ec2 modify-instance-attribute --instance-id {i:nat} --no-source-dest-check",),
            others=(
                (
                    "aws ec2 modify-network-interface-attribute --network-interface-id {eni:nat}"
                    " --no-source-dest-check",
                ),
                (
                    elastic_ip("gateway"),
                    "aws ec2 create-nat-gateway --subnet-id {subnet:public} --allocation-id {eipalloc:gateway}"
                    f" {named('natgateway', 'gateway')}",
                    f"{LEAD} --nat-gateway-id {{nat:gateway}}",
                ),
            ),
            wrong=(
                Wrong(
                    "private-is-public",
                    (f"{LEAD} --gateway-id {{igw:office}}",),
                    (f"{LEAD} --instance-id {{i:nat}}",),
                ),
                Wrong(
                    "blocked",
                    (
                        "aws ec2 modify-network-interface-attribute --network-interface-id {eni:app}"
                        " --no-source-dest-check",
                    ),
                ),
            ),
        ),
    ),
)
