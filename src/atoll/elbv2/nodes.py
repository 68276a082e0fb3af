"""The nodes of a load balancer: a subnet in each of its zones, an interface there, and its addresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from atoll.aws.operation import Shape
from atoll.elbv2 import errors
from atoll.model.address import ElasticIp
from atoll.model.balancer import KIND, LoadBalancer, Node
from atoll.model.group import SecurityGroup
from atoll.model.interface import Attachment, Interface
from atoll.model.lookup import internet_gateway_of
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World
from atoll.network.ipam import (
    NoFreeAddress,
    NoFreePublicAddress,
    free_public_ip,
    is_reserved,
    new_interface,
    taken,
)

OWNER = "amazon-elb"
GROUPS_MAX = 5
SAME_ZONE = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is to stand."""

    subnet: Subnet
    address: IPv4Address | None = None  # None: any
    eip: ElasticIp | None = None


def checked_places(world: World, scheme: str, subnets: Sequence[str], mappings: Sequence[Shape]) -> list[Place]:
    """Return where nodes are to stand, by zone."""
    if bool(subnets) == bool(mappings):
        raise errors.INVALID(why="Either Subnets or SubnetMappings must be specified, and not both")
    asked = [{"SubnetId": id} for id in dict.fromkeys(subnets)] or list(mappings)
    places = [_place(world, scheme, mapping) for mapping in asked]
    if len({p.subnet.vpc_id for p in places}) > 1:
        raise errors.BAD_CONFIGURATION(why="The subnets are not all in one VPC")
    if len({p.subnet.zone for p in places}) < len(places):
        raise errors.BAD_CONFIGURATION(why=SAME_ZONE)
    vpc_id = places[0].subnet.vpc_id
    if scheme == "internet-facing" and internet_gateway_of(world, vpc_id) is None:
        raise errors.BAD_SUBNET(why=f"VPC {vpc_id} has no internet gateway")
    return sorted(places, key=lambda p: p.subnet.zone)


def _place(world: World, scheme: str, mapping: Shape) -> Place:
    for member in ("IPv6Address", "SourceNatIpv6Prefix"):
        if mapping.get(member):
            raise errors.UNSUPPORTED(what=f"{member} of a subnet mapping", because="load balancers have IPv4 only")
    subnet = world.get(Subnet, id := mapping.get("SubnetId", ""))
    if subnet is None:
        raise errors.SUBNET_NOT_FOUND(id=id)
    address, eip = None, None
    if text := mapping.get("PrivateIPv4Address"):
        if scheme != "internal":
            why = "PrivateIPv4Address is not supported for internet-facing load balancers"
            raise errors.BAD_CONFIGURATION(why=why)
        address = _address(world, subnet, text)
    if id := mapping.get("AllocationId"):
        if scheme != "internet-facing":
            raise errors.BAD_CONFIGURATION(why="AllocationId is not supported for internal load balancers")
        eip = world.get(ElasticIp, id)
        if eip is None:
            raise errors.ALLOCATION_NOT_FOUND(id=id)
        if eip.association_id:
            raise errors.ALLOCATION_IN_USE(id=id)
    return Place(subnet, address, eip)


def _address(world: World, subnet: Subnet, text: str) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise errors.INVALID(why=f"'{text}' is not a valid IPv4 address") from None
    if address not in subnet.cidr or is_reserved(subnet.cidr, address):
        raise errors.BAD_CONFIGURATION(why=f"The address {text} is not in the range of the subnet '{subnet.id}'")
    if address in taken(world, subnet):
        raise errors.BAD_CONFIGURATION(why=f"The address {text} is in use")
    return address


def checked_groups(world: World, vpc_id: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the security groups of a VPC that are named, each once."""
    unique = tuple(dict.fromkeys(ids))
    found = [world.get(SecurityGroup, id) for id in unique]
    if any(group is None or group.vpc_id != vpc_id for group in found):
        raise errors.BAD_SECURITY_GROUP()
    if len(unique) > GROUPS_MAX:
        raise errors.BAD_CONFIGURATION(why=f"A load balancer has at most {GROUPS_MAX} security groups")
    return unique


def furnish(tx: Tx, balancer: LoadBalancer, place: Place) -> Node:
    """Make a node: an interface and, facing the internet, a public address."""
    plug = Attachment(
        id=f"ela-attach-0{tx.new_hex(16)}", instance_owner=OWNER, time=tx.now, device_index=1,
        delete_on_termination=False,
    )  # fmt: skip
    public = None
    try:
        if balancer.scheme == "internet-facing" and place.eip is None:
            public = free_public_ip(tx.world)
        interface = new_interface(
            tx, place.subnet, balancer.group_ids, address=place.address, kind=KIND, requester_managed=True,
            requester_id=OWNER, description=f"ELB net/{balancer.name}/{balancer.digits}", attachment=plug,
            public_ip=public,
        )  # fmt: skip
    except NoFreeAddress:
        why = f"Not enough IP space available in {place.subnet.id}. ELB requires at least 8 free IP addresses"
        raise errors.BAD_SUBNET(why=why) from None
    except NoFreePublicAddress:
        raise errors.BAD_CONFIGURATION(why="There is no free public address") from None
    node = Node(subnet_id=place.subnet.id, zone=place.subnet.zone, interface_id=interface.id)
    if place.eip is None:
        return node
    eip, association = place.eip, tx.new_id("eipassoc")
    tx.put(eip.but(association_id=association, interface_id=interface.id, private_ip=interface.address))
    return Node(
        subnet_id=node.subnet_id, zone=node.zone, interface_id=node.interface_id, allocation_id=eip.id,
        public_ip=eip.public_ip,
    )  # fmt: skip


def release(tx: Tx, node: Node) -> None:
    """Take a node away; its Elastic IP stays the caller's."""
    for eip in tx.all(ElasticIp, interface_id=node.interface_id):
        tx.put(eip.but(association_id=None, interface_id=None, private_ip=None, instance_id=None))
    tx.delete(tx.world[Interface, node.interface_id])


def render_nodes(world: World, balancer: LoadBalancer) -> list[Shape]:
    """Return the zones of a balancer as AWS shows them."""
    return [_node(world, balancer, node) for node in balancer.nodes]


def _node(world: World, balancer: LoadBalancer, node: Node) -> Shape:
    interface, address = world[Interface, node.interface_id], {}
    if node.allocation_id:
        address = {"IpAddress": str(node.public_ip), "AllocationId": node.allocation_id}
    elif balancer.scheme == "internal":
        address = {"PrivateIPv4Address": str(interface.address)}
    addresses = [address] if address else []
    return {"ZoneName": node.zone, "SubnetId": node.subnet_id, "LoadBalancerAddresses": addresses}
