"""IPv6 addresses of network interfaces."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6, quotas
from atoll.ec2.association import SERVICE_OWNED
from atoll.ec2.cidr import parse_address6
from atoll.ec2.kinds import find
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World

NOT_ASSIGNED = Err("InvalidParameterValue", "Some of the specified addresses are not assigned to interface {id}")


@operation("ec2", "AssignIpv6Addresses", network=True)
def assign_ipv6_addresses(
    tx: Tx,
    *,
    network_interface_id: str,
    ipv6_addresses: Sequence[str] = (),
    ipv6_address_count: int | None = None,
) -> Shape:
    """Give an interface IPv6 addresses of its subnet: these, or as many as asked for."""
    interface = _find(tx.world, network_interface_id)
    if not ipv6_addresses and not ipv6_address_count:
        raise errors.MISSING(name="ipv6Addresses or ipv6AddressCount")
    subnet = tx.world[Subnet, interface.subnet_id]
    own = {str(ip) for ip in interface.ipv6_addresses}
    wanted = [{"Ipv6Address": text} for text in dict.fromkeys(ipv6_addresses) if text not in own]
    count = ipv6_address_count if ipv6_address_count is not None else 0
    more = ipv6.asked_addresses(tx.world, subnet, wanted, count)
    if len(interface.ipv6_addresses) + len(more) > limit(tx.world, interface):
        raise quotas.ADDRESSES6_PER_INTERFACE()
    tx.put(interface.but(ipv6_addresses=(*interface.ipv6_addresses, *more)))
    return {"NetworkInterfaceId": interface.id, "AssignedIpv6Addresses": [str(ip) for ip in more]}


@operation("ec2", "UnassignIpv6Addresses", network=True)
def unassign_ipv6_addresses(tx: Tx, *, network_interface_id: str, ipv6_addresses: Sequence[str] = ()) -> Shape:
    """Take IPv6 addresses from an interface."""
    interface = _find(tx.world, network_interface_id)
    if not ipv6_addresses:
        raise errors.MISSING(name="ipv6Addresses")
    gone = [parse_address6(text, "ipv6Address") for text in ipv6_addresses]
    if not set(gone) <= set(interface.ipv6_addresses):
        raise NOT_ASSIGNED(id=interface.id)
    tx.put(interface.but(ipv6_addresses=tuple(ip for ip in interface.ipv6_addresses if ip not in gone)))
    return {"NetworkInterfaceId": interface.id, "UnassignedIpv6Addresses": [str(ip) for ip in gone]}


def _find(world: World, id: str) -> Interface:
    interface = find(world, Interface, id)
    if interface.requester_managed:
        raise SERVICE_OWNED()
    return interface


def limit(world: World, interface: Interface) -> int:
    """Return how many IPv6 addresses an interface may have: as many as IPv4 ones, as its instance's type says."""
    if interface.instance_id is None:
        return quotas.INTERFACE_ADDRESSES_MAX
    return INSTANCE_TYPES[world[Instance, interface.instance_id].type].addresses_max
