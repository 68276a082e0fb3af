"""Further private addresses of network interfaces."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import cast

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.association import SERVICE_OWNED, free
from atoll.ec2.cidr import parse_address
from atoll.ec2.interface import ADDRESS_IN_USE, SUBNET_FULL, check_address
from atoll.ec2.kinds import find
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World
from atoll.network.ipam import NoFreeAddress, free_address

NOT_ASSIGNED = Err("InvalidParameterValue", "Some of the specified addresses are not assigned to interface {id}")
PRIMARY = Err("InvalidParameterValue", "The primary private IP address {ip} of {id} cannot be unassigned.")


@operation("ec2", "AssignPrivateIpAddresses", network=True)
def assign_private_ip_addresses(
    tx: Tx,
    *,
    network_interface_id: str,
    private_ip_addresses: Sequence[str] = (),
    secondary_private_ip_address_count: int | None = None,
    allow_reassignment: bool = False,
) -> Shape:
    """Give an interface further addresses of its subnet: these, or as many as asked for."""
    interface = _find(tx.world, network_interface_id)
    if private_ip_addresses and secondary_private_ip_address_count is not None:
        raise errors.BOTH(one="secondaryPrivateIpAddressCount", other="privateIpAddresses")
    count = secondary_private_ip_address_count or 0
    if not private_ip_addresses and count < 1:
        raise errors.MISSING(name="privateIpAddresses or secondaryPrivateIpAddressCount")
    subnet = tx.world[Subnet, interface.subnet_id]
    more: list[IPv4Address] = []
    for text in dict.fromkeys(private_ip_addresses):
        address = parse_address(text, "privateIpAddress")
        if address in interface.private_ips or address in more:
            continue
        if allow_reassignment:
            _take(tx, subnet, address)
        more.append(check_address(tx.world, subnet, text))
    if len(interface.private_ips) + len(more) + count > _limit(tx.world, interface):
        raise quotas.ADDRESSES_PER_INTERFACE()
    try:
        for _ in range(count):
            more.append(free_address(tx.world, subnet, more))
    except NoFreeAddress:
        raise SUBNET_FULL() from None
    tx.put(interface.but(private_ips=(*interface.private_ips, *more)))
    assigned = [{"PrivateIpAddress": str(ip)} for ip in more]
    return {"NetworkInterfaceId": interface.id, "AssignedPrivateIpAddresses": assigned}


@operation("ec2", "UnassignPrivateIpAddresses", network=True)
def unassign_private_ip_addresses(
    tx: Tx, *, network_interface_id: str, private_ip_addresses: Sequence[str] = ()
) -> None:
    """Take further addresses from an interface; the primary one stays."""
    interface = _find(tx.world, network_interface_id)
    if not private_ip_addresses:
        raise errors.MISSING(name="privateIpAddresses")
    gone = [parse_address(text, "privateIpAddress") for text in private_ip_addresses]
    if interface.address in gone:
        raise PRIMARY(ip=interface.address, id=interface.id)
    if not set(gone) <= set(interface.private_ips):
        raise NOT_ASSIGNED(id=interface.id)
    _drop(tx, interface, gone)


def _find(world: World, id: str) -> Interface:
    interface = find(world, Interface, id)
    if interface.requester_managed:
        raise SERVICE_OWNED()
    return interface


def _limit(world: World, interface: Interface) -> int:
    """Return how many addresses an interface may have: its instance's type says it."""
    if interface.instance_id is None:
        return quotas.INTERFACE_ADDRESSES_MAX
    return INSTANCE_TYPES[world[Instance, interface.instance_id].type].addresses_max


def _take(tx: Tx, subnet: Subnet, address: IPv4Address) -> None:
    """Take an address from the interface that has it, unless it is primary there."""
    for other in tx.world.bucket(Interface, "subnet_id", subnet.id).values():
        other = cast(Interface, other)
        if address in other.private_ips:
            if address == other.address or other.requester_managed or other.owner != subnet.owner:
                raise ADDRESS_IN_USE(ip=address)
            _drop(tx, other, [address])
            return


def _drop(tx: Tx, interface: Interface, gone: Sequence[IPv4Address]) -> None:
    for ip in gone:
        if eip := elastic_ip_of(tx.world, interface.id, ip):
            free(tx, eip)
    tx.put(interface.but(private_ips=tuple(ip for ip in interface.private_ips if ip not in gone)))
