"""Addresses and numbers: what is free in a subnet and in a VPC, and the interface that takes it."""

import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, cast

from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.names import mac_address
from atoll.model.resource import Resource
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Table, Tx, World

RESERVED_FIRST, RESERVED_LAST = 4, 1  # network, router, resolver, future use; broadcast
PUBLIC_POOL = IPv4Network("203.0.113.0/24")  # Elastic IPs and automatic public addresses; RFC 5737: no real network


POOL6 = IPv6Network("2001:db8:1000::/36")  # ranges of VPCs; RFC 3849: no real network.  The rest is for others
RANGE6_LENGTH = 56


class Taken:
    """The numbers that the resources of a bucket have, remembered until that is another one.

    One that has only grown costs 25 ns for each resource that was there, and what it does for each that was not.
    """

    def __init__(self, numbers: Callable[[Resource], Iterable[int]]) -> None:
        """Remember what `numbers` returns."""
        self._numbers = numbers
        self._known: dict[object, tuple[Table, frozenset[int]]] = {}
        self._full: dict[object, range] = {}  # of these, all are taken

    def __call__(self, bucket: Table, name: object) -> frozenset[int]:
        """Return the numbers that are taken in the bucket of this name."""
        old, found = self._known.get(name, _NOTHING)
        if old is not bucket:
            if len(self._known) >= MEMO_MAX:
                self._known.clear()
                self._full.clear()
            more: Iterable[Resource] = bucket.values()
            if len(old) <= len(bucket) and all(map(operator.is_, old.values(), bucket.values())):
                more = itertools.islice(bucket.values(), len(old), None)
            else:
                found = frozenset()
                self._full.pop(name, None)
            found = found.union(*map(self._numbers, more))
            self._known[name] = bucket, found
        return found

    def lowest_free(self, bucket: Table, name: object, first: int) -> int:
        """Return the lowest number from `first` on that is not taken in the bucket of this name.

        Costs a step for each that was taken since the last time, while the bucket only grows.
        """
        found, full = self(bucket, name), self._full.get(name)
        number = full.stop if full and full.start == first else first
        while number in found:
            number += 1
        self._full[name] = range(first, number)
        return number


def _addresses_of(interface: Resource) -> Iterable[int]:
    return map(int, cast(Interface, interface).private_ips)  # an address is slow to hash


def _number_of(resource: Resource) -> Iterable[int]:
    return (cast(Any, resource).number,)


MEMO_MAX = 256  # buckets: 10 kB each, if they have 100 resources
_NOTHING: tuple[Table, frozenset[int]] = ({}, frozenset())
_addresses, _numbers = Taken(_addresses_of), Taken(_number_of)


class NoFreeAddress(Exception):
    """The subnet is full; the verb answers with its service's error."""


class NoFreePublicAddress(Exception):
    """The public pool is empty, or the address asked for is taken or not in it."""


def is_reserved(cidr: IPv4Network, address: IPv4Address) -> bool:
    """Tell whether AWS keeps the address for itself.  Source: VPC User Guide, "Subnet CIDR blocks"."""
    offset = int(address) - int(cidr.network_address)
    return offset < RESERVED_FIRST or offset >= cidr.num_addresses - RESERVED_LAST


def taken(world: World, subnet: Subnet) -> set[IPv4Address]:
    """Return the addresses that interfaces of a subnet have.  Costs one pass over them."""
    interfaces = world.bucket(Interface, "subnet_id", subnet.id).values()
    return {ip for i in interfaces for ip in cast(Interface, i).private_ips}


def free_addresses(world: World, subnet: Subnet) -> int:
    """Return AWS's AvailableIpAddressCount."""
    used = _addresses(world.bucket(Interface, "subnet_id", subnet.id), subnet.id)
    return subnet.cidr.num_addresses - RESERVED_FIRST - RESERVED_LAST - len(used)


