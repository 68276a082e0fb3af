"""Where on this machine's loopback the addresses of VPCs are, and node plans moved there and back.

Each address of a cache node is an address of 127.0.0.0/8, with the node's own port.  Where the system has 127.0.0.1
only (macOS), it is a port there.  What is chosen is kept in a file: engines outlive the daemon.
"""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from atoll.cache.families import numbers
from atoll.cache.node import NodePlan, Primary, Seat, Settings
from atoll.cache.shards import bus_port
from atoll.host.contract import HostError
from atoll.model.ip import Ip

LOOPBACK = IPv4Address("127.0.0.1")
FIRST_BLOCK, BLOCKS = IPv4Address("127.64.0.0"), 128  # of 65,536 addresses; an installation begins in one of them
BLOCK = 1 << 16
PORTS = range(20_000, 50_000)  # of 127.0.0.1: with the cluster bus 10,000 above them, below 65,536
TRIES_MAX = 2_000  # addresses, or ports, that others may have

Known = tuple[str, IPv4Address]  # a VPC's id, and an address in it


@dataclass(frozen=True, slots=True)
class Place:
    """A port of this machine's loopback."""

    address: IPv4Address
    port: int


class Places:
    """The places of one installation.  Methods may be called from several threads."""

    def __init__(
        self, file: Path, is_in_vpc: Callable[[str, IPv4Address], bool], *, one_address: bool | None = None
    ) -> None:
        """Keep them in `file`.  `is_in_vpc` says whether an address is a VPC's.

        `one_address`: use 127.0.0.1 only; None: if the system has no other.
        """
        self.one_address = not _is_free(FIRST_BLOCK + 1, 0) if one_address is None else one_address
        self._is_in_vpc = is_in_vpc
        self._file, self._turn = file, threading.Lock()
        digest = hashlib.blake2s(str(file).encode(), digest_size=4).digest()
        self._next = int.from_bytes(digest, "big") % (BLOCKS * BLOCK)
        self._known: dict[Known, Place] = {}
        self._at: dict[Place, tuple[Known, int]] = {}
        try:
            for vpc_id, address, port, here, there in json.loads(file.read_text()):
                self._note((vpc_id, IPv4Address(address)), port, Place(IPv4Address(here), there))
        except (OSError, ValueError):  # there is none yet, or a crash cut it off: engines are started anew
            self._known.clear()
            self._at.clear()

    def of(self, vpc_id: str, address: IPv4Address, port: int) -> Place:
        """Return the place of a node's port; it is chosen when it is first asked for.  Raises HostError."""
        with self._turn:
            known = self._known.get((vpc_id, address))
            if known is None or (not self.one_address and known.port != port):
                known = self._choose(port)
                self._note((vpc_id, address), port, known)
                self._save()
            return known

    def back(self, address: str, port: int) -> tuple[str, int]:
        """Return the address in its VPC, and the port, of what is at a place; what is at none is itself."""
        try:
            found = self._at.get(Place(IPv4Address(address), port))
        except ValueError:  # a name, or nothing yet
            found = None
        return (str(found[0][1]), found[1]) if found else (address, port)

    def canonical(self, address: Ip, port: int) -> tuple[Ip, int]:
        """Return the address and port in a VPC of what a client calls by its place, or by its port there."""
        if not isinstance(address, IPv4Address):
            return address, port
        if address.is_loopback:
            back = self.back(str(address), port)
            return IPv4Address(back[0]), back[1]
        for (_, known), place in list(self._known.items()) if self.one_address else ():
            if known == address and place.port == port:
                return address, self._at[place][1]
        return address, port

    def worded(self, node: NodePlan, words: Sequence[str]) -> Sequence[str]:
        """Return an order to an engine with the places of the addresses in it.  Raises HostError."""
        kind = tuple(word.upper() for word in words[:2])
        at = 1 if kind[:1] == ("REPLICAOF",) else 2 if kind == ("CLUSTER", "MEET") else None
        if at is None or words[at].upper() == "NO":
            return words
        address = IPv4Address(words[at])
        self._check_is_near(node, address)
        here = self.of(node.vpc_id, address, int(words[at + 1]))
        bus = (str(bus_port(here.port)),) if at + 2 < len(words) else ()
        return (*words[:at], str(here.address), str(here.port), *bus)

    def _check_is_near(self, node: NodePlan, address: IPv4Address) -> None:
        """Raise HostError unless an address is in the node's VPC: an engine would look for it outside the machine."""
        if not self._is_in_vpc(node.vpc_id, address):
            because = f"the flat host reaches nobody outside the VPC, and {address} is not in {node.vpc_id}"
            raise HostError(because, f"connect {node.name}")

    def keep(self, known: Collection[Known]) -> None:
        """Forget all other addresses."""
        with self._turn:
            gone = self._known.keys() - set(known)
            for one in gone:
                self._at.pop(self._known.pop(one), None)
            if gone:
                self._save()

    def _note(self, known: Known, port: int, place: Place) -> None:
        self._known[known] = place
        self._at[place] = known, port

    def _choose(self, port: int) -> Place:
        for _ in range(TRIES_MAX):
            self._next += 1
            place = self._candidate(port)
            if place not in self._at and all(_is_free(place.address, p) for p in (place.port, bus_port(place.port))):
                return place
        raise HostError(f"no free place for port {port} on loopback", "find a place")

    def _candidate(self, port: int) -> Place:
        if self.one_address:
            return Place(LOOPBACK, PORTS[self._next % len(PORTS)])
        number = self._next % (BLOCKS * BLOCK)
        return Place(FIRST_BLOCK + number + (number % 256 == 0), port)

    def _save(self) -> None:
        """Write the file, whole or not at all.  Raises HostError."""
        rows = [
            (vpc, str(address), self._at[place][1], str(place.address), place.port)
            for (vpc, address), place in self._known.items()
        ]
        unfinished = self._file.with_suffix(".new")
        try:
            unfinished.write_text(json.dumps(rows))
            unfinished.replace(self._file)
        except OSError as error:
            raise HostError(str(error), f"write {self._file}") from error

    # Plans

    def placed(self, node: NodePlan) -> NodePlan:
        """Return a node's plan with all addresses on loopback.  Raises HostError."""
        here = self.of(node.vpc_id, node.address, node.port)
        cluster = node.cluster
        if cluster:
            cluster = replace(cluster, seats=tuple(self._seat(node, seat) for seat in cluster.seats))
        return replace(
            node,
            address=here.address,
            port=here.port,
            primary=self._primary(node),
            cluster=cluster,
            settings=_settings(node, here),
            arguments=_arguments(node, here),
        )

    def _seat(self, node: NodePlan, seat: Seat) -> Seat:
        """Return a seat on loopback; to clients it goes by the address in its VPC, which the relay knows."""
        here = self.of(node.vpc_id, seat.address, seat.port)
        return replace(seat, address=here.address, port=here.port, hostname=seat.hostname or str(seat.address))

    def _primary(self, node: NodePlan) -> Primary | None:
        if node.primary is None:
            return None
        self._check_is_near(node, node.primary.address)
        here = self.of(node.vpc_id, node.primary.address, node.primary.port)
        return replace(node.primary, address=here.address, port=here.port)


def _settings(node: NodePlan, here: Place) -> Settings:
    """Return an engine's settings for a place: it also connects from there, so that others know who it is."""
    if node.is_memcached:
        return ()
    kept = [(name, str(here.port) if name == "port" else value) for name, value in node.settings]
    if here.port != node.port:
        kept = [setting for setting in kept if setting[0] != "cluster-port"]
    if numbers(node.version) >= (7,):
        kept.append(("bind-source-addr", str(here.address)))
    return tuple(kept)


def _arguments(node: NodePlan, here: Place) -> tuple[str, ...]:
    instead = {"-l": str(here.address), "-p": str(here.port)}
    before = ("", *node.arguments)
    return tuple(instead.get(flag, word) for flag, word in zip(before, node.arguments, strict=False))


def _is_free(address: IPv4Address, port: int) -> bool:
    """Tell whether this machine has an address, and nobody listens at its port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(address), port))
        except OSError:
            return False
    return True
