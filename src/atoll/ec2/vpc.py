"""VPCs: create, describe, delete, attributes, tenancy.  Secondary ranges are in `vpc_cidr.py`."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6, quotas
from atoll.ec2.cidr import parse_cidr
from atoll.ec2.dhcp import default_options
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import find
from atoll.ec2.peering import withdraw
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.cache import CacheCluster, CacheSubnetGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.peering import Peering, peerings_of
from atoll.model.quota import allowed
from atoll.model.route import Route, RouteAssociation, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, Vpc
from atoll.model.world import Tx, World

BAD_RANGE = Err("InvalidVpc.Range", "The CIDR '{cidr}' is invalid.")
SEVERAL_ATTRIBUTES = Err("InvalidParameterCombination", "Fields for multiple attribute types specified: {names}")
NO_DNS_SUPPORT = Err(
    "InvalidParameterValue", "DNS hostnames of the vpc '{id}' cannot be enabled while its DNS support is disabled."
)
BAD_TENANCY = Err("UnsupportedTenancy", "The tenancy value host is not supported for VPCs created through the API.")

ANYWHERE = IPv4Network("0.0.0.0/0")
# VPC User Guide, "VPC CIDR blocks": never a VPC's.
UNUSABLE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")))

FILTERS: Table = {
    "cidr": "cidr",
    "cidr-block": "cidr",
    "cidrBlock": "cidr",
    "cidr-block-association.association-id": "ranges.id",
    "cidr-block-association.cidr-block": "ranges.cidr",
    "cidr-block-association.state": "ranges.state",
    "dhcp-options-id": "dhcp_options_id",
    "dhcpOptionsId": "dhcp_options_id",
    "ipv6-cidr-block-association.association-id": "ranges6.id",
    "ipv6-cidr-block-association.ipv6-cidr-block": "ranges6.cidr",
    "ipv6-cidr-block-association.ipv6-pool": lambda _w, v: "Amazon" if v.ranges6 else None,
    "ipv6-cidr-block-association.state": lambda _w, v: "associated" if v.ranges6 else None,
    "is-default": "is_default",
    "isDefault": "is_default",
    "owner-id": "account",
    "state": "state",
    "vpc-id": "id",
}

# AWS's name of an attribute -> our field.
ATTRIBUTES = {
    "enableDnsSupport": "dns_support",
    "enableDnsHostnames": "dns_hostnames",
    "enableNetworkAddressUsageMetrics": "address_usage_metrics",
}


@operation("ec2", "CreateVpc")
def create_vpc(
    tx: Tx,
    *,
    cidr_block: str | None = None,
    instance_tenancy: str = "default",
    amazon_provided_ipv6_cidr_block: bool = False,
    ipv6_cidr_block_network_border_group: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a VPC with its main route table, default network ACL and default security group."""
    ipv6.check_border_group(ipv6_cidr_block_network_border_group, tx.region)
    if cidr_block is None:
        raise errors.MISSING(name="cidrBlock")
    if instance_tenancy == "host":
        raise BAD_TENANCY()
    cidr = parse_vpc_cidr(cidr_block)
    tags = tags_for("vpc", tag_specifications)
    quotas.check(tx.world.count(Vpc), allowed(tx.world, quota.VPCS), quotas.VPC_LIMIT)
    vpc = make_vpc(tx, cidr, tenancy=instance_tenancy, tags=tags)
    if amazon_provided_ipv6_cidr_block:
        vpc, _ = ipv6.add_range(tx, vpc)
    return {"Vpc": render(vpc)}


