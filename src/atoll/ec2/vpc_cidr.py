"""Secondary ranges of a VPC."""

from ipaddress import IPv4Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6, quotas
from atoll.ec2.kinds import check_id, find
from atoll.ec2.vpc import parse_vpc_cidr, render_range
from atoll.model import quota
from atoll.model.ip import Association6, lies_in
from atoll.model.peering import peerings_of
from atoll.model.prefix_list import prefix_list
from atoll.model.quota import allowed
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, Vpc
from atoll.model.world import Tx

RESTRICTED = Err(
    "InvalidVpc.Range",
    "The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use "
    "a publicly-routable CIDR. For additional restrictions, see "
    "https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Subnets.html#vpc-resize",
)
CONFLICT = Err("InvalidVpc.Range", "The CIDR '{cidr}' conflicts with another CIDR block of the vpc '{id}'")
PEERED = Err("InvalidVpc.Range", "The CIDR '{cidr}' overlaps with the VPC behind peering connection {peering}")
ROUTED = Err("InvalidVpc.Range", "The CIDR '{cidr}' is the same as or larger than the route {route} of {table}")
NOT_FOUND = Err(
    "InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '{id}' does not exist"
)
MALFORMED = Err("InvalidVpcCidrBlockAssociationID.Malformed", errors.MALFORMED_MESSAGE)
PRIMARY = Err(
    "OperationNotPermitted",
    "The vpc CIDR block with association ID {id} may not be disassociated. It is the primary IPv4 CIDR block of "
    "the VPC",
)
IN_USE = Err("InvalidCidrBlock.InUse", "The vpc {id} currently has a subnet within CIDR block {cidr}")

A, B, C, BENCH = map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16"))
DEFAULT_VPC = IPv4Network("172.31.0.0/16")
# Where the primary range lies -> where a further one may not.  Source: VPC User Guide, "IPv4 CIDR block association
# restrictions".
RESTRICTIONS = {
    A: (B, C, BENCH),
    B: (A, C, BENCH, DEFAULT_VPC),
    C: (A, B, BENCH),
    BENCH: (A, B, C),
}
ELSEWHERE = (A, B, C, BENCH)  # for a primary range that is public, or in 100.64.0.0/10


@operation("ec2", "AssociateVpcCidrBlock", network=True)
def associate_vpc_cidr_block(
    tx: Tx,
    *,
    vpc_id: str,
    cidr_block: str | None = None,
    amazon_provided_ipv6_cidr_block: bool = False,
    ipv6_cidr_block_network_border_group: str | None = None,
) -> Shape:
    """Add a range to a VPC, of IPv4 or IPv6; every route table gets a local route for it."""
    ipv6.check_border_group(ipv6_cidr_block_network_border_group, tx.region)
    vpc = find(tx.world, Vpc, vpc_id)
    if amazon_provided_ipv6_cidr_block:
        if cidr_block is not None:
            raise errors.BOTH(one="amazonProvidedIpv6CidrBlock", other="cidrBlock")
        vpc, added = ipv6.add_range(tx, vpc)
        return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": ipv6.render_vpc_range(added, vpc.region)}
    if cidr_block is None:
        raise errors.MISSING(name="cidrBlock")
    cidr = parse_vpc_cidr(cidr_block)
    _check(tx, vpc, cidr)
    association = CidrAssociation(id=tx.new_id("vpc-cidr-assoc"), cidr=cidr)
    tx.put(vpc.but(ranges=(*vpc.ranges, association)))
    route = Route(destination=cidr, target="local", origin="CreateRouteTable")
    for table in tx.all(RouteTable, vpc_id=vpc.id):
        local = [r for r in table.routes if r.is_local]
        others = [r for r in table.routes if not r.is_local]
        tx.put(table.but(routes=(*local, route, *others)))
    return {"VpcId": vpc.id, "CidrBlockAssociation": render_range(association)}


def _check(tx: Tx, vpc: Vpc, cidr: IPv4Network) -> None:
    home = next((family for family in RESTRICTIONS if vpc.cidr.subnet_of(family)), None)
    if any(cidr.overlaps(banned) for banned in (RESTRICTIONS[home] if home else ELSEWHERE)):
        raise RESTRICTED(cidr=cidr)
    if any(cidr.overlaps(other) for other in vpc.cidrs):
        raise CONFLICT(cidr=cidr, id=vpc.id)
    for peering in peerings_of(tx.world, vpc.id):
        far = tx.world.seen_by(None).get(Vpc, peering.beyond(vpc.id).vpc_id)
        if peering.is_open and far and any(cidr.overlaps(other) for other in far.cidrs):
            raise PEERED(cidr=cidr, peering=peering.id)
    limit = allowed(tx.world, quota.VPC_CIDRS)
    if len(vpc.ranges) >= limit:
        raise quotas.CIDR_LIMIT(id=vpc.id, limit=limit)
    for table in tx.all(RouteTable, vpc_id=vpc.id):
        for route in table.routes:
            listed = prefix_list(tx.world, table.region, route.prefix_list_id) if route.prefix_list_id else None
            routed = listed.networks if listed else (route.destination,) if route.destination else ()
            if any(lies_in(network, cidr) for network in routed):
                raise ROUTED(cidr=cidr, route=route.towards, table=table.id)


@operation("ec2", "DisassociateVpcCidrBlock", network=True)
def disassociate_vpc_cidr_block(tx: Tx, *, association_id: str) -> Shape:
    """Take a secondary or an IPv6 range, in which there is no subnet, from its VPC."""
    for vpc in tx.all(Vpc):
        for association in vpc.ranges:
            if association.id == association_id:
                return _disassociate(tx, vpc, association)
        for association6 in vpc.ranges6:
            if association6.id == association_id:
                return _disassociate6(tx, vpc, association6)
    check_id(association_id, "vpc-cidr-assoc", MALFORMED)
    raise NOT_FOUND(id=association_id)


def _disassociate(tx: Tx, vpc: Vpc, association: CidrAssociation) -> Shape:
    if association == vpc.ranges[0]:
        raise PRIMARY(id=association.id)
    if any(s.cidr.subnet_of(association.cidr) for s in tx.all(Subnet, vpc_id=vpc.id)):
        raise IN_USE(id=vpc.id, cidr=association.cidr)
    tx.put(vpc.but(ranges=tuple(r for r in vpc.ranges if r != association)))
    for table in tx.all(RouteTable, vpc_id=vpc.id):
        kept = tuple(r for r in table.routes if r.destination != association.cidr)
        tx.put(table.but(routes=kept))
    gone = CidrAssociation(id=association.id, cidr=association.cidr, state="disassociating")
    return {"VpcId": vpc.id, "CidrBlockAssociation": render_range(gone)}


def _disassociate6(tx: Tx, vpc: Vpc, association: Association6) -> Shape:
    if any(s.cidr6 and s.cidr6.subnet_of(association.cidr) for s in tx.all(Subnet, vpc_id=vpc.id)):
        raise IN_USE(id=vpc.id, cidr=association.cidr)
    tx.put(vpc.but(ranges6=tuple(r for r in vpc.ranges6 if r != association)))
    for table in tx.all(RouteTable, vpc_id=vpc.id):
        tx.put(table.but(routes=tuple(r for r in table.routes if r.destination != association.cidr)))
    gone = ipv6.render_vpc_range(association, vpc.region, "disassociating")
    return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": gone}
