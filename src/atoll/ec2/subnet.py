"""Subnets."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6, quotas
from atoll.ec2.cidr import parse_cidr
from atoll.ec2.filters import Table, absent, listing
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.ec2.zone import usable
from atoll.model import quota
from atoll.model.acl import NetworkAcl
from atoll.model.cache import CacheSubnetGroup
from atoll.model.interface import Interface
from atoll.model.ip import Association6
from atoll.model.names import arn
from atoll.model.quota import allowed
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.model.zones import Zone, zones
from atoll.network.ipam import free_addresses, free_number

BAD_RANGE = Err("InvalidSubnet.Range", "The CIDR '{cidr}' is invalid.")
CONFLICT = Err("InvalidSubnet.Conflict", "The CIDR '{cidr}' conflicts with another subnet")
BAD_ZONE = Err(
    "InvalidParameterValue",
    "Value ({value}) for parameter {name} is invalid. Subnets can currently only be created in the following "
    "availability zones: {zones}.",
)
NOTHING_TO_ASSIGN = Err(
    "InvalidParameterValue",
    "Invalid value 'true' for assign-ipv6-address-on-creation. Cannot set assign-ipv6-address-on-creation to true "
    "unless the subnet ({id}) has an IPv6 CIDR block associated with it.",
)
TWO_ZONES = Err("InvalidParameterCombination", "availabilityZone and availabilityZoneId must not be used together.")

FILTERS: Table = {
    "availability-zone": "zone",
    "availability-zone-id": "zone_id",
    "availabilityZone": "zone",
    "availabilityZoneId": "zone_id",
    "available-ip-address-count": free_addresses,
    "cidr": "cidr",
    "cidr-block": "cidr",
    "cidrBlock": "cidr",
    "customer-owned-ipv4-pool": absent,
    "default-for-az": "is_default",
    "defaultForAz": "is_default",
    "enable-dns64": lambda _w, _s: False,
    "enable-lni-at-device-index": absent,
    "ipv6-cidr-block-association.association-id": "ranges6.id",
    "ipv6-cidr-block-association.ipv6-cidr-block": "ranges6.cidr",
    "ipv6-cidr-block-association.state": lambda _w, s: "associated" if s.ranges6 else None,
    "ipv6-native": lambda _w, _s: False,
    "map-customer-owned-ip-on-launch": lambda _w, _s: False,
    "map-public-ip-on-launch": "map_public_ip",
    "outpost-arn": absent,
    "owner-id": "account",
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": "resource_name_a_record",
    "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": "resource_name_aaaa_record",
    "private-dns-name-options-on-launch.hostname-type": "hostname_type",
    "state": "state",
    "subnet-arn": lambda _w, s: _arn(s),
    "subnet-id": "id",
    "vpc-id": "vpc_id",
}


@operation("ec2", "CreateSubnet")
def create_subnet(
    tx: Tx,
    *,
    vpc_id: str,
    cidr_block: str | None = None,
    ipv6_cidr_block: str | None = None,
    availability_zone: str | None = None,
    availability_zone_id: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a subnet in a range of a VPC; it uses the VPC's main route table and default network ACL."""
    vpc = find(tx.world, Vpc, vpc_id)
    if cidr_block is None:
        raise errors.MISSING(name="cidrBlock")
    cidr = parse_cidr(cidr_block)
    # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    if not 16 <= cidr.prefixlen <= 28 or not any(cidr.subnet_of(block) for block in vpc.cidrs):
        raise BAD_RANGE(cidr=cidr_block)
    where = choose_zone(tx.world, tx.region, availability_zone, availability_zone_id)
    tags = tags_for("subnet", tag_specifications)
    others = tx.all(Subnet, vpc_id=vpc.id)
    if any(cidr.overlaps(s.cidr) for s in others):
        raise CONFLICT(cidr=cidr)
    quotas.check(len(others), allowed(tx.world, quota.SUBNETS), quotas.SUBNET_LIMIT)
    ranges6 = (ipv6.subnet_range(tx, vpc, ipv6_cidr_block),) if ipv6_cidr_block is not None else ()
    subnet = make_subnet(tx, vpc, cidr, where, ranges6=ranges6, tags=tags)
    return {"Subnet": render(tx.world, subnet)}


def choose_zone(world: World, region: str, name: str | None, id: str | None) -> Zone:
    """Return the zone asked for by name or by id; without either the one with the fewest of the caller's subnets.

    A Local Zone must be asked for, after the caller opted in to it.
    """
    known = zones(region)
    if name and id:
        raise TWO_ZONES()
    if not name and not id:
        counts = {z.name: 0 for z in known}
        for subnet in world.all(Subnet):
            counts[subnet.zone] = counts.get(subnet.zone, 0) + 1
        return min(known, key=lambda z: counts[z.name])
    found = next((z for z in usable(world) if (z.name == name if name else z.id == id)), None)
    if found is None:
        some = ", ".join(z.name if name else z.id for z in usable(world))
        what = "availabilityZone" if name else "availabilityZoneId"
        raise BAD_ZONE(value=name or id, name=what, zones=some)
    return found


