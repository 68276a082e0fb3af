"""The services of the VPCs: what listens where, opened in each router and closed with it.

    resolver   UDP and TCP 53   the VPC's base + 2 and 169.254.169.253, unless DNS support is off; fd00:ec2::253
    metadata   TCP 80           169.254.169.254; fd00:ec2::254
    api        TCP 80 and 443   interfaces of endpoints to Atoll's own API, and behind gateway endpoints

Those of IPv6 are open in a VPC that has it.

The internet has a resolver too.  Sockets are opened by the host inside the router's namespace and stay there.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, cast

from atoll.guest import dns, imds
from atoll.guest.issuer import Book, Issuer
from atoll.host.contract import Door, Failure, HostError
from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.fault import dead
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.endpoints import API_PORTS
from atoll.network.compile.internet import RESOLVER as INTERNET_RESOLVER
from atoll.network.compile.internet import RESOLVER6 as INTERNET_RESOLVER6
from atoll.network.compile.router import METADATA, METADATA6, RESOLVER, RESOLVER6
from atoll.network.layers.endpoint import endpoint_of

Opening = Callable[[str | None, tuple[Door, ...]], Awaitable[list[socket.socket]]]


class Service(Protocol):
    """Something that serves on sockets."""

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on bound sockets."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


Kind: TypeAlias = Literal["resolver", "metadata", "api"]
# A service, in a VPC, at an interface, or (`None`) on the internet; and the version of IP.
Offer: TypeAlias = tuple[Kind, str | None, int]


def offers(world: World, vpc_ids: Iterable[str]) -> list[Offer]:
    """Return what must be served, given the VPCs that are in the kernel.  Costs 0.3 us a VPC: each round asks."""
    found: list[Offer] = [("resolver", None, 4), ("resolver", None, 6)]
    everyone = world.seen_by(None)
    for vpc_id in vpc_ids:
        vpc = everyone.get(Vpc, vpc_id)
        if vpc is None:
            continue
        for version in (4, 6) if vpc.ranges6 else (4,):
            found.append(("metadata", vpc_id, version))
            if vpc.dns_support:
                found.append(("resolver", vpc_id, version))
        found += (("api", id, 4) for id in _fronts(everyone, vpc_id))
    return found


def _fronts(world: World, vpc_id: str) -> Iterator[str]:
    """Yield where a VPC's endpoints are answered: gateway endpoints to the store of objects, and the interfaces of
    those for Atoll's own API, without what is down.
    """
    for endpoint in cast("Iterator[VpcEndpoint]", world.bucket(VpcEndpoint, "vpc_id", vpc_id).values()):
        if endpoint.serves_objects and endpoint.stands:
            yield endpoint.id
        elif endpoint.service_id is None and endpoint.stands:
            feet = (foot.interface_id for foot in endpoint.feet)
            yield from (id for id in feet if dead(world, world[Interface, id]) is None)


def doors(world: World, offer: Offer) -> tuple[Door, ...]:
    """Return where a service listens; that never changes."""
    kind, vpc_id, version = offer
    if kind == "metadata":
        return (Door(METADATA if version == 4 else METADATA6, imds.PORT, "stream"),)
    if kind == "api":
        assert vpc_id, "an interface, or a gateway endpoint"
        interface = world.get(Interface, vpc_id)
        return tuple(Door(interface.address if interface else S3_ADDRESS, port, "stream") for port in API_PORTS)
    own: tuple[Ip, ...] = (INTERNET_RESOLVER,) if version == 4 else (INTERNET_RESOLVER6,)
    if vpc_id:
        own = (world[Vpc, vpc_id].cidr.network_address + 2, RESOLVER) if version == 4 else (RESOLVER6,)
    kinds: tuple[Literal["datagram", "stream"], ...] = ("datagram", "stream")
    return tuple(Door(address, dns.PORT, one) for address in own for one in kinds)


class Services:
    """Every service that is open."""

    def __init__(self, book: Book, now: Callable[[], datetime], front: Callable[[VpcEndpoint], Service]) -> None:
        """Prepare; `book` keeps the World, where the metadata service writes the credentials that it gives out.

        `front` makes what answers at an endpoint for Atoll's own API.
        """
        self._book, self._now, self._front = book, now, front
        self._issuer = Issuer(book, now)
        self._open: dict[Offer, Service] = {}

    async def follow(self, world: World, vpc_ids: Iterable[str], sockets_of: Opening) -> list[Failure]:
        """Open what is missing and close what has gone; returns what could not be opened, to be tried again."""
        failures: list[Failure] = []
        wanted = offers(world, vpc_ids)
        for gone in self._open.keys() - set(wanted):
            self._open.pop(gone).close()
        for offer in wanted:
            if offer not in self._open:
                try:
                    await self._begin(world, offer, sockets_of)
                except (HostError, OSError) as error:
                    failures.append(Failure(offer[1] or "internet", f"its {offer[0]} service is not open: {error}"))
        return failures

    async def _begin(self, world: World, offer: Offer, sockets_of: Opening) -> None:
        sockets = await sockets_of(offer[1], doors(world, offer))
        service = self._service(world.seen_by(None), *offer[:2])
        try:
            await service.serve(sockets)
        except (HostError, OSError):
            service.close()
            for sock in sockets:
                sock.close()
            raise
        self._open[offer] = service

    def close(self) -> None:
        """Close all; `follow` opens them again."""
        while self._open:
            self._open.popitem()[1].close()

    def _service(self, world: World, kind: Kind, vpc_id: str | None) -> Service:
        if kind == "resolver":
            return dns.Resolver(vpc_id, self._world)
        assert vpc_id, "the internet has neither metadata nor endpoints"
        if kind == "api":
            gateway = world.get(VpcEndpoint, vpc_id)
            return self._front(gateway or endpoint_of(world, world[Interface, vpc_id]))
        return imds.Imds(imds.Answers(vpc_id, self._world, self._issuer, self._now), self._now)

    def _world(self) -> World:
        return self._book.world
