"""Targets: register, deregister, and what the health checks saw of them.

Source: ELB API Reference, RegisterTargets, TargetHealth.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors
from atoll.elbv2.target_group import DEFAULTS, DELAY, find
from atoll.model.balancer import ALL_ZONES, Target, TargetGroup
from atoll.model.balancer_lookup import balancers_of, unused
from atoll.model.instance import Instance
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

TARGETS_MAX = 1000  # of a group; AWS: 1,000 targets for a Network Load Balancer with cross-zone off 500 per zone
INVALID = Err("InvalidTarget", "{why}")
NOT_RUNNING = Err(
    "InvalidTarget", "The following targets are not in a running state and cannot be registered: '{id}'"
)
NO_INSTANCE = Err("InvalidTarget", "The following targets do not exist or are not in the target group VPC: '{id}'")
TOO_MANY = Err("TooManyTargets", "The maximum number of targets of a target group, {limit}, has been reached")
# What may be an address outside the VPC.  Source: "Target type" of the User Guide: RFC 1918 and RFC 6598.
OUTSIDE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


@operation("elbv2", "RegisterTargets", network=True)
def register_targets(tx: Tx, *, target_group_arn: str, targets: Sequence[Shape]) -> Shape:
    """Add targets to a group; they get flows when a health check has passed.  One that drains comes back."""
    group = find(tx.world, target_group_arn)
    known = {target.key: target for target in group.targets}
    for asked in targets:
        target = _target(tx.world, group, asked)
        if target.key not in known or known[target.key].state == "draining":
            known[target.key] = target
    if len(known) > TARGETS_MAX:
        raise TOO_MANY(limit=TARGETS_MAX)
    tx.put(group.but(targets=tuple(known.values())))
    return {}


def _target(world: World, group: TargetGroup, asked: Shape) -> Target:
    if "QuicServerId" in asked:
        raise errors.UNSUPPORTED(what="QuicServerId of a target", because="there are no QUIC target groups")
    id, port = asked.get("Id", ""), asked.get("Port", group.port)
    if not 1 <= port <= 65535:
        raise INVALID(why=f"The port of the target '{id}' must be between 1 and 65535")
    if group.target_type == "ip":
        return Target(id=id, port=port, zone=_zone(world, group, id, asked.get("AvailabilityZone")))
    instance = world.get(Instance, id)
    if instance is None or instance.vpc_id != group.vpc_id:
        raise NO_INSTANCE(id=id)
    if instance.state != "running":
        raise NOT_RUNNING(id=id)
    if asked.get("AvailabilityZone"):
        raise INVALID(why="An Availability Zone cannot be specified for a target that is an instance")
    return Target(id=id, port=port, zone=instance.zone)


def _zone(world: World, group: TargetGroup, id: str, asked: str | None) -> str:
    """Return the zone of an address: its subnet's, or all, if it is outside the VPC."""
    try:
        address = IPv4Address(id)
    except AddressValueError:
        raise INVALID(why=f"The IP address '{id}' is not a valid IPv4 address") from None
    subnets = (s for s in world.all(Subnet, vpc_id=group.vpc_id) if address in s.cidr)
    if subnet := next(subnets, None):
        return subnet.zone
    vpc = world.get(Vpc, group.vpc_id)
    if vpc is None:
        raise INVALID(why=f"The VPC '{group.vpc_id}' of the target group does not exist")
    if any(address in cidr for cidr in vpc.cidrs):
        raise INVALID(why=f"The IP address '{id}' is in no subnet of the VPC '{group.vpc_id}'")
    if not any(address in network for network in OUTSIDE):
        raise INVALID(why=f"The IP address '{id}' is neither in the VPC '{group.vpc_id}' nor a private address")
    if asked not in (None, ALL_ZONES):
        raise INVALID(why=f"The Availability Zone of '{id}', which is outside the VPC, must be '{ALL_ZONES}'")
    if asked is None:
        raise INVALID(why=f"The IP address '{id}' is outside the VPC: its Availability Zone must be '{ALL_ZONES}'")
    return ALL_ZONES


@operation("elbv2", "DeregisterTargets", network=True)
def deregister_targets(tx: Tx, *, target_group_arn: str, targets: Sequence[Shape]) -> Shape:
    """Take targets out: they get no more flows, and go when those they have had the time to end."""
    group = find(tx.world, target_group_arn)
    leaving = {t.key for asked in targets for t in _named(group, asked)}
    delay = int(group.attributes.get(DELAY, DEFAULTS[DELAY]))
    at_once = delay == 0 or not balancers_of(tx.world, group)
    kept = []
    for target in group.targets:
        if target.key not in leaving or target.state == "draining":
            kept.append(target)
        elif not at_once:
            kept.append(
                replace(
                    target, state="draining", leaves=tx.now + timedelta(seconds=delay),
                    reason="Target.DeregistrationInProgress", description="Target deregistration is in progress",
                )
            )  # fmt: skip
    tx.put(group.but(targets=tuple(kept)))
    return {}


def _named(group: TargetGroup, asked: Shape) -> list[Target]:
    """Return the targets that a caller names; without a port all of this id."""
    found = [t for t in group.targets if t.id == asked.get("Id") and asked.get("Port") in (None, t.port)]
    if not found:
        raise INVALID(why=f"The following targets are not registered with the target group: '{asked.get('Id')}'")
    return found


@operation("elbv2", "DescribeTargetHealth")
def describe_target_health(
    world: World, *, target_group_arn: str, targets: Sequence[Shape] = (), include: Sequence[str] = ()
) -> Shape:
    """Say how targets are, and why."""
    if include:
        raise errors.UNSUPPORTED(what=f"Include={include[0]}", because="targets are healthy or not, no more is known")
    group = find(world, target_group_arn)
    shown = []
    for asked in targets:
        found = [t for t in group.targets if t.id == asked.get("Id") and asked.get("Port") in (None, t.port)]
        shown += [_described(world, group, target) for target in found] or [_unknown(group, asked)]
    if not targets:
        shown = [_described(world, group, target) for target in group.targets]
    return {"TargetHealthDescriptions": shown}


def _unknown(group: TargetGroup, asked: Shape) -> Shape:
    health = {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    return {"Target": {"Id": asked.get("Id"), "Port": asked.get("Port", group.port)}, "TargetHealth": health}


def _described(world: World, group: TargetGroup, target: Target) -> Shape:
    state, reason, description = unused(world, group, target) or (target.state, target.reason, target.description)
    health: Shape = {"State": state}
    if reason:
        health |= {"Reason": reason, "Description": description}
    shape: Shape = {"Id": target.id, "Port": target.port}
    if group.target_type == "ip":
        shape["AvailabilityZone"] = target.zone
    port = str(target.port) if group.health.port == "traffic-port" else group.health.port
    return {"Target": shape, "HealthCheckPort": port, "TargetHealth": health}
