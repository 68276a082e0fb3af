"""Network interfaces: create, describe, delete.

Attachments are in `attachment.py`, attributes in `interface_attribute.py`, further addresses in `private_address.py`.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6, quotas
from atoll.ec2.association import free
from atoll.ec2.cidr import parse_address
from atoll.ec2.filters import Field, Table, absent, listing
from atoll.ec2.group import groups_for
from atoll.ec2.kinds import find
from atoll.ec2.path import second, shown
from atoll.ec2.tags import render_tags, tags_for
from atoll.ec2.tracking import render_timeouts, timeouts_of
from atoll.model import quota
from atoll.model.address import ElasticIp
from atoll.model.group import SecurityGroup
from atoll.model.interface import Attachment, Interface
from atoll.model.lookup import elastic_ip_of, vpc_of
from atoll.model.names import private_dns, public_dns
from atoll.model.quota import allowed
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World
from atoll.model.zones import zone
from atoll.network.ipam import NoFreeAddress, free_address, is_reserved, new_interface, taken

OUTSIDE = Err("InvalidParameterValue", "Address does not fall within the subnet's address range")
RESERVED = Err("InvalidParameterValue", "Address is in subnet's reserved address range")
ADDRESS_IN_USE = Err("InvalidIPAddress.InUse", "Address {ip} is in use.")
SUBNET_FULL = Err(
    "InsufficientFreeAddressesInSubnet",
    "The specified subnet does not have enough free addresses to satisfy the request.",
)
IN_USE = Err("InvalidParameterValue", "Network interface '{id}' is currently in use.")
TWO_PRIMARIES = Err("InvalidParameterCombination", "Only one primary private IP address can be specified.")
BAD_COUNT = Err("InvalidParameterValue", "Value ({count}) for parameter secondaryPrivateIpAddressCount is invalid.")


@operation("ec2", "CreateNetworkInterface")
def create_network_interface(
    tx: Tx,
    *,
    subnet_id: str,
    description: str = "",
    groups: Sequence[str] = (),
    private_ip_address: str | None = None,
    private_ip_addresses: Sequence[Shape] = (),
    secondary_private_ip_address_count: int = 0,
    ipv6_addresses: Sequence[Shape] = (),
    ipv6_address_count: int | None = None,
    connection_tracking_specification: Shape | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create an interface in a subnet, with its default group and lowest free address unless told otherwise."""
    subnet = find(tx.world, Subnet, subnet_id)
    group_ids = groups_for(tx.world, subnet.vpc_id, groups)
    tags = tags_for("network-interface", tag_specifications)
    timeouts = timeouts_of(connection_tracking_specification)
    primary, secondaries = asked_addresses(private_ip_address, private_ip_addresses)
    if secondary_private_ip_address_count < 0:
        raise BAD_COUNT(count=secondary_private_ip_address_count)
    if secondaries and secondary_private_ip_address_count:
        raise errors.BOTH(one="secondaryPrivateIpAddressCount", other="privateIpAddresses")
    wanted = [check_address(tx.world, subnet, text) for text in [*([primary] if primary else []), *secondaries]]
    if len(set(wanted)) < len(wanted):
        raise ADDRESS_IN_USE(ip=wanted[-1])
    quotas.check(tx.world.count(Interface), allowed(tx.world, quota.INTERFACES), quotas.INTERFACE_LIMIT)
    others = wanted[1:] if primary else wanted
    if 1 + len(others) + secondary_private_ip_address_count > quotas.INTERFACE_ADDRESSES_MAX:
        raise quotas.ADDRESSES_PER_INTERFACE()
    sixes = ipv6.asked_addresses(tx.world, subnet, ipv6_addresses, ipv6_address_count)
    if len(sixes) > quotas.INTERFACE_ADDRESSES_MAX:
        raise quotas.ADDRESSES6_PER_INTERFACE()
    try:
        first = wanted[0] if primary else free_address(tx.world, subnet, others)
        interface = new_interface(tx, subnet, group_ids, address=first, description=description, tags=tags)
        addresses = [first, *others]
        for _ in range(secondary_private_ip_address_count):
            addresses.append(free_address(tx.world, subnet, addresses))
    except NoFreeAddress:
        raise SUBNET_FULL() from None
    interface = tx.put(interface.but(private_ips=tuple(addresses), ipv6_addresses=sixes, timeouts=timeouts))
    return {"NetworkInterface": render(tx.world, interface)}


