"""Execute rules: what the chains of a plan say about one packet.  Pure; knows nothing of links and routes.

Every rule becomes a list of small functions once, so that a packet costs no interpretation of the tree.
"""

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from atoll.model.ip import Ip, Net
from atoll.network.facts import Chain, Element, Field
from atoll.network.flow import ICMP, ICMPV6, TCP, UDP, Packet
from atoll.network.rules import (
    ACCEPT,
    DROP,
    Dispatch,
    Exceeds,
    Forward,
    Lookup,
    Match,
    Range,
    Refuse,
    Rule,
    SetBits,
    SetFrom,
    SetTimeout,
    Statement,
    Tally,
    Text,
    Translate,
    Value,
    Verdict,
)

Ends: TypeAlias = tuple[int, Ip, int, Ip, int]  # protocol, source and port, destination and port
Result: TypeAlias = Verdict | bool  # a verdict; or whether the rule goes on
Step: TypeAlias = Callable[["Context"], Result]

# Those that begin a flow, and their answers, by protocol.
ICMP_QUERIES = {ICMP: {8: 0, 13: 14, 15: 16, 17: 18}, ICMPV6: {128: 129, 139: 140}}


@dataclass(slots=True)
class Flow:
    """An entry of a namespace's connection tracking."""

    original: Ends
    mark: int = 0
    answered: bool = False
    source: tuple[Ip, int] | None = None  # as it leaves, if translated
    destination: tuple[Ip, int] | None = None

    @property
    def outgoing(self) -> Ends:
        """How its requests leave: what answers answer."""
        protocol, *ends = self.original
        source, destination = self.source or ends[:2], self.destination or ends[2:]
        return (protocol, *source, *destination)


@dataclass(slots=True)
class Context:
    """A packet on its way through one namespace, as rules see it."""

    packet: Packet
    incoming: str
    ether: str
    mark: int = 0
    outgoing: str = ""
    flow: Flow | None = None  # None: not tracked (yet), or invalid
    is_answer: bool = False
    flows: Container[Ends] = ()  # of the namespace: what is taken
    because: str = ""  # the comment of the rule that dropped it


def ends_of(packet: Packet) -> Ends | None:
    """Return what identifies a packet's flow; `None` for an ICMP message that belongs to none."""
    queries = ICMP_QUERIES.get(packet.protocol)
    if queries is None:
        return packet.protocol, packet.source, packet.source_port, packet.destination, packet.port
    if packet.source_port in queries or packet.source_port in queries.values():
        return packet.protocol, packet.source, packet.source_port, packet.destination, 0
    return None


def answer_ends(ends: Ends) -> Ends:
    """Return what identifies the answers of a flow."""
    protocol, source, port, destination, other = ends
    if protocol in ICMP_QUERIES:
        return protocol, destination, ICMP_QUERIES[protocol].get(port, -1), source, 0
    return protocol, destination, other, source, port


def _port(packet: Packet, protocol: int, port: int) -> int | None:
    return port if packet.protocol == protocol else None


READ: Mapping[str, Callable[[Context], object]] = {
    "iifname": lambda c: c.incoming,
    "oifname": lambda c: c.outgoing,
    "meta mark": lambda c: c.mark,
    "meta l4proto": lambda c: c.packet.protocol,
    "ether daddr": lambda c: c.ether,
    "ip frag-off": lambda _: 0,  # a packet here is whole
    "ip saddr": lambda c: c.packet.source,
    "ip daddr": lambda c: c.packet.destination,
    "ip6 saddr": lambda c: c.packet.source,
    "ip6 daddr": lambda c: c.packet.destination,
    "tcp dport": lambda c: _port(c.packet, TCP, c.packet.port),
    "udp dport": lambda c: _port(c.packet, UDP, c.packet.port),
    "tcp flags": lambda _: None,  # nothing is decided by them
    "icmp type": lambda c: _port(c.packet, ICMP, c.packet.source_port),
    "icmp code": lambda c: _port(c.packet, ICMP, c.packet.port),
    "icmpv6 type": lambda c: _port(c.packet, ICMPV6, c.packet.source_port),
    "icmpv6 code": lambda c: _port(c.packet, ICMPV6, c.packet.port),
    "ct mark": lambda c: c.flow.mark if c.flow else None,
    "ct direction": lambda c: ("reply" if c.is_answer else "original") if c.flow else None,
    **{f"ct original ip{v} saddr": (lambda c: c.flow.original[1] if c.flow else None) for v in ("", "6")},
    **{f"ct original ip{v} daddr": (lambda c: c.flow.original[3] if c.flow else None) for v in ("", "6")},
    "ct original proto-dst": lambda c: c.flow.original[4] if c.flow else None,
    "ct state": lambda c: ("established" if c.flow.answered or c.is_answer else "new") if c.flow else "invalid",
}


