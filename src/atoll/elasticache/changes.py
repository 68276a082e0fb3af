"""Engine, version and node type of a cache that runs: asked for, kept until the maintenance window, or begun.

Source: ElastiCache API Reference, ModifyCacheCluster and ModifyReplicationGroup; User Guide, "Upgrading engine
versions including cross engine upgrades" and "Scaling".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from atoll.aws.errors import Err
from atoll.cache import windows
from atoll.cache.changed import begin
from atoll.cache.changes import as_change, process_of
from atoll.cache.families import ENGINES, Build, family, numbers
from atoll.elasticache import encryption, errors, node_type, subnet_group
from atoll.elasticache.engine_version import choose_build
from atoll.elasticache.find import find_cluster, find_group
from atoll.elasticache.global_group import refuse_member
from atoll.elasticache.order import OTHER_FAMILY
from atoll.elasticache.parameter_group import find_group as find_parameters
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.change import Change
from atoll.model.world import Tx, World

# The newest file format of Redis OSS that a Valkey engine reads is that of 7.2.
LAST_READABLE = (7, 3)

DOWNGRADE = Err("InvalidParameterCombination", "Cannot downgrade from {current} to {requested}.")
OTHER_ENGINE = Err("InvalidParameterCombination", "The engine cannot be changed from {current} to {requested}.")
UNREADABLE = Err(
    "InvalidParameterCombination", "Valkey cannot read the data of Redis OSS {version}: only those of up to 7.2."
)
ONE_AT_A_TIME = Err(
    "InvalidParameterCombination",
    "{name} cannot be changed together with Engine, EngineVersion or CacheNodeType: one change at a time.",
)
IN_GROUP = Err(
    "InvalidParameterCombination",
    "Cache cluster {name} belongs to a replication group: use ModifyReplicationGroup to change its engine version or "
    "node type.",
)
TOGETHER = "its engine version and node type are those of the whole."
CLUSTER_ENGINE = "a cluster keeps its engine; replication groups can change to valkey."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request says of a cache's engine and node type; None: nothing."""

    engine: str | None
    version: str | None
    node_type: str | None
    parameter_group: str | None

    def group_now(self, cluster: CacheCluster, goal: Change) -> str | None:
        """Return the parameter group that is to be used at once; None: none, or it comes with the other engine."""
        return self.parameter_group if _family(goal) == family(cluster.engine, cluster.engine_version) else None


def goal(
    world: World, cluster: CacheCluster, wish: Wish, *, beside: str | None = None, is_group: bool = True
) -> Change:
    """Return what a cluster is to become, all told: what was pending counts, but for what the wish says anew.

    `beside`: another change that the same request asks for; `is_group`: it is about the cluster's group.  Raises what
    forbids it.
    """
    found = _goal(world, cluster, wish)
    if (wish.engine or wish.version or wish.node_type) and replace(found, begun=False) != as_change(cluster):
        if beside:
            raise ONE_AT_A_TIME(name=beside)
        if cluster.group_id and not is_group:
            raise IN_GROUP(name=cluster.name)
        if cluster.group_id:
            refuse_member(world, world[ReplicationGroup, cluster.group_id], TOGETHER)
    return found


def ask(tx: Tx, clusters: Sequence[CacheCluster], goal: Change, *, immediately: bool) -> None:
    """Write down what a cluster, or all members of a group, are to become, and begin if it is not to wait."""
    changed, is_new = [], False
    for old in clusters:
        cluster = tx.world[CacheCluster, old.id]
        parameters = goal.parameter_group if _moves(cluster, goal) else cluster.parameter_group
        own = replace(goal, parameter_group=parameters, begun=False)
        wanted = None if own == as_change(cluster) else own
        if wanted != cluster.change:
            cluster, is_new = tx.put(cluster.but(change=wanted)), True
        if wanted:
            changed.append(cluster)
    owners = [tx.world[ReplicationGroup, c.group_id] if c.group_id else c for c in changed]
    is_free = all(one.status == "available" for one in (*owners, *changed))
    if immediately and is_new and changed and not is_free:
        raise ONE_AT_A_TIME(name="What begins at once")  # another part of the same request has begun
    if immediately and changed and is_free:
        begin(tx, [tx.world[CacheCluster, old.id] for old in changed])


