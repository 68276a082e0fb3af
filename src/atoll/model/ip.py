"""Addresses and ranges of either version of the Internet Protocol.

What is annotated `IPv4Address` is of version 4 only: a public address, an interface's private ones.  Python's `in`,
`==` and `overlaps` work across versions and are false there; `subnet_of` and `<` raise.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TypeAlias

Ip: TypeAlias = IPv4Address | IPv6Address
IpInterface: TypeAlias = IPv4Interface | IPv6Interface  # an address with the length of its network's prefix
Net: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Association6:
    """One IPv6 range of a VPC or of a subnet."""

    id: str  # vpc-cidr-assoc-, subnet-cidr-assoc-
    cidr: IPv6Network


def lies_in(inner: Net, outer: Net) -> bool:
    """Tell whether a range is a part of another, or the same; ranges of two versions are not."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