def _write(context: Context, key: str, value: object) -> None:
    if key == "meta mark" and isinstance(value, int):
        context.mark = value
    elif key == "ct mark" and isinstance(value, int):
        if context.flow:
            context.flow.mark = value
    elif key == "ip saddr" and isinstance(value, Ip):
        context.packet = context.packet.but(source=value)
    elif key == "ip daddr" and isinstance(value, Ip):
        context.packet = context.packet.but(destination=value)
    else:
        raise ValueError(f"no rule writes {value!r} into {key}")


@dataclass(slots=True)
class Filled:
    """A container with its elements."""

    exact: dict[tuple[object, ...], object] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)  # sorted; they do not overlap

    def find(self, key: tuple[object, ...]) -> object:
        """Return the value of an element (True, of a set), or None."""
        if self.spans:
            address = int(key[0]) if isinstance(key[0], Ip) else -1
            at = bisect_right(self.spans, (address, 1 << 128)) - 1
            return True if at >= 0 and self.spans[at][0] <= address <= self.spans[at][1] else None
        return self.exact.get(key)


def fill(elements: Iterable[Element]) -> dict[str, Filled]:
    """Return the containers of one table by name.  Raises ValueError where the kernel would refuse an element."""
    out: dict[str, Filled] = {}
    for it in elements:
        filled = out.setdefault(it.container, Filled())
        key: tuple[Field, ...] = it.key
        if isinstance(key[0], Range):
            filled.spans.append((key[0].first, key[0].last))
        elif key in filled.exact:
            raise ValueError(f"{it.container} has {key} twice")
        else:
            filled.exact[key] = True if it.value is None else it.value
    for name, filled in out.items():
        filled.spans.sort()
        for (_, last), (first, _) in zip(filled.spans, filled.spans[1:], strict=False):
            if first <= last:
                raise ValueError(f"ranges of {name} overlap")
    return out


