"""Judge what was seen inside the machines on a packet's way: what the VPC allows, a machine may still refuse.

AWS's analyzer sees nothing of this, so the codes are ours (`Beyond`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from atoll.model.interface import Interface
from atoll.model.lookup import cache_node_of
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import ICMP, TCP, UDP, Code, Packet, Trace, protocol_name
from atoll.network.inside.firewall import Look, Ruling
from atoll.network.inside.seen import NIC, Inside, link
from atoll.network.layers.vpc_services import RESOLVER, RESOLVER_OFFSET
from atoll.network.mend import Mend

# Of a table or chain that may stand in a command: whoever rules the machine has named it, and a person on this one,
# or `atoll why --apply`, gives the command to a shell.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Beyond(StrEnum):
    """Why a flow fails where AWS does not look."""

    NAME_UNKNOWN = "NAME_UNKNOWN"
    NO_RESOLVER = "NO_RESOLVER"
    OTHER_RESOLVER = "OTHER_RESOLVER"
    GUEST_FIREWALL = "GUEST_FIREWALL"
    GUEST_NOT_FORWARDING = "GUEST_NOT_FORWARDING"
    GUEST_NO_TRANSLATION = "GUEST_NO_TRANSLATION"
    GUEST_NO_LISTENER = "GUEST_NO_LISTENER"
    GUEST_LISTENS_ELSEWHERE = "GUEST_LISTENS_ELSEWHERE"
    ENGINE_WANTS_PASSWORD = "ENGINE_WANTS_PASSWORD"
    ENGINE_WANTS_TLS = "ENGINE_WANTS_TLS"
    ENGINE_SPEAKS_NO_TLS = "ENGINE_SPEAKS_NO_TLS"
    ENGINE_FULL = "ENGINE_FULL"
    ENGINE_REFUSES = "ENGINE_REFUSES"
    ENGINE_SILENT = "ENGINE_SILENT"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was found inside a machine; without a code it is fine."""

    at: str  # the instance, or the interface of a cache node
    because: str
    code: Beyond | None = None
    mends: tuple[Mend, ...] = ()
    sure: bool = True  # false: a rule asks something that nobody here knows


@dataclass(frozen=True, slots=True)
class Passage:
    """A machine that sends the request on."""

    interface: Interface
    before: Packet
    after: Packet


def to_look_into(world: World, trace: Trace, target_id: str | None) -> list[Interface]:
    """Return the interfaces of the machines that have a say: who asks, who forwards, who is asked."""
    world = world.seen_by(None)
    ids = (trace.sender, *trace.assumed, trace.came_to, target_id)
    found = [world.get(Interface, id) for id in dict.fromkeys(ids) if isinstance(id, str)]
    return [i for i in found if i is not None and i.attachment is not None and i.kind == "interface"]


def opinions(
    world: World,
    trace: Trace,
    inside: Mapping[str, Inside],
    target_id: str | None,
    *,
    named: bool = False,
    tls: bool = False,
    auth: bool = False,
) -> Iterator[Opinion]:
    """Yield what the machines on the way say to a flow, in the order of its way.

    `named`: the client asks for a name first; `tls`, `auth`: it speaks TLS, and has a password.
    """
    world = world.seen_by(None)
    if named and isinstance(trace.sender, str) and (seen := inside.get(trace.sender)) is not None:
        yield from _resolves(world, world[Interface, trace.sender], seen)
    if isinstance(trace.sender, str) and (seen := inside.get(trace.sender)) is not None:
        yield from _asks(world[Interface, trace.sender], seen, trace)
    for passage in passages(world, trace):
        if (seen := inside.get(passage.interface.id)) is not None:
            yield from _forwards(passage, seen, trace)
    id = trace.came_to if isinstance(trace.came_to, str) else target_id
    interface = world.get(Interface, id) if id is not None else None
    if interface is not None and (seen := inside.get(interface.id)) is not None:
        arriving = _arriving(trace, interface)
        at = _called(world, interface)
        yield from _takes(world, interface, at, seen, arriving)
        yield from _engine(at, seen, arriving, tls=tls, auth=auth)


def _resolves(world: World, interface: Interface, seen: Inside) -> Iterator[Opinion]:
    """Say whether the machine asks a resolver that knows the VPC's names."""
    vpc = world[Vpc, interface.vpc_id]
    known = {str(RESOLVER), str(vpc.cidr.network_address + RESOLVER_OFFSET)}
    at, asked = interface.instance_id or interface.id, seen.resolvers
    if asked is None or not vpc.dns_support:
        return
    if known & set(asked):
        yield Opinion(at, f"it asks the resolver at {', '.join(asked)}")
        return
    whom = ", ".join(asked) or "nobody"
    because = f"its /etc/resolv.conf asks {whom}, not the VPC's resolver, which alone knows these names"
    says = f"put `nameserver {RESOLVER}` into its /etc/resolv.conf (a reboot does), or let {whom} forward to it"
    yield Opinion(
        at, because, Beyond.OTHER_RESOLVER, (Mend(says),), sure=not any(a.startswith("127.") for a in asked)
    )


