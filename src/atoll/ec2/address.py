"""Elastic IP addresses: allocate, describe, release.  Associations are in `association.py`."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors, quotas
from atoll.ec2.cidr import parse_address
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.ec2.zone import usable
from atoll.model import quota
from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.lookup import vpc_of
from atoll.model.quota import allowed
from atoll.model.world import Tx, World
from atoll.model.zones import zone
from atoll.network.ipam import PUBLIC_POOL, NoFreePublicAddress, free_public_ip

AMAZON_POOL = "amazon"

NOT_FOUND = Err("InvalidAddress.NotFound", "Address '{ip}' not found.")
NOT_IN_POOL = Err("InvalidAddress.NotFound", "Address '{ip}' not found: it is not in pool {pool}.")
IN_USE = Err("InvalidIPAddress.InUse", "Address {ip} is in use.")
POOL_NOT_FOUND = Err("InvalidPublicIpv4PoolID.NotFound", "The Public IPv4 pool ID '{id}' does not exist.")
POOL_EMPTY = Err("InsufficientAddressCapacity", "There are no free addresses in pool {pool}.")
BAD_DOMAIN = Err("InvalidParameterValue", "Value ({value}) for parameter domain is invalid. EC2-Classic is retired.")
BAD_BORDER = Err(
    "InvalidParameterValue", "Value ({value}) for parameter networkBorderGroup is invalid. Expecting one of {groups}."
)
OTHER_BORDER = Err(
    "InvalidParameterCombination",
    "The address {ip} belongs to the network border group {group}, and {what} is in {other}: an address can only be "
    "used in its own group.",
)
BOTH_NAMES = Err(
    "InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call"
)

FILTERS: Table = {
    "allocation-id": "id",
    "association-id": "association_id",
    "domain": lambda _w, _a: "vpc",
    "instance-id": "instance_id",
    "network-border-group": "border_group",
    "network-interface-id": "interface_id",
    "network-interface-owner-id": lambda w, a: _holder(w, a),
    "private-ip-address": "private_ip",
    "public-ip": "public_ip",
}


@operation("ec2", "AllocateAddress")
def allocate_address(
    tx: Tx,
    *,
    domain: str = "vpc",
    address: str | None = None,
    public_ipv4_pool: str = AMAZON_POOL,
    network_border_group: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Allocate a public address: any, or the one asked for, as for one to be recovered."""
    if domain != "vpc":
        raise BAD_DOMAIN(value=domain)
    if public_ipv4_pool != AMAZON_POOL:
        raise POOL_NOT_FOUND(id=public_ipv4_pool)
    groups = list(dict.fromkeys(z.border_group for z in usable(tx.world)))
    if network_border_group and network_border_group not in groups:
        raise BAD_BORDER(value=network_border_group, groups=", ".join(groups))
    tags = tags_for("elastic-ip", tag_specifications)
    quotas.check(tx.world.count(ElasticIp), allowed(tx.world, quota.ADDRESSES), quotas.ADDRESS_LIMIT)
    wanted = None if address is None else parse_address(address, "address")
    if wanted and wanted not in PUBLIC_POOL:
        raise NOT_IN_POOL(ip=wanted, pool=PUBLIC_POOL)
    try:
        public = free_public_ip(tx.world, wanted)
    except NoFreePublicAddress:
        raise (IN_USE(ip=wanted) if wanted else POOL_EMPTY(pool=PUBLIC_POOL)) from None
    border = network_border_group or tx.region
    eip = tx.make(ElasticIp, tx.new_id("eipalloc"), public_ip=public, border_group=border, tags=tags)
    return {
        "AllocationId": eip.id,
        "PublicIp": str(public),
        "PublicIpv4Pool": AMAZON_POOL,
        "NetworkBorderGroup": eip.border_group,
        "Domain": "vpc",
    }


