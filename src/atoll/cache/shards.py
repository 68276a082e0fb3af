"""Cluster mode: slots, who is who in a cluster, and what an engine is told of it before it starts.

A node finds its cluster in a file (`nodes.conf`) when it starts, so that nobody waits for gossip.  Two things in it
are not as they are:

- All epochs of others are 0: the file may be older than the cluster, and whoever speaks knows better.
- A primary begins as the replica of nobody (`nobody`, a seat without an address which only its own file knows), and
  takes that one's slots over as soon as it answers.  An engine that starts as a primary refuses everything for two
  seconds, lest it be an old one that comes back; here the control plane knows that it is not.  One that loads a file
  (`seeds`) begins as a primary all the same, and waits: who takes over looks through its keys at that moment, when it
  does not know yet whose all slots are, and may throw its own away or claim others'.

A leader that copies from outside (cache/upstream.py) finds in its file that it is both: a primary, with its slots,
and the replica of a stranger.  It is made to forget the stranger, who does not speak, after a second, and still
copies from him.  So the others take it for their primary, and its clients read, and are refused writes as by any
replica.  No engine that runs can be brought to that; back, a replica of it takes over.

On the way between the modes a group has members of both.  Replication does not mind: a replica in cluster mode finds
in its file that its primary, which is in none, has all slots; one in none follows a primary in cluster mode like any
other.  Between these two there is no gossip and no election, so the failover fences the one before the other leads.

Source: Redis Cluster Specification; cluster.c of Redis OSS, cluster_legacy.c of Valkey.
"""

import hashlib
import itertools
from binascii import crc_hqx
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from atoll.cache import serverless
from atoll.cache.endpoint import node_name
from atoll.cache.families import numbers
from atoll.cache.node import ClusterPlan, NodePlan, Seat, Settings
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.serverless import ServerlessCache
from atoll.model.world import World

SLOTS = 16384
NODE_TIMEOUT_MS = 15_000  # of gossip, which is the safety net while no daemon runs, and must never race it
# Likewise while some members are not in cluster mode: they have no bus, and nobody must think them lost for that.
MIXED_TIMEOUT_MS = 24 * 3_600_000
PORT_BEYOND = 10_000  # the bus listens so far above the clients' port, or below it where there is no room
PORT_MAX = 65_535
NO_BUS = 1  # a port at which nobody answers

NO_ELECTION = ("CONFIG", "SET", "cluster-replica-no-failover", "yes")  # to a replica: from now on, it is not elected

Slots = tuple[tuple[int, int], ...]


def divide(count: int) -> list[Slots]:
    """Return equal shares of the slots for so many shards, as AWS and the engines' own tools divide them."""
    ends = [round(SLOTS * n / count) for n in range(count + 1)]
    return [((first, after - 1),) for first, after in itertools.pairwise(ends)]


def parse_slots(text: str) -> Slots:
    """Return the ranges of a text like `0-100,200,300-400`, in order.  Raises ValueError."""
    found = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found.append((int(first), int(last or first)))
    if any(not 0 <= first <= last < SLOTS for first, last in found):
        raise ValueError(f"not a range of slots: {text}")
    return join(slot for first, last in found for slot in range(first, last + 1))


def join(slots: Iterable[int]) -> Slots:
    """Return slots as ranges, in order."""
    out: list[tuple[int, int]] = []
    for slot in sorted(set(slots)):
        if out and out[-1][1] == slot - 1:
            out[-1] = out[-1][0], slot
        else:
            out.append((slot, slot))
    return tuple(out)


def write_slots(slots: Slots) -> str:
    """Return ranges as AWS writes them: `0-100,200-300`."""
    return ",".join(f"{first}-{last}" for first, last in slots)


def slot_of(key: bytes) -> int:
    """Return a key's slot: that of what stands in its first braces, if anything does."""
    _, brace, rest = key.partition(b"{")
    inner, end, _ = rest.partition(b"}")
    return crc_hqx(inner if brace and end and inner else key, 0) % SLOTS


@lru_cache(maxsize=1024)
def key_in(slots: Slots) -> str:
    """Return a key that lives in one of these slots.  Costs some milliseconds for a single slot."""
    return next(key for key in (f"atoll:{n}" for n in range(SLOTS * 64)) if _within(slot_of(key.encode()), slots))


def _within(slot: int, slots: Slots) -> bool:
    return any(first <= slot <= last for first, last in slots)


def member_name(group: str, shard_id: str, number: int) -> str:
    """Return the name of a member in cluster mode: `rg-0001-001`."""
    return f"{group}-{shard_id}-{number:03d}"


def node_id(cluster: CacheCluster) -> str:
    """Return what a cluster calls a member: the same for all its boots, not for a later member of that name."""
    return _digits(f"{cluster.id} {cluster.created.isoformat()}")


def bus_port(port: int) -> int:
    """Return the port on which nodes talk to each other."""
    return port + PORT_BEYOND if port + PORT_BEYOND <= PORT_MAX else port - PORT_BEYOND