def due(world: World, now: datetime) -> list[CacheCluster | ReplicationGroup]:
    """Return the caches, in all accounts, whose changes may begin: they wait, and their window is open."""
    world, found = world.seen_by(None), dict[str, CacheCluster | ReplicationGroup]()
    for cluster in world.all(CacheCluster):
        if cluster.change is None or cluster.change.begun or not windows.is_open(cluster.maintenance_window, now):
            continue
        owner = world[ReplicationGroup, cluster.group_id] if cluster.group_id else cluster
        if owner.status == "available":
            found[owner.id] = owner
    return list(found.values())


def apply_pending(tx: Tx, name: str, *, is_group: bool) -> None:
    """Begin what waits; the transaction is its owner's.  For the control loop, after `due`."""
    if is_group:
        group = find_group(tx.world, name)
        clusters = [tx.world[CacheCluster, id] for id in group.member_ids]
        status = group.status
    else:
        clusters = [find_cluster(tx.world, name)]
        status = clusters[0].status
    waiting = next((c.change for c in clusters if c.change), None)
    if waiting and status == "available" and all(c.status == "available" for c in clusters):
        ask(tx, clusters, waiting, immediately=True)


def _goal(world: World, cluster: CacheCluster, wish: Wish) -> Change:
    now = as_change(cluster)
    base = cluster.change or now
    if wish.node_type:
        base = replace(base, node_type=node_type.check(wish.node_type))
    engine = (wish.engine or base.engine).lower()
    if not wish.version and engine == base.engine:
        return base
    _check_engine(cluster, engine)
    build = choose_build(world, engine, wish.version)
    if cluster.tls:
        encryption.check(build, subnet_group.find(world, cluster.subnet_group), cluster.tls_mode)
    if engine == cluster.engine:
        if build.label == Build(engine, cluster.engine_version).label:  # asking for what is there cancels
            return replace(now, node_type=base.node_type)
        if numbers(build.version) < numbers(cluster.engine_version):
            raise DOWNGRADE(current=cluster.engine_version, requested=wish.version)
    return replace(
        base,
        engine=engine,
        engine_version=build.version,
        requested_version=wish.version or build.label,
        parameter_group=_parameters(world, cluster, build, wish.parameter_group),
    )


def _check_engine(cluster: CacheCluster, engine: str) -> None:
    if engine == cluster.engine:
        return
    if engine not in ENGINES:
        raise errors.BAD_VALUE(got=engine, name="Engine", why=f"Must be one of {', '.join(ENGINES)}.")
    if engine == "valkey" and cluster.engine == "redis":
        if cluster.group_id is None:
            raise errors.UNSUPPORTED(what="Engine=valkey", because=CLUSTER_ENGINE)
        if numbers(cluster.engine_version) >= LAST_READABLE:
            raise UNREADABLE(version=cluster.engine_version)
        return
    raise OTHER_ENGINE(current=cluster.engine, requested=engine)


def _parameters(world: World, cluster: CacheCluster, build: Build, asked: str | None) -> str:
    """Return the parameter group of another build.

    One of another family has to be named, but from Redis OSS to Valkey a default group is exchanged for its like.
    """
    current = find_parameters(world, cluster.parameter_group)
    suffix = ".cluster.on" if current.cluster_on else ""
    is_default = current.name.startswith("default.")
    like = f"default.{build.family}{suffix}" if is_default and build.engine != cluster.engine else current.name
    group = find_parameters(world, asked or like)
    if group.family != build.family:
        raise OTHER_FAMILY(wanted=build.family, found=group.family)
    if group.cluster_on != current.cluster_on:
        raise errors.BAD_COMBINATION(why="The parameter group must have the same cluster mode as the present one.")
    return group.name


def _moves(cluster: CacheCluster, goal: Change) -> bool:
    return process_of(goal) != process_of(as_change(cluster))


def _family(goal: Change) -> str:
    return family(goal.engine, goal.engine_version)
