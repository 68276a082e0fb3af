"""The network of the flat host: what the relay is told, and what of a kernel's network does not exist here."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from atoll.cache.encryption import encryption
from atoll.cache.terminator import doors
from atoll.host.contract import Connection, Door, Failure, HostError, LinkCount, Tallied, Tracked
from atoll.host.flat.dialing import Dialed
from atoll.host.flat.judge import Flow, Judge
from atoll.host.flat.places import LOOPBACK, Place, Places
from atoll.host.flat.processes import Processes
from atoll.host.flat.relay import Relay, Resolve
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import cache_node_of
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.facts import Container
from atoll.network.plan import Plan

REVIEW_SECONDS = 1.0  # for the loop to judge open connections, while it has other work
TOKEN_BYTES = 16


class Network:
    """Keeps the part of the contract that is about packets."""

    def __init__(
        self, world: Callable[[], World], resolve: Resolve, places: Places, processes: Processes, directory: Path
    ) -> None:
        """Bind the relay's socket; it serves when it is told to.  Raises OSError."""
        self._directory = str(directory)
        self._world, self._places, self._processes = world, places, processes
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.bind((str(LOOPBACK), 0))
        self._judge = Judge(world)
        self._token = secrets.token_hex(TOKEN_BYTES)
        self.through = Relay(self._judge, self._locate, resolve, places.canonical, self._token)
        self._loop: asyncio.AbstractEventLoop
        self._serving: asyncio.Task[None]

    @property
    def relay(self) -> dict[str, Any]:
        """Where the relay listens, the password of its users, and where they may keep it: that goes with a purge."""
        host, port = self._sock.getsockname()
        return {"host": host, "port": port, "password": self._token, "directory": self._directory}

    def serve(self) -> None:
        """Serve.  Called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._serving = self._loop.create_task(self.through.serve(self._sock))

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Have the relay obey the plan; returns when it has judged the connections that are open."""

        async def obey() -> None:
            self._judge.obey(plan)
            self.through.review()

        reviewed = asyncio.run_coroutine_threadsafe(obey(), self._loop)
        with contextlib.suppress(TimeoutError):  # it will be done as soon as the loop comes to it
            reviewed.result(REVIEW_SECONDS)
        return ()

    def service_sockets(self, vpc_id: str | None, doors: Sequence[Door]) -> list[socket.socket]:
        """Open nothing: names are the relay's to resolve, and nobody could tell who asks for metadata."""
        return []

    def dial(self, namespace: str) -> socket.socket:
        """Return a TCP socket that connects as the relay does: if the interface may, and to where an engine is."""
        return Dialed(namespace, self._judge, self._locate)

    def tallies(self, containers: Iterable[Container], *, take: bool = False) -> Sequence[Tallied]:
        """Nothing counts packets."""
        return ()

    def link_counts(self, names: Collection[str]) -> Mapping[str, Mapping[str, LinkCount]]:
        """There are no links."""
        return {}

    def connections(self, names: Collection[str], most: int) -> Mapping[str, Mapping[Connection, int]]:
        """No kernel tracks connections here."""
        return {}

    def tracked(self, names: Collection[str]) -> Mapping[str, Tracked]:
        """No kernel tracks."""
        return {}

    def _locate(self, flow: Flow) -> tuple[Place, str] | None:
        """Return where the receiver of a connection listens, and its process if that is Memcached.

        None: nobody listens there, as behind the interface of an instance.
        """
        world = self._world().seen_by(None)
        interface = world.get(Interface, flow.receiver)
        at = cache_node_of(world, interface) if interface else None
        if interface is None or at is None:
            return None
        process = f"{at.cluster.id}:{at.node.id}#{at.node.boot}"
        secure = encryption(world, at.cluster, at.node)
        ports = (at.cluster.port, *(secure.also if secure else ()))
        if flow.received.port not in ports or not self._processes.runs(process):
            return None
        try:
            place = self._places.of(interface.vpc_id, interface.address, at.cluster.port)
        except HostError:
            return None
        if secure:
            tls, either = doors(place.port)
            place = replace(place, port=either if secure.mode == "preferred" else tls)
        return place, process if at.cluster.is_memcached and not secure else ""


def seen_from(
    resolve: Callable[[World, str | None, str], tuple[Ip, ...] | None], world: Callable[[], World]
) -> Resolve:
    """Return what a name means to whoever has an interface, or is an internet client; nothing: it does not exist."""

    def addresses(sender: str | Ip, name: str) -> tuple[Ip, ...]:
        now = world().seen_by(None)
        interface = now.get(Interface, sender) if isinstance(sender, str) else None
        found = resolve(now, interface.vpc_id if interface else None, name)
        return tuple(sorted(found or (), key=lambda address: address.version))

    return addresses


def in_vpc(world: Callable[[], World]) -> Callable[[str, IPv4Address], bool]:
    """Return what tells whether an address is a VPC's."""

    def is_in_vpc(vpc_id: str, address: IPv4Address) -> bool:
        vpc = world().seen_by(None).get(Vpc, vpc_id)
        return vpc is not None and any(address in cidr for cidr in vpc.cidrs)

    return is_in_vpc