def free_address(world: World, subnet: Subnet, also_taken: Iterable[IPv4Address] = ()) -> IPv4Address:
    """Return the lowest address of a subnet that no interface has, above AWS's own.  Raises NoFreeAddress."""
    bucket = world.bucket(Interface, "subnet_id", subnet.id)
    first = int(subnet.cidr.network_address) + RESERVED_FIRST
    last = int(subnet.cidr.broadcast_address) - RESERVED_LAST
    number = _addresses.lowest_free(bucket, subnet.id, first)
    used, also = _addresses(bucket, subnet.id), frozenset(map(int, also_taken))
    while number in used or number in also:
        number += 1
    if number > last:
        raise NoFreeAddress(subnet.id)
    return IPv4Address(number)


def is_reserved6(cidr: IPv6Network, address: IPv6Address) -> bool:
    """Tell whether AWS keeps the address for itself: the first four and the last of a subnet."""
    offset = int(address) - int(cidr.network_address)
    return offset < RESERVED_FIRST or offset >= cidr.num_addresses - RESERVED_LAST


def taken6(world: World, subnet: Subnet) -> set[IPv6Address]:
    """Return the IPv6 addresses that interfaces of a subnet have.  Costs one pass over them."""
    interfaces = world.bucket(Interface, "subnet_id", subnet.id).values()
    return {ip for i in interfaces for ip in cast(Interface, i).ipv6_addresses}


def free_address6(world: World, subnet: Subnet, also_taken: Iterable[IPv6Address] = ()) -> IPv6Address:
    """Return the lowest IPv6 address of a subnet that no interface has, above AWS's own.  Raises NoFreeAddress."""
    if subnet.cidr6 is None:
        raise NoFreeAddress(subnet.id)
    used = taken6(world, subnet) | set(also_taken)
    first = int(subnet.cidr6.network_address) + RESERVED_FIRST
    return next(a for n in range(first, first + len(used) + 1) if (a := IPv6Address(n)) not in used)


def free_range6(world: World) -> IPv6Network:
    """Return the lowest range of the pool that no VPC has, in any account."""
    used = {cidr for vpc in world.seen_by(None).all(Vpc) for cidr in vpc.cidrs6}
    return next(cidr for cidr in POOL6.subnets(new_prefix=RANGE6_LENGTH) if cidr not in used)


def free_public_ip(world: World, wanted: IPv4Address | None = None) -> IPv4Address:
    """Return the lowest public address that nobody has, in any account, or the one wanted.

    Raises NoFreePublicAddress.  Costs one pass over Elastic IPs and interfaces.
    """
    everyone = world.seen_by(None)
    used = {eip.public_ip for eip in everyone.all(ElasticIp)}
    used |= {interface.public_ip for interface in everyone.all(Interface) if interface.public_ip}
    for address in PUBLIC_POOL.hosts():
        if address not in used and wanted in (None, address):
            return address
    raise NoFreePublicAddress(str(wanted or PUBLIC_POOL))


def free_number(world: World, kind: type[Resource], vpc_id: str) -> int:
    """Return the lowest number from 1 that no resource of the kind has in the VPC."""
    return _numbers.lowest_free(world.bucket(kind, "vpc_id", vpc_id), (kind, vpc_id), first=1)


def new_interface(
    tx: Tx,
    subnet: Subnet,
    group_ids: Sequence[str],
    *,
    address: IPv4Address | None = None,
    secondaries: Sequence[IPv4Address] = (),
    **fields: Any,
) -> Interface:
    """Put a new interface into a subnet, with the lowest free address unless one is given.

    The caller has checked the address and the groups.  `fields` are further fields of Interface.  It belongs to the
    subnet's owner, who is another in EC2-Classic only.
    Raises NoFreeAddress.
    """
    its_address = address or free_address(tx.world, subnet)
    made = tx.make(
        Interface,
        tx.new_id("eni"),
        vpc_id=subnet.vpc_id,
        subnet_id=subnet.id,
        zone=subnet.zone,
        number=free_number(tx.world, Interface, subnet.vpc_id),
        mac=mac_address(f"{subnet.id}/{its_address}"),
        private_ips=(its_address, *secondaries),
        group_ids=tuple(group_ids),
        created=tx.now,
        **fields,
    )
    return made if subnet.account == made.account else tx.put(made.but(account=subnet.account))
