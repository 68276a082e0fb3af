"""VPCs and their DHCP options."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class CidrAssociation:
    """One IPv4 range of a VPC."""

    id: str  # vpc-cidr-assoc-
    cidr: IPv4Network
    state: str = "associated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc(Resource):
    """A private network; `ranges[0]` is the primary range and never changes."""

    ranges: tuple[CidrAssociation, ...]
    dhcp_options_id: str  # or "default": none
    state: str = "available"
    is_default: bool = False
    tenancy: str = "default"
    dns_support: bool = True
    dns_hostnames: bool = False
    address_usage_metrics: bool = False

    @property
    def cidr(self) -> IPv4Network:
        """The primary range."""
        return self.ranges[0].cidr

    @property
    def cidrs(self) -> tuple[IPv4Network, ...]:
        """All ranges in force."""
        return tuple(r.cidr for r in self.ranges if r.state == "associated")


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpOptions(Resource):
    """A set of DHCP options: option name -> values, in the order given."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    is_default: bool = False  # the set that the account's new VPCs get