@operation("ec2", "DescribeAddresses", pure=True)
def describe_addresses(
    world: World,
    *,
    public_ips: Sequence[str] = (),
    allocation_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
) -> Shape:
    """List Elastic IP addresses; AWS cuts no pages here."""
    by_id = [find(world, ElasticIp, id) for id in dict.fromkeys(allocation_ids)]
    by_ip = [find_by_ip(world, ip) for ip in dict.fromkeys(public_ips)]
    items = list(world.all(ElasticIp))
    if allocation_ids:
        items = [a for a in items if a in by_id]
    if public_ips:
        items = [a for a in items if a in by_ip]
    return {"Addresses": [told(world, render, a) for a in select(world, items, filters, FILTERS)]}


@operation("ec2", "DescribeAddressesAttribute")
def describe_addresses_attribute(
    world: World,
    *,
    allocation_ids: Sequence[str] = (),
    attribute: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the reverse names of addresses.  Nobody has set one, so the list is empty."""
    if attribute is None:
        raise errors.MISSING(name="attribute")
    for id in allocation_ids:
        find(world, ElasticIp, id)
    none: list[str] = []
    addresses, token = page_ec2(none, str, max_results, next_token, low=1)
    return {"Addresses": addresses, "NextToken": token}


@operation("ec2", "ReleaseAddress", network=True)
def release_address(
    tx: Tx,
    *,
    allocation_id: str | None = None,
    public_ip: str | None = None,
    network_border_group: str | None = None,
) -> None:
    """Give an address back; one that is associated only in the default VPC, where that ends the association."""
    eip = choose(tx.world, allocation_id, public_ip)
    if network_border_group not in (None, eip.border_group):
        raise NOT_FOUND(ip=eip.public_ip)  # EC2 API Reference, ReleaseAddress, "NetworkBorderGroup"
    if eip.interface_id:
        interface = tx.world[Interface, eip.interface_id]
        if interface.requester_managed or not vpc_of(tx.world, interface).is_default:
            raise IN_USE(ip=eip.public_ip)
    tx.delete(eip)


def check_border_group(eip: ElasticIp, region: str, zone_name: str, what: str) -> None:
    """Raise OTHER_BORDER unless an address can be used in a zone."""
    where = zone(region, zone_name)
    assert where, "what has an interface is in a zone of its region"
    if where.border_group != eip.border_group:
        raise OTHER_BORDER(ip=eip.public_ip, group=eip.border_group, what=what, other=where.border_group)


def choose(world: World, allocation_id: str | None, public_ip: str | None) -> ElasticIp:
    """Return the caller's address by its id or by itself; raises BOTH_NAMES, MISSING and the NotFound errors."""
    if allocation_id and public_ip:
        raise BOTH_NAMES()
    if allocation_id:
        return find(world, ElasticIp, allocation_id)
    if public_ip:
        return find_by_ip(world, public_ip)
    raise errors.MISSING(name="AllocationId")


def find_by_ip(world: World, ip: str) -> ElasticIp:
    """Return the caller's address; raises NOT_FOUND."""
    for eip in world.all(ElasticIp, public_ip=parse_address(ip, "publicIp")):
        return eip
    raise NOT_FOUND(ip=ip)


def _holder(world: World, a: ElasticIp) -> str | None:
    return world[Interface, a.interface_id].account if a.interface_id else None


def render(world: World, a: ElasticIp) -> Shape:
    """Return an address as AWS shows it."""
    shape: Shape = {
        "AllocationId": a.id,
        "PublicIp": str(a.public_ip),
        "Domain": "vpc",
        "PublicIpv4Pool": AMAZON_POOL,
        "NetworkBorderGroup": a.border_group,
        "Tags": render_tags(a),
    }
    if a.interface_id:
        interface = world[Interface, a.interface_id]
        shape |= {
            "AssociationId": a.association_id,
            "NetworkInterfaceId": interface.id,
            "NetworkInterfaceOwnerId": interface.account,
            "SubnetId": interface.subnet_id,
            "PrivateIpAddress": str(a.private_ip),
            "InstanceId": a.instance_id,
        }
    return shape
