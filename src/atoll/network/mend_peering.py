"""What would let a packet through to another VPC: a request, an answer to one, or a route."""

from ipaddress import ip_network

from atoll.model.ip import Ip, Net
from atoll.model.peering import Peering, peerings_of
from atoll.model.route import RouteTable
from atoll.model.vpc import Vpc
from atoll.model.world import World


def to_other_vpc(world: World, table: RouteTable, destination: Ip) -> tuple[str, str] | None:
    """Return what leads from a route table to the VPC that has an address, and its command; `None`: nothing does.

    Only VPCs of the table's own account, and those that are or may be peered with its VPC already, are thought of.
    """
    for peering in peerings_of(world, table.vpc_id):
        far = world.get(Vpc, peering.beyond(table.vpc_id).vpc_id)
        if far and far.holds(destination):
            if peering.status == "pending-acceptance":
                return accepting(peering)
            if peering.is_open:
                ranges: tuple[Net, ...] = (*far.cidrs, *far.cidrs6)
                cidr = next(cidr for cidr in ranges if destination in cidr)
                command = creating(table, str(cidr), f"--vpc-peering-connection-id {peering.id}")
                return f"route {cidr} of {table.id} to {peering.id}", command
    return _asking(world, world[Vpc, table.vpc_id], destination)


def creating(table: RouteTable, destination: str, to: str) -> str:
    """Return the command that adds a route to a table."""
    return f"aws ec2 create-route --route-table-id {table.id} {towards(ip_network(destination))} {to}"


def towards(destination: Net | None, prefix_list_id: str | None = None) -> str:
    """Return a destination, a range or a list, as the commands for routes take it."""
    if destination is None:
        return f"--destination-prefix-list-id {prefix_list_id}"
    option = "--destination-cidr-block" if destination.version == 4 else "--destination-ipv6-cidr-block"
    return f"{option} {destination}"


def accepting(peering: Peering) -> tuple[str, str]:
    """Return how a request is accepted."""
    command = f"aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id {peering.id}"
    end = peering.accepter
    return f"accept {peering.id}, as {end.account} in {end.region}", command


def _asking(world: World, vpc: Vpc, destination: Ip) -> tuple[str, str] | None:
    for other in world.all(Vpc, owner=vpc.owner):
        overlaps = any(one.overlaps(another) for one in vpc.cidrs for another in other.cidrs)
        if not overlaps and other.holds(destination):  # a VPC overlaps with itself
            command = f"aws ec2 create-vpc-peering-connection --vpc-id {vpc.id} --peer-vpc-id {other.id}"
            return f"peer {vpc.id} with {other.id}, which has {destination}; then accept it and add routes", command
    return None
