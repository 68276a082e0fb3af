"""The plan of an apply: from a wish and a world to the actions that make the world what is wished for."""

from collections.abc import Callable
from dataclasses import replace

from atoll.apply import caches, machines, network, prune
from atoll.apply.action import Action, Planner
from atoll.apply.wish import Wish
from atoll.model.world import Caller, World

# What others name comes before them.
PARTS: tuple[Callable[[Planner], None], ...] = (
    network.vpcs,
    machines.groups,
    machines.instances,
    network.nat_gateways,
    network.peering,
    network.tables,
    machines.endpoints,
    caches.caches,
)


def plan(wish: Wish, world: World, *, account: str, region: str, prunes: bool = False) -> tuple[Action, ...]:
    """Return what must be done, in order; nothing if the world is as wished.

    `prunes`: also take away what the file made once and does not name any more.  Raises Wrong for a change that AWS
    does not know: nothing is done then.
    """
    seen = world.seen_by(Caller(account=account, region=region, arn=""))
    planner = Planner(seen, replace(wish, region=region))
    for part in PARTS:
        part(planner)
    if prunes:
        prune.prune(planner)
    return tuple(planner.actions)