def seats(world: World, group: ReplicationGroup) -> tuple[Seat, ...]:
    """Return who is who in a group.  Depends on the group alone: a member's name and address last as long as it."""
    found = []
    front = serverless.in_front_of(world, group)  # clients know its name only
    for shard in group.node_groups:
        leader = world.get(CacheCluster, shard.leader_id)
        for id in shard.member_ids:
            cluster = world.get(CacheCluster, id)
            if cluster is None or not cluster.nodes:
                continue  # the group is being deleted
            node, follows = cluster.nodes[0], leader is not None and id != shard.leader_id
            found.append(
                Seat(
                    id=node_id(cluster),
                    name=f"{cluster.id}:{node.id}",
                    address=world[Interface, node.interface_id].address,
                    port=cluster.port,
                    leader_id=node_id(leader) if leader and follows else None,
                    slots=() if follows else shard.slots,
                    shard_id=_digits(f"{group.id} {group.created.isoformat()} {shard.id}"),
                    hostname=_hostname(cluster, front),
                )
            )
    return tuple(found)


def _hostname(cluster: CacheCluster, front: ServerlessCache | None) -> str:
    """Return the name that a member tells clients: a certificate has no addresses."""
    if front:
        return serverless.name_of(front)
    return node_name(cluster, cluster.nodes[0].id) if cluster.tls else ""


def plan_of(group: ReplicationGroup, cluster: CacheCluster, known: tuple[Seat, ...]) -> ClusterPlan:
    """Return what a member's node must know; `known` is `seats` of its group."""
    number = next((n for n, shard in enumerate(group.node_groups, 1) if cluster.id in shard.member_ids), 0)
    joins = group.status != "creating" and any(node.status == "creating" for node in cluster.nodes)
    mixes = group.becoming or any(shard.migration and shard.migration.mixes for shard in group.node_groups)
    timeout = MIXED_TIMEOUT_MS if mixes else NODE_TIMEOUT_MS
    return ClusterPlan(id=node_id(cluster), number=number, seats=known, joins=joins, node_timeout_ms=timeout)


def has_left(group: ReplicationGroup, cluster: CacheCluster) -> bool:
    """Tell whether a member's engine is out of its group's cluster mode for a migration, and knows of no slots."""
    return group.cluster_mode == "enabled" and group.becoming is None and not cluster.sharded


def settings(engine: str, version: str, port: int, parameters: Mapping[str, str]) -> Settings:
    """Return the settings that cluster mode adds to a node."""
    out = [
        ("cluster-enabled", "yes"),
        ("cluster-config-file", "nodes.conf"),
        ("cluster-allow-replica-migration", "no"),  # a replica stays with its shard, as on AWS
    ]
    if port + PORT_BEYOND > PORT_MAX:
        out.append(("cluster-port", str(bus_port(port))))
    names = ("cluster-require-full-coverage", "cluster-allow-reads-when-down", "cluster-allow-pubsubshard-when-down")
    out += [(name, parameters[name]) for name in names if name in parameters]
    if engine == "valkey" or numbers(version) >= (7,):
        out.append(("cluster-preferred-endpoint-type", "ip"))
    return tuple(out)


def gossip_terms(plan: ClusterPlan) -> Settings:
    """Return the settings of gossip, which a running node is told, too, when they change.

    The second is about elections: a replica that is told to take over does so anyway.
    """
    timeout, elects = str(plan.node_timeout_ms), "no" if plan.elects else "yes"
    return (("cluster-node-timeout", timeout), ("cluster-replica-no-failover", elects))


def nobody(id: str) -> str:
    """Return the id of the one whose slots a primary takes over when it starts."""
    return _digits(f"nobody before {id}")


def stranger(id: str) -> str:
    """Return the id of the one outside whom a leader copies from."""
    return _digits(f"stranger before {id}")


def nodes_conf(node: NodePlan) -> str:
    """Return the file in which a node finds its cluster."""
    assert node.cluster, "a node in cluster mode"
    names_shards = node.engine == "valkey" or numbers(node.version) >= (7, 2)
    lines: list[str] = []
    for seat in node.cluster.seats:
        extra = (
            f",{seat.hostname},shard-id={seat.shard_id}"
            if names_shards
            else f",{seat.hostname}"
            if seat.hostname
            else ""
        )
        place = f"{seat.address}:{seat.port}@{bus_port(seat.port)}{extra}"
        own, follows = seat.id == node.cluster.id, seat.leader_id
        if own and not follows and node.primary:
            follows = stranger(seat.id)
            extra = f",,shard-id={seat.shard_id}" if names_shards else ""
            outside = f"{node.primary.address}:{node.primary.port}@{NO_BUS}{extra}"
            lines.append(_line(follows, outside, "master,handshake", None, ()))
            lines.append(_line(seat.id, place, "myself,master,slave", follows, seat.slots))
            continue
        if own and not follows and not node.seeds:
            follows = nobody(seat.id)
            extra = f",,shard-id={seat.shard_id}" if names_shards else ""
            # One in a handshake is not gossiped about, and forgotten after NODE_TIMEOUT_MS if nobody takes over.
            lines.append(_line(follows, f":0@0{extra}", "master,handshake", None, seat.slots))
        role, held = "slave" if follows else "master", () if own and follows else seat.slots
        lines.append(_line(seat.id, place, f"myself,{role}" if own else role, follows, held))
    lines.append(f"vars currentEpoch {max(node.cluster.number - 1, 0)} lastVoteEpoch 0")
    return "\n".join(lines) + "\n"


def _line(id: str, place: str, flags: str, follows: str | None, slots: Sequence[tuple[int, int]]) -> str:
    held = "".join(f" {first}-{last}" if first < last else f" {first}" for first, last in slots)
    return f"{id} {place} {flags} {follows or '-'} 0 0 0 connected{held}"


def _digits(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
