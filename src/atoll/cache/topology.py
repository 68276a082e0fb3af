"""What a node in cluster mode says of all nodes that it knows: the text of CLUSTER NODES, read.

Source: Redis and Valkey documentation, CLUSTER NODES, "Serialization format".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atoll.cache.shards import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node of a cluster, as another one, or itself, sees it."""

    id: str  # the engine's own: 40 hexadecimal digits
    address: str
    port: int
    flags: frozenset[str]
    primary_id: str | None  # of a replica
    epoch: int
    slots: Slots = ()
    migrating: Mapping[int, str] = field(
        default_factory=dict
    )  # slots that it gives to the node of that id; of itself
    importing: Mapping[int, str] = field(default_factory=dict)  # slots that it takes, likewise

    @property
    def is_primary(self) -> bool:
        """Tell whether it may own slots."""
        return "master" in self.flags


@dataclass(frozen=True, slots=True)
class Topology:
    """All that one node knows."""

    peers: tuple[Peer, ...]

    @property
    def myself(self) -> Peer:
        """The node that said it."""
        return next(peer for peer in self.peers if "myself" in peer.flags)

    def find(self, id: str) -> Peer | None:
        """Return a node by its id."""
        return next((peer for peer in self.peers if peer.id == id), None)


def parse(text: str) -> Topology:
    """Read the answer to CLUSTER NODES.  Raises ValueError."""
    peers = tuple(_peer(line.split()) for line in text.splitlines() if line.strip())
    if not any("myself" in peer.flags for peer in peers):
        raise ValueError(f"CLUSTER NODES without myself: {text!r}")
    return Topology(peers)


def _peer(words: list[str]) -> Peer:
    if len(words) < 8:
        raise ValueError(f"not a line of CLUSTER NODES: {words!r}")
    place = words[1].partition(",")[0].partition("@")[0]
    address, _, port = place.rpartition(":")
    migrating: dict[int, str] = {}
    importing: dict[int, str] = {}
    slots: list[tuple[int, int]] = []
    for word in words[8:]:
        if not word.startswith("["):
            first, _, last = word.partition("-")
            slots.append((int(first), int(last or first)))
        elif "->-" in word:
            slot, _, id = word[1:-1].partition("->-")
            migrating[int(slot)] = id
        else:
            slot, _, id = word[1:-1].partition("-<-")
            importing[int(slot)] = id
    return Peer(
        id=words[0],
        address=address,
        port=int(port),
        flags=frozenset(words[2].split(",")),
        primary_id=None if words[3] == "-" else words[3],
        epoch=int(words[6]),
        slots=tuple(slots),
        migrating=migrating,
        importing=importing,
    )
