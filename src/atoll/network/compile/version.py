"""The two versions of IP, and how the kernel's chains spell each: the rules of both are made by the same functions.

A version's rules are in a table of its own family, so that a packet meets only those of its version, and a VPC
without IPv6 has none for it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from atoll.model.ip import Ip, Net
from atoll.network.facts import IPV4, IPV6
from atoll.network.flow import ICMP, ICMPV6


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between the versions."""

    number: int
    family: str  # of its table
    source: str
    destination: str
    address: str  # nftables' type
    everywhere: Net
    bits: int  # of an address
    next_hop: Ip  # at the far end of an unnumbered link
    private: tuple[Net, ...]  # addresses that an internet gateway carries for nobody
    icmp: int
    echoes: tuple[str, str]  # the type and code of its ICMP

    @property
    def top(self) -> int:
        """The highest address, as a number."""
        return (1 << self.bits) - 1

    def of(self, things: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return those addresses or ranges that are of this version."""
        return tuple(one for one in things if one.version == self.number)


V4 = Version(
    4,
    IPV4,
    "ip saddr",
    "ip daddr",
    "ipv4_addr",
    IPv4Network("0.0.0.0/0"),
    32,
    IPv4Address("169.254.0.1"),
    # RFC 1918 and RFC 6598
    tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))),
    ICMP,
    ("icmp type", "icmp code"),
)
V6 = Version(
    6,
    IPV6,
    "ip6 saddr",
    "ip6 daddr",
    "ipv6_addr",
    IPv6Network("::/0"),
    128,
    IPv6Address("fe80::1"),  # EC2's gateways have link-local addresses, too
    tuple(map(IPv6Network, ("fc00::/7", "fe80::/10"))),  # RFC 4193, RFC 4291
    ICMPV6,
    ("icmpv6 type", "icmpv6 code"),
)
BOTH = (V4, V6)


def versions(has_ipv6: bool) -> tuple[Version, ...]:
    """Return the versions that a VPC has."""
    return BOTH if has_ipv6 else BOTH[:1]
