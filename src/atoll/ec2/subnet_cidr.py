"""The IPv6 range of a subnet: it may come and go."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, ipv6
from atoll.ec2.kinds import check_id, find
from atoll.model.ip import Association6
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx
from atoll.network.ipam import taken6

ONE_ALREADY = Err(
    "InvalidSubnet.Conflict", "The subnet '{id}' already has an IPv6 CIDR block associated with it: {cidr}"
)
NOT_FOUND = Err(
    "InvalidSubnetCidrBlockAssociationID.NotFound", "The subnet CIDR block association ID '{id}' does not exist"
)
MALFORMED = Err("InvalidSubnetCidrBlockAssociationId.Malformed", errors.MALFORMED_MESSAGE)
ASSIGNS = Err(
    "InvalidCidrBlock.InUse",
    "The subnet IPv6 CIDR block with association ID {id} may not be disassociated, because its subnet has "
    "assign-ipv6-address-on-creation set to true.",
)
IN_USE = Err(
    "InvalidCidrBlock.InUse",
    "The subnet IPv6 CIDR block with association ID {id} may not be disassociated. It is currently in use by a "
    "network interface.",
)


@operation("ec2", "AssociateSubnetCidrBlock", network=True)
def associate_subnet_cidr_block(tx: Tx, *, subnet_id: str, ipv6_cidr_block: str | None = None) -> Shape:
    """Give a subnet its IPv6 range."""
    subnet = find(tx.world, Subnet, subnet_id)
    if ipv6_cidr_block is None:
        raise errors.MISSING(name="ipv6CidrBlock")
    if subnet.cidr6 is not None:
        raise ONE_ALREADY(id=subnet.id, cidr=subnet.cidr6)
    association = ipv6.subnet_range(tx, tx.world[Vpc, subnet.vpc_id], ipv6_cidr_block, but=subnet.id)
    tx.put(subnet.but(ranges6=(association,)))
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": ipv6.render_subnet_range(association)}


@operation("ec2", "DisassociateSubnetCidrBlock", network=True)
def disassociate_subnet_cidr_block(tx: Tx, *, association_id: str) -> Shape:
    """Take its IPv6 range from a subnet in which no interface has an address of it."""
    for subnet in tx.all(Subnet):
        for association in subnet.ranges6:
            if association.id == association_id:
                return _disassociate(tx, subnet, association)
    check_id(association_id, "subnet-cidr-assoc", MALFORMED)
    raise NOT_FOUND(id=association_id)


def _disassociate(tx: Tx, subnet: Subnet, association: Association6) -> Shape:
    if subnet.assign_ipv6:
        raise ASSIGNS(id=association.id)
    if taken6(tx.world, subnet):
        raise IN_USE(id=association.id)
    tx.put(subnet.but(ranges6=()))
    gone = ipv6.render_subnet_range(association, "disassociating")
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": gone}
