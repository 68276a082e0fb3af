"""NAT gateways: create, describe, delete.  Their further addresses are in `nat_address.py`.

What is wrong with a gateway in itself is refused at once; what is wrong around it (no internet gateway, an address
that is taken) AWS finds while it makes the gateway, which then fails, and says why.
Source: EC2 API Reference, CreateNatGateway, NatGateway; VPC User Guide, "Troubleshoot NAT gateways".
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import zip_longest

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.address import check_border_group
from atoll.ec2.association import free
from atoll.ec2.filters import Table, listing
from atoll.ec2.interface import ADDRESS_IN_USE, check_address
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.address import ElasticIp
from atoll.model.interface import Attachment, Interface
from atoll.model.lifecycle import NAT_GATEWAY
from atoll.model.lookup import internet_gateway_of
from atoll.model.nat_gateway import NatAddress, NatGateway
from atoll.model.quota import allowed
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World
from atoll.network.ipam import free_address, free_addresses, new_interface

NO_ALLOCATION = Err(
    "MissingParameter",
    "The request must include the AllocationId parameter. Add the required parameter and retry the request.",
)
BAD_CONNECTIVITY = Err("InvalidParameterValue", "Value ({value}) for parameter connectivityType is invalid.")
PUBLIC_ONLY = Err("InvalidParameterCombination", "{name} is not supported for a private NAT gateway.")
PRIVATE_ONLY = Err("InvalidParameterCombination", "{name} is not supported for a public NAT gateway.")
UNEVEN = Err(
    "InvalidParameterCombination",
    "The number of secondary private IP addresses must be that of the secondary allocation IDs.",
)
REPEATED = Err("InvalidParameterValue", "The allocation ID '{id}' is given twice.")
OWNER = "amazon-aws"
KIND = "nat_gateway"  # as DescribeNetworkInterfaces says; the API model's own word is never answered

FILTERS: Table = {
    "nat-gateway-id": "id",
    "state": "state",
    "subnet-id": "subnet_id",
    "vpc-id": "vpc_id",
}


@operation("ec2", "CreateNatGateway", network=True)
def create_nat_gateway(
    tx: Tx,
    *,
    subnet_id: str | None = None,
    allocation_id: str | None = None,
    connectivity_type: str = "public",
    private_ip_address: str | None = None,
    secondary_allocation_ids: Sequence[str] = (),
    secondary_private_ip_addresses: Sequence[str] = (),
    secondary_private_ip_address_count: int = 0,
    availability_mode: str = "zonal",
    client_token: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Begin to make a gateway in a subnet; it is `available` when the network is seen to carry it, or `failed`."""
    if availability_mode != "zonal":
        raise errors.UNSUPPORTED(what=f"A NAT gateway with AvailabilityMode {availability_mode}")
    if subnet_id is None:
        raise errors.MISSING(name="subnetId")
    if connectivity_type not in ("public", "private"):
        raise BAD_CONNECTIVITY(value=connectivity_type)
    count = secondary_private_ip_address_count
    allocations = [allocation_id, *secondary_allocation_ids] if allocation_id else list(secondary_allocation_ids)
    _check(connectivity_type, allocation_id, secondary_allocation_ids, secondary_private_ip_addresses, count)
    subnet = find(tx.world, Subnet, subnet_id)
    primary = check_address(tx.world, subnet, private_ip_address) if private_ip_address else None
    others = checked_addresses(tx.world, subnet, secondary_private_ip_addresses, primary)
    tags = tags_for("natgateway", tag_specifications)
    _check_quota(tx.world, subnet)
    more = (len(secondary_allocation_ids) or count) - len(others)
    if not 0 <= count < quotas.NAT_ADDRESSES_MAX:  # before that many are listed
        raise quotas.ADDRESSES_PER_INTERFACE()
    wanted = [primary, *others, *([None] * more)]
    if len(wanted) > quotas.NAT_ADDRESSES_MAX or len(allocations) > allowed(tx.world, quota.NAT_ADDRESSES):
        raise quotas.ADDRESSES_PER_INTERFACE()
    gateway = tx.make(
        NatGateway, tx.new_id("nat"), vpc_id=subnet.vpc_id, subnet_id=subnet.id, zone=subnet.zone,
        connectivity=connectivity_type, created=tx.now, tags=tags,
        failure=_failure(tx.world, subnet, allocations, len(wanted)),
    )  # fmt: skip
    if gateway.failure:
        held = tuple(NatAddress(allocation_id=id, status="failed") for id in allocations)
        gateway = tx.put(gateway.but(addresses=held))
    else:
        gateway = _furnish(tx, gateway, subnet, wanted, allocations)
    return {"ClientToken": client_token, "NatGateway": render(gateway)}


