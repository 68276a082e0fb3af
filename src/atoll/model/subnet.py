"""Subnets."""

from dataclasses import dataclass
from ipaddress import IPv4Network

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
    state: str = "available"
    is_default: bool = False
    map_public_ip: bool = False
    hostname_type: str = "ip-name"
    resource_name_a_record: bool = False