def _called(world: World, interface: Interface) -> str:
    """Say what a machine is called: an instance's id, or a cache's name and node."""
    if interface.instance_id is not None:
        return interface.instance_id
    at = cache_node_of(world, interface)
    return f"{at.cluster.name}:{at.node.id}" if at else interface.id


def passages(world: World, trace: Trace) -> Iterator[Passage]:
    """Yield the machines that forward the request."""
    by_instance = {world[Interface, id].instance_id: world[Interface, id] for id in reversed(trace.assumed)}
    for step, after in zip(trace.steps, trace.steps[1:], strict=False):
        if step.layer == "delivery" and (interface := by_instance.get(step.at)) is not None:
            yield Passage(interface, step.packet, after.packet)


def _asks(interface: Interface, seen: Inside, trace: Trace) -> Iterator[Opinion]:
    at = interface.instance_id or interface.id
    rulings = seen.firewall.rulings("output", Look(trace.packet, "", link(interface)))
    yield from _firewall(at, "its own firewall lets the request out", rulings, trace.packet, "output")
    if (answer := trace.packet.reply()) is not None:
        rulings = seen.firewall.rulings("input", Look(answer, link(interface), "", "established"))
        yield from _firewall(at, "and the answer in", rulings, answer, "input", answers=True)


def _forwards(passage: Passage, seen: Inside, trace: Trace) -> Iterator[Opinion]:
    at, before, after = passage.interface.instance_id or passage.interface.id, passage.before, passage.after
    if not seen.sends_on(before):
        switch = "net.ipv4.ip_forward" if before.version == 4 else "net.ipv6.conf.all.forwarding"
        says = f"let {at} forward packets (/etc/sysctl.conf keeps it)"
        mends = (Mend(says, f"atoll exec {at} -- sysctl -w {switch}=1"),)
        yield Opinion(at, f"{switch} is 0: it forwards nothing", Beyond.GUEST_NOT_FORWARDING, mends)
    else:
        yield Opinion(at, "it forwards packets")
    through = after.but(source=before.source, source_port=before.source_port)
    rulings = seen.firewall.rulings("forward", Look(through, link(passage.interface), NIC))
    yield from _firewall(at, "its own firewall lets the request through", rulings, through, "forward")
    if (answer := through.reply()) is not None:
        rulings = seen.firewall.rulings("forward", Look(answer, NIC, NIC, "established"))
        yield from _firewall(at, "and the answer", rulings, answer, "forward", answers=True)
    unchanged = after.source == before.source
    wants_public = any(s.code is Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS for s in trace.steps)
    lost = after.destination != before.destination and any(not s.allowed for s in trace.back)
    if unchanged and (wants_public or lost):
        why = "it changes the destination, not the source" if lost else f"it leaves the source {before.source}"
        command = f"atoll exec {at} -- iptables -t nat -A POSTROUTING -o {NIC} -j MASQUERADE"
        mends = (Mend(f"let {at} put its own address in the place of the source", command),)
        because = f"{why}: no masquerade fits, and answers do not come back"
        yield Opinion(at, because, Beyond.GUEST_NO_TRANSLATION, mends)


def _arriving(trace: Trace, interface: Interface) -> Packet:
    """Return the packet as it comes, or would come, to an interface."""
    if trace.came_as is not None:
        return trace.came_as
    last = trace.steps[-1].packet if trace.steps else trace.packet
    own = interface.address if last.version == 4 else interface.ipv6_address
    return last.but(destination=own or last.destination)


def _takes(world: World, interface: Interface, at: str, seen: Inside, packet: Packet) -> Iterator[Opinion]:
    rulings = seen.firewall.rulings("input", Look(packet, link(interface)))
    yield from _firewall(at, "its own firewall lets the request in", rulings, packet, "input")
    if (answer := packet.reply()) is not None:
        rulings = seen.firewall.rulings("output", Look(answer, "", link(interface), "established"))
        yield from _firewall(at, "and the answer out", rulings, answer, "output", answers=True)
    if packet.protocol not in (TCP, UDP):
        return
    name, there = f"{protocol_name(packet.protocol)} {packet.port}", seen.listening(packet)
    if any(one.hears(packet) for one in there):
        yield Opinion(at, f"{', '.join(map(str, there))} listens")
    elif there:
        says = f"let it listen on {'0.0.0.0' if packet.version == 4 else '::'} or {packet.destination}"
        because = f"{name} listens on {', '.join(map(str, there))} only, not on {packet.destination}"
        yield Opinion(at, because, Beyond.GUEST_LISTENS_ELSEWHERE, (Mend(says),))
    else:
        yield Opinion(
            at, f"nothing listens on {name}", Beyond.GUEST_NO_LISTENER, _no_listener(world, interface, seen, packet)
        )


