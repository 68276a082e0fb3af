"""What a cache would be: the call is made in a transaction that is then forgotten, and its nodes are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atoll.aws import inside
from atoll.aws.errors import AwsError
from atoll.cache.serverless import behind
from atoll.console.ask import Ask, Made
from atoll.console.caches.order import NAMELESS, Order, order_of
from atoll.console.draw.placement import Placed
from atoll.console.recipes import as_cli, as_terraform
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.names import key
from atoll.model.serverless import ServerlessCache
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be, or why it cannot be."""

    order: Order
    error: AwsError | None
    placed: Sequence[Placed]
    commands: Sequence[str]
    blocks: Sequence[str]


def preview(ask: Ask) -> Preview:
    """Return what the fields of a flow would make."""
    order = order_of(ask.form if ask.form.pairs() else ask.query, NAMELESS)
    placed: Sequence[Placed] = ()
    error = None
    try:
        bound = inside.bound_of("elasticache", order.action, order.parameters)

        def change(tx: Tx) -> None:
            bound.operation.run(tx, **bound.arguments)

        placed = _placed(ask, order, ask.service.backend.would_be(change, ask.caller))
        typed: Any = inside.typed("elasticache", order.action, order.parameters)
    except AwsError as refused:
        error, typed = refused, order.parameters
    made = Made(service="elasticache", action=order.action, parameters=typed, writes=True)
    return Preview(
        order=order,
        error=error,
        placed=placed,
        commands=as_cli([made], ask.region),
        blocks=as_terraform([made]),
    )


def _placed(ask: Ask, order: Order, world: World) -> list[Placed]:
    """Return where the nodes of a cache would be."""
    name = key(ask.account, ask.region, _name(order).lower())
    found: list[Placed] = []
    for cluster, role in _clusters(world, order, name):
        for node in cluster.nodes:
            interface = world[Interface, node.interface_id]
            subnet = world[Subnet, interface.subnet_id]
            found.append(
                Placed(
                    name=cluster.name if not cluster.is_memcached else node.id,
                    role=role,
                    zone=node.zone,
                    subnet=f"{subnet.id} {subnet.cidr}",
                    address=str(interface.address),
                )
            )
    return found


def _name(order: Order) -> str:
    members = {"group": "ReplicationGroupId", "cluster": "CacheClusterId", "serverless": "ServerlessCacheName"}
    return str(order.parameters[members[order.kind]])


def _clusters(world: World, order: Order, id: str) -> list[tuple[CacheCluster, str]]:
    """Return the clusters of a cache, each with its role."""
    if order.kind == "cluster":
        return [(world[CacheCluster, id], "")]
    if order.kind == "serverless":
        found = behind(world, world[ServerlessCache, id])
        return [(c, "primary" if c is found.primary else "replica") for c in found.clusters]
    group = world[ReplicationGroup, id]
    leaders = {shard.primary_id for shard in group.node_groups}
    return [(world[CacheCluster, m], "primary" if m in leaders else "replica") for m in group.member_ids]
