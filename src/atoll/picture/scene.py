"""What is on a map, without any geometry: zones, subnets and what stands in them, what is beside them, and flows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

INTERNET = "internet"  # the end of a flow that is somewhere out there


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing with an interface in a subnet; or one that is not there yet (`planned`)."""

    id: str  # what people ask for: i-, nat-, vpce-, eni-, or the name of a cache or balancer
    interface_id: str  # unique on the map
    kind: str  # a key of `KINDS`
    name: str
    address: str = ""
    public: str = ""  # its public address
    note: str = ""  # "primary of sessions, shard 0001"
    badge: str = ""  # "P" or "R" of a cache node
    trouble: str = ""  # "stopped": nothing runs behind it
    planned: bool = False
    translates: tuple[str, ...] = ()  # what a machine that forwards was seen to translate: "6380 to 10.0.1.20:6379"


# What stands in subnets, and its order on the map.
KINDS: Mapping[str, str] = {
    "nat": "NAT gateway",
    "balancer": "load balancer",
    "nat-instance": "instance that forwards",
    "instance": "instance",
    "cache": "cache node",
    "endpoint": "endpoint",
    "interface": "interface",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetOn:
    """A subnet on the map."""

    id: str
    name: str
    cidr: str
    zone: str
    table_id: str
    acl_id: str
    is_public: bool  # a route leads to an internet gateway
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What belongs to a VPC and stands in no subnet: gateways on its edge, peerings and endpoints beside it."""

    id: str
    kind: str  # "igw", "eigw", "peering", "gateway-endpoint"
    name: str
    lines: tuple[str, ...] = ()
    is_open: bool = True  # packets may pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOn:
    """A route table on the map."""

    id: str
    name: str
    is_main: bool
    routes: tuple[tuple[str, str, bool], ...]  # destination, target, whether it leads anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What passes between two ends, or is refused there.

    An end is an interface, a peering connection, an address outside, or INTERNET.
    """

    source: str
    target: str
    protocol: str = "tcp"
    port: int | None = None  # None: it has none, or it is not known
    count: int = 1  # connections that are open, or packets that were refused
    blocked: bool = False
    because: str = ""  # why it is refused
    by: str = ""  # the group, ACL, table or gateway that refuses
    stops: str = "receiver"  # where a refused one ends: at the "sender", on the way ("network"), or at the receiver
    source_address: str = ""
    target_address: str = ""
    seconds_ago: float | None = None  # since the last packet; None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything on the map of a VPC."""

    vpc_id: str
    name: str
    cidrs: tuple[str, ...]
    region: str = ""
    subnets: tuple[SubnetOn, ...] = ()
    edge: tuple[Beside, ...] = ()
    beside: tuple[Beside, ...] = ()
    clients: tuple[str, ...] = ()  # addresses on the internet
    tables: tuple[TableOn, ...] = ()
    flows: tuple[Flow, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what a reader should know: that not all was counted
    is_live: bool = False

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of its subnets, in order."""
        return tuple(sorted({subnet.zone for subnet in self.subnets}))

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that stands in its subnets."""
        return tuple(item for subnet in self.subnets for item in subnet.items)

    def called(self, end: str) -> str:
        """Return what people call an end of a flow."""
        for item in self.items:
            if item.interface_id == end:
                return item.name or item.id
        for one in (*self.edge, *self.beside):
            if one.id == end:
                return one.name or one.id
        return "the internet" if end == INTERNET else end