def _no_listener(world: World, interface: Interface, seen: Inside, packet: Packet) -> tuple[Mend, ...]:
    if (node := cache_node_of(world, interface)) is not None:
        command = (
            f"aws elasticache reboot-cache-cluster --cache-cluster-id {node.cluster.name} "
            f"--cache-node-ids-to-reboot {node.node.id}"
        )
        return (Mend(f"its port is {node.cluster.port}; if that is meant, start the engine again", command),)
    at = interface.instance_id or interface.id
    start = Mend(f"start what shall serve {protocol_name(packet.protocol)} {packet.port} on {at}")
    if not seen.sends_on(packet):
        return (start,)
    port = f"-p {protocol_name(packet.protocol)} --dport {packet.port}"
    rule = f"iptables -t nat -A PREROUTING {port} -j DNAT --to-destination ADDRESS:PORT"
    return start, Mend(f"or let {at}, which forwards, send it on", f"atoll exec {at} -- {rule}")


def _firewall(
    at: str, fine: str, rulings: tuple[Ruling, ...], packet: Packet, hook: str, *, answers: bool = False
) -> Iterator[Opinion]:
    for ruling in rulings:
        if not ruling.dropped:
            doubt = "" if ruling.sure else " (as far as its rules can be read)"
            yield Opinion(at, fine + doubt, sure=ruling.sure)
        else:
            because = f"its own firewall drops the {'answer' if answers else 'request'}: {ruling.because}"
            mends = (_admit(at, ruling, packet, hook, answers),)
            yield Opinion(at, because, Beyond.GUEST_FIREWALL, mends, ruling.sure)


def _admit(at: str, ruling: Ruling, packet: Packet, hook: str, answers: bool) -> Mend:
    """Let the packet through before the rule that drops it."""
    says = f"let the firewall of {at} allow it"
    chain = ruling.chain
    assert chain is not None, "somebody dropped it"
    family, _, table = chain.table.partition(" ")
    if not (PLAIN_NAME.fullmatch(table) and PLAIN_NAME.fullmatch(chain.name)):
        return Mend(says)
    is_iptables = ruling.rule is not None and ruling.rule.text.startswith("-A ")
    is_iptables = is_iptables or (ruling.rule is None and family != "inet" and chain.name == hook.upper())
    port = packet.protocol in (TCP, UDP)
    kind = protocol_name(packet.protocol)
    if is_iptables:
        match = f"-p {kind} -s {packet.source}" + (f" --dport {packet.port}" if port else "")
        match = "-m conntrack --ctstate ESTABLISHED" if answers else match
        program = "ip6tables" if family == "ip6" else "iptables"
        return Mend(says, f"atoll exec {at} -- {program} -t {table} -I {hook.upper()} {match} -j ACCEPT")
    version = "ip" if packet.version == 4 else "ip6"
    match = f"{version} saddr {packet.source} " + (f"{kind} dport {packet.port}" if port else f"meta l4proto {kind}")
    match = "ct state established" if answers else match
    return Mend(says, f"atoll exec {at} -- nft insert rule {family} {table} {chain.name} {match} accept")


def _engine(at: str, seen: Inside, packet: Packet, *, tls: bool, auth: bool) -> Iterator[Opinion]:
    """Read what the engine said when it was asked in plain text."""
    said = seen.engine
    if said is None or packet.protocol == ICMP:
        return
    first = said.splitlines()[0] if said else ""
    connect = f"redis-cli --tls -h {packet.destination} -p {packet.port}"
    if said == "tls":
        wants = Opinion(
            at, "the engine speaks TLS only", Beyond.ENGINE_WANTS_TLS, (Mend("connect with TLS", connect),)
        )
        yield Opinion(at, "the engine speaks TLS") if tls else wants
    elif first.startswith("-NOAUTH"):
        mends = (Mend("give the password: redis-cli asks for it with --askpass; in a program it is `password`"),)
        because = f"the engine wants a password: {first[1:]}"
        yield (
            Opinion(at, "the engine wants a password")
            if auth
            else Opinion(at, because, Beyond.ENGINE_WANTS_PASSWORD, mends)
        )
    elif "max number of clients" in first or "Too many open connections" in first:
        because = f"the engine takes no more connections: {first.lstrip('-')}"
        says = "close idle connections (the parameter `timeout` does so by itself), or share them in a pool"
        yield Opinion(at, because, Beyond.ENGINE_FULL, (Mend(says),))
    elif first.startswith("-"):
        because = f"the engine refuses: {first[1:]}"
        yield Opinion(at, because, Beyond.ENGINE_REFUSES, (Mend("do what the engine says"),))
    elif not first:
        because = "something accepts connections, and says nothing to a question"
        yield Opinion(at, because, Beyond.ENGINE_SILENT, (Mend("look whether the engine hangs or is loading"),))
    elif tls:
        because = "the engine speaks no TLS, and the client nothing else"
        says = "connect without TLS, or create the cache with --transit-encryption-enabled"
        yield Opinion(at, because, Beyond.ENGINE_SPEAKS_NO_TLS, (Mend(says),))
    else:
        yield Opinion(at, f"the engine answers: {first}")
