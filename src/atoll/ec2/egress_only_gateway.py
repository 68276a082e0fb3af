"""Egress-only internet gateways: a VPC's door for IPv6 that opens from inside."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import quotas
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.gateway import EgressOnlyGateway
from atoll.model.lookup import egress_only_gateway_of
from atoll.model.quota import allowed
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

VPC_HAS_ONE = Err("InvalidParameterValue", "Network {vpc} already has an egress only internet gateway attached")

FILTERS: Table = {}  # besides those for tags


@operation("ec2", "CreateEgressOnlyInternetGateway", network=True)
def create_egress_only_internet_gateway(tx: Tx, *, vpc_id: str, tag_specifications: Sequence[Shape] = ()) -> Shape:
    """Create a gateway for a VPC, which has at most one; a VPC without IPv6 may have it, too."""
    vpc = find(tx.world, Vpc, vpc_id)
    tags = tags_for("egress-only-internet-gateway", tag_specifications)
    if egress_only_gateway_of(tx.world, vpc.id):
        raise VPC_HAS_ONE(vpc=vpc.id)
    quotas.check(
        tx.world.count(EgressOnlyGateway), allowed(tx.world, quota.EGRESS_ONLY_GATEWAYS), quotas.EGRESS_ONLY_LIMIT
    )
    gateway = tx.make(EgressOnlyGateway, tx.new_id("eigw"), vpc_id=vpc.id, tags=tags)
    return {"EgressOnlyInternetGateway": render(gateway)}


@operation("ec2", "DescribeEgressOnlyInternetGateways")
def describe_egress_only_internet_gateways(
    world: World,
    *,
    egress_only_internet_gateway_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List egress-only internet gateways."""
    found, token = listing(
        world,
        EgressOnlyGateway,
        FILTERS,
        ids=egress_only_internet_gateway_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="egressOnlyInternetGatewayIds",
    )
    return {"EgressOnlyInternetGateways": [render(g) for g in found], "NextToken": token}


@operation("ec2", "DeleteEgressOnlyInternetGateway", network=True)
def delete_egress_only_internet_gateway(tx: Tx, *, egress_only_internet_gateway_id: str) -> Shape:
    """Delete a gateway; routes to it become blackholes."""
    tx.delete(find(tx.world, EgressOnlyGateway, egress_only_internet_gateway_id))
    return {"ReturnCode": True}


def render(g: EgressOnlyGateway) -> Shape:
    """Return an egress-only internet gateway as AWS shows it."""
    return {
        "EgressOnlyInternetGatewayId": g.id,
        "Attachments": [{"State": "attached", "VpcId": g.vpc_id}],
        "Tags": render_tags(g),
    }
