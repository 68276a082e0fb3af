"""Where an interface endpoint stands, and by which names: its subnets, its interfaces, its private DNS."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import TypeAlias

from atoll.aws.operation import Shape
from atoll.ec2 import errors
from atoll.ec2.endpoint_errors import (
    CONFLICTING_DNS,
    DUPLICATE_SUBNETS,
    INVALID,
    NO_PRIVATE_DNS_SERVICE,
    NO_PRIVATE_DNS_VPC,
)
from atoll.ec2.interface import check_address
from atoll.ec2.kinds import find
from atoll.model.endpoint import KIND, EndpointService, Foot, VpcEndpoint
from atoll.model.endpoint_lookup import OwnService, private_names, zones_of
from atoll.model.interface import Attachment, Interface
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.network.ipam import NoFreeAddress, new_interface

Place: TypeAlias = tuple[Subnet, IPv4Address | None]  # None: any address
OWNER = "amazon-aws"
OTHER_ZONE = "The VPC endpoint service {name} does not support the availability zone of the subnet: {id}."
FULL = "Subnet {id} has no free address for the VPC endpoint."


def checked_subnets(
    world: World,
    vpc: Vpc,
    service: EndpointService | OwnService,
    ids: Sequence[str],
    configurations: Sequence[Shape],
    taken: Sequence[str] = (),
) -> list[Place]:
    """Return the subnets of a VPC in which an endpoint is to stand, one in each zone; `taken` are zones it has."""
    wanted = {c.get("SubnetId", ""): c for c in configurations}
    if strange := [id for id in wanted if ids and id not in ids]:
        raise INVALID(why=f"The subnet configuration of {strange[0]} names none of the subnets.")
    places, zones = [], set(taken)
    allowed = service.zones if isinstance(service, OwnService) else zones_of(world, service)
    name = service.name if isinstance(service, OwnService) else service.service_name
    for id in dict.fromkeys([*ids, *wanted]):
        subnet = find(world, Subnet, id)
        if subnet.vpc_id != vpc.id:
            raise errors.OTHER_NETWORK()
        if subnet.zone not in allowed:
            raise INVALID(why=OTHER_ZONE.format(name=name, id=id))
        if subnet.zone in zones:
            raise DUPLICATE_SUBNETS(id=id)
        zones.add(subnet.zone)
        asked = wanted.get(id, {})
        if asked.get("Ipv6"):
            raise errors.UNSUPPORTED(what="Ipv6 of a VPC endpoint's subnet")
        address = check_address(world, subnet, asked["Ipv4"]) if asked.get("Ipv4") else None
        places.append((subnet, address))
    return places


def furnish(tx: Tx, endpoint: VpcEndpoint, subnet: Subnet, address: IPv4Address | None) -> Foot:
    """Give an endpoint its interface in a subnet."""
    plug = Attachment(
        id=f"ela-attach-0{tx.new_hex(16)}", instance_owner=OWNER, time=tx.now, device_index=1,
        delete_on_termination=False,
    )  # fmt: skip
    try:
        interface = new_interface(
            tx, subnet, endpoint.group_ids, address=address, kind=KIND, requester_managed=True, requester_id=OWNER,
            description=f"VPC Endpoint Interface {endpoint.id}", attachment=plug,
        )  # fmt: skip
    except NoFreeAddress:
        raise INVALID(why=FULL.format(id=subnet.id)) from None
    return Foot(subnet_id=subnet.id, zone=subnet.zone, interface_id=interface.id)


def remove(tx: Tx, foot: Foot) -> None:
    """Take an endpoint's interface away."""
    tx.delete(tx.world[Interface, foot.interface_id])


def check_private_dns(world: World, vpc: Vpc, endpoint: VpcEndpoint) -> None:
    """Refuse private DNS where the VPC has no names, the service has none, or another endpoint has the same."""
    names = private_names(world, endpoint)
    if not names:
        raise NO_PRIVATE_DNS_SERVICE(name=endpoint.service_name)
    if not vpc.gives_names:
        raise NO_PRIVATE_DNS_VPC(vpc=vpc.id)
    for other in world.all(VpcEndpoint, vpc_id=vpc.id):
        if other.id != endpoint.id and other.private_dns and other.state != "deleting":
            for name in set(names) & set(private_names(world, other)):
                raise CONFLICTING_DNS(name=name, vpc=vpc.id)
