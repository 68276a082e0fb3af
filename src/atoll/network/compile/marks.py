"""Names and numbers that the files of this package share.

A packet's mark in its router, from the source check on:

    0x00001..0x03fdf   the subnet of the interface that sent it
    0x03fe0            it came from the internet (0x3fe3..0x3fff wait for other edges)
    0x03fe1            it came through an egress-only gateway
    0x03fe2            it came from a gateway endpoint
    0x03ff0            it came from a peered VPC
    0x04000  VIA       the interface that sent it does not own its source address: a machine that forwards
    0x08000  HOP       layer 2: it was sent to the MAC of the interface of this number, which is not its destination
    0x20000  TO_VIA    it goes to an interface that does not own its destination address

A flow's mark (conntrack), AWS's tracked and untracked flows:

    1  the groups of its sender tracked it      2  the groups of its receiver tracked it
    and a pair of bits for a machine that forwards it: those groups tracked it coming in, going out.  There are 14
    pairs; two such machines on the way of one flow share theirs if their numbers differ by a multiple of 14.
"""

from ipaddress import IPv4Address

from atoll.model.names import digest
from atoll.network.compile.version import V4, Version
from atoll.network.facts import Chain, Container, Element, Field, Hook
from atoll.network.rules import Rule, Verdict

TABLE = "vpc"  # inet: all decisions
ARP_TABLE = "vpc_arp"  # netdev: the ARP responder

FROM_INTERNET, FROM_EGRESS_ONLY, FROM_ENDPOINT, FROM_PEER = 0x3FE0, 0x3FE1, 0x3FE2, 0x3FF0
VIA, HOP, TO_VIA = 0x4000, 0x8000, 0x20000
SUBNET_MASK = 0xFFFF & ~VIA  # a policy rule with this mask covers a subnet's packets with and without VIA
FIRST_TABLE = 1000  # kernel route tables: this + the mark

BY_SENDER, BY_RECEIVER = 1, 2
FIRST_PAIR, PAIRS = 4, 14

GATEWAY_MAC = "02:00:5e:00:00:01"
GATEWAY_LINK, EGRESS_ONLY_LINK = "igw", "eigw"
GUEST_LINK = "eth0"
INSIDE_MTU, INTERNET_MTU = 9001, 1500  # VPC User Guide, "Maximum transmission unit"
EVERYWHERE, NEXT_HOP = V4.everywhere, V4.next_hop

# What every namespace of ours is born with; a new one would inherit the host's values for some.  Each costs 0.1 ms.
QUIET = (("net.ipv6.conf.all.disable_ipv6", 1), ("net.ipv6.conf.default.disable_ipv6", 1))
ROUTER = (
    *QUIET,
    ("net.ipv4.ip_forward", 1),
    ("net.ipv4.conf.all.rp_filter", 0),
    ("net.ipv4.conf.default.rp_filter", 0),
    ("net.ipv4.conf.all.send_redirects", 0),
    ("net.ipv4.conf.default.send_redirects", 0),
)
# A router of both versions: its links have no IPv6 until one is told to (`facts.DualStack`).
DUAL_ROUTER = (
    ("net.ipv6.conf.default.disable_ipv6", 1),
    ("net.ipv6.conf.all.forwarding", 1),
    ("net.ipv6.conf.default.addr_gen_mode", 1),  # no link-local addresses: it speaks to permanent neighbours
    *ROUTER[len(QUIET) :],
)
GUEST = (*QUIET, ("net.ipv4.ip_forward", 0))


def gateway_peer(vpc_id: str) -> str:
    """Return the name of the internet's end of a VPC's gateway."""
    return "i" + digest(vpc_id, 12)


def egress_only_peer(vpc_id: str) -> str:
    """Return the name of the internet's end of a VPC's egress-only gateway."""
    return "i" + digest(f"{EGRESS_ONLY_LINK} {vpc_id}", 12)


def leg_bits(interface_number: int) -> tuple[int, int]:
    """Return the flow bits of a machine that forwards: coming in, going out."""
    coming_in = FIRST_PAIR << 2 * (interface_number % PAIRS)
    return coming_in, coming_in << 1


def far_mac(name: str) -> str:
    """Return a MAC address for a link that no interface of the World names."""
    raw = digest(f"link {name}", 10)
    return "02:" + ":".join(raw[i : i + 2] for i in range(0, 10, 2))


def chain(vpc_id: str, name: str, *rules: Rule, hook: Hook | None = None, of: Version = V4) -> Chain:
    """Return a chain of a VPC's table."""
    return Chain(vpc_id, of.family, TABLE, name, rules, hook)


def plain_set(vpc_id: str, name: str, *key: str, interval: bool = False, of: Version = V4) -> Container:
    """Return a set of a VPC's table."""
    return Container(vpc_id, of.family, TABLE, name, key, None, interval)


def mapping(vpc_id: str, name: str, value: str, *key: str, of: Version = V4) -> Container:
    """Return a map of a VPC's table."""
    return Container(vpc_id, of.family, TABLE, name, key, value)


def element(
    vpc_id: str,
    container: str,
    *key: Field,
    to: int | str | IPv4Address | Verdict | None = None,
    comment: str = "",
    of: Version = V4,
) -> Element:
    """Return an element of a VPC's table."""
    return Element(vpc_id, of.family, TABLE, container, key, to, comment)
