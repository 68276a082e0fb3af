"""Resharding: what to do next, from what the engines say, and what came of it, written into the World.

The decision is pure and made anew at each look; like all observations, what is written takes a transaction without a
caller and does nothing when its group is gone.  AWS gives no words for the events of a resharding: these are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from atoll.cache.history import GROUP, record
from atoll.cache.shards import SLOTS, Slots, join
from atoll.cache.slots import Move, batches, count, left, moves, percent, slots_of
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.fault import dead
from atoll.model.global_group import copies_of
from atoll.model.interface import Interface
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE
from atoll.model.world import Tx, World

ROUNDS = 16  # a resharding takes about so many steps, so that its progress can be seen
STEP_SLOTS_MIN = 128


@dataclass(frozen=True, slots=True)
class Holding:
    """What a shard's primary says of its slots; of open ones with the id of the other shard."""

    slots: Slots
    migrating: Mapping[int, str] = field(default_factory=dict)
    importing: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Carry:
    """Have slots move; all of these at once."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """Every shard has what it is to have: those that leave go now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again: the engines do not agree yet."""

    because: str


Act: TypeAlias = Carry | Finish | Wait


def keep(group: ReplicationGroup) -> list[str]:
    """Return the ids of the shards that stay."""
    leaving = group.resharding.leaving if group.resharding else ()
    return [shard.id for shard in group.node_groups if shard.id not in leaving]


def waits_for(world: World, group: ReplicationGroup) -> str | None:
    """Return the member without which nothing can begin: a primary, or one of a shard that is new.

    In a global datastore also one of a secondary's: what moved before its new shard copies would be gone there.
    """
    for shard in group.node_groups:
        for id in shard.member_ids if not shard.slots else (shard.primary_id,):
            cluster = world.get(CacheCluster, id)
            if cluster is None or any(node.status != "available" for node in cluster.nodes):
                return cluster.name if cluster else id
    return next((name for copy in copies_of(world, group) if (name := _awaited(world, copy))), None)


def _awaited(world: World, copy: ReplicationGroup) -> str | None:
    """Return the member of a secondary's new shards that is not there yet; one of a zone that is down comes later."""
    for shard in copy.node_groups:
        for id in () if shard.slots or shard.id not in keep(copy) else shard.member_ids:
            cluster = world.get(CacheCluster, id)
            for node in cluster.nodes if cluster else ():
                if cluster and node.status != "available" and not dead(world, world[Interface, node.interface_id]):
                    return cluster.name
    return None


def is_needed(world: World, group: ReplicationGroup) -> bool:
    """Tell whether shards that leave are still copied from: those of other regions go first."""
    leaves = group.resharding is not None and bool(group.resharding.leaving)
    return leaves and any(copy.resharding for copy in copies_of(world, group))


def decide(group: ReplicationGroup, held: Mapping[str, Holding]) -> Act:
    """Return what is to be done next, given what every shard's primary says."""
    assert group.resharding, "it is under way"
    owners: dict[int, str] = {}
    for id, holding in held.items():
        for slot in slots_of(holding.slots):
            if slot in owners and held[owners[slot]].migrating.get(slot) != id:
                if holding.migrating.get(slot) != owners[slot]:
                    return Wait(f"slot {slot} has two owners, {owners[slot]} and {id}")
                continue  # the one who gives it has not heard yet that it is taken
            owners[slot] = id
    opened = _opened(held, owners)
    if opened:
        return Carry(opened)
    if len(owners) < SLOTS:
        return Wait(f"{SLOTS - len(owners)} slots have no owner")
    size = max(STEP_SLOTS_MIN, group.resharding.whole // ROUNDS)
    wanted = batches(moves({id: holding.slots for id, holding in held.items()}, keep(group)), size)
    return Carry(wanted) if wanted else Finish()


def _opened(held: Mapping[str, Holding], owners: Mapping[int, str]) -> tuple[Move, ...]:
    """Return the moves that somebody began and nobody ended; each to the one who takes."""
    found: dict[tuple[str, str], list[int]] = {}
    for id, holding in held.items():
        for slot, source in holding.importing.items():
            if source in held:
                found.setdefault((owners.get(slot, source), id), []).append(slot)
        for slot, target in holding.migrating.items():
            if target in held and slot not in held[target].importing:
                found.setdefault((id, target), []).append(slot)
    return tuple(Move(source, target, join(slots)) for (source, target), slots in found.items() if source != target)


def progress(group: ReplicationGroup) -> float | None:
    """Return how much of a resharding is done, in per cent; None: none is under way."""
    if group.resharding is None:
        return None
    return percent(group.resharding.whole, left({shard.id: shard.slots for shard in group.node_groups}, keep(group)))


def moved(tx: Tx, group_id: str, owned: Mapping[str, Slots]) -> None:
    """Tell who has which slots now.  All of them, each once: a World in which a slot is missing serves nobody."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.resharding is None or {shard.id for shard in group.node_groups} != owned.keys():
        return
    every = [slot for slots in owned.values() for slot in slots_of(slots)]
    if len(every) != len(set(every)) or len(every) != SLOTS:
        return
    shards = tuple(
        shard if shard.slots == owned[shard.id] else replace(shard, slots=owned[shard.id])
        for shard in group.node_groups
    )
    if shards != group.node_groups:
        tx.put(group.but(node_groups=shards))


def finished(tx: Tx, group_id: str) -> None:
    """Tell that all slots are where they are to be: shards that leave are deleted with their members."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.resharding is None or group.status == "deleting":
        return
    leaving = [shard for shard in group.node_groups if shard.id in group.resharding.leaving]
    assert not any(count(shard.slots) for shard in leaving), "a shard that leaves has no slots"
    after = len(group.node_groups) - len(leaving)
    change = f"from {group.resharding.before} to {after} node groups"
    told = f"Finished resharding of replication group {group.name} {change}"
    group = tx.put(group.but(resharding=None))
    record(tx, group, GROUP, group.name, told)
    for shard in leaving:
        _let_go(tx, shard)
    settle(tx, group.primary_ids[0])


def given_up(tx: Tx, group_id: str, because: str) -> None:
    """Tell that a resharding cannot be: the shards stay as they are."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.resharding is None or group.status == "deleting":
        return
    record(tx, group, GROUP, group.name, f"Failed resharding of replication group {group.name}: {because}")
    tx.put(group.but(resharding=None))
    settle(tx, group.primary_ids[0])


def _let_go(tx: Tx, shard: NodeGroup) -> None:
    for id in shard.member_ids:
        cluster = tx.get(CacheCluster, id)
        if cluster is None or not CACHE_CLUSTER.allows(cluster.status, "delete"):
            continue
        nodes = tuple(
            replace(node, status=CACHE_NODE.after(node.status, "delete")) if node.status != "deleting" else node
            for node in cluster.nodes
        )
        tx.put(cluster.but(status=CACHE_CLUSTER.after(cluster.status, "delete"), nodes=nodes))
