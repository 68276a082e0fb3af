"""VPCs and their DHCP options."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from atoll.model.ip import Association6, Ip
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
    ranges6: tuple[Association6, ...] = ()
    dhcp_options_id: str  # or "default": none
    state: str = "available"
    is_default: bool = False
    tenancy: str = "default"
    dns_support: bool = True
    dns_hostnames: bool = False
    address_usage_metrics: bool = False

    @property
    def gives_names(self) -> bool:
        """Whether what is in it has names of AWS's: public ones, and private ones of network interfaces."""
        return self.dns_support and self.dns_hostnames

    @property
    def cidr(self) -> IPv4Network:
        """The primary range."""
        return self.ranges[0].cidr

    @property
    def cidrs(self) -> tuple[IPv4Network, ...]:
        """All IPv4 ranges in force."""
        return tuple(r.cidr for r in self.ranges if r.state == "associated")

    @property
    def cidrs6(self) -> tuple[IPv6Network, ...]:
        """All IPv6 ranges; none: the VPC has no IPv6."""
        return tuple(r.cidr for r in self.ranges6)

    def holds(self, address: Ip) -> bool:
        """Tell whether an address is in one of its ranges."""
        return any(address in cidr for cidr in (self.cidrs if address.version == 4 else self.cidrs6))


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpOptions(Resource):
    """A set of DHCP options: option name -> values, in the order given."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    is_default: bool = False  # the set that the account's new VPCs get