def _check(
    connectivity: str, allocation: str | None, allocations: Sequence[str], privates: Sequence[str], count: int
) -> None:
    """Refuse parameters that do not belong together."""
    if connectivity == "private":
        for name, given in (("AllocationId", allocation), ("SecondaryAllocationIds", allocations)):
            if given:
                raise PUBLIC_ONLY(name=name)
        if count and privates:
            raise errors.BOTH(one="SecondaryPrivateIpAddresses", other="SecondaryPrivateIpAddressCount")
        return
    if not allocation:
        raise NO_ALLOCATION()
    if count:
        raise PRIVATE_ONLY(name="SecondaryPrivateIpAddressCount")
    if privates and len(privates) != len(allocations):
        raise UNEVEN()
    for id in allocations:
        if [allocation, *allocations].count(id) > 1:
            raise REPEATED(id=id)


def checked_addresses(
    world: World, subnet: Subnet, texts: Sequence[str], primary: IPv4Address | None = None
) -> list[IPv4Address]:
    """Return addresses that are free in a subnet, each named once."""
    found = [check_address(world, subnet, text) for text in texts]
    for n, address in enumerate(found):
        if address == primary or address in found[:n]:
            raise ADDRESS_IN_USE(ip=address)
    return found


def _check_quota(world: World, subnet: Subnet) -> None:
    alive = [g for g in world.all(NatGateway, zone=subnet.zone) if g.state in ("pending", "available", "deleting")]
    limit = allowed(world, quota.NAT_GATEWAYS)
    if len(alive) >= limit:
        raise quotas.NAT_GATEWAY_LIMIT(limit=limit)


def _failure(world: World, subnet: Subnet, allocations: Sequence[str], addresses: int) -> tuple[str, str] | None:
    """Return why a gateway cannot be made: code and message."""
    if allocations and internet_gateway_of(world, subnet.vpc_id) is None:
        return "Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached"
    for id in allocations:
        eip = world.get(ElasticIp, id)
        if eip is None:
            message = f"Elastic IP address {id} could not be associated with this NAT gateway"
            return "InvalidAllocationID.NotFound", message
        if eip.association_id:
            return "Resource.AlreadyAssociated", f"Elastic IP address [{id}] is already associated"
    if free_addresses(world, subnet) < addresses:
        message = "Subnet has insufficient free addresses to create this NAT gateway"
        return "InsufficientFreeAddressesInSubnet", message
    return None


def _furnish(
    tx: Tx, gateway: NatGateway, subnet: Subnet, wanted: Sequence[IPv4Address | None], allocations: Sequence[str]
) -> NatGateway:
    """Give a gateway its interface and its addresses."""
    privates = chosen(tx.world, subnet, wanted)
    plug = Attachment(
        id=f"ela-attach-0{tx.new_hex(16)}", instance_owner=OWNER, time=tx.now, device_index=1,
        delete_on_termination=False,
    )  # fmt: skip
    interface = new_interface(
        tx, subnet, (), address=privates[0], kind=KIND, source_dest_check=False, requester_managed=True,
        requester_id=OWNER, description=f"Interface for NAT Gateway {gateway.id}", attachment=plug,
    )  # fmt: skip
    interface = tx.put(interface.but(private_ips=tuple(privates)))
    addresses = tuple(put_on(tx, interface, ip, id) for ip, id in zip_longest(privates, allocations))
    return tx.put(gateway.but(interface_id=interface.id, addresses=addresses))


