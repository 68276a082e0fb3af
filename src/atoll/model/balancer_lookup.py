"""Questions about load balancers: who uses a target group, and which of its targets are checked, from where."""

from ipaddress import IPv4Address

from atoll.model.balancer import ALL_ZONES, Listener, LoadBalancer, Node, Target, TargetGroup
from atoll.model.instance import Instance
from atoll.model.lookup import HALTED, primary_interface
from atoll.model.world import World


def balancers_of(world: World, group: TargetGroup) -> list[str]:
    """Return the ARNs of the load balancers whose listeners use a group: at most one."""
    return sorted({one.balancer_id for one in world.seen_by(None).all(Listener, group_id=group.id)})


def unused(world: World, group: TargetGroup, target: Target) -> tuple[str, str, str] | None:
    """Return why nobody checks a target: state, reason and description; None: it is checked."""
    if target.state == "draining":
        return None
    balancers = balancers_of(world, group)
    if not balancers:
        what = "Target group is not configured to receive traffic from the load balancer"
        return "unused", "Target.NotInUse", what
    instance = world.get(Instance, target.id)
    if instance is not None and instance.state in HALTED:
        return "unused", "Target.InvalidState", "Target is in the stopped state"
    if not nodes_for(world[LoadBalancer, balancers[0]], target):
        what = "Target is in an Availability Zone that is not enabled for the load balancer"
        return "unused", "Target.NotInUse", what
    return None


def nodes_for(owner: LoadBalancer, target: Target) -> tuple[Node, ...]:
    """Return the nodes that use, and so check, a target: those of its zone, or all."""
    zones = {node.zone for node in owner.nodes}
    if target.zone != ALL_ZONES and target.zone not in zones:
        return ()
    near = target.zone == ALL_ZONES or owner.crosses_zones
    return tuple(node for node in owner.nodes if near or node.zone == target.zone)


def address_of(world: World, group: TargetGroup, target: Target) -> IPv4Address | None:
    """Return a target's address; None: its instance has gone."""
    if group.target_type == "ip":
        return IPv4Address(target.id)
    interface = primary_interface(world, target.id)
    return interface.address if interface else None
