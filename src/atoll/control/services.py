"""The services of the VPCs: what listens where, opened in each router and closed with it.

    resolver   UDP and TCP 53   the VPC's base + 2 and 169.254.169.253, unless DNS support is off
    metadata   TCP 80           169.254.169.254

The internet has a resolver too.  Sockets are opened by the host inside the router's namespace and stay there.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Literal, Protocol

from atoll.guest import dns, imds
from atoll.guest.issuer import Book, Issuer
from atoll.host.contract import Door
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.internet import RESOLVER as INTERNET_RESOLVER
from atoll.network.compile.router import METADATA, RESOLVER

Opening = Callable[[str | None, tuple[Door, ...]], Awaitable[list[socket.socket]]]


class Service(Protocol):
    """Something that serves on sockets."""

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on bound sockets."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A service at its doors, in a VPC or (`None`) on the internet."""

    kind: Literal["resolver", "metadata"]
    vpc_id: str | None
    doors: tuple[Door, ...]


def offers(world: World, vpc_ids: Iterable[str]) -> list[Offer]:
    """Return what must be served, given the VPCs that are in the kernel."""
    found = [Offer("resolver", None, _resolver_doors(INTERNET_RESOLVER))]
    for vpc_id in vpc_ids:
        vpc = world.seen_by(None).get(Vpc, vpc_id)
        if vpc is None:
            continue
        if vpc.dns_support:
            found.append(Offer("resolver", vpc_id, _resolver_doors(vpc.cidr.network_address + 2, RESOLVER)))
        found.append(Offer("metadata", vpc_id, (Door(METADATA, imds.PORT, "stream"),)))
    return found


class Services:
    """Every service that is open."""

    def __init__(self, book: Book, now: Callable[[], datetime]) -> None:
        """Prepare; `book` keeps the World, where the metadata service writes the credentials that it gives out."""
        self._book, self._now = book, now
        self._issuer = Issuer(book, now)
        self._open: dict[Offer, Service] = {}

    async def follow(self, world: World, vpc_ids: Iterable[str], sockets_of: Opening) -> None:
        """Open what is missing and close what has gone."""
        wanted = offers(world, vpc_ids)
        for offer in self._open.keys() - set(wanted):
            self._open.pop(offer).close()
        for offer in wanted:
            if offer not in self._open:
                sockets = await sockets_of(offer.vpc_id, offer.doors)
                service = self._open[offer] = self._service(offer)
                await service.serve(sockets)

    def close(self) -> None:
        """Close all; `follow` opens them again."""
        while self._open:
            self._open.popitem()[1].close()

    def _service(self, offer: Offer) -> Service:
        if offer.kind == "resolver":
            return dns.Resolver(offer.vpc_id, self._world)
        assert offer.vpc_id, "the internet has no metadata"
        return imds.Imds(imds.Answers(offer.vpc_id, self._world, self._issuer, self._now), self._now)

    def _world(self) -> World:
        return self._book.world


def _resolver_doors(*addresses: IPv4Address) -> tuple[Door, ...]:
    kinds: tuple[Literal["datagram", "stream"], ...] = ("datagram", "stream")
    return tuple(Door(address, dns.PORT, kind) for address in addresses for kind in kinds)
