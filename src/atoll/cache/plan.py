"""Which cache processes must exist: compiled from the World, for the control loop to compare with what runs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from operator import attrgetter, is_
from typing import NamedTuple

from atoll.cache import shards
from atoll.cache.backup import is_new
from atoll.cache.config import NO_WRITES, memcached_settings, memory_bytes, server_settings
from atoll.cache.discovery import is_announced, payload
from atoll.cache.encryption import encryption, neighbours
from atoll.cache.endpoint import address_of
from atoll.cache.node import ClusterPlan, NodePlan, Primary, Seat, Settings
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.tuning import group_of, tuning, wanted
from atoll.cache.upstream import may_elect, upstream, upstream_sources
from atoll.cache.users import admission, users_of
from atoll.cache.users import sources as user_sources
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup, Seed
from atoll.model.interface import Interface
from atoll.model.notes import Notes
from atoll.model.resource import Resource
from atoll.model.world import Kind, Noted, World

__all__ = ["NodePlan", "Planner", "Primary", "nodes", "of_cluster", "sources"]

# Of these, a cluster without a group depends on itself and its interfaces only.
LONE: frozenset[Kind] = frozenset((CacheCluster, Interface))
HOMES_MAX = 10_000  # interfaces that are remembered, beside those that are there
# A cluster in these statuses runs nothing, and neither does a node that is `deleting`.
STOPPED = ("deleting", "incompatible-network", "restore-failed")


def nodes(world: World) -> tuple[NodePlan, ...]:
    """Return every process that must exist, in all accounts, cluster by cluster.  `Planner` does it incrementally."""
    return Planner().nodes(world)


def of_cluster(world: World, cluster: CacheCluster, rosters: "Rosters | None" = None) -> tuple[NodePlan, ...]:
    """Return the processes of one cluster.  It depends on the resources that `sources` names, and on nothing else.

    A node that leaves runs on until the others have told clients that it does.
    """
    if cluster.status in STOPPED:
        return ()
    primary, within = _primary(world, cluster), _cluster(world, cluster, rosters or Rosters())
    lingering, told = not is_announced(cluster), payload(world, cluster)
    running = (node for node in cluster.nodes if lingering or node.status != "deleting")
    return tuple(_node(world, cluster, node, primary, within, told) for node in running)


def sources(world: World, cluster: CacheCluster) -> tuple[Resource, ...]:
    """Return the resources that a cluster's plan is made from: compare them by identity to know an old plan good."""
    if cluster.status in STOPPED:
        return (cluster,)
    found: list[Resource] = [cluster, *(world[Interface, node.interface_id] for node in cluster.nodes)]
    if cluster.group_id:
        group = world[ReplicationGroup, cluster.group_id]
        found += [group, *user_sources(world, group), *upstream_sources(world, group, group.shard_of(cluster.id))]
    found += neighbours(world, cluster)
    if parameters := group_of(world, cluster):
        found.append(parameters)
    leader = _leader(world, cluster)
    if leader:
        found += [leader, world[Interface, leader.nodes[0].interface_id]]
    return tuple(found)


