"""Two NAT instances made by hand: one that does not forward, and one that forwards to the wrong port."""

from functools import partial

from atoll.learn.commands import admit, inside, withdraw
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import CLIENT, PING, PONG, STRANGER, Not, View
from atoll.learn.width import groups_are_narrow

PORT = 6379
NAT = "10.0.0.55"
DNAT = "iptables -t nat -{act} PREROUTING -i eth0 -p tcp --dport 6379 -j DNAT --to {node}:{port}"


async def build(node_port: int, forwards: bool, ground: Ground) -> None:
    """Make a cache and a NAT instance whose first boot writes the rules."""
    vpc = await ground.vpc("page", internet=True)
    public = await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.0.1.0/24")
    nat, cache = await ground.group("nat", vpc), await ground.group("cache", vpc)
    await ground.allow(nat, PORT, f"{CLIENT}/32")
    await ground.allow(cache, PORT, nat)
    await ground.subnet_group("page", private)
    await ground.valkey("sessions", "page", cache)
    node = await ground.address_of("sessions-001")
    script = [
        "#!/bin/sh",
        DNAT.format(act="A", node=node, port=node_port),
        f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {NAT}",
        *(["sysctl -w net.ipv4.ip_forward=1"] if forwards else []),
    ]
    instance = await ground.instance("nat", public, nat, user_data="\n".join(script), PrivateIpAddress=NAT)
    await ground.address("nat", instance)
    ground.outside(CLIENT, STRANGER)


def judge(view: View) -> Facts:
    """Check that the trusted client is answered through the NAT instance, and a stranger is not."""
    if not view.is_real:
        raise Not("needs-real")
    groups_are_narrow([view.group("nat"), view.group("cache")])
    public = view.public("nat")
    said = view.must_answer(CLIENT, public, PORT, PING, PONG, name="nat", code="not-forwarded")
    return {"said": said, "because": view.must_not_reach(STRANGER, public, PORT)}


SWITCH_ON = (
    inside("nat", "sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf"),
    inside("nat", "sudo sysctl --system"),
)
RIGHT = "{ip:sessions-001}"

FORWARD = Lesson(
    name="lab-forward",
    number=25,
    is_lab=True,
    build=partial(build, PORT, False),
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="not-forwarded",
            commands=SWITCH_ON,
            others=((inside("nat", "sysctl -w net.ipv4.ip_forward=1"),),),
            wrong=(
                Wrong("too-wide", (admit("cache", PORT, ANYWHERE),), (withdraw("cache", PORT, ANYWHERE),)),
                Wrong(
                    "not-forwarded",
                    ("aws ec2 modify-instance-attribute --instance-id {i:nat} --no-source-dest-check",),
                ),
            ),
        ),
    ),
)

DESTINATION = Lesson(
    name="lab-dnat",
    number=26,
    is_lab=True,
    build=partial(build, 6380, True),
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="not-forwarded",
            commands=(
                inside("nat", "iptables -t nat -F PREROUTING"),
                inside("nat", DNAT.format(act="A", node=RIGHT, port=PORT)),
            ),
            others=((inside("nat", DNAT.format(act="I", node=RIGHT, port=PORT)),),),
            wrong=(
                Wrong("too-wide", (admit("nat", "6379-6380", ANYWHERE),), (withdraw("nat", "6379-6380", ANYWHERE),)),
                Wrong("not-forwarded", (admit("cache", 6380, "sg:nat"),), (withdraw("cache", 6380, "sg:nat"),)),
                Wrong("not-forwarded", (inside("nat", DNAT.format(act="A", node=RIGHT, port=PORT)),)),
            ),
        ),
    ),
)
