"""Listeners: a port of a load balancer, and the target group that gets what comes to it.

Source: ELB API Reference, CreateListener; User Guide for Network Load Balancers, "Listeners".
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elbv2 import errors
from atoll.elbv2.load_balancer import find as find_balancer
from atoll.elbv2.naming import arn_of, as_list, changed, page, tags_of
from atoll.elbv2.target_group import find as find_group
from atoll.model.balancer import Listener, LoadBalancer, TargetGroup
from atoll.model.balancer_lookup import balancers_of
from atoll.model.world import Tx, World

LISTENERS_MAX = 50  # of one load balancer; AWS: 50
PROTOCOLS = ("TCP", "UDP", "TCP_UDP")
EXISTS = Err("DuplicateListener", "A listener already exists on this port for this load balancer '{arn}'")
LIMIT = Err("TooManyListeners", "The maximum number of listeners of a load balancer has been reached")
BAD_ACTION = Err("InvalidLoadBalancerAction", "{why}")
OTHER_PROTOCOL = Err(
    "IncompatibleProtocols",
    "The protocol of the target group '{arn}', {theirs}, is not compatible with the listener's, {ours}",
)
ASSOCIATED = Err(
    "TargetGroupAssociationLimit",
    "The following target groups cannot be associated with more than one load balancer: {arn}",
)
ATTRIBUTES = {"tcp.idle_timeout.seconds": "350"}


@operation("elbv2", "CreateListener", network=True)
def create_listener(
    tx: Tx,
    *,
    load_balancer_arn: str,
    default_actions: Sequence[Shape],
    protocol: str | None = None,
    port: int | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Have a load balancer listen on a port."""
    balancer = find_balancer(tx.world, load_balancer_arn)
    for name, value in (("A listener protocol", protocol), ("A listener port", port)):
        if value is None:
            raise errors.MISSING(name=name)
    assert protocol is not None, "just checked"
    assert port is not None, "just checked"
    digits = tx.new_hex(16)
    listener = Listener(
        id=arn_of(tx.region, tx.account, "listener", "net", balancer.name, balancer.digits, digits),
        account=tx.account, region=tx.region, tags=tags_of(tags), balancer_id=balancer.id, vpc_id=balancer.vpc_id,
        protocol=protocol, port=port, group_id="", created=tx.now,
    )  # fmt: skip
    if len(tx.all(Listener, balancer_id=balancer.id)) >= LISTENERS_MAX:
        raise LIMIT()
    group = _group(tx.world, default_actions)
    return {"Listeners": [render(tx.put(_checked(tx.world, balancer, listener.but(group_id=group.id))))]}


@operation("elbv2", "ModifyListener", network=True)
def modify_listener(
    tx: Tx,
    *,
    listener_arn: str,
    port: int | None = None,
    protocol: str | None = None,
    default_actions: Sequence[Shape] | None = None,
) -> Shape:
    """Listen on another port, or for another group; flows that go on stay with their targets."""
    listener = find(tx.world, listener_arn)
    group_id = _group(tx.world, default_actions).id if default_actions is not None else listener.group_id
    changed = listener.but(port=port or listener.port, protocol=protocol or listener.protocol, group_id=group_id)
    balancer = tx.world[LoadBalancer, listener.balancer_id]
    return {"Listeners": [render(tx.put(_checked(tx.world, balancer, changed)))]}


def _group(world: World, actions: Sequence[Shape]) -> TargetGroup:
    """Return the one target group that default actions forward to."""
    if len(actions) != 1:
        raise BAD_ACTION(why="A listener of a Network Load Balancer has exactly one default action")
    (action,) = actions
    if action.get("Type") != "forward":
        raise BAD_ACTION(why=f"The action type '{action.get('Type')}' is not valid for a Network Load Balancer")
    strange = set(action) - {"Type", "Order", "TargetGroupArn", "ForwardConfig"}
    if strange:
        raise BAD_ACTION(why=f"{min(strange)} is not valid for an action of type forward")
    forward = action.get("ForwardConfig") or {}
    if (forward.get("TargetGroupStickinessConfig") or {}).get("Enabled"):
        raise BAD_ACTION(why="TargetGroupStickinessConfig is not valid for a Network Load Balancer")
    arns = {group.get("TargetGroupArn") for group in forward.get("TargetGroups") or ()}
    arns |= {action["TargetGroupArn"]} if "TargetGroupArn" in action else set()
    if len(arns) != 1:
        why = "several target groups with weights" if arns else "an action without a target group"
        raise errors.UNSUPPORTED(what=why, because="a listener forwards to one target group")
    return find_group(world, arns.pop() or "")


