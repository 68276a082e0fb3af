"""Target groups: create, describe, modify, delete, and their attributes.

Source: ELB API Reference, CreateTargetGroup; User Guide for Network Load Balancers, "Target groups".
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors, health_check
from atoll.elbv2.load_balancer import find as find_balancer
from atoll.elbv2.naming import arn_of, as_list, changed, checked_name, is_boolean, page, tags_of
from atoll.model.balancer import Listener, TargetGroup
from atoll.model.balancer_lookup import balancers_of
from atoll.model.digits import is_number
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

GROUPS_MAX = 3000  # of a region; AWS: 3,000
PROTOCOLS = ("TCP", "UDP", "TCP_UDP")
TYPES = ("instance", "ip")
EXISTS = Err(
    "DuplicateTargetGroupName", "A target group with the same name '{name}' exists, but with different settings"
)
LIMIT = Err("TooManyTargetGroups", "The maximum number of target groups has been reached")
IN_USE = Err("ResourceInUse", "Target group '{arn}' is currently in use by a listener or a rule")
DELAY = "deregistration_delay.timeout_seconds"
DELAY_SECONDS_MAX = 3600
DEFAULTS = {
    "deregistration_delay.connection_termination.enabled": "false",
    DELAY: "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "false",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_failover.on_deregistration": "no_rebalance",
    "target_failover.on_unhealthy": "no_rebalance",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
CHECKS = {
    DELAY: lambda value: is_number(value, DELAY_SECONDS_MAX),
    "stickiness.enabled": is_boolean,
    "target_health_state.unhealthy.connection_termination.enabled": is_boolean,
}


@operation("elbv2", "CreateTargetGroup")
def create_target_group(
    tx: Tx,
    *,
    name: str,
    protocol: str | None = None,
    port: int | None = None,
    vpc_id: str | None = None,
    health_check_protocol: str | None = None,
    health_check_port: str | None = None,
    health_check_enabled: bool | None = None,
    health_check_path: str | None = None,
    health_check_interval_seconds: int | None = None,
    health_check_timeout_seconds: int | None = None,
    healthy_threshold_count: int | None = None,
    unhealthy_threshold_count: int | None = None,
    matcher: Shape | None = None,
    target_type: str = "instance",
    tags: Sequence[Shape] = (),
    ip_address_type: str = "ipv4",
) -> Shape:
    """Make a target group without targets."""
    checked_name(name, "target group")
    _check(protocol, port, target_type, ip_address_type)
    if vpc_id is None:
        raise errors.MISSING(name="A VPC ID")
    if tx.get(Vpc, vpc_id) is None:
        raise errors.INVALID(why=f"The VPC ID '{vpc_id}' is not found")
    check = health_check.health_check(
        None, health_check_enabled, matcher, protocol=health_check_protocol, port=health_check_port,
        path=health_check_path, interval_seconds=health_check_interval_seconds,
        timeout_seconds=health_check_timeout_seconds, healthy_threshold=healthy_threshold_count,
        unhealthy_threshold=unhealthy_threshold_count,
    )  # fmt: skip
    asked = (protocol, port, vpc_id, target_type, check)
    if found := next(tx.world.all(TargetGroup, name=name), None):
        if (found.protocol, found.port, found.vpc_id, found.target_type, found.health) != asked:
            raise EXISTS(name=name)
        return {"TargetGroups": [render(tx.world, found)]}
    if tx.world.count(TargetGroup) >= GROUPS_MAX:
        raise LIMIT()
    digits = tx.new_hex(16)
    group = tx.make(
        TargetGroup, arn_of(tx.region, tx.account, "targetgroup", name, digits), name=name, digits=digits,
        protocol=protocol, port=port, vpc_id=vpc_id, target_type=target_type, health=check, created=tx.now,
        tags=tags_of(tags),
    )  # fmt: skip
    return {"TargetGroups": [render(tx.world, group)]}


def _check(protocol: str | None, port: int | None, target_type: str, ip_address_type: str) -> None:
    if target_type not in TYPES:
        raise errors.UNSUPPORTED(what=f"TargetType {target_type}", because="targets are instances or addresses")
    if ip_address_type != "ipv4":
        raise errors.UNSUPPORTED(what=f"IpAddressType {ip_address_type}", because="load balancers have IPv4 only")
    for name, value in (("A protocol", protocol), ("A port", port)):
        if value is None:
            raise errors.MISSING(name=name)
    if protocol not in PROTOCOLS:
        because = "Network Load Balancers carry TCP, UDP and TCP_UDP here"
        raise errors.UNSUPPORTED(what=f"target groups of protocol {protocol}", because=because)
    if port is not None and not 1 <= port <= 65535:
        raise errors.INVALID(why="The port must be between 1 and 65535")


@operation("elbv2", "ModifyTargetGroup", network=True)
def modify_target_group(
    tx: Tx,
    *,
    target_group_arn: str,
    health_check_protocol: str | None = None,
    health_check_port: str | None = None,
    health_check_path: str | None = None,
    health_check_enabled: bool | None = None,
    health_check_interval_seconds: int | None = None,
    health_check_timeout_seconds: int | None = None,
    healthy_threshold_count: int | None = None,
    unhealthy_threshold_count: int | None = None,
    matcher: Shape | None = None,
) -> Shape:
    """Check the targets in another way, from now on."""
    group = find(tx.world, target_group_arn)
    check = health_check.health_check(
        group.health, health_check_enabled, matcher, protocol=health_check_protocol, port=health_check_port,
        path=health_check_path, interval_seconds=health_check_interval_seconds,
        timeout_seconds=health_check_timeout_seconds, healthy_threshold=healthy_threshold_count,
        unhealthy_threshold=unhealthy_threshold_count,
    )  # fmt: skip
    return {"TargetGroups": [render(tx.world, tx.put(group.but(health=check)))]}


@operation("elbv2", "DescribeTargetGroups", pure=True)
def describe_target_groups(
    world: World,
    *,
    load_balancer_arn: str | None = None,
    target_group_arns: Sequence[str] = (),
    names: Sequence[str] = (),
    marker: str | None = None,
    page_size: int | None = None,
) -> Shape:
    """List target groups: by ARN, by name, or those of a load balancer."""
    if sum(map(bool, (load_balancer_arn, target_group_arns, names))) > 1:
        why = "Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time"
        raise errors.INVALID(why=why)
    if target_group_arns:
        found = [find(world, id) for id in dict.fromkeys(target_group_arns)]
    elif load_balancer_arn:
        used = {one.group_id for one in world.all(Listener, balancer_id=find_balancer(world, load_balancer_arn).id)}
        found = [group for group in world.all(TargetGroup) if group.id in used]
    else:
        found = [group for group in world.all(TargetGroup) if not names or group.name in names]
    if names and {group.name for group in found} != set(names):
        raise errors.GROUP_NOT_FOUND()
    shown, token = page(found, page_size, marker)
    return {"TargetGroups": [told(world, render, g) for g in shown], "NextMarker": token}


@operation("elbv2", "DeleteTargetGroup")
def delete_target_group(tx: Tx, *, target_group_arn: str) -> Shape:
    """Delete a target group that no listener uses.  One that has gone is no error."""
    group = tx.get(TargetGroup, target_group_arn)
    if group is not None:
        if balancers_of(tx.world, group):
            raise IN_USE(arn=group.id)
        tx.delete(group)
    return {}


@operation("elbv2", "ModifyTargetGroupAttributes", network=True)
def modify_target_group_attributes(tx: Tx, *, target_group_arn: str, attributes: Sequence[Shape]) -> Shape:
    """Set attributes."""
    group = find(tx.world, target_group_arn)
    given = changed(attributes, DEFAULTS, CHECKS, "Target group")
    group = tx.put(group.but(attributes={**group.attributes, **given}))
    return {"Attributes": as_list({**DEFAULTS, **group.attributes})}


@operation("elbv2", "DescribeTargetGroupAttributes")
def describe_target_group_attributes(world: World, *, target_group_arn: str) -> Shape:
    """Show all attributes."""
    return {"Attributes": as_list({**DEFAULTS, **find(world, target_group_arn).attributes})}


def find(world: World, arn: str) -> TargetGroup:
    """Return the caller's target group; raises GROUP_NOT_FOUND."""
    found = world.get(TargetGroup, arn)
    if found is None:
        raise errors.GROUP_NOT_FOUND()
    return found


def render(world: World, g: TargetGroup) -> Shape:
    """Return a target group as AWS shows it."""
    return {
        "TargetGroupArn": g.id,
        "TargetGroupName": g.name,
        "Protocol": g.protocol,
        "Port": g.port,
        "VpcId": g.vpc_id,
        **health_check.render(g.health),
        "LoadBalancerArns": balancers_of(world, g),
        "TargetType": g.target_type,
        "IpAddressType": "ipv4",
    }