@operation("ec2", "DescribeVpcs", pure=True)
def describe_vpcs(
    world: World,
    *,
    vpc_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List VPCs."""
    vpcs, token = listing(
        world,
        Vpc,
        FILTERS,
        ids=vpc_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="vpcIds",
    )
    return {"Vpcs": [render(v) for v in vpcs], "NextToken": token}


@operation("ec2", "DeleteVpc", network=True)
def delete_vpc(tx: Tx, *, vpc_id: str) -> None:
    """Delete a VPC, and the main table, default ACL and default group that came with it."""
    vpc = find(tx.world, Vpc, vpc_id)
    if has_dependents(tx.world, vpc):
        raise errors.DEPENDENCY(what="vpc", id=vpc.id)
    for peering in list(peerings_of(tx.world, vpc.id)):
        if peering.status == "pending-acceptance":
            withdraw(tx, peering)
    for kind in (RouteTable, NetworkAcl, SecurityGroup):
        for part in tx.all(kind, vpc_id=vpc.id):
            tx.delete(part)
    tx.delete(vpc)


def has_dependents(world: World, vpc: Vpc) -> bool:
    """Tell whether anything is in a VPC that did not come with it."""
    bucket = world.bucket
    return (
        any(bucket(kind, "vpc_id", vpc.id) for kind in (Subnet, InternetGateway, EgressOnlyGateway))
        or any(bucket(kind, "vpc_id", vpc.id) for kind in (Interface, VpcEndpoint))
        or any(bucket(kind, "vpc_id", vpc.id) for kind in (CacheCluster, CacheSubnetGroup))
        or any(not t.is_main for t in world.all(RouteTable, vpc_id=vpc.id))
        or any(not a.is_default for a in world.all(NetworkAcl, vpc_id=vpc.id))
        or any(g.name != "default" for g in world.all(SecurityGroup, vpc_id=vpc.id))
        or any(_holds(peering, vpc) for peering in peerings_of(world, vpc.id))
    )


def _holds(peering: Peering, vpc: Vpc) -> bool:
    """Tell whether a VPC must stay: it is peered, or was asked to be.  Its own request goes with it.

    Source: VPC Peering Guide, "Delete a VPC peering connection".
    """
    return peering.is_open or (peering.status == "pending-acceptance" and peering.accepter.vpc_id == vpc.id)


@operation("ec2", "ModifyVpcAttribute", network=True)
def modify_vpc_attribute(
    tx: Tx,
    *,
    vpc_id: str,
    enable_dns_support: Shape | None = None,
    enable_dns_hostnames: Shape | None = None,
    enable_network_address_usage_metrics: Shape | None = None,
) -> None:
    """Set one attribute of a VPC."""
    vpc = find(tx.world, Vpc, vpc_id)
    values = (enable_dns_support, enable_dns_hostnames, enable_network_address_usage_metrics)
    given = {
        name: value["Value"]
        for name, value in zip(ATTRIBUTES, values, strict=True)
        if value is not None and "Value" in value
    }
    if not given:
        raise errors.MISSING(name="attribute")
    if len(given) > 1:
        raise SEVERAL_ATTRIBUTES(names=", ".join(given))
    if given.get("enableDnsHostnames") and not vpc.dns_support:
        raise NO_DNS_SUPPORT(id=vpc.id)
    tx.put(vpc.but(**{ATTRIBUTES[name]: value for name, value in given.items()}))


@operation("ec2", "DescribeVpcAttribute", pure=True)
def describe_vpc_attribute(world: World, *, vpc_id: str, attribute: str) -> Shape:
    """Tell one attribute of a VPC."""
    vpc = find(world, Vpc, vpc_id)
    if attribute not in ATTRIBUTES:
        raise errors.BAD_VALUE(value=attribute, name="attribute", why=f"Expecting one of {', '.join(ATTRIBUTES)}.")
    member = attribute[0].upper() + attribute[1:]
    return {"VpcId": vpc.id, member: {"Value": getattr(vpc, ATTRIBUTES[attribute])}}


@operation("ec2", "ModifyVpcTenancy")
def modify_vpc_tenancy(tx: Tx, *, vpc_id: str, instance_tenancy: str) -> Shape:
    """Make a dedicated VPC a default one; AWS knows no other change."""
    vpc = find(tx.world, Vpc, vpc_id)
    if instance_tenancy != "default":
        raise errors.BAD_VALUE(value=instance_tenancy, name="instanceTenancy", why="Expecting default.")
    tx.put(vpc.but(tenancy="default"))
    return {"ReturnValue": True}


def parse_vpc_cidr(text: str) -> IPv4Network:
    """Return the range of a VPC; raises BAD_CIDR, BAD_RANGE."""
    cidr = parse_cidr(text)
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    if not 16 <= cidr.prefixlen <= 28 or any(cidr.overlaps(u) for u in UNUSABLE):
        raise BAD_RANGE(cidr=text)
    return cidr


def make_vpc(
    tx: Tx,
    cidr: IPv4Network,
    *,
    tenancy: str = "default",
    is_default: bool = False,
    dns_hostnames: bool = False,
    tags: Mapping[str, str] | None = None,
) -> Vpc:
    """Put a VPC and what AWS makes with it."""
    vpc = tx.make(
        Vpc,
        tx.new_id("vpc"),
        ranges=(CidrAssociation(id=tx.new_id("vpc-cidr-assoc"), cidr=cidr),),
        dhcp_options_id=default_options(tx).id,
        is_default=is_default,
        tenancy=tenancy,
        dns_hostnames=dns_hostnames,
        tags=tags or {},
    )
    tx.make(
        RouteTable,
        tx.new_id("rtb"),
        vpc_id=vpc.id,
        routes=(Route(destination=cidr, target="local", origin="CreateRouteTable"),),
        associations=(RouteAssociation(id=tx.new_id("rtbassoc"), main=True),),
    )
    entries = tuple(
        AclEntry(number=100, egress=egress, protocol=-1, allow=True, cidr=ANYWHERE) for egress in (True, False)
    )
    tx.make(NetworkAcl, tx.new_id("acl"), vpc_id=vpc.id, is_default=True, entries=entries)
    make_default_group(tx, vpc)
    return vpc


def make_default_group(tx: Tx, vpc: Vpc) -> SecurityGroup:
    """Put a VPC's `default` group: its members reach each other, and everything."""
    id = tx.new_id("sg")
    rules = (
        Rule(id=tx.new_id("sgr"), egress=False, protocol="-1", group_id=id, group_account=tx.account),
        Rule(id=tx.new_id("sgr"), egress=True, protocol="-1", cidr=ANYWHERE),
    )
    return tx.make(
        SecurityGroup, id, vpc_id=vpc.id, name="default", description="default VPC security group", rules=rules
    )


def render(v: Vpc) -> Shape:
    """Return a VPC as AWS shows it."""
    sixes = [ipv6.render_vpc_range(r, v.region) for r in v.ranges6]
    return {
        **({"Ipv6CidrBlockAssociationSet": sixes} if sixes else {}),
        "VpcId": v.id,
        "OwnerId": v.account,
        "CidrBlock": str(v.cidr),
        "CidrBlockAssociationSet": [render_range(r) for r in v.ranges],
        "DhcpOptionsId": v.dhcp_options_id,
        "InstanceTenancy": v.tenancy,
        "IsDefault": v.is_default,
        "State": v.state,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": render_tags(v),
    }


def render_range(r: CidrAssociation) -> Shape:
    """Return one range of a VPC as AWS shows it."""
    return {"AssociationId": r.id, "CidrBlock": str(r.cidr), "CidrBlockState": {"State": r.state}}