class Ruleset:
    """The chains and containers of one namespace's table, ready to run."""

    def __init__(self, chains: Iterable[Chain], elements: Iterable[Element]) -> None:
        """Translate the rules; a rule that names a chain that is not there raises KeyError when it is reached."""
        chains = tuple(chains)
        self._containers = fill(elements)
        self._chains = {c.name: [(self._steps(r), r.comment) for r in c.rules] for c in chains}
        bases = sorted((c for c in chains if c.hook), key=lambda c: c.hook.priority if c.hook else 0)
        self._bases = [(c.hook, c.name) for c in bases if c.hook]

    def passes(self, hook: str, context: Context, *, before: int = 1 << 31, after: int = -(1 << 31)) -> bool:
        """Run the base chains of a hook with a priority between `after` and `before`, in order."""
        for base, name in self._bases:
            if base.hook == hook and after <= base.priority < before:
                verdict = self._run(name, context)
                if verdict is None and not base.accepts:
                    context.because = f"the end of {name}"
                if not (verdict == "accept" or (verdict is None and base.accepts)):
                    return False
        return True

    def _run(self, chain: str, context: Context) -> str | None:
        """Return "accept", "drop", or `None` when the chain ends without."""
        for steps, comment in self._chains[chain]:
            result: Result = True
            for step in steps:
                result = step(context)
                if result is not True:
                    break
            if not isinstance(result, Verdict):
                continue
            match result.action:
                case "jump":
                    verdict = self._run(result.chain, context)
                    if verdict is not None:
                        return verdict
                case "goto":
                    return self._run(result.chain, context)
                case "return":
                    return None
                case action:
                    if action != "accept":
                        context.because = comment or chain
                    return action
        return None

    def _steps(self, rule: Rule) -> Sequence[Step]:
        return [step for statement in rule.statements if (step := self._step(statement))]

    def _step(self, it: Statement) -> Step | None:
        match it:
            case Match():
                return _match(it)
            case Lookup(keys, container, negated):
                find = self._finder(keys, container)
                return lambda c: (find(c) is None) is negated
            case SetBits(key, bits):
                return lambda c: _set_bits(c, key, bits)
            case SetFrom(key, keys, container):
                find = self._finder(keys, container)
                return lambda c: _set_from(c, key, find(c))
            case Dispatch(keys, container):
                find = self._finder(keys, container)
                return lambda c: verdict if isinstance(verdict := find(c), Verdict) else False
            case Translate():
                return lambda c: _translate(c, it)
            case Forward():
                return lambda c: _forward(c, it)
            case Verdict():
                return lambda _: it
            case Tally() | SetTimeout():
                return None
            case Exceeds():
                return lambda _: False  # a packet here comes alone
            case Refuse():
                return lambda _: DROP
            case Text():
                raise ValueError("text is for the ARP responder only")
            case _:
                assert_never(it)

    def _finder(self, keys: Sequence[str], container: str) -> Callable[[Context], object]:
        readers = [READ[key] for key in keys]
        filled = self._containers.get(container, Filled())
        return lambda c: filled.find(tuple(read(c) for read in readers))


def _translate(context: Context, it: Translate) -> Result:
    """Give a flow that begins a source that is free; later packets, and answers, have theirs already."""
    flow = context.flow
    if flow is None or context.is_answer or flow.source:
        return ACCEPT
    protocol, source, port, destination, other = flow.outgoing
    first = (int(source) + port) % len(it.addresses)
    pool = range(it.ports.first, it.ports.last + 1) if it.ports else range(0)
    choices = [port, *pool] if port in pool else pool
    for chosen in choices if it.ports else (port,):
        ends = protocol, it.addresses[first], chosen, destination, other
        if it.ports is None or answer_ends(ends) not in context.flows:  # messages have a number of their own
            flow.source = it.addresses[first], chosen
            return ACCEPT
    context.because = "no port is free"
    return DROP


def _forward(context: Context, it: Forward) -> Result:
    """Give a flow that begins a destination; later packets have theirs already, and answers none."""
    flow = context.flow
    if flow is None or context.is_answer or flow.destination:
        return ACCEPT
    _, source, port, _, asked = flow.original
    address, other = it.choices[(int(source) + (0 if it.sticky else port)) % len(it.choices)]
    flow.destination = address, asked if other is None else other
    context.packet = context.packet.but(destination=address, port=flow.destination[1])
    return ACCEPT


def _set_bits(context: Context, key: str, bits: int) -> bool:
    was = READ[key](context)
    if isinstance(was, int):
        _write(context, key, was | bits)
    return True


def _set_from(context: Context, key: str, value: object) -> bool:
    if value is None:
        return False
    _write(context, key, value)
    return True


def _match(it: Match) -> Step:
    read, mask, tests = READ[it.key], it.mask, [_test(v) for v in it.values]

    def step(context: Context) -> bool:
        value = read(context)
        if value is None:
            return False  # the packet has no such field
        if mask is not None and isinstance(value, int):
            value &= mask
        return any(test(value) for test in tests) is not it.negated

    return step


def _test(wanted: Value) -> Callable[[object], bool]:
    if isinstance(wanted, Range):
        return lambda v: isinstance(v, int) and wanted.first <= v <= wanted.last
    if isinstance(wanted, Net):
        first, last = int(wanted.network_address), int(wanted.broadcast_address)
        return lambda v: isinstance(v, Ip) and first <= int(v) <= last
    return lambda v: v == wanted
