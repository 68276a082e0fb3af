"""Internet gateways."""

from collections.abc import Sequence
from typing import cast

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import quotas
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of, gateway_route_table, internet_gateway_of
from atoll.model.quota import allowed
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

ATTACHED = Err("Resource.AlreadyAssociated", "resource {id} is already attached to network {vpc}")
VPC_HAS_ONE = Err("InvalidParameterValue", "Network {vpc} already has an internet gateway attached")
NOT_ATTACHED = Err("Gateway.NotAttached", "resource {id} is not attached to network {vpc}")
MAPPED = Err(
    "DependencyViolation",
    "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the "
    "gateway.",
)
IN_USE = Err("DependencyViolation", "The internetGateway '{id}' has dependencies and cannot be deleted.")

FILTERS: Table = {
    "attachment.state": lambda _w, g: "available" if g.vpc_id else None,
    "attachment.vpc-id": "vpc_id",
    "internet-gateway-id": "id",
    "owner-id": "account",
}


@operation("ec2", "CreateInternetGateway")
def create_internet_gateway(tx: Tx, *, tag_specifications: Sequence[Shape] = ()) -> Shape:
    """Create an internet gateway, attached to nothing."""
    tags = tags_for("internet-gateway", tag_specifications)
    quotas.check(tx.world.count(InternetGateway), allowed(tx.world, quota.INTERNET_GATEWAYS), quotas.IGW_LIMIT)
    return {"InternetGateway": render(tx.make(InternetGateway, tx.new_id("igw"), tags=tags))}


@operation("ec2", "DescribeInternetGateways", pure=True)
def describe_internet_gateways(
    world: World,
    *,
    internet_gateway_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List internet gateways."""
    found, token = listing(
        world,
        InternetGateway,
        FILTERS,
        ids=internet_gateway_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="internetGatewayIds",
    )
    return {"InternetGateways": [render(g) for g in found], "NextToken": token}


@operation("ec2", "AttachInternetGateway", network=True)
def attach_internet_gateway(tx: Tx, *, internet_gateway_id: str, vpc_id: str) -> None:
    """Attach a gateway to a VPC; each has at most one of the other."""
    gateway = find(tx.world, InternetGateway, internet_gateway_id)
    vpc = find(tx.world, Vpc, vpc_id)
    if gateway.vpc_id:
        raise ATTACHED(id=gateway.id, vpc=gateway.vpc_id)
    if internet_gateway_of(tx.world, vpc.id):
        raise VPC_HAS_ONE(vpc=vpc.id)
    tx.put(gateway.but(vpc_id=vpc.id))


@operation("ec2", "DetachInternetGateway", network=True)
def detach_internet_gateway(tx: Tx, *, internet_gateway_id: str, vpc_id: str) -> None:
    """Detach a gateway from a VPC in which no interface has a public address.

    Routes to it become blackholes, and no table of the VPC is associated with it any more.
    """
    gateway = find(tx.world, InternetGateway, internet_gateway_id)
    vpc = find(tx.world, Vpc, vpc_id)
    if gateway.vpc_id != vpc.id:
        raise NOT_ATTACHED(id=gateway.id, vpc=vpc.id)
    for interface in tx.world.bucket(Interface, "vpc_id", vpc.id).values():
        interface = cast(Interface, interface)
        if interface.public_ip or elastic_ip_of(tx.world, interface.id):
            raise MAPPED(vpc=vpc.id)
    table = gateway_route_table(tx.world, gateway)
    if table is not None:
        tx.put(table.but(associations=tuple(a for a in table.associations if a.gateway_id != gateway.id)))
    tx.put(gateway.but(vpc_id=None))


@operation("ec2", "DeleteInternetGateway")
def delete_internet_gateway(tx: Tx, *, internet_gateway_id: str) -> None:
    """Delete a gateway that is attached to nothing."""
    gateway = find(tx.world, InternetGateway, internet_gateway_id)
    if gateway.vpc_id:
        raise IN_USE(id=gateway.id)
    tx.delete(gateway)


def render(g: InternetGateway) -> Shape:
    """Return an internet gateway as AWS shows it; an attachment is `available`, not `attached`."""
    return {
        "InternetGatewayId": g.id,
        "OwnerId": g.account,
        "Attachments": [{"State": "available", "VpcId": g.vpc_id}] if g.vpc_id else [],
        "Tags": render_tags(g),
    }
