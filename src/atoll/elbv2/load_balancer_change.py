"""What may be changed of a load balancer: attributes, subnets, security groups."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors
from atoll.elbv2.load_balancer import find
from atoll.elbv2.naming import as_list, changed, is_boolean
from atoll.elbv2.nodes import checked_groups, checked_places, furnish, release, render_nodes
from atoll.model.balancer import LoadBalancer
from atoll.model.interface import Interface
from atoll.model.world import Tx, World

DEFAULTS = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "secondary_ips.auto_assigned.per_subnet": "0",
    "zonal_shift.config.enabled": "false",
}
CHECKS = {"deletion_protection.enabled": is_boolean, "load_balancing.cross_zone.enabled": is_boolean}
ENFORCED = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"


@operation("elbv2", "ModifyLoadBalancerAttributes", network=True)
def modify_load_balancer_attributes(tx: Tx, *, load_balancer_arn: str, attributes: Sequence[Shape]) -> Shape:
    """Set attributes: deletion protection, and whether nodes use the targets of other zones."""
    balancer = find(tx.world, load_balancer_arn)
    given = changed(attributes, DEFAULTS, CHECKS, "Load balancer")
    balancer = tx.put(balancer.but(attributes={**balancer.attributes, **given}))
    return {"Attributes": _shown(balancer)}


@operation("elbv2", "DescribeLoadBalancerAttributes")
def describe_load_balancer_attributes(world: World, *, load_balancer_arn: str) -> Shape:
    """Show all attributes."""
    return {"Attributes": _shown(find(world, load_balancer_arn))}


def _shown(balancer: LoadBalancer) -> list[Shape]:
    return as_list({**DEFAULTS, **balancer.attributes})


@operation("elbv2", "SetSubnets", network=True)
def set_subnets(
    tx: Tx,
    *,
    load_balancer_arn: str,
    subnets: Sequence[str] = (),
    subnet_mappings: Sequence[Shape] = (),
    ip_address_type: str = "ipv4",
) -> Shape:
    """Give a load balancer the zones of these subnets; nodes in subnets that it keeps stay as they are."""
    balancer = find(tx.world, load_balancer_arn)
    if ip_address_type != "ipv4":
        raise errors.UNSUPPORTED(what=f"IpAddressType {ip_address_type}", because="load balancers have IPv4 only")
    kept = {node.subnet_id: node for node in balancer.nodes}
    free = [m for m in subnet_mappings if m.get("SubnetId") not in kept]
    known = [{"SubnetId": m["SubnetId"]} for m in subnet_mappings if m.get("SubnetId") in kept]
    places = checked_places(tx.world, balancer.scheme, subnets, [*free, *known])
    if places[0].subnet.vpc_id != balancer.vpc_id:
        raise errors.BAD_CONFIGURATION(why=f"The subnets are not in the VPC of the load balancer, {balancer.vpc_id}")
    wanted = {place.subnet.id for place in places}
    for node in balancer.nodes:
        if node.subnet_id not in wanted:
            release(tx, node)
    nodes = tuple(kept.get(p.subnet.id) or furnish(tx, balancer, p) for p in places)
    balancer = tx.put(balancer.but(nodes=nodes))
    return {"AvailabilityZones": render_nodes(tx.world, balancer), "IpAddressType": "ipv4"}


@operation("elbv2", "SetSecurityGroups", network=True)
def set_security_groups(
    tx: Tx,
    *,
    load_balancer_arn: str,
    security_groups: Sequence[str],
    enforce_security_group_inbound_rules_on_private_link_traffic: str = "off",
) -> Shape:
    """Give a load balancer other groups; one that was made without any stays without."""
    balancer = find(tx.world, load_balancer_arn)
    if enforce_security_group_inbound_rules_on_private_link_traffic != "off":
        because = "what comes through PrivateLink has passed the groups of the endpoint"
        raise errors.UNSUPPORTED(what=f"{ENFORCED}=on", because=because)
    groups = checked_groups(tx.world, balancer.vpc_id, security_groups)
    if bool(groups) != bool(balancer.group_ids):
        why = (
            "You cannot set security groups for a load balancer that was created without any"
            if groups
            else "You must specify at least one security group for a load balancer that was created with some"
        )
        raise errors.BAD_CONFIGURATION(why=why)
    balancer = tx.put(balancer.but(group_ids=groups))
    for node in balancer.nodes:
        tx.put(tx.world[Interface, node.interface_id].but(group_ids=groups))
    return {"SecurityGroupIds": list(groups), ENFORCED: "off"}
