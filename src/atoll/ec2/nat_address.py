"""The secondary addresses of NAT gateways: each brings another 55,000 flows to every destination.

A public gateway gets Elastic IPs (associate, disassociate), a private one private addresses (assign, unassign).
Flows through an address that is taken away end with it: nothing is drained.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.association import NOT_FOUND as NO_ASSOCIATION
from atoll.ec2.association import free
from atoll.ec2.cidr import parse_address
from atoll.ec2.interface import SUBNET_FULL
from atoll.ec2.kinds import check_id, find
from atoll.ec2.nat_gateway import PRIVATE_ONLY, PUBLIC_ONLY, UNEVEN, checked_addresses, chosen, put_on, render_address
from atoll.model import quota
from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.nat_gateway import NatAddress, NatGateway
from atoll.model.quota import allowed
from atoll.model.subnet import Subnet
from atoll.model.world import Tx
from atoll.network.ipam import NoFreeAddress

BAD_STATE = Err("IncorrectState", "The NAT gateway '{id}' is {state}.")
TAKEN = Err("Resource.AlreadyAssociated", "Elastic IP address [{id}] is already associated")
PRIMARY = Err("InvalidParameterValue", "The primary address of {id} cannot be taken from it.")
NOT_ITS = Err("InvalidParameterValue", "{what} is not of {id}.")
REPEATED = Err("InvalidParameterValue", "The allocation ID '{id}' is given twice.")
BAD_COUNT = Err("InvalidParameterValue", "Value ({count}) for parameter privateIpAddressCount is invalid.")


@operation("ec2", "AssociateNatGatewayAddress", network=True)
def associate_nat_gateway_address(
    tx: Tx, *, nat_gateway_id: str, allocation_ids: Sequence[str], private_ip_addresses: Sequence[str] = ()
) -> Shape:
    """Give a public gateway further Elastic IPs, each in front of a private address that is its own or any."""
    gateway = _find(tx, nat_gateway_id)
    if gateway.connectivity != "public":
        raise PUBLIC_ONLY(name="AllocationIds")
    if not allocation_ids:
        raise errors.MISSING(name="AllocationIds")
    if private_ip_addresses and len(private_ip_addresses) != len(allocation_ids):
        raise UNEVEN()
    for n, id in enumerate(allocation_ids):
        if find(tx.world, ElasticIp, id).association_id:
            raise TAKEN(id=id)
        if id in allocation_ids[:n]:
            raise REPEATED(id=id)
    return _add(tx, gateway, private_ip_addresses, list(allocation_ids))


@operation("ec2", "AssignPrivateNatGatewayAddress", network=True)
def assign_private_nat_gateway_address(
    tx: Tx,
    *,
    nat_gateway_id: str,
    private_ip_addresses: Sequence[str] = (),
    private_ip_address_count: int | None = None,
) -> Shape:
    """Give a private gateway further addresses: those asked for, or so many of the lowest free ones."""
    gateway = _find(tx, nat_gateway_id)
    if gateway.connectivity != "private":
        raise PRIVATE_ONLY(name="PrivateIpAddresses")
    if private_ip_addresses and private_ip_address_count is not None:
        raise errors.BOTH(one="PrivateIpAddresses", other="PrivateIpAddressCount")
    count = len(private_ip_addresses) if private_ip_address_count is None else private_ip_address_count
    if private_ip_address_count is None and not private_ip_addresses:
        raise errors.MISSING(name="PrivateIpAddresses")
    if not 1 <= count < quotas.NAT_ADDRESSES_MAX:
        raise BAD_COUNT(count=count)
    return _add(tx, gateway, private_ip_addresses, [None] * count)


@operation("ec2", "DisassociateNatGatewayAddress", network=True)
def disassociate_nat_gateway_address(tx: Tx, *, nat_gateway_id: str, association_ids: Sequence[str]) -> Shape:
    """Take Elastic IPs, with their private addresses, from a public gateway."""
    gateway = _find(tx, nat_gateway_id)
    if not association_ids:
        raise errors.MISSING(name="AssociationIds")
    gone = []
    for id in association_ids:
        address = next((a for a in gateway.addresses if a.association_id == id), None)
        if address is None:
            check_id(id, "eipassoc", NO_ASSOCIATION)
            raise NO_ASSOCIATION(id=id)
        gone.append(address)
    return _remove(tx, gateway, gone, "disassociating")


@operation("ec2", "UnassignPrivateNatGatewayAddress", network=True)
def unassign_private_nat_gateway_address(
    tx: Tx, *, nat_gateway_id: str, private_ip_addresses: Sequence[str]
) -> Shape:
    """Take further addresses from a private gateway."""
    gateway = _find(tx, nat_gateway_id)
    if gateway.connectivity != "private":
        raise PRIVATE_ONLY(name="PrivateIpAddresses")
    if not private_ip_addresses:
        raise errors.MISSING(name="PrivateIpAddresses")
    gone = []
    for text in private_ip_addresses:
        ip = parse_address(text, "privateIpAddress")
        address = next((a for a in gateway.addresses if a.private_ip == ip), None)
        if address is None:
            raise NOT_ITS(what=ip, id=gateway.id)
        gone.append(address)
    return _remove(tx, gateway, gone, "unassigning")


def _find(tx: Tx, id: str) -> NatGateway:
    """Return a gateway that has its interface."""
    gateway = find(tx.world, NatGateway, id)
    if not gateway.stands:
        raise BAD_STATE(id=gateway.id, state=gateway.state)
    return gateway


def _interface(tx: Tx, gateway: NatGateway) -> Interface:
    assert gateway.interface_id, "a gateway that stands has its interface"
    return tx.world[Interface, gateway.interface_id]


def _add(tx: Tx, gateway: NatGateway, privates: Sequence[str], allocations: Sequence[str | None]) -> Shape:
    interface, subnet = _interface(tx, gateway), tx.world[Subnet, gateway.subnet_id]
    public = gateway.connectivity == "public"
    limit = allowed(tx.world, quota.NAT_ADDRESSES) if public else quotas.NAT_ADDRESSES_MAX
    if len(gateway.addresses) + len(allocations) > limit:
        raise quotas.ADDRESSES_PER_INTERFACE()
    asked = checked_addresses(tx.world, subnet, privates)
    try:
        new = chosen(tx.world, subnet, asked or [None] * len(allocations))
    except NoFreeAddress:
        raise SUBNET_FULL() from None
    interface = tx.put(interface.but(private_ips=(*interface.private_ips, *new)))
    added = tuple(put_on(tx, interface, ip, id) for ip, id in zip(new, allocations, strict=True))
    gateway = tx.put(gateway.but(addresses=(*gateway.addresses, *added)))
    return _answer(gateway, added)


def _remove(tx: Tx, gateway: NatGateway, gone: Sequence[NatAddress], status: str) -> Shape:
    if gateway.addresses[0] in gone:
        raise PRIMARY(id=gateway.id)
    interface = _interface(tx, gateway)
    for eip in tx.all(ElasticIp, interface_id=interface.id):
        if any(a.allocation_id == eip.id for a in gone):
            free(tx, eip)
    taken = {a.private_ip for a in gone}
    tx.put(interface.but(private_ips=tuple(ip for ip in interface.private_ips if ip not in taken)))
    tx.put(gateway.but(addresses=tuple(a for a in gateway.addresses if a not in gone)))
    shape = _answer(gateway, gone)
    for shown in shape["NatGatewayAddresses"]:
        shown["Status"] = status
    return shape


def _answer(gateway: NatGateway, addresses: Sequence[NatAddress]) -> Shape:
    return {
        "NatGatewayId": gateway.id,
        "NatGatewayAddresses": [render_address(gateway, a) for a in addresses],
    }
