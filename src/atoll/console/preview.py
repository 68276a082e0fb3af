"""What a change of rules would do, before it is made: whom new rules let in, what opens, and what closes.

The change is made to a World that is then forgotten; the tracer answers for both (`network/reach`).
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from atoll.aws import inside
from atoll.aws.inside import Given
from atoll.console.ask import Ask
from atoll.model.cache import CacheCluster
from atoll.model.group import Rule, SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Net
from atoll.model.lookup import cache_node_of
from atoll.model.peering import peerings_of
from atoll.model.prefix_list import rule_ranges
from atoll.model.world import Tx, World
from atoll.network.reach.diff import Change, changes
from atoll.network.reach.ends import public_networks
from atoll.network.reach.matrix import Matrix, matrix

MACHINES_MAX = 400  # in the VPCs that a change concerns: beyond, a matrix takes longer than a person waits
CHANGES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Whom a new rule names."""

    rule: Rule
    names: Sequence[str]  # of machines of the VPC, and of its peers if they are named
    of: int  # so many machines there are
    everybody: bool  # also the whole internet


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do."""

    admitted: Sequence[Admitted]
    opened: Sequence[Change]
    closed: Sequence[Change]
    too_many: bool = False  # machines to ask about: whom the rules name is said all the same


def change_world(ask: Ask, calls: Sequence[tuple[str, Given]]) -> World:
    """Return the World after calls of EC2, which are then forgotten.  Raises AwsError."""
    bound = [inside.bound_of("ec2", action, given) for action, given in calls]

    def change(tx: Tx) -> None:
        for call in bound:
            call.operation.run(tx, **call.arguments)

    return ask.service.backend.would_be(change, ask.caller)


def preview(before: World, after: World, group_id: str) -> Preview:
    """Compare two Worlds that differ in the rules of a group.  May take a second: not on the daemon's loop."""
    after = after.seen_by(None)
    group, was = after[SecurityGroup, group_id], before[SecurityGroup, group_id]
    known = {rule.id for rule in was.rules}
    machines = [i for i in after.all(Interface, vpc_id=group.vpc_id) if _is_machine(i, after)]
    admitted = [_admitted(after, group, rule, machines) for rule in group.rules if rule.id not in known]
    ids = {group.vpc_id, *(p.beyond(group.vpc_id).vpc_id for p in peerings_of(after, group.vpc_id) if p.is_open)}
    if sum(1 for id in ids for _ in after.all(Interface, vpc_id=id)) > MACHINES_MAX:
        return Preview(admitted=admitted, opened=(), closed=(), too_many=True)
    named = frozenset(public_networks(before)) | frozenset(public_networks(after))
    found = changes(_matrix(before, frozenset(ids), named), matrix(after, vpc_ids=ids, outside=named))
    return Preview(
        admitted=admitted,
        opened=[change for change in found if change.opened],
        closed=[change for change in found if not change.opened],
    )


def name_of(world: World, interface: Interface) -> str:
    """Return what people call what is behind an interface."""
    if at := cache_node_of(world, interface):
        cluster: CacheCluster = at.cluster
        return f"{cluster.name}:{at.node.id}" if cluster.is_memcached else cluster.name
    instance = world.get(Instance, interface.instance_id) if interface.instance_id else None
    return (instance.tags.get("Name") or instance.id) if instance else interface.id


def _is_machine(interface: Interface, world: World) -> bool:
    return interface.instance_id is not None or cache_node_of(world, interface) is not None


def _admitted(world: World, group: SecurityGroup, rule: Rule, machines: Sequence[Interface]) -> Admitted:
    ranges = [] if rule.group_id else list(rule_ranges(world, group.region, rule))
    if rule.group_id:
        named = [i for i in world.all(Interface) if rule.group_id in i.group_ids and _is_machine(i, world)]
    else:
        named = [i for i in machines if any(a in net for net in ranges for a in _addresses(i))]
    names = sorted({name_of(world, i) for i in named})
    return Admitted(rule=rule, names=names, of=len(machines), everybody=any(net.prefixlen == 0 for net in ranges))


def _addresses(interface: Interface) -> Collection[object]:
    return [interface.address, *([interface.ipv6_address] if interface.ipv6_address else [])]


@functools.lru_cache(maxsize=2)  # while a person types, the World before stays the same object
def _matrix(world: World, ids: frozenset[str], outside: frozenset[Net]) -> Matrix:
    return matrix(world, vpc_ids=ids, outside=outside)
