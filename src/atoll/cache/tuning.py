"""A node's parameters: those it runs with, those that its group says, and what its engine must be told about that.

`CacheNode.parameters` is what the running process has.  What a group says is compared with it, always: nothing is
remembered of a change, so that a daemon which died in between only tells the engine once more.  A parameter that
takes a reboot stays as it is until the next process of the node.
"""

from collections.abc import Container, Mapping
from functools import cache, lru_cache

from atoll.cache.config import server_settings
from atoll.cache.families import family
from atoll.cache.node import Order, Settings, Tuning, Values
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.parameters import of_family
from atoll.model.cache import CacheCluster, CacheNode
from atoll.model.names import key
from atoll.model.parameter import CacheParameterGroup
from atoll.model.world import World

DIFFERING_MAX = 1_000  # parameter groups, of which it is remembered what they change: it is asked for every node

IN_SYNC, APPLYING, PENDING_REBOOT = "in-sync", "applying", "pending-reboot"


def group_of(world: World, cluster: CacheCluster) -> CacheParameterGroup | None:
    """Return a cluster's parameter group; None: one of AWS's defaults."""
    return world.get(CacheParameterGroup, key(cluster.account, cluster.region, cluster.parameter_group))


def wanted(world: World, cluster: CacheCluster) -> Values:
    """Return what a cluster's parameter group says, where it differs from the defaults."""
    group = group_of(world, cluster)
    return differing(group.family, group.values) if group else ()


@lru_cache(maxsize=DIFFERING_MAX)
def differing(family: str, values: Values) -> Values:
    """Return values without those that are the family's defaults anyway."""
    usual = {row.name: row.value or "" for row in of_family(family)}
    return tuple((name, value) for name, value in values if value != usual.get(name))


def applied(cluster: CacheCluster, now: Values, said: Values, *, refused: Container[str] = ()) -> Values:
    """Return a running node's values when it has taken what it can take without a reboot, and has not refused."""
    kept = _after_reboot(cluster.engine, cluster.engine_version)
    taken = [(name, value) for name, value in said if name not in kept and name not in refused]
    return tuple(sorted([(name, value) for name, value in now if name in kept or name in refused] + taken))


def at_start(node: CacheNode, said: Values) -> Values:
    """Return the values for a node's next process: those of its group, but for what its engine has refused.

    With such a value it would not start at all.
    """
    had, says = dict(node.parameters), dict(said)
    for name in still_refused(node, said):
        says.pop(name, None)
        if name in had:
            says[name] = had[name]
    return tuple(sorted(says.items()))


def still_refused(node: CacheNode, said: Values) -> Mapping[str, str]:
    """Return which of its group's values a node's engine has refused, and why."""
    says = dict(said)
    return {name: because for name, value, because in node.refused if says.get(name, "") == value}


def state(cluster: CacheCluster, node: CacheNode, said: Values) -> str:
    """Return how far a node is with the values that its group says: AWS's ParameterApplyStatus."""
    if node.maybe or applied(cluster, node.parameters, said) != node.parameters:
        return APPLYING
    return IN_SYNC if node.parameters == said else PENDING_REBOOT


def tuning(cluster: CacheCluster, node: CacheNode, said: Values) -> Tuning | None:
    """Return what a running node's engine must be told, whichever values it may have; None: nothing."""
    after = applied(cluster, node.parameters, said)
    if node.status != "available" or (after == node.parameters and not node.maybe):
        return None
    new, has = dict(after), _settings(cluster, dict(after))
    behind: dict[tuple[str, str], set[str]] = {}
    for old in (dict(values) for values in (node.parameters, *node.maybe)):
        had = _settings(cluster, old)
        for name in (name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
            alone = {k: v for k, v in old.items() if k != name} | ({name: new[name]} if name in new else {})
            for place, value in _settings(cluster, alone).items():
                if value != had[place]:
                    behind.setdefault(place, set()).add(name)
    orders = tuple(
        Order(directive=place[0], value="" if value == '""' else value, parameters=tuple(sorted(behind[place])))
        for place, value in has.items()
        if place in behind
    )
    return Tuning(orders=orders, before=node.parameters, said=said)


def places(settings: Settings) -> dict[tuple[str, str], str]:
    """Return settings by what one of them replaces: a buffer limit that of the same class of clients only."""
    return {
        (name, value.split()[0] if name == "client-output-buffer-limit" else ""): value for name, value in settings
    }


def _settings(cluster: CacheCluster, values: Mapping[str, str]) -> dict[tuple[str, str], str]:
    node_type = NODE_TYPES[cluster.node_type]
    return places(
        server_settings(
            cluster.engine, cluster.engine_version, node_type, cluster.port, values, sharded=cluster.sharded
        )
    )


@cache
def _after_reboot(engine: str, version: str) -> frozenset[str]:
    return frozenset(row.name for row in of_family(family(engine, version)) if row.reboot)
