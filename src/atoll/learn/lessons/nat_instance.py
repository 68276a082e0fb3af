"""From outside AWS by a NAT instance, for Memcached and for Valkey: rows 27 to 78, with the page's own addresses.

A node takes the lowest free address of its subnet, so two interfaces hold .228 and .229 of 10.0.1.224/27.
"""

from functools import partial

from atoll.learn.commands import admit, admit_out, elastic_ip, inside, withdraw
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import ANSWER, CLIENT, PING, PONG, STRANGER, VERSION, Not, View
from atoll.learn.width import groups_are_narrow
from atoll.model.lookup import elastic_ip_of

NAT = "10.0.0.55"
NODES = ("10.0.1.230", "10.0.1.231", "10.0.1.232")
TRUSTED = f"{CLIENT}/32"
PORTS = {"memcached": 11211, "valkey": 6379}
SPOKEN = {"memcached": (VERSION, ANSWER), "valkey": (PING, PONG)}


async def build(engine: str, ground: Ground) -> None:
    """Make the page's VPC: three nodes, and an instance that is to become the NAT instance."""
    vpc = await ground.vpc("page", internet=True)
    public = await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.0.1.224/27")
    for held in ("10.0.1.228", "10.0.1.229"):
        await ground.ec2("CreateNetworkInterface", SubnetId=private, PrivateIpAddress=held)
    nat, cache = await ground.group("nat", vpc, closed=True), await ground.group("cache", vpc)
    await ground.subnet_group("page", private)
    await ground.instance("nat", public, nat, PrivateIpAddress=NAT)
    if engine == "memcached":
        await ground.memcached("sessions", "page", cache, 3)
    else:
        await ground.valkey("sessions", "page", cache, 3)
    ground.outside(CLIENT, STRANGER)


def address(view: View) -> Facts:
    """Check that the NAT instance has an Elastic IP."""
    interface = view.interface("nat")
    found = elastic_ip_of(view.world, interface.id, interface.address)
    if found is None:
        raise Not("no-elastic-ip", name="nat")
    return {"address": str(found.public_ip)}


def rules(engine: str, view: View) -> Facts:
    """Check the rules of the page: from the trusted client, to the cluster, and there from the NAT's group."""
    port, public = PORTS[engine], address(view)["address"]
    groups_are_narrow([view.group("nat"), view.group("cache")])
    for number in range(len(NODES)):
        view.must_reach(CLIENT, public, port + number, name="nat")
    view.must_reach(CLIENT, public, 22, name="nat")
    for node in NODES:
        view.must_reach("nat", node, port)
    return {"client": CLIENT, "stranger": STRANGER, "because": view.must_not_reach(STRANGER, public, port)}


def forward(engine: str, view: View) -> Facts:
    """Check that the trusted client is answered by each node, through the NAT instance."""
    if not view.is_real:
        raise Not("needs-real")
    port, public = PORTS[engine], address(view)["address"]
    said = [
        view.must_answer(CLIENT, public, port + number, *SPOKEN[engine], name="nat", code="not-forwarded")
        for number in range(len(NODES))
    ]
    return {"client": CLIENT, "address": public, "said": ", ".join(said)}


def saved(engine: str, view: View) -> Facts:
    """Check that the rules are there again after a reboot."""
    if view.instance("nat").boot < 2:
        raise Not("not-rebooted", name="nat")
    return forward(engine, view)


def lesson(name: str, number: int, engine: str) -> Lesson:
    """Return the lesson for an engine."""
    steps = (
        Step(
            id="address",
            judge=address,
            before="no-elastic-ip",
            commands=(
                elastic_ip("nat"),
                "aws ec2 associate-address --allocation-id {eipalloc:nat} --instance-id {i:nat}",
            ),
        ),
        _rules(engine),
        _forward(engine),
        Step(
            id="save",
            judge=partial(saved, engine),
            before="not-rebooted",
            commands=(
                inside("nat", "service iptables save"),
                "aws ec2 reboot-instances --instance-ids {i:nat}",
            ),
        ),
    )
    return Lesson(name=name, number=number, build=partial(build, engine), steps=steps)


def _rules(engine: str) -> Step:
    port = PORTS[engine]
    wanted = f"{port}-{port + 2}"
    printed = f"{port}-{port + 1}"  # as one edition of the page has it: the third node is left out
    others = (admit("nat", 22, TRUSTED), admit_out("nat", port, "cache"), admit("cache", port, "sg:nat"))
    back = tuple(one.replace("authorize-", "revoke-") for one in others)
    return Step(
        id="rules",
        judge=partial(rules, engine),
        before="blocked",
        commands=(admit("nat", wanted, TRUSTED), *others),
        wrong=(
            Wrong("blocked", (admit("nat", printed, TRUSTED),), (withdraw("nat", printed, TRUSTED),)),
            Wrong("too-wide", (admit("nat", wanted, ANYWHERE), *others), (withdraw("nat", wanted, ANYWHERE), *back)),
        ),
    )


def _forward(engine: str) -> Step:
    port = PORTS[engine]
    forwards = tuple(
        inside("nat", f"iptables -t nat -A PREROUTING -i eth0 -p tcp --dport {port + n} -j DNAT --to {node}:{port}")
        for n, node in enumerate(NODES)
    )
    commands = (
        inside("nat", "sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf"),
        inside("nat", "sudo sysctl --system"),
        *forwards,
        inside("nat", f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {NAT}"),
    )
    return Step(
        id="forward",
        judge=partial(forward, engine),
        before="not-forwarded",
        commands=commands,
        wrong=(Wrong("not-forwarded", forwards, (inside("nat", "iptables -t nat -F"),)),),
    )


MEMCACHED = lesson("nat-memcached", 3, "memcached")
VALKEY = lesson("nat-valkey", 4, "valkey")
