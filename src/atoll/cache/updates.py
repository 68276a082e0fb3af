"""Service updates: a newer patch of an engine is on this machine than a running node has.

They are read off the World: the builds that the host has found, and the versions of the caches.  AWS publishes
updates for its own builds of an engine; here a newer package is one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from atoll.cache.families import DESCRIPTIONS, OLDEST, Build, numbers
from atoll.cache.history import CLUSTER, record
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.engine import EngineBuild
from atoll.model.update import UpdateAction
from atoll.model.world import Tx, World

NOT_APPLIED, RUNNING, COMPLETE, STOPPING, STOPPED = "not-applied", "in-progress", "complete", "stopping", "stopped"


@dataclass(frozen=True, slots=True)
class Update:
    """A build as the update that leads to it."""

    engine: str
    version: str
    released: datetime | None  # when this machine got it

    @property
    def name(self) -> str:
        """AWS's ServiceUpdateName."""
        return f"elasticache-{self.engine}-{self.version.replace('.', '-')}-update"

    @property
    def label(self) -> str:
        """The version as it is asked for."""
        return Build(self.engine, self.version).label

    @property
    def description(self) -> str:
        """What it brings."""
        new = f"{DESCRIPTIONS[self.engine]} {self.version}"
        return f"{new}, which this machine has, instead of an older {minor(self.version)}"

    def concerns(self, cluster: CacheCluster) -> bool:
        """Tell whether a cluster runs an older patch of the same version."""
        same = cluster.engine == self.engine and minor(cluster.engine_version) == minor(self.version)
        return same and numbers(cluster.engine_version) < numbers(self.version)


@dataclass(frozen=True, slots=True)
class Target:
    """A cache to which an update may be applied: a replication group with its members, or a cluster."""

    owner: ReplicationGroup | CacheCluster
    clusters: tuple[CacheCluster, ...]

    @property
    def is_group(self) -> bool:
        """Tell whether it is a replication group."""
        return isinstance(self.owner, ReplicationGroup)


def minor(version: str) -> str:
    """Return `1.6` of `1.6.18`."""
    return ".".join(version.split(".")[:2])


def updates(world: World) -> list[Update]:
    """Return the updates that somebody who sees this World can apply, or has begun."""
    targets = list(all_targets(world))
    begun = {action.update for action in world.all(UpdateAction)}
    return [u for u in newest(world) if u.name in begun or any(_concerns(u, target) for target in targets)]


def newest(world: World) -> list[Update]:
    """Return the newest build of each minor version, as an update."""
    found: dict[tuple[str, str], EngineBuild] = {}
    for build in world.seen_by(None).all(EngineBuild):
        key = build.engine, minor(build.version)
        usable = numbers(build.version) >= OLDEST[build.engine]
        if usable and (key not in found or numbers(found[key].version) < numbers(build.version)):
            found[key] = build
    return [Update(b.engine, b.version, b.found) for _, b in sorted(found.items())]


def all_targets(world: World) -> Iterator[Target]:
    """Return all caches of those that this World shows."""
    for group in world.all(ReplicationGroup):
        members = tuple(c for id in group.member_ids if (c := world.get(CacheCluster, id)))
        yield Target(group, members)
    for cluster in world.all(CacheCluster):
        if cluster.group_id is None:
            yield Target(cluster, (cluster,))


def _concerns(update: Update, target: Target) -> bool:
    return any(update.concerns(cluster) for cluster in target.clusters)


def announce(tx: Tx, build: EngineBuild) -> None:
    """Tell the caches that an update is there for them."""
    update = Update(build.engine, build.version, build.found)
    for cluster in tx.all(CacheCluster):
        if update.concerns(cluster):
            for node in cluster.nodes:
                record(tx, cluster, CLUSTER, cluster.name, f"Service update is available for cache node {node.id}.")


def settle(tx: Tx) -> None:
    """Note which updates have come to their end.  For the control loop."""
    for status, after in ((RUNNING, COMPLETE), (STOPPING, STOPPED)):
        for found in list(tx.world.bucket(UpdateAction, "status", status).values()):
            action = cast(UpdateAction, found)
            clusters = [c for c in tx.all(CacheCluster) if _belongs(tx.world, c, action)]
            if not any(cluster.is_changing or cluster.is_on_trial for cluster in clusters):
                tx.put(action.but(status=after, modified=tx.now))


def open_actions(world: World) -> bool:
    """Tell whether `settle` may have something to do."""
    return bool(world.bucket(UpdateAction, "status", RUNNING) or world.bucket(UpdateAction, "status", STOPPING))


def _belongs(world: World, cluster: CacheCluster, action: UpdateAction) -> bool:
    if cluster.owner != action.owner:
        return False
    if action.cluster:
        return cluster.name == action.cluster
    return cluster.group_id is not None and world[ReplicationGroup, cluster.group_id].name == action.group


def successor(world: World, cluster: CacheCluster) -> str:
    """Return the version of a cluster's next process: its own, or, where that is gone, its newest patch."""
    have = [b.version for b in world.seen_by(None).all(EngineBuild, engine=cluster.engine)]
    if not have or cluster.engine_version in have:
        return cluster.engine_version
    same = [v for v in have if minor(v) == minor(cluster.engine_version)]
    return max(same, key=numbers, default=cluster.engine_version)
