"""Network ACL against security group: stateless against stateful (rows 101 to 108, 188)."""

from atoll.learn.commands import entry, named, no_entry
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import PING, PONG, Not, View
from atoll.learn.width import acl_is_narrow
from atoll.model.acl import NetworkAcl
from atoll.network.flow import Verdict

APPS = "10.0.0.0/24"
PORT = 6379


async def build(ground: Ground) -> None:
    """Make a cache whose group lets two instances in, in subnets that the default ACL guards."""
    vpc = await ground.vpc("shop")
    apps, deep = await ground.subnet("apps", vpc, APPS), await ground.subnet("data", vpc, "10.0.1.0/24")
    group = await ground.group("app", vpc)
    for name in ("app", "worker"):
        await ground.instance(name, apps, group)
    cache = await ground.group("cache", vpc)
    await ground.allow(cache, PORT, group)
    await ground.subnet_group("shop", deep)
    await ground.valkey("sessions", "shop", cache)


def own_acl(view: View) -> NetworkAcl:
    """Return the ACL of the cache's subnet.  Raises Not while it is the default one."""
    found = view.world[NetworkAcl, view.subnet("data").acl_id]
    if found.is_default:
        raise Not("default-acl", subnet="data")
    return found


def stateless(view: View) -> Facts:
    """Check that a request comes in, and that its answer does not get out."""
    own = own_acl(view)
    found = view.trace("app", view.node("sessions"), PORT)
    if not found.arrived:
        raise Not("blocked", from_="app", to="sessions", port=PORT, because=found.refusals[0].because)
    if found.verdict is Verdict.DELIVERED:
        raise Not("answer-gets-out", acl=own.id)
    return {"because": found.refusals[0].because}


def ephemeral(view: View) -> Facts:
    """Check that answers get out, and nothing more than them."""
    acl_is_narrow(own_acl(view))
    said = view.must_answer("app", view.node("sessions"), PORT, PING, PONG, name="sessions")
    return {"said": said}


def deny(view: View) -> Facts:
    """Check that one instance is kept out, by the ACL, though the group lets it in."""
    ephemeral(view)
    because = view.must_not_reach("worker", view.node("sessions"), PORT)
    refusal = view.trace("worker", view.node("sessions"), PORT).refusals[0]
    if not refusal.layer.startswith("acl-"):
        raise Not("not-by-acl", name="worker", because=because)
    return {"because": because}


LESSON = Lesson(
    name="acl",
    number=7,
    build=build,
    steps=(
        Step(
            id="stateless",
            judge=stateless,
            before="default-acl",
            commands=(
                f"aws ec2 create-network-acl --vpc-id {{vpc:shop}} {named('network-acl', 'data')}",
                entry("data", 100, "6379", APPS),
                "aws ec2 replace-network-acl-association --association-id {aclassoc:data}"
                " --network-acl-id {acl:data}",
            ),
        ),
        Step(
            id="ephemeral",
            judge=ephemeral,
            before="blocked",
            commands=(entry("data", 100, "1024-65535", APPS, egress=True),),
            others=((entry("data", 100, "32768-60999", APPS, egress=True),),),
            wrong=(
                Wrong(
                    code="blocked",
                    commands=(entry("data", 90, "6379", APPS, egress=True),),
                    undo=(no_entry("data", 90, egress=True),),
                ),
                Wrong(
                    code="too-wide-acl",
                    commands=(
                        "aws ec2 create-network-acl-entry --network-acl-id {acl:data} --egress --rule-number 90"
                        " --protocol=-1 --cidr-block 0.0.0.0/0 --rule-action allow",
                    ),
                    undo=(no_entry("data", 90, egress=True),),
                ),
            ),
        ),
        Step(
            id="deny",
            judge=deny,
            before="open-to",
            commands=(entry("data", 50, "6379", "{ip:worker}/32", deny=True),),
            wrong=(
                Wrong(
                    code="open-to",
                    commands=(entry("data", 150, "6379", "{ip:worker}/32", deny=True),),
                    undo=(no_entry("data", 150),),
                ),
            ),
        ),
    ),
)
