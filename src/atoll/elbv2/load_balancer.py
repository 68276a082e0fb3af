"""Load balancers: create, describe, delete.  Where they stand is in `nodes.py`.

Source: ELB API Reference, CreateLoadBalancer; User Guide for Network Load Balancers.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors
from atoll.elbv2.naming import arn_of, checked_name, page, tags_of
from atoll.elbv2.nodes import checked_groups, checked_places, furnish, release, render_nodes
from atoll.model.balancer import Listener, LoadBalancer
from atoll.model.endpoint import EndpointService
from atoll.model.world import Tx, World

BALANCERS_MAX = 50  # of a region; AWS: 50
HOSTED_ZONE = "Z26RNL4JYFTOTI"  # of Network Load Balancers in us-east-1
EXISTS = Err(
    "DuplicateLoadBalancerName",
    "A load balancer with the same name '{name}' exists, but with different settings",
)
LIMIT = Err("TooManyLoadBalancers", "The maximum number of load balancers has been reached")
PROTECTED = Err(
    "OperationNotPermitted", "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
)
OFFERED = Err(
    "ResourceInUse",
    "Load balancer '{arn}' cannot be deleted because it is currently associated with another service",
)
NOT_NETWORK = "only Network Load Balancers (Type network) are here"


@operation("elbv2", "CreateLoadBalancer", network=True)
def create_load_balancer(
    tx: Tx,
    *,
    name: str,
    subnets: Sequence[str] = (),
    subnet_mappings: Sequence[Shape] = (),
    security_groups: Sequence[str] = (),
    scheme: str = "internet-facing",
    tags: Sequence[Shape] = (),
    type: str = "application",
    ip_address_type: str = "ipv4",
) -> Shape:
    """Make a Network Load Balancer; it is `active` when the network is seen to carry it."""
    if type != "network":
        raise errors.UNSUPPORTED(what=f"load balancers of Type {type}", because=NOT_NETWORK)
    if ip_address_type != "ipv4":
        raise errors.UNSUPPORTED(what=f"IpAddressType {ip_address_type}", because="load balancers have IPv4 only")
    checked_name(name, "load balancer")
    places = checked_places(tx.world, scheme, subnets, subnet_mappings)
    vpc_id = places[0].subnet.vpc_id
    groups = checked_groups(tx.world, vpc_id, security_groups)
    if found := next(tx.world.all(LoadBalancer, name=name), None):
        same = (scheme, {p.subnet.id for p in places}, groups)
        if (found.scheme, {n.subnet_id for n in found.nodes}, found.group_ids) != same:
            raise EXISTS(name=name)
        return {"LoadBalancers": [render(tx.world, found)]}
    if tx.world.count(LoadBalancer) >= BALANCERS_MAX:
        raise LIMIT()
    digits = tx.new_hex(16)
    id = arn_of(tx.region, tx.account, "loadbalancer", "net", name, digits)
    balancer = LoadBalancer(
        id=id, account=tx.account, region=tx.region, name=name, digits=digits, scheme=scheme, vpc_id=vpc_id,
        nodes=(), group_ids=groups, created=tx.now, tags=tags_of(tags),
    )  # fmt: skip
    balancer = tx.put(balancer.but(nodes=tuple(furnish(tx, balancer, place) for place in places)))
    return {"LoadBalancers": [render(tx.world, balancer)]}


@operation("elbv2", "DescribeLoadBalancers", pure=True)
def describe_load_balancers(
    world: World,
    *,
    load_balancer_arns: Sequence[str] = (),
    names: Sequence[str] = (),
    marker: str | None = None,
    page_size: int | None = None,
) -> Shape:
    """List load balancers, by ARN or by name."""
    if load_balancer_arns and names:
        raise errors.INVALID(why="Load balancer names and load balancer ARNs cannot be specified at the same time")
    if load_balancer_arns:
        found = [find(world, id) for id in dict.fromkeys(load_balancer_arns)]
    else:
        found = list(world.all(LoadBalancer))
    if names:
        if missing := set(names) - {b.name for b in found}:
            raise errors.NAMED_BALANCER_NOT_FOUND(names=", ".join(sorted(missing)))
        found = [b for b in found if b.name in names]
    shown, token = page(found, page_size, marker)
    return {"LoadBalancers": [told(world, render, b) for b in shown], "NextMarker": token}


@operation("elbv2", "DeleteLoadBalancer", network=True)
def delete_load_balancer(tx: Tx, *, load_balancer_arn: str) -> Shape:
    """Delete a load balancer with its listeners; its target groups stay.  One that has gone is no error."""
    balancer = tx.get(LoadBalancer, load_balancer_arn)
    if balancer is None:
        return {}
    if balancer.attributes.get("deletion_protection.enabled") == "true":
        raise PROTECTED(arn=balancer.id)
    if any(balancer.id in service.balancer_ids for service in tx.world.seen_by(None).all(EndpointService)):
        raise OFFERED(arn=balancer.id)
    for listener in tx.all(Listener, balancer_id=balancer.id):
        tx.delete(listener)
    for node in balancer.nodes:
        release(tx, node)
    tx.delete(balancer)
    return {}


def find(world: World, arn: str) -> LoadBalancer:
    """Return the caller's load balancer; raises BALANCER_NOT_FOUND."""
    found = world.get(LoadBalancer, arn)
    if found is None:
        raise errors.BALANCER_NOT_FOUND()
    return found


def render(world: World, b: LoadBalancer) -> Shape:
    """Return a load balancer as AWS shows it."""
    shape: Shape = {
        "LoadBalancerArn": b.id,
        "DNSName": b.dns_name,
        "CanonicalHostedZoneId": HOSTED_ZONE,
        "CreatedTime": b.created,
        "LoadBalancerName": b.name,
        "Scheme": b.scheme,
        "VpcId": b.vpc_id,
        "State": {"Code": b.state},
        "Type": "network",
        "AvailabilityZones": render_nodes(world, b),
        "IpAddressType": "ipv4",
    }
    if b.group_ids:
        shape["SecurityGroups"] = list(b.group_ids)
        shape["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = "off"
    return shape
