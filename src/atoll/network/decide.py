"""Decide, from the facts of a plan alone, what Linux would do with a packet.

This is the second opinion on `trace`: it knows nothing of AWS.  It walks links, neighbours, policy rules, route
tables and chains as the kernel does, with connection tracking, and must come to the same end as the tracer; kernel
tests hold it to real packets.  What a guest's own rules would do is not its subject: every machine is taken to send
on, unchanged, what is not for it.

    kernel = Kernel(plan.facts())
    kernel.ask("eni-1", packet)     # request and answer, with the flows they leave behind
    kernel.put(next_plan.facts())   # other facts; the flows stay
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from atoll.model.ip import Ip, Net
from atoll.model.names import link_name
from atoll.network.decide_rules import ICMP_QUERIES, Context, Ends, Filled, Flow, Ruleset, answer_ends, ends_of, fill
from atoll.network.facts import (
    IPV4,
    IPV6,
    MAIN_TABLE,
    NETDEV,
    Address,
    Chain,
    DualStack,
    Element,
    Fact,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Veth,
)
from atoll.network.flow import TCP, UDP, At, Packet

CONNTRACK = -200  # its priority in prerouting
MAIN_PRIORITY = 32766  # of the rule that leads to the main table
HOPS_MAX = 64  # a packet's time to live
MACHINE = ("eni-", "vpce-")  # begin the names of namespaces with one way out, also those that are no guest's
OUTSIDE = "out-"  # begins the name of an outside host's namespace


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a packet, and of the answer to it."""

    receiver: At | None  # an interface's id, an outside address, or a VPC's id: its services.  None: dropped
    received: Packet | None = None
    answered: bool = False  # the answer came back, from the address that was asked
    because: str = ""  # what dropped the request, or else the answer

    @property
    def arrived(self) -> bool:
        """Tell whether the request reached somebody."""
        return self.receiver is not None


class Lost(Exception):
    """The packet was dropped."""


class Stack:
    """One namespace, indexed."""

    def __init__(self, facts: list[Fact]) -> None:
        """Index the facts of a namespace."""
        self.name = facts[0].namespace
        self.is_guest = any(isinstance(f, Namespace) and f.is_guest for f in facts)
        self.links: dict[str, tuple[str, str, str]] = {}  # link -> peer's namespace, peer, own MAC
        self.addresses = {f.address.ip for f in facts if isinstance(f, Address)}
        self.neighbours = {(f.link, f.address): f.mac for f in facts if isinstance(f, Neighbour)}
        self.dual_links = {f.link for f in facts if isinstance(f, DualStack)}
        self.rules = sorted((f for f in facts if isinstance(f, PolicyRule)), key=lambda r: r.priority)
        self.tables: dict[int, list[Route]] = {}
        for fact in facts:
            if isinstance(fact, Route):
                self.tables.setdefault(fact.table, []).append(fact)
            elif isinstance(fact, Address) and fact.is_connected and _is_several(fact.address.network):
                connected = Route(self.name, fact.address.network, link=fact.link)
                self.tables.setdefault(MAIN_TABLE, []).append(connected)
        for table in self.tables.values():
            table.sort(key=lambda r: -r.network.prefixlen)
        self.rulesets = {version: Ruleset(*_in_family(facts, family)) for version, family in ((4, IPV4), (6, IPV6))}
        arp_chains, arp_elements = _in_family(facts, NETDEV)
        self.listening = {c.hook.device for c in arp_chains if c.hook}
        self.macs = fill(arp_elements).get("macs", Filled())

    def route(self, destination: Ip, mark: int, source: Ip) -> Route:
        """Return the route of a packet.  Raises Lost."""
        order = [
            r.table
            for r in self.rules
            if r.version == destination.version and mark & r.mask == r.mark and r.priority < MAIN_PRIORITY
            if r.source is None or _holds(r.source, source)
        ]
        for table in (*order, MAIN_TABLE):
            for route in self.tables.get(table, ()):
                if _holds(route.network, destination):
                    if route.kind == "throw":
                        break
                    if route.kind == "blackhole":
                        raise Lost(f"blackhole {route.network} of table {table} in {self.name or 'the internet'}")
                    return route
        raise Lost(f"no route to {destination} in {self.name or 'the internet'}")

    def carries(self, link: str, packet: Packet) -> bool:
        """Tell whether a link carries packets of its version."""
        return packet.version == 4 or link in self.dual_links


