"""A machine's own firewall as data, and what it does to a packet.  `iptables` and `nftables` read it.

A condition that is not understood is neither met nor missed: a ruling that depends on one is not `sure`.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from atoll.model.ip import Ip
from atoll.network.flow import ICMP, Packet, protocol_name

Value: TypeAlias = str | IPv4Network | IPv6Network | range
CALLS_MAX = 16  # the kernel's own depth of jumps
RULES_MAX = 10_000  # looked at for one packet; a firewall of a person has some dozens
DROPS = ("drop", "reject")
ENDS = ("accept", "return", *DROPS)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule asks of saddr, daddr, iif, oif, protocol, sport, dport or state; other keys are unknown."""

    key: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule does: a word of ENDS, "jump", "goto", "dnat", "snat", "masquerade", "redirect" or "go on"."""

    kind: str
    chain: str = ""
    address: Ip | None = None  # of "dnat" and "snat"; None: it stays
    port: int | None = None  # of "dnat", "redirect"; None: it stays


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and how a person finds it again."""

    conditions: tuple[Condition, ...]
    action: Action
    text: str
    packets: int | None = None  # that it has counted; None: it does not count


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain; with a hook the kernel itself calls it."""

    table: str  # "ip filter"
    name: str
    rules: tuple[Rule, ...] = ()
    hook: str | None = None
    is_nat: bool = False
    priority: int = 0
    policy: str = "accept"

    @property
    def family(self) -> str:
        """The versions of IP that it sees: "ip", "ip6" or "inet"."""
        return self.table.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Look:
    """A packet as a hook sees it."""

    packet: Packet
    into: str = ""  # the interface it came in by; empty: it starts here
    out: str = ""  # the interface it goes out by; empty: it ends here
    state: str = "new"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a hook does to a packet, and the rule (or policy) that said so; without one nothing objected."""

    dropped: bool
    chain: Chain | None = None
    rule: Rule | None = None
    sure: bool = True

    @property
    def because(self) -> str:
        """Say which rule it was."""
        if self.chain is None:
            return "no rule objects"
        where = f"{self.chain.table} {self.chain.name}"
        if self.rule is None:
            return f"the policy of {where} is {self.chain.policy}"
        counted = f" (it has counted {self.rule.packets} packets)" if self.rule.packets else ""
        return f"{where}: {self.rule.text}{counted}"


@dataclass(frozen=True, slots=True)
class Firewall:
    """All chains of a machine."""

    chains: tuple[Chain, ...] = ()

    def rulings(self, hook: str, look: Look) -> tuple[Ruling, ...]:
        """Return what a hook does to a packet: a ruling for each table that drops it, else one that none does."""
        sure, drops = True, []
        for chain in self._at(hook, look, is_nat=False):
            walk = _Walk(self, look, chain.table)
            found = walk.through(chain)
            sure = sure and walk.sure
            if found is None and chain.policy in DROPS:
                drops.append(Ruling(True, chain, None, walk.sure))
            elif found is not None and found[1].action.kind in DROPS:
                drops.append(Ruling(True, *found, walk.sure))
        return tuple(drops) or (Ruling(False, sure=sure),)

    def translation(self, hook: str, look: Look) -> tuple[Action, str] | None:
        """Return how a hook translates a new flow, and by which rule; `None`: not at all."""
        for chain in self._at(hook, look, is_nat=True):
            found = _Walk(self, look, chain.table).through(chain)
            if found is not None and found[1].action.kind not in ENDS:
                return found[1].action, Ruling(False, *found).because
        return None

    def _at(self, hook: str, look: Look, *, is_nat: bool) -> list[Chain]:
        families = ("inet", "ip" if look.packet.version == 4 else "ip6")
        found = (c for c in self.chains if c.hook == hook and c.is_nat is is_nat and c.family in families)
        return sorted(found, key=lambda chain: chain.priority)

    def chain(self, table: str, name: str) -> Chain | None:
        """Return a chain by its name."""
        return next((c for c in self.chains if (c.table, c.name) == (table, name)), None)


@dataclass(slots=True)
class _Walk:
    """A packet on its way through the chains of one table."""

    firewall: Firewall
    look: Look
    table: str
    sure: bool = True
    seen: int = field(default=0)

    def through(self, chain: Chain, depth: int = 0) -> tuple[Chain, Rule] | None:
        """Return the rule that ends the packet's way; `None`: the chain came to its end."""
        for rule in chain.rules:
            self.seen += 1
            if self.seen > RULES_MAX:
                self.sure = False
                return None
            if not self._fits(rule) or rule.action.kind == "go on":
                continue
            if rule.action.kind not in ("jump", "goto"):
                return None if rule.action.kind == "return" else (chain, rule)
            called = self.firewall.chain(self.table, rule.action.chain)
            self.sure = self.sure and called is not None  # else it is a target that this does not know
            found = self.through(called, depth + 1) if called and depth < CALLS_MAX else None
            if found is not None or rule.action.kind == "goto":
                return found
        return None

    def _fits(self, rule: Rule) -> bool:
        """Tell whether all conditions are met; one that is not understood counts as missed, and is remembered."""
        answers = [meets(condition, self.look) for condition in rule.conditions]
        if False in answers:
            return False
        if None in answers:
            self.sure = self.sure and rule.action.kind == "go on"
            return False
        return True


def meets(condition: Condition, look: Look) -> bool | None:
    """Tell whether a packet meets a condition; `None`: nobody knows."""
    actual = _actual(condition.key, look)
    if actual is None:
        return None
    return any(_equal(value, actual) for value in condition.values) is not condition.negated


def _actual(key: str, look: Look) -> object:
    packet = look.packet
    match key:
        case "saddr":
            return packet.source
        case "daddr":
            return packet.destination
        case "iif":
            return look.into
        case "oif":
            return look.out
        case "state":
            return look.state
        case "protocol":
            return protocol_name(packet.protocol)
        case "sport":
            return packet.source_port if packet.protocol != ICMP else -1
        case "dport":
            return packet.port if packet.protocol != ICMP else -1
    return None


def _equal(value: Value, actual: object) -> bool:
    if isinstance(value, range):
        return actual in value
    if isinstance(value, IPv4Network | IPv6Network):
        return actual in value
    if value.endswith(("+", "*")):  # "eth+" of iptables, "eth*" of nftables
        return str(actual).startswith(value[:-1])
    return value == actual


def translated(packet: Packet, action: Action, *, own: Ip | None) -> Packet:
    """Return a packet as an action leaves it; `own` is the address of the interface it goes out by, or came in by."""
    match action.kind:
        case "dnat":
            return packet.but(destination=action.address, port=action.port)
        case "redirect":
            return packet.but(destination=own, port=action.port)
        case "snat":
            return packet.but(source=action.address)
        case "masquerade":
            return packet.but(source=own)
    return packet
