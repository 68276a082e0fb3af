"""What Linux must look like, as facts: each is one frozen thing about the kernel, comparable and hashable.

A plan is a set of facts, and the difference of two plans is the difference of two sets.  Nothing here says how a
fact is made true; that is the host's.  Every fact names the network namespace it is about.
"""

from dataclasses import dataclass
from typing import TypeAlias

from atoll.model.ip import Ip, IpInterface, Net
from atoll.network.rules import Range, Rule, Verdict

INTERNET = ""  # the namespace of the simulated internet: the daemon's own
MAIN_TABLE = 254
IPV4, IPV6, NETDEV = "ip", "ip6", "netdev"  # families of tables: a packet meets only its own version's

Field: TypeAlias = str | int | Ip | Range  # of an element: a link or a MAC, a mark, an address, addresses


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace; `lo` is up in it.

    In a guest's namespace only what the plan names is looked after, and only when it is made: what the guest adds
    or changes is the guest's.  In the others everything that is not in the plan goes.
    """

    namespace: str
    sysctls: tuple[tuple[str, int], ...] = ()  # set when it is made
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A setting that exists only once the namespace has the rules that need it (connection tracking)."""

    namespace: str
    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Veth:
    """A pair of links, both up: `name` in `namespace`, `peer` in `peer_namespace`."""

    namespace: str
    name: str
    mac: str
    peer_namespace: str
    peer: str
    peer_mac: str
    mtu: int


@dataclass(frozen=True, slots=True)
class DualStack:
    """A link that carries IPv6; the others do not, so that nothing is heard of it where nobody asked for it."""

    namespace: str
    link: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a link, with its prefix length."""

    namespace: str
    link: str
    address: IpInterface
    is_connected: bool = True  # the main table leads to its network; else only other tables do


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent neighbour: the MAC address is known without ARP."""

    namespace: str
    link: str
    address: Ip
    mac: str


@dataclass(frozen=True, slots=True)
class Route:
    """A route of one kernel table.  `kind` is "unicast", "throw" (go on with the next rule) or "blackhole"."""

    namespace: str
    network: Net
    table: int = MAIN_TABLE
    kind: str = "unicast"
    link: str | None = None  # None: not unicast
    via: Ip | None = None  # None: directly on the link; else reached on the link whatever its addresses
    metric: int = 0


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Packets whose mark, masked, equals `mark`, and from `source` if there is one, are routed by `table`."""

    namespace: str
    priority: int
    mark: int
    mask: int
    table: int
    version: int = 4
    source: Net | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of nftables."""

    namespace: str
    family: str
    table: str


KEY_FIELDS_MAX = 5  # the type of a concatenation is a number of 32 bits, with 6 for each field (NFTA_SET_KEY_TYPE)


@dataclass(frozen=True, slots=True)
class Container:
    """A set, or with `value` a map, of nftables; its elements are facts of their own."""

    namespace: str
    family: str
    table: str
    name: str
    key: tuple[str, ...]  # nftables' types, one per field, KEY_FIELDS_MAX at most
    value: str | None = None  # nftables' type; None: a set
    interval: bool = False
    entries_max: int = 0  # of a set that packets fill (rules.Tally, rules.Exceeds); 0: its elements are facts
    forget_seconds: int = 0  # after which such an entry goes that no packet was counted under; 0: never
    counts: bool = True  # its entries have counters, if packets fill it

    def __post_init__(self) -> None:
        """Refuse a key that libnftables could not read back: it would end the daemon that tries."""
        assert len(self.key) <= KEY_FIELDS_MAX, f"the key of {self.name} has {len(self.key)} fields"

    @property
    def is_tally(self) -> bool:
        """Tell whether packets are counted in it."""
        return bool(self.entries_max) and self.counts


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a container."""

    namespace: str
    family: str
    table: str
    container: str
    key: tuple[Field, ...]
    value: int | str | Ip | Verdict | None = None  # None: of a set
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TimeoutPolicy:
    """How long connection tracking remembers flows to which a rule gives this policy: seconds, by state."""

    namespace: str
    family: str
    table: str
    name: str
    protocol: str  # "tcp", "udp"
    seconds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Hook:
    """Where in the kernel a base chain is called; it drops (or accepts) what none of its rules decides."""

    kind: str  # "filter", "nat"
    hook: str  # "prerouting", "forward", "input", "postrouting", "ingress"
    priority: int
    accepts: bool = False
    device: str | None = None  # of an ingress hook


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain with all its rules."""

    namespace: str
    family: str
    table: str
    name: str
    rules: tuple[Rule, ...]
    hook: Hook | None = None  # None: only called by others


Fact: TypeAlias = (
    Namespace
    | Sysctl
    | Veth
    | DualStack
    | Address
    | Neighbour
    | Route
    | PolicyRule
    | Table
    | Container
    | Element
    | Chain
    | TimeoutPolicy
)
NftFact: TypeAlias = Table | Container | Element | Chain | TimeoutPolicy
