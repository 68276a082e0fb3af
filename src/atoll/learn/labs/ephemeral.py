"""A network ACL that forgets the answers: its way out has no ephemeral ports."""

from atoll.learn.commands import entry, named, no_entry
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.lessons.acl import APPS, ephemeral
from atoll.learn.lessons.acl import build as same_world
from atoll.learn.view import View


async def build(ground: Ground) -> None:
    """Make the world of the lesson, with an ACL that lets requests in and nothing out."""
    await same_world(ground)
    acl = await ground.acl("data", "shop")
    rules = ((False, 6379, 6379), (True, 6379, 6379), (True, 443, 443))
    for number, (egress, low, high) in enumerate(rules, 1):
        await ground.ec2(
            "CreateNetworkAclEntry", NetworkAclId=acl, Egress=egress, RuleNumber=100 * number, Protocol="6",
            PortRange={"From": low, "To": high}, CidrBlock=APPS, RuleAction="allow",
        )  # fmt: skip
    await ground.guard("data", acl)


def judge(view: View) -> Facts:
    """Check as the lesson does: the subnet has its own ACL, which is narrow, and the application is answered."""
    return ephemeral(view)


LESSON = Lesson(
    name="lab-ephemeral",
    number=23,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="blocked",
            commands=(entry("data", 400, "1024-65535", APPS, egress=True),),
            others=((entry("data", 10, "32768-60999", APPS, egress=True),),),
            wrong=(
                Wrong(
                    "too-wide-acl",
                    (entry("data", 400, "1024-65535", "0.0.0.0/0", egress=True),),
                    (no_entry("data", 400, egress=True),),
                ),
                Wrong(
                    "all-traffic-acl",
                    (
                        "aws ec2 create-network-acl-entry --network-acl-id {acl:data} --egress --rule-number 400"
                        f" --protocol=-1 --cidr-block {APPS} --rule-action allow",
                    ),
                    (no_entry("data", 400, egress=True),),
                ),
                Wrong("blocked", (entry("data", 400, "1024-65535", APPS),), (no_entry("data", 400),)),
                Wrong(
                    "blocked",
                    (
                        f"aws ec2 create-network-acl --vpc-id {{vpc:shop}} {named('network-acl', 'none')}",
                        "aws ec2 replace-network-acl-association --association-id {aclassoc:data}"
                        " --network-acl-id {acl:none}",
                    ),
                    (
                        "aws ec2 replace-network-acl-association --association-id {aclassoc:data}"
                        " --network-acl-id {acl:data}",
                    ),
                ),
            ),
        ),
    ),
)