def _checked(world: World, balancer: LoadBalancer, listener: Listener) -> Listener:
    """Return a listener that may be; raises what is wrong with it."""
    if listener.protocol not in PROTOCOLS:
        because = "they listen for TCP, UDP and TCP_UDP" if listener.protocol != "TLS" else "it ends no TLS: use TCP"
        raise errors.BAD_PROTOCOL(protocol=listener.protocol, because=because)
    if not 1 <= listener.port <= 65535:
        raise errors.INVALID(why="The listener port must be between 1 and 65535")
    group = find_group(world, listener.group_id)
    if group.protocol != listener.protocol:
        raise OTHER_PROTOCOL(arn=group.id, theirs=group.protocol, ours=listener.protocol)
    if group.vpc_id != balancer.vpc_id:
        raise errors.BAD_CONFIGURATION(
            why=f"The target group '{group.id}' is not in the VPC of the load balancer, {balancer.vpc_id}"
        )
    if set(balancers_of(world, group)) - {balancer.id}:
        raise ASSOCIATED(arn=group.id)
    for other in world.all(Listener, balancer_id=balancer.id):
        if other.id != listener.id and other.port == listener.port and _overlap(other, listener):
            raise EXISTS(arn=balancer.id)
    return listener


def _overlap(one: Listener, other: Listener) -> bool:
    return bool(set(one.protocols) & set(other.protocols))


@operation("elbv2", "DeleteListener", network=True)
def delete_listener(tx: Tx, *, listener_arn: str) -> Shape:
    """Listen no more; flows that go on stay with their targets."""
    tx.delete(find(tx.world, listener_arn))
    return {}


@operation("elbv2", "DescribeListeners", pure=True)
def describe_listeners(
    world: World,
    *,
    load_balancer_arn: str | None = None,
    listener_arns: Sequence[str] = (),
    marker: str | None = None,
    page_size: int | None = None,
) -> Shape:
    """List listeners: by ARN, or those of a load balancer."""
    if bool(load_balancer_arn) == bool(listener_arns):
        raise errors.INVALID(why="You must specify either listener ARNs or a load balancer ARN")
    if load_balancer_arn:
        found = list(world.all(Listener, balancer_id=find_balancer(world, load_balancer_arn).id))
    else:
        found = [find(world, id) for id in dict.fromkeys(listener_arns)]
    shown, token = page(found, page_size, marker)
    return {"Listeners": [render(one) for one in shown], "NextMarker": token}


@operation("elbv2", "DescribeListenerAttributes")
def describe_listener_attributes(world: World, *, listener_arn: str) -> Shape:
    """Show the attributes of a listener: one, how long a silent TCP flow is remembered."""
    return {"Attributes": _attributes(find(world, listener_arn))}


@operation("elbv2", "ModifyListenerAttributes")
def modify_listener_attributes(tx: Tx, *, listener_arn: str, attributes: Sequence[Shape]) -> Shape:
    """Set the attributes of a listener to what they are."""
    listener = find(tx.world, listener_arn)
    changed(attributes, ATTRIBUTES, {}, "Listener")
    return {"Attributes": _attributes(listener)}


def _attributes(listener: Listener) -> list[Shape]:
    return as_list(ATTRIBUTES if "tcp" in listener.protocols else {})


def find(world: World, arn: str) -> Listener:
    """Return the caller's listener; raises LISTENER_NOT_FOUND."""
    found = world.get(Listener, arn)
    if found is None:
        raise errors.LISTENER_NOT_FOUND()
    return found


def render(one: Listener) -> Shape:
    """Return a listener as AWS shows it."""
    action = {
        "Type": "forward",
        "TargetGroupArn": one.group_id,
        "Order": 1,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": one.group_id}]},
    }
    return {
        "ListenerArn": one.id,
        "LoadBalancerArn": one.balancer_id,
        "Port": one.port,
        "Protocol": one.protocol,
        "DefaultActions": [action],
    }
