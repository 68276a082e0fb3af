"""Subnets."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from atoll.model.ip import Association6, Ip
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet(Resource):
    """A range of a VPC in one Availability Zone."""

    vpc_id: str
    cidr: IPv4Network
    zone: str
    zone_id: str
    number: int  # 1..0x3fdf, unique in the VPC: it marks the subnet's packets in the kernel
    acl_id: str
    acl_association_id: str
    ranges6: tuple[Association6, ...] = ()  # at most one
    state: str = "available"
    is_default: bool = False
    map_public_ip: bool = False
    hostname_type: str = "ip-name"
    resource_name_a_record: bool = False
    assign_ipv6: bool = False  # new interfaces get an address of the IPv6 range
    resource_name_aaaa_record: bool = False

    @property
    def cidr6(self) -> IPv6Network | None:
        """Its IPv6 range; `None`: it has none."""
        return self.ranges6[0].cidr if self.ranges6 else None

    def holds(self, address: Ip) -> bool:
        """Tell whether an address is in one of its ranges."""
        return address in self.cidr or bool(self.ranges6 and address in self.ranges6[0].cidr)