class Kernel:
    """All namespaces of a plan, and the flows in them."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        """Index the facts."""
        self.flows: dict[str, dict[Ends, Flow]] = {}
        self.put(facts)

    def put(self, facts: Iterable[Fact]) -> None:
        """Replace all facts; the flows stay, as in the kernel."""
        by_namespace: dict[str, list[Fact]] = {}
        veths = []
        for fact in facts:
            by_namespace.setdefault(fact.namespace, []).append(fact)
            if isinstance(fact, Veth):
                veths.append(fact)
        self.stacks = {name: Stack(own) for name, own in by_namespace.items()}
        for it in veths:
            self.stacks[it.namespace].links[it.name] = (it.peer_namespace, it.peer, it.mac)
            self.stacks[it.peer_namespace].links[it.peer] = (it.namespace, it.name, it.peer_mac)
        self.ends = {it.name: it.peer_namespace for it in veths}

    def home(self, at: At) -> str:
        """Return the namespace of an outside host, or that in which an interface ends."""
        name = namespace_of(at)
        return name if name in self.stacks else self.ends[link_name(name)]

    def ask(self, sender: At, packet: Packet) -> Decision:
        """Send a packet and, if it arrives, the answer to it."""
        try:
            receiver, received = self.send(sender, packet)
        except Lost as lost:
            return Decision(None, because=str(lost))
        answer = received.reply()
        if answer is None:
            return Decision(at_of(receiver), received)
        try:
            if not self.stacks[receiver].is_guest and not receiver.startswith(MACHINE):
                back = self._answered_by_router(receiver, received)
                return Decision(at_of(receiver), received, answered=back == self.home(sender))
            back, got = self.send(at_of(receiver), answer)
        except Lost as lost:
            return Decision(at_of(receiver), received, because=str(lost))
        answered = back == self.home(sender) and got == packet.reply()
        return Decision(at_of(receiver), received, answered, "" if answered else f"the answer came to {back}: {got}")

    def send(self, sender: At, packet: Packet) -> tuple[str, Packet]:
        """Send a packet from a guest or an outside host; return the namespace that got it, and how.  Raises Lost."""
        name = self.home(sender)
        if packet.destination in self.stacks[name].addresses:
            return name, packet
        frame = self._leave(name, packet)
        for _ in range(HOPS_MAX):
            namespace, link, mac, packet = frame
            stack = self.stacks[namespace]
            if stack.is_guest:
                if mac != stack.links[link][2]:
                    raise Lost(f"frame for {mac} at {namespace}")
                if packet.destination in stack.addresses:
                    return namespace, packet
                frame = self._leave(namespace, packet)
            else:
                through = self._route(stack, link, mac, packet)
                if isinstance(through, Packet):
                    return namespace, through
                frame = through
        raise Lost("time to live exceeded")

    def _answered_by_router(self, namespace: str, packet: Packet) -> str:
        """Return who gets the answer of a service: nothing filters what the router itself sends."""
        router = self.stacks[namespace]
        link = router.route(packet.source, 0, packet.destination).link
        return router.links[link][0] if link else ""

    def _leave(self, guest: str, packet: Packet) -> tuple[str, str, str, Packet]:
        """Return the frame that a guest sends: where it arrives, and for which MAC."""
        stack = self.stacks[guest]
        route = stack.route(packet.destination, 0, packet.source)
        assert route.link, "a guest has only unicast routes"
        if not stack.carries(route.link, packet):
            raise Lost(f"{guest} has no IPv6")
        namespace, link, _ = stack.links[route.link]
        hop = route.via or packet.destination
        mac = stack.neighbours.get((route.link, hop)) or self._resolve(namespace, link, hop)
        return namespace, link, mac, packet

    def _resolve(self, namespace: str, link: str, address: Ip) -> str:
        """Ask by ARP."""
        router = self.stacks[namespace]
        mac = router.macs.find((address,)) if link in router.listening else None
        if not isinstance(mac, str):
            raise Lost(f"nobody answers for {address}")
        return mac

    def _route(self, stack: Stack, link: str, mac: str, packet: Packet) -> Packet | tuple[str, str, str, Packet]:
        """Return the packet, delivered to this namespace itself, or the frame that leaves it."""
        if not stack.carries(link, packet):
            raise Lost(f"{link} carries no IPv6")
        if mac != stack.links[link][2] and link not in stack.listening:
            raise Lost(f"frame for {mac} at {link}")
        context = Context(packet, link, mac)
        self._check(stack, "prerouting", context, before=CONNTRACK)
        self._track(stack, context)
        self._check(stack, "prerouting", context, after=CONNTRACK)
        if context.packet.destination in stack.addresses:
            return context.packet  # whether a service listens is not the network's affair
        route = stack.route(context.packet.destination, context.mark, context.packet.source)
        assert route.link, "a unicast route"
        context.outgoing = route.link
        if not stack.carries(route.link, packet):
            raise Lost(f"{route.link} carries no IPv6")
        self._check(stack, "forward", context)
        self._check(stack, "postrouting", context)
        self._confirm(stack, context)
        _give_source(context)
        mac_there = stack.neighbours.get((route.link, route.via or context.packet.destination))
        if mac_there is None:
            raise Lost(f"no neighbour {route.via or context.packet.destination} at {route.link}")
        namespace, peer, _ = stack.links[route.link]
        return namespace, peer, mac_there, context.packet

    def _check(
        self, stack: Stack, hook: str, context: Context, before: int = 1 << 31, after: int = -(1 << 31)
    ) -> None:
        if not stack.rulesets[context.packet.source.version].passes(hook, context, before=before, after=after):
            raise Lost(f"{context.because} in {stack.name}")

    def _track(self, stack: Stack, context: Context) -> None:
        ends = ends_of(context.packet)
        if ends is None:
            return
        context.flows = flows = self.flows.setdefault(stack.name, {})
        if flow := flows.get(ends):
            context.flow, context.is_answer = flow, ends != flow.original
            flow.answered = flow.answered or context.is_answer
            _give_destination(context, flow)
        elif ends[0] not in ICMP_QUERIES or answer_ends(ends)[2] >= 0:  # an ICMP answer begins no flow
            context.flow = Flow(ends)

    def _confirm(self, stack: Stack, context: Context) -> None:
        if context.flow:
            flows = self.flows[stack.name]
            flows[context.flow.original] = flows[answer_ends(context.flow.outgoing)] = context.flow


def _give_destination(context: Context, flow: Flow) -> None:
    """Put on the destination that the flow was given; an answer goes back to who asked."""
    if context.is_answer and flow.source:
        _, address, port, _, _ = flow.original
        has_ports = context.packet.protocol in (TCP, UDP)
        context.packet = context.packet.but(destination=address, port=port if has_ports else None)
    elif not context.is_answer and flow.destination:
        context.packet = context.packet.but(destination=flow.destination[0], port=flow.destination[1])


def _give_source(context: Context) -> None:
    """Put on the source that the flow was given; an answer comes from whom was asked."""
    flow = context.flow
    if flow and flow.source and not context.is_answer:
        context.packet = context.packet.but(source=flow.source[0], source_port=flow.source[1])
    elif flow and flow.destination and context.is_answer:
        _, _, _, address, port = flow.original
        context.packet = context.packet.but(source=address, source_port=port)


def namespace_of(at: At) -> str:
    """Return the namespace of an interface or an outside host."""
    return f"{OUTSIDE}{at}" if isinstance(at, Ip) else at


def at_of(namespace: str) -> At:
    """Return who lives in a namespace."""
    return ip_address(namespace.removeprefix(OUTSIDE)) if namespace.startswith(OUTSIDE) else namespace


def _is_several(network: Net) -> bool:
    return network.prefixlen < network.max_prefixlen


def _holds(network: Net, address: Ip) -> bool:
    return network.version == address.version and int(address) & int(network.netmask) == int(network.network_address)


def _in_family(facts: Iterable[Fact], family: str) -> tuple[list[Chain], list[Element]]:
    chains = [f for f in facts if isinstance(f, Chain) and f.family == family]
    return chains, [f for f in facts if isinstance(f, Element) and f.family == family]