def chosen(world: World, subnet: Subnet, wanted: Sequence[IPv4Address | None]) -> list[IPv4Address]:
    """Return the addresses wanted, and the lowest free ones where it may be any.  Raises NoFreeAddress."""
    found: list[IPv4Address] = []
    for address in wanted:
        taken = [*found, *(a for a in wanted if a)]
        found.append(address or free_address(world, subnet, taken))
    return found


def put_on(tx: Tx, interface: Interface, private: IPv4Address, allocation_id: str | None) -> NatAddress:
    """Lead an Elastic IP, if one is given, to an address of a gateway's interface."""
    if allocation_id is None:
        return NatAddress(private_ip=private, status="assigning")
    eip, association = find(tx.world, ElasticIp, allocation_id), tx.new_id("eipassoc")
    check_border_group(eip, interface.region, interface.zone, interface.id)
    tx.put(eip.but(association_id=association, interface_id=interface.id, private_ip=private))
    return NatAddress(private_ip=private, allocation_id=eip.id, public_ip=eip.public_ip, association_id=association)


@operation("ec2", "DescribeNatGateways", pure=True)
def describe_nat_gateways(
    world: World,
    *,
    nat_gateway_ids: Sequence[str] = (),
    filter: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List gateways, for an hour also those that failed or were deleted."""
    found, token = listing(
        world,
        NatGateway,
        FILTERS,
        ids=nat_gateway_ids,
        filters=filter,
        max_results=max_results,
        next_token=next_token,
        ids_name="natGatewayIds",
    )
    return {"NatGateways": [render(g) for g in found], "NextToken": token}


@operation("ec2", "DeleteNatGateway", network=True)
def delete_nat_gateway(tx: Tx, *, nat_gateway_id: str) -> Shape:
    """Delete a gateway: its Elastic IPs stay the caller's, and routes to it become blackholes.  Again: no change."""
    gateway = find(tx.world, NatGateway, nat_gateway_id)
    if NAT_GATEWAY.allows(gateway.state, "delete"):
        if gateway.stands and gateway.interface_id:
            for eip in tx.all(ElasticIp, interface_id=gateway.interface_id):
                free(tx, eip)
            tx.delete(tx.world[Interface, gateway.interface_id])
        tx.put(gateway.but(state=NAT_GATEWAY.after(gateway.state, "delete")))
    return {"NatGatewayId": gateway.id}


def render(g: NatGateway) -> Shape:
    """Return a gateway as AWS shows it."""
    shape: Shape = {
        "NatGatewayId": g.id,
        "State": g.state,
        "SubnetId": g.subnet_id,
        "VpcId": g.vpc_id,
        "CreateTime": g.created,
        "ConnectivityType": g.connectivity,
        "AvailabilityMode": "zonal",
        "NatGatewayAddresses": [render_address(g, a) for a in g.addresses],
        "Tags": render_tags(g),
    }
    if g.state == "deleted":
        shape["DeleteTime"] = g.ended
    if g.state == "failed" and g.failure:
        shape["FailureCode"], shape["FailureMessage"] = g.failure
    return shape


def render_address(g: NatGateway, a: NatAddress) -> Shape:
    """Return an address of a gateway as AWS shows it."""
    shape: Shape = {
        "AllocationId": a.allocation_id,
        "AssociationId": a.association_id,
        "NetworkInterfaceId": g.interface_id,
        "PrivateIp": str(a.private_ip) if a.private_ip else None,
        "PublicIp": str(a.public_ip) if a.public_ip else None,
        "IsPrimary": a == g.addresses[0],
        "Status": a.status,
    }
    return {member: value for member, value in shape.items() if value is not None}
