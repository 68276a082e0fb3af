"""A public subnet without its route: nobody reaches the machine that everybody is to come by."""

from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import CLIENT, Not, View
from atoll.model.lookup import is_public

SSH = 22


async def build(ground: Ground) -> None:
    """Make a VPC whose public subnet has only the local route; the right table is there and nobody's."""
    vpc = await ground.vpc("page", internet=True)
    subnet = await ground.subnet("public", vpc, "10.0.0.0/24")
    await ground.subnet("private", vpc, "10.0.1.0/24")
    await ground.table("internet", vpc)
    group = await ground.group("nat", vpc)
    await ground.allow(group, SSH, f"{CLIENT}/32")
    await ground.address("nat", await ground.instance("nat", subnet, group))
    ground.outside(CLIENT)


def judge(view: View) -> Facts:
    """Check that the trusted client logs in, and that the private subnet is still private."""
    stays_private(view)
    public = view.public("nat")
    said = view.must_answer(CLIENT, public, SSH, "\r\n", "SSH-", name="nat")
    return {"said": said.splitlines()[0] if said else "-"}


def stays_private(view: View) -> None:
    """Check that the private subnet has no way from the internet.  Raises Not."""
    if is_public(view.world, view.subnet("private")):
        raise Not("private-is-public", subnet="private")


LESSON = Lesson(
    name="lab-route",
    number=21,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="blocked",
            commands=(
                "aws ec2 create-route --route-table-id {rtb:public} --destination-cidr-block 0.0.0.0/0"
                " --gateway-id {igw:page}",
            ),
            others=(
                (
                    "aws ec2 replace-route-table-association --association-id {rtbassoc:public}"
                    " --route-table-id {rtb:internet}",
                ),
            ),
            wrong=(
                Wrong(
                    code="private-is-public",
                    commands=(
                        f"aws ec2 create-route --route-table-id {{rtb:private}} --destination-cidr-block {ANYWHERE}"
                        " --gateway-id {igw:page}",
                    ),
                    undo=(
                        f"aws ec2 delete-route --route-table-id {{rtb:private}} --destination-cidr-block {ANYWHERE}",
                    ),
                ),
                Wrong(
                    code="blocked",
                    commands=(
                        f"aws ec2 create-route --route-table-id {{rtb:public}} --destination-cidr-block {CLIENT}/32"
                        " --instance-id {i:nat}",
                    ),
                    undo=(
                        f"aws ec2 delete-route --route-table-id {{rtb:public}} --destination-cidr-block {CLIENT}/32",
                    ),
                ),
            ),
        ),
    ),
)