def make_subnet(
    tx: Tx,
    vpc: Vpc,
    cidr: IPv4Network,
    where: Zone,
    *,
    ranges6: tuple[Association6, ...] = (),
    is_default: bool = False,
    tags: Mapping[str, str] | None = None,
) -> Subnet:
    """Put a subnet; a default one gives its instances public addresses."""
    acl = next(a for a in tx.all(NetworkAcl, vpc_id=vpc.id) if a.is_default)
    return tx.make(
        Subnet,
        tx.new_id("subnet"),
        vpc_id=vpc.id,
        cidr=cidr,
        ranges6=ranges6,
        zone=where.name,
        zone_id=where.id,
        number=free_number(tx.world, Subnet, vpc.id),
        acl_id=acl.id,
        acl_association_id=tx.new_id("aclassoc"),
        is_default=is_default,
        map_public_ip=is_default,
        tags=tags or {},
    )


@operation("ec2", "DescribeSubnets", pure=True)
def describe_subnets(
    world: World,
    *,
    subnet_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List subnets."""
    found, token = listing(
        world,
        Subnet,
        FILTERS,
        ids=subnet_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="subnetIds",
    )
    return {"Subnets": [told(world, render, s) for s in found], "NextToken": token}


@operation("ec2", "DeleteSubnet", network=True)
def delete_subnet(tx: Tx, *, subnet_id: str) -> None:
    """Delete a subnet in which there is no interface and that no cache subnet group names."""
    subnet = find(tx.world, Subnet, subnet_id)
    groups = tx.world.bucket(CacheSubnetGroup, "vpc_id", subnet.vpc_id).values()
    if tx.world.bucket(Interface, "subnet_id", subnet.id) or any(subnet.id in _subnets(g) for g in groups):
        raise errors.DEPENDENCY(what="subnet", id=subnet.id)
    for table in tx.all(RouteTable, vpc_id=subnet.vpc_id):
        if any(a.subnet_id == subnet.id for a in table.associations):
            tx.put(table.but(associations=tuple(a for a in table.associations if a.subnet_id != subnet.id)))
    tx.delete(subnet)


def _subnets(group: object) -> Sequence[str]:
    assert isinstance(group, CacheSubnetGroup), "the bucket holds nothing else"
    return group.subnet_ids


@operation("ec2", "ModifySubnetAttribute")
def modify_subnet_attribute(
    tx: Tx,
    *,
    subnet_id: str,
    map_public_ip_on_launch: Shape | None = None,
    private_dns_hostname_type_on_launch: str | None = None,
    enable_resource_name_dns_a_record_on_launch: Shape | None = None,
    assign_ipv6_address_on_creation: Shape | None = None,
    enable_dns64: Shape | None = None,
    enable_resource_name_dns_aaaa_record_on_launch: Shape | None = None,
    map_customer_owned_ip_on_launch: Shape | None = None,
) -> None:
    """Set one attribute of a subnet.  What needs DNS64 or an Outpost can only be switched off."""
    subnet = find(tx.world, Subnet, subnet_id)
    never = {
        "EnableDns64": enable_dns64,
        "MapCustomerOwnedIpOnLaunch (Outposts)": map_customer_owned_ip_on_launch,
    }
    given = {
        "map_public_ip": map_public_ip_on_launch,
        "resource_name_a_record": enable_resource_name_dns_a_record_on_launch,
        "assign_ipv6": assign_ipv6_address_on_creation,
        "resource_name_aaaa_record": enable_resource_name_dns_aaaa_record_on_launch,
    }
    changes: dict[str, object] = {name: v["Value"] for name, v in given.items() if v is not None and "Value" in v}
    if private_dns_hostname_type_on_launch is not None:
        changes["hostname_type"] = private_dns_hostname_type_on_launch
    offs = [what for what, v in never.items() if v is not None]
    for what in offs:
        if (never[what] or {}).get("Value"):
            raise errors.UNSUPPORTED(what=what)
    if len(changes) + len(offs) == 0:
        raise errors.MISSING(name="attribute")
    if len(changes) + len(offs) > 1:
        raise errors.BAD_COMBINATION(why="Only one attribute of a subnet can be modified at a time.")
    if changes.get("assign_ipv6") and not subnet.ranges6:
        raise NOTHING_TO_ASSIGN(id=subnet.id)
    tx.put(subnet.but(**changes))


def render(world: World, s: Subnet) -> Shape:
    """Return a subnet as AWS shows it."""
    return {
        "SubnetId": s.id,
        "SubnetArn": _arn(s),
        "VpcId": s.vpc_id,
        "OwnerId": s.account,
        "CidrBlock": str(s.cidr),
        "AvailabilityZone": s.zone,
        "AvailabilityZoneId": s.zone_id,
        "AvailableIpAddressCount": free_addresses(world, s),
        "State": s.state,
        "DefaultForAz": s.is_default,
        "MapPublicIpOnLaunch": s.map_public_ip,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": s.assign_ipv6,
        "Ipv6CidrBlockAssociationSet": [ipv6.render_subnet_range(r) for r in s.ranges6],
        "Ipv6Native": False,
        "EnableDns64": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": s.hostname_type,
            "EnableResourceNameDnsARecord": s.resource_name_a_record,
            "EnableResourceNameDnsAAAARecord": s.resource_name_aaaa_record,
        },
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": render_tags(s),
    }


def _arn(s: Subnet) -> str:
    return arn("ec2", s.region, s.account, f"subnet/{s.id}")