class Rosters:
    """Who is who in each group in cluster mode; made once for each state of a group, and shared by its plans."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, tuple[ReplicationGroup, tuple[Seat, ...]]] = {}

    def of(self, world: World, group: ReplicationGroup) -> tuple[Seat, ...]:
        """Return the seats of a group."""
        known = self._known.get(group.id)
        if known is None or known[0] is not group:
            found = shards.seats(world, group)
            known = group, known[1] if known and known[1] == found else found
            self._known[group.id] = known
        return known[1]


class _Known(NamedTuple):
    """The plans of a cluster, and what they were made from."""

    cluster: CacheCluster
    basis: tuple[Resource, ...]
    named: tuple[tuple[str, NodePlan], ...]


class Planner:
    """Plans, and remembers each cluster's plan until one of its sources is another object."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._plans: dict[str, _Known] = {}
        self._homes: dict[str, str] = {}  # of interfaces: the clusters whose nodes have them, or had them
        self._rosters = Rosters()
        self._found: Mapping[str, NodePlan] = {}
        self._looked: dict[Kind, object] = {}  # what all of it was made of, when it was

    def nodes(self, world: World) -> tuple[NodePlan, ...]:
        """Return every process that must exist."""
        return tuple(self.processes(world).values())

    def processes(self, world: World) -> Mapping[str, NodePlan]:
        """Return every process that must exist, by its name: the same object if there is nothing new.

        Costs what has changed, while that is lone clusters and their interfaces; else a few identity checks for each
        cluster that is as it was.
        """
        notes = Notes()
        view = world.seen_by(None).noted(notes)
        view.note(self._looked)  # plans that are remembered were made of them
        try:
            touched = self._touched(view)
            if touched is None or touched:
                self._plan(view, touched)
        finally:  # whoever has failed is to try again when something of it has changed
            if isinstance(world, Noted):
                world.note(notes.kinds)
        assert not notes.are_everything, "a plan is made of kinds that are named"
        self._looked = {kind: view.stamp(kind) for kind in notes.kinds}
        return self._found

    def _touched(self, world: World) -> Collection[str] | None:
        """Return the clusters that may have other sources, if only lone ones may; None: any may."""
        news = [kind for kind, stamp in self._looked.items() if world.stamp(kind) is not stamp]
        if not self._looked or not LONE.issuperset(news):
            return None
        ids, homes = (world.changed(kind, self._looked.get(kind)) for kind in (CacheCluster, Interface))
        if ids is None or homes is None:
            return None
        if len(self._homes) > HOMES_MAX + 2 * len(self._plans):  # most of them have gone
            return None
        touched = dict.fromkeys((*ids, *(self._homes[id] for id in homes if id in self._homes)))
        return touched if all(self._is_lone(world, id) for id in touched) else None

    def _is_lone(self, world: World, id: str) -> bool:
        """Tell whether a cluster is without a group, and was: nobody else's plan is made from it then."""
        cluster, known = world.get(CacheCluster, id), self._plans.get(id)
        return not (cluster and cluster.group_id) and not (known and known.cluster.group_id)

    def _plan(self, world: World, touched: Collection[str] | None) -> None:
        """Plan anew what has other sources: of the clusters that are touched, or (None) of all."""
        if touched is None:
            plans, homes, clusters = {}, {}, list(world.all(CacheCluster))
        else:
            plans, homes = dict(self._plans), dict(self._homes)
            clusters = [one for id in touched if (one := world.get(CacheCluster, id))]
            for id in touched:
                if world.get(CacheCluster, id) is None:
                    plans.pop(id, None)
        for cluster in clusters:
            homes.update((node.interface_id, cluster.id) for node in cluster.nodes)
            basis, known = sources(world, cluster), self._plans.get(cluster.id)
            is_same = known is not None and len(known.basis) == len(basis) and all(map(is_, known.basis, basis))
            named = known.named if known and is_same else _named(of_cluster(world, cluster, self._rosters))
            plans[cluster.id] = _Known(cluster, basis, named)
        self._plans, self._homes = plans, homes
        self._found = dict(chain.from_iterable(map(attrgetter("named"), plans.values())))


def _named(nodes: Iterable[NodePlan]) -> tuple[tuple[str, NodePlan], ...]:
    return tuple((node.process, node) for node in nodes)


def is_guarded(world: World, cluster: CacheCluster, node: CacheNode) -> bool:
    """Tell whether a node's end is for the failover to judge: it has the data, and there is someone to take over.

    Such a node is not started again by itself, which would give its replicas an empty primary to copy.
    """
    if cluster.group_id is None or node.status != "available":
        return False
    shard = world[ReplicationGroup, cluster.group_id].shard_of(cluster.id)
    return shard is not None and shard.leader_id == cluster.id and len(shard.member_ids) > 1


