"""Slots of a secondary, in a global datastore in cluster mode: they follow the primary's while those move.

The keys arrive by replication, in the shard that is the like of the one that took them.  Only who has which slots
does not: the leaders of a secondary are replicas, of a source outside, and engines refuse CLUSTER SETSLOT to those.
They do not refuse CLUSTER ADDSLOTS, which is for new clusters, and to an epoch above all others the others obey.
Tried on Valkey 9.1.2 and Redis OSS 7.0.15 and 6.2.14.

The decision is pure and made anew at each look, from what the engines of both regions say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from atoll.cache.resharding import keep
from atoll.cache.shards import SLOTS, Slots
from atoll.cache.slots import count, left, slots_of, union, without
from atoll.model.cache import ReplicationGroup

# Have a node own slots, whoever had them.  As a script, so that no client comes between, to be told CLUSTERDOWN.
CLAIM = """
for _, slot in ipairs(ARGV) do
  redis.pcall('CLUSTER', 'DELSLOTS', slot)
  redis.call('CLUSTER', 'ADDSLOTS', slot)
end
return redis.call('CLUSTER', 'BUMPEPOCH')
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Have the leader of a shard own slots that it lacks, and tell the others of all that it owns."""

    shard_id: str
    lacks: Slots  # none: some other leader has not heard yet


def is_whole(owned: Mapping[str, Slots]) -> bool:
    """Tell whether every slot is somebody's, and nobody else's."""
    every = [slot for slots in owned.values() for slot in slots_of(slots)]
    return len(every) == SLOTS == len(set(every))


def claims(wanted: Mapping[str, Slots], held: Mapping[str, Slots]) -> tuple[Claim, ...]:
    """Return what is to be claimed: `wanted` is what the primary's shards own, `held` what a secondary's say."""
    found = []
    for id in sorted(wanted.keys() & held.keys()):
        lacks = without(wanted[id], held[id])
        others = union(*(slots for other, slots in held.items() if other != id))
        if lacks or count(without(wanted[id], others)) < count(wanted[id]):
            found.append(Claim(id, lacks))
    return tuple(found)


def outcome(source: ReplicationGroup, copy: ReplicationGroup) -> Literal["finished", "given up"] | None:
    """Return how a resharding ends for a secondary, by what its primary has come to; None: it goes on."""
    if left({shard.id: shard.slots for shard in source.node_groups}, keep(copy)) == 0:
        return "finished"
    return "given up" if source.resharding is None else None
