"""Security groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atoll.model.ip import Net
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One permission; exactly one of `cidr`, `group_id` and `prefix_list_id` is set.

    Ports are inclusive.  For ICMP they are type and code, -1 for any; for the protocol "-1" (all) and for protocols
    without ports both are -1.
    """

    id: str  # sgr-
    egress: bool
    protocol: str  # "tcp", "udp", "icmp", "icmpv6", a number in digits, or "-1" for all, as EC2 writes it
    from_port: int = -1
    to_port: int = -1
    cidr: Net | None = None
    group_id: str | None = None
    group_account: str | None = None  # the owner of group_id
    group_vpc_id: str | None = None  # of a group in a peered VPC: its VPC; `None`: our own
    peering_id: str | None = None  # of such a group: the connection through which it was named
    prefix_list_id: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup(Resource):
    """A set of permissions for the interfaces that carry it; only allows, never denies."""

    vpc_id: str
    name: str
    description: str
    rules: tuple[Rule, ...] = ()

    @property
    def place(self) -> tuple[str, str]:
        """Its VPC and its name in it: no other group has both; an index field."""
        return self.vpc_id, self.name