def asked_addresses(single: str | None, several: Sequence[Shape]) -> tuple[str | None, list[str]]:
    """Return the primary address asked for, if one is, and the secondary ones."""
    for address in several:
        if not address.get("PrivateIpAddress"):
            raise errors.MISSING(name="privateIpAddresses.privateIpAddress")
    primaries = [a["PrivateIpAddress"] for a in several if a.get("Primary")]
    if len(primaries) + (single is not None) > 1:
        raise TWO_PRIMARIES()
    primary = single or (primaries[0] if primaries else None)
    return primary, [a["PrivateIpAddress"] for a in several if not a.get("Primary")]


def check_address(world: World, subnet: Subnet, text: str) -> IPv4Address:
    """Return an address that is free in a subnet; raises BAD_ADDRESS, OUTSIDE, RESERVED, ADDRESS_IN_USE."""
    address = parse_address(text, "privateIpAddress")
    if address not in subnet.cidr:
        raise OUTSIDE()
    if is_reserved(subnet.cidr, address):
        raise RESERVED()
    if address in taken(world, subnet):
        raise ADDRESS_IN_USE(ip=address)
    return address


@operation("ec2", "DescribeNetworkInterfaces", pure=True)
def describe_network_interfaces(
    world: World,
    *,
    network_interface_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    include_managed_resources: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List interfaces, those of services too.  None is hidden, so including managed ones adds none."""
    del include_managed_resources
    found, token = listing(
        world,
        Interface,
        FILTERS,
        ids=network_interface_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="networkInterfaceIds",
    )
    return {"NetworkInterfaces": [told(world, render, i) for i in found], "NextToken": token}


@operation("ec2", "DeleteNetworkInterface", network=True)
def delete_network_interface(tx: Tx, *, network_interface_id: str) -> None:
    """Delete an interface that is attached to nothing; an Elastic IP that led to it leads nowhere."""
    interface = find(tx.world, Interface, network_interface_id)
    if interface.attachment:
        raise IN_USE(id=interface.id)
    for eip in tx.all(ElasticIp, interface_id=interface.id):
        free(tx, eip)
    tx.delete(interface)


def render(world: World, i: Interface) -> Shape:
    """Return an interface as AWS shows it."""
    has_names = vpc_of(world, i).gives_names
    addresses = [_address(world, i, ip, has_names) for ip in i.private_ips]
    where = zone(i.region, i.zone)
    shape: Shape = {
        "NetworkInterfaceId": i.id,
        "OwnerId": i.account,
        "VpcId": i.vpc_id,
        "SubnetId": i.subnet_id,
        "AvailabilityZone": i.zone,
        "AvailabilityZoneId": where.id if where else None,
        "Description": i.description,
        "InterfaceType": i.kind,
        "MacAddress": i.mac,
        "Status": i.status,
        "SourceDestCheck": i.source_dest_check,
        "RequesterId": i.requester_id,
        "RequesterManaged": i.requester_managed,
        "Operator": {"Managed": False},
        "Groups": render_groups(world, i),
        "ConnectionTrackingConfiguration": render_timeouts(i.timeouts),
        "PrivateIpAddress": str(i.address),
        "PrivateDnsName": addresses[0].get("PrivateDnsName"),
        "PrivateIpAddresses": addresses,
        "Ipv6Addresses": [{"Ipv6Address": str(ip), "IsPrimaryIpv6": False} for ip in i.ipv6_addresses],
        "Ipv6Address": str(i.ipv6_address) if i.ipv6_address else None,
        "Association": addresses[0].get("Association"),
        "Attachment": render_attachment(i.attachment) if i.attachment else None,
        "TagSet": render_tags(i),
    }
    return {member: value for member, value in shape.items() if value is not None}


def render_groups(world: World, i: Interface) -> list[Shape]:
    """Return the groups that an interface carries, without those that belong to a service."""
    groups = [world[SecurityGroup, id] for id in i.group_ids]
    return [{"GroupId": g.id, "GroupName": g.name} for g in groups if g.owner == i.owner]


def render_attachment(a: Attachment) -> Shape:
    """Return what an interface is plugged into."""
    return {
        "AttachmentId": a.id,
        "AttachTime": second(a.time),
        "DeleteOnTermination": a.delete_on_termination,
        "DeviceIndex": a.device_index,
        "NetworkCardIndex": 0,
        "InstanceId": a.instance_id,
        "InstanceOwnerId": a.instance_owner,
        "Status": a.status,
    }


def _address(world: World, i: Interface, ip: IPv4Address, has_names: bool) -> Shape:
    shape: Shape = {"Primary": ip == i.address, "PrivateIpAddress": str(ip)}
    if has_names:
        shape["PrivateDnsName"] = private_dns(ip, i.region)
    eip = elastic_ip_of(world, i.id, ip)
    public = eip.public_ip if eip else i.public_ip if ip == i.address else None
    if public:
        shape["Association"] = {
            "AllocationId": eip.id if eip else None,
            "AssociationId": eip.association_id if eip else None,
            "IpOwnerId": eip.account if eip else "amazon",
            "PublicDnsName": public_dns(public, i.region) if has_names else "",
            "PublicIp": str(public),
        }
    return shape


def _shown(path: str) -> Field:
    return shown(render, path)


FILTERS: Table = {
    "addresses.association.owner-id": _shown("PrivateIpAddresses.Association.IpOwnerId"),
    "addresses.association.public-ip": _shown("PrivateIpAddresses.Association.PublicIp"),
    "addresses.primary": _shown("PrivateIpAddresses.Primary"),
    "addresses.private-ip-address": "private_ips",
    "association.allocation-id": _shown("Association.AllocationId"),
    "association.association-id": _shown("Association.AssociationId"),
    "association.ip-owner-id": _shown("Association.IpOwnerId"),
    "association.public-dns-name": _shown("Association.PublicDnsName"),
    "association.public-ip": _shown("Association.PublicIp"),
    "attachment.attach-time": lambda _w, i: f"{i.attachment.time:%Y-%m-%dT%H:%M:%S.000Z}" if i.attachment else None,
    "attachment.attachment-id": "attachment.id",
    "attachment.delete-on-termination": "attachment.delete_on_termination",
    "attachment.device-index": "attachment.device_index",
    "attachment.instance-id": "instance_id",
    "attachment.instance-owner-id": "attachment.instance_owner",
    "attachment.status": "attachment.status",
    "availability-zone": "zone",
    "availability-zone-id": _shown("AvailabilityZoneId"),
    "description": "description",
    "group-id": "group_ids",
    "group-name": _shown("Groups.GroupName"),
    "interface-type": "kind",
    "ipv6-addresses.ipv6-address": "ipv6_addresses",
    "mac-address": "mac",
    "network-interface-id": "id",
    "operator.managed": lambda _w, _i: False,
    "operator.principal": absent,
    "owner-id": "account",
    "private-dns-name": _shown("PrivateDnsName"),
    "private-ip-address": "private_ips",
    "requester-id": "requester_id",
    "requester-managed": "requester_managed",
    "source-dest-check": "source_dest_check",
    "status": "status",
    "subnet-id": "subnet_id",
    "vpc-id": "vpc_id",
}