def _node(
    world: World,
    cluster: CacheCluster,
    node: CacheNode,
    primary: Primary | None,
    within: ClusterPlan | None,
    discovery: bytes,
) -> NodePlan:
    address, type_ = address_of(world, node), NODE_TYPES[cluster.node_type]
    memcached, users = cluster.is_memcached, users_of(world, cluster)
    return NodePlan(
        name=f"{cluster.id}:{node.id}",
        cluster_id=cluster.id,
        node_id=node.id,
        interface_id=node.interface_id,
        vpc_id=cluster.vpc_id,
        engine=cluster.engine,
        version=cluster.engine_version,
        boot=node.boot,
        address=address,
        port=cluster.port,
        memory_bytes=memory_bytes(type_, memcached=memcached),
        primary=primary,
        tuning=None if _has_left(world, cluster) else tuning(cluster, node, wanted(world, cluster)),
        guarded=is_guarded(world, cluster, node),
        encryption=encryption(world, cluster, node),
        encrypted=node.encryption,
        loads=node.loads,
        users=users,
        admission=admission(node, users),
        cluster=within,
        seeds=_seeds(world, cluster, node),
        settings=() if memcached else _settings(world, cluster, node),
        arguments=memcached_settings(type_, address, cluster.port, dict(node.parameters)) if memcached else (),
        discovery=discovery,
    )


def _settings(world: World, cluster: CacheCluster, node: CacheNode) -> Settings:
    """Return the settings of a Redis or Valkey node.

    One that has left its group's cluster mode for a migration would take keys of other shards' slots: it takes none.
    """
    version, parameters = cluster.engine_version, node.parameters
    found = _usual(cluster.engine, version, cluster.node_type, cluster.port, parameters, sharded=cluster.sharded)
    if not _has_left(world, cluster):
        return found
    instead = dict(NO_WRITES)
    return (*(pair for pair in found if pair[0] not in instead), *NO_WRITES)


@lru_cache(maxsize=256)  # most nodes have what others have, and each is planned again when it has answered
def _usual(
    engine: str, version: str, node_type: str, port: int, parameters: tuple[tuple[str, str], ...], *, sharded: bool
) -> Settings:
    return server_settings(engine, version, NODE_TYPES[node_type], port, dict(parameters), sharded=sharded)


def _has_left(world: World, cluster: CacheCluster) -> bool:
    """Tell whether a cluster is out of its group's cluster mode for a migration: it starts with what it needs."""
    group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    return group is not None and shards.has_left(group, cluster)


def _seeds(world: World, cluster: CacheCluster, node: CacheNode) -> tuple[Seed, ...]:
    """Return the files that a node begins with: those of a new cluster, until it and its group are available."""
    loads = cluster.seeds and node.status in ("creating", "rebooting") and is_new(world, cluster)
    return cluster.seeds if loads else ()


def _leader(world: World, cluster: CacheCluster) -> CacheCluster | None:
    """Return the primary cluster that this one follows, if it follows one."""
    if cluster.group_id is None:
        return None
    shard = world[ReplicationGroup, cluster.group_id].shard_of(cluster.id)
    if shard is None or shard.leader_id == cluster.id or not shard.leader_id:
        return None
    return world.get(CacheCluster, shard.leader_id)  # a group being deleted may have lost it


def _cluster(world: World, cluster: CacheCluster, rosters: Rosters) -> ClusterPlan | None:
    if not cluster.sharded or cluster.group_id is None:
        return None
    group = world[ReplicationGroup, cluster.group_id]
    plan, shard = shards.plan_of(group, cluster, rosters.of(world, group)), group.shard_of(cluster.id)
    return plan if shard is None or may_elect(world, group, shard) else replace(plan, elects=False)


def _primary(world: World, cluster: CacheCluster) -> Primary | None:
    if leader := _leader(world, cluster):
        node = leader.nodes[0]
        return Primary(address_of(world, node), leader.port, name=f"{leader.id}:{node.id}")
    group = world[ReplicationGroup, cluster.group_id] if cluster.group_id else None
    shard = group.shard_of(cluster.id) if group else None
    is_leader = shard is not None and shard.leader_id == cluster.id
    return upstream(world, group, shard) if group and shard and is_leader else None
