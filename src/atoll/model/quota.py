"""Quotas: how much an account may have in a region, by AWS's own codes, and how much more it was given.

AWS's first values are small and raised on request; an account here starts with what a request gets.  What it was
given instead is a `Quota` in the World.

Source: the Service Quotas of Amazon VPC, Amazon EC2 and Amazon ElastiCache; VPC User Guide, "Amazon VPC quotas".
"""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.names import key
from atoll.model.resource import Resource
from atoll.model.world import World


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota of a service."""

    service: str  # as Service Quotas calls it
    code: str
    name: str
    first: int  # AWS's first value
    ours: int  # what an account has here before anybody says otherwise
    most: int | None = None  # it cannot be raised above this; `None`: AWS names no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Resource):
    """The value of a quota that an account was given in a region; `id` is its key with the service and the code."""

    service: str
    code: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRequest(Resource):
    """A request for more; here each is approved at once."""

    service: str
    code: str
    value: int
    requester: str  # an ARN
    created: datetime


VPCS = Limit("vpc", "L-F678F1CE", "VPCs per Region", 5, 100)
INTERNET_GATEWAYS = Limit("vpc", "L-A4707A72", "Internet gateways per Region", 5, 100)
VPC_CIDRS = Limit("vpc", "L-83CA0A9D", "IPv4 CIDR blocks per VPC", 5, 5, 50)
VPC_CIDRS6 = Limit("vpc", "L-085A6257", "IPv6 CIDR blocks per VPC", 5, 5, 50)
EGRESS_ONLY_GATEWAYS = Limit("vpc", "L-45FE3B85", "Egress-only internet gateways per Region", 5, 100)
SUBNETS = Limit("vpc", "L-407747CB", "Subnets per VPC", 200, 200)
ROUTE_TABLES = Limit("vpc", "L-589F43AA", "Route tables per VPC", 200, 200)
ROUTES = Limit("vpc", "L-93826ACB", "Routes per route table", 50, 1000, 1000)
NAT_GATEWAYS = Limit("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5, 20)
NAT_ADDRESSES = Limit("vpc", "L-5F53652F", "Elastic IP address quota per NAT gateway", 2, 8, 8)
INTERFACES = Limit("vpc", "L-DF5E4CA3", "Network interfaces per Region", 5000, 5000)
GROUPS = Limit("vpc", "L-E79EC296", "VPC security groups per Region", 2500, 2500)
GROUPS_PER_INTERFACE = Limit("vpc", "L-2AFB9258", "Security groups per network interface", 5, 16, 16)
RULES = Limit("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 60, 60, 1000)
PEERINGS = Limit("vpc", "L-7E9ECCDB", "Active VPC peering connections per VPC", 50, 125, 125)
PEERING_REQUESTS = Limit("vpc", "L-DC9F7029", "Outstanding VPC peering connection requests", 25, 25)
ACLS = Limit("vpc", "L-B4A6D682", "Network ACLs per VPC", 200, 200)
ACL_ENTRIES = Limit("vpc", "L-2AEEBF1A", "Rules per network ACL", 20, 40, 40)
INTERFACE_ENDPOINTS = Limit("vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC", 50, 50)
GATEWAY_ENDPOINTS = Limit("vpc", "L-1B52E74A", "Gateway VPC endpoints per Region", 20, 20)
ADDRESSES = Limit("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5, 200)
CACHE_NODES = Limit("elasticache", "L-DFE45DF3", "Nodes per Region", 300, 300)
MEMCACHED_NODES = Limit("elasticache", "L-8C334AD1", "Nodes per cluster (Memcached)", 60, 60)
PARAMETER_GROUPS = Limit("elasticache", "L-3F15A733", "Parameter groups per Region", 300, 300)
SUBNET_GROUPS = Limit("elasticache", "L-3E7F7726", "Subnet groups per Region", 300, 300)
GROUP_SUBNETS = Limit("elasticache", "L-A87EE522", "Subnets per subnet group", 20, 20)

LIMITS = (
    VPCS, INTERNET_GATEWAYS, EGRESS_ONLY_GATEWAYS, VPC_CIDRS, VPC_CIDRS6, SUBNETS, ROUTE_TABLES, ROUTES,
    NAT_GATEWAYS, NAT_ADDRESSES, INTERFACES,
    GROUPS, GROUPS_PER_INTERFACE, RULES, PEERINGS, PEERING_REQUESTS, ACLS, ACL_ENTRIES, INTERFACE_ENDPOINTS,
    GATEWAY_ENDPOINTS, ADDRESSES, CACHE_NODES, MEMCACHED_NODES, PARAMETER_GROUPS, SUBNET_GROUPS, GROUP_SUBNETS,
)  # fmt: skip
SERVICES = {
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "elasticache": "Amazon ElastiCache",
    "vpc": "Amazon Virtual Private Cloud (Amazon VPC)",
}
VALUE_MAX = 1_000_000  # a quota is for mistakes; nothing here is that large


def quota_id(account: str, region: str, limit: Limit) -> str:
    """Return the World's id of an account's quota."""
    return key(account, region, f"{limit.service}/{limit.code}")


def granted(world: World, account: str, region: str, limit: Limit) -> int:
    """Return the value of a quota for an account in a region.  Costs one look-up."""
    quota = world.seen_by(None).get(Quota, quota_id(account, region, limit))
    return limit.ours if quota is None else quota.value


def allowed(world: World, limit: Limit) -> int:
    """Return the value of a quota for the caller."""
    assert world.caller, "only a caller has quotas"
    return granted(world, world.caller.account, world.caller.region, limit)
