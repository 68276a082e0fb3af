"""Circles: interfaces that reach each other whatever their security groups say.

The nodes of a replication group are one: AWS replicates between them by itself, and a customer who opens nothing, or
closes everything, still gets his replicas.  Network ACLs and routes apply as to everybody.
"""

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple, cast

from atoll.model.cache import CacheCluster
from atoll.model.names import link_name
from atoll.model.world import World
from atoll.network.compile.marks import element
from atoll.network.facts import Element


class Circle(NamedTuple):
    """A replication group and the interfaces of its nodes."""

    id: str
    interface_ids: tuple[str, ...]


def circles_of(world: World, vpc_id: str) -> tuple[Circle, ...]:
    """Return the circles of a VPC."""
    found: dict[str, list[str]] = {}
    for cluster in world.bucket(CacheCluster, "vpc_id", vpc_id).values():
        cluster = cast(CacheCluster, cluster)
        if cluster.group_id is not None:
            found.setdefault(cluster.group_id, []).extend(node.interface_id for node in cluster.nodes)
    return tuple(Circle(id, tuple(sorted(members))) for id, members in sorted(found.items()))


def circle(vpc_id: str, it: Circle) -> Iterator[Element]:
    """Yield the facts of a circle: each pair of its links, both ways."""
    for one, another in permutations(it.interface_ids, 2):
        yield element(vpc_id, "companions", link_name(one), link_name(another))
