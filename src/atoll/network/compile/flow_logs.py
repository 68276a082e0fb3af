"""Flow logs: what passes logged interfaces, and what is refused there, is counted by flow in the VPC's router.

Only a VPC with a flow log has any of this.  It is asked last, when everything else has let the packet through:

    forward  20  flow_log   what an interface sends, and what it receives, each under the interface's number

A refused packet comes by way of the map `refusals` (compile/refusals.py): one that the receiver's side refused was
sent by the other side all the same, as one was that a gateway in between did not carry.

The entries of `flows` and `plain_flows` are a number (WHAT), the two addresses, and two ports or a protocol.  They
need not be read in time: an entry is forgotten FORGET_SECONDS after its last packet.

    0x00003fff  the number of the interface    0x00010000  it is the receiver    0x00020000  refused there
    0x00040000  UDP (else TCP)                 0x00f00000  FIN, SYN, RST, and ACK with one of these
"""

from collections.abc import Iterator

from atoll.model.interface import Interface
from atoll.model.names import link_name
from atoll.network.compile.marks import TABLE, chain, element, mapping
from atoll.network.compile.refusals import ON_REFUSAL
from atoll.network.compile.version import Version, versions
from atoll.network.facts import Chain, Container, Fact, Hook
from atoll.network.flow import TCP, UDP
from atoll.network.rules import (
    DROP,
    REASON_BITS,
    SIDES,
    SetBits,
    SetFrom,
    Tally,
    Verdict,
    bits,
    equal,
    goto,
    jump,
    rule,
)

FLOWS, PLAIN_FLOWS = "flows", "plain_flows"
FLOWS_MAX = 131_072  # entries: some 20 MB for a version of IP.  A connection makes six: first, later, last packets
FORGET_SECONDS = 150  # more than two of the minutes after which they are read
NUMBER, RECEIVED, REFUSED_THERE, IS_UDP, FLAG_SHIFT = 0x3FFF, 0x10000, 0x20000, 0x40000, 20
FIN, SYN, RST, ACK = 1, 2, 4, 0x10  # of a TCP header
FLAGS = {FIN: 1, SYN: 2, RST: 4, ACK: 8}  # -> bit in WHAT, above FLAG_SHIFT
WHAT = "meta mark"
AFTER_GROUPS = 20  # priority in forward


def counting(vpc_id: str, has_ipv6: bool = False) -> Iterator[Fact]:
    """Yield what counts flows in a router."""
    for of in versions(has_ipv6):
        for name, more in ((FLOWS, ("inet_service", "inet_service")), (PLAIN_FLOWS, ("inet_proto",))):
            key = ("mark", of.address, of.address, *more)
            yield Container(vpc_id, of.family, TABLE, name, key, entries_max=FLOWS_MAX, forget_seconds=FORGET_SECONDS)
        yield mapping(vpc_id, "logged", "mark", "ifname", of=of)
        yield from _count(vpc_id, of)
        yield from _tell(vpc_id, of)


def _count(vpc_id: str, of: Version) -> Iterator[Chain]:
    """Yield the chains that count a packet, of which it is known what it is to whom."""
    ends = (of.source, of.destination)
    yield chain(vpc_id, "count_ports", rule(Tally((WHAT, *ends, "th sport", "th dport"), FLOWS)), of=of)
    flagged = [rule(bits("tcp flags", flag, flag), SetBits(WHAT, bit << FLAG_SHIFT)) for flag, bit in FLAGS.items()]
    yield chain(
        vpc_id,
        "count_tcp",
        rule(bits("tcp flags", FIN | SYN | RST, 0), goto("count_ports")),
        *flagged,
        rule(goto("count_ports")),
        of=of,
    )
    yield chain(
        vpc_id,
        "count",
        rule(equal("meta l4proto", TCP), goto("count_tcp")),
        rule(equal("meta l4proto", UDP), SetBits(WHAT, IS_UDP), goto("count_ports")),
        rule(Tally((WHAT, *ends, "meta l4proto"), PLAIN_FLOWS)),
        of=of,
    )


def _tell(vpc_id: str, of: Version) -> Iterator[Chain]:
    """Yield the chains that say what a packet is to whom: passed or refused, sent or received."""
    sent, received = SetFrom(WHAT, ("iifname",), "logged"), SetFrom(WHAT, ("oifname",), "logged")
    hook = Hook("filter", "forward", AFTER_GROUPS, accepts=True)
    passed = rule(sent, jump("count")), rule(received, SetBits(WHAT, RECEIVED), jump("count"))
    yield chain(vpc_id, "flow_log", *passed, hook=hook, of=of)
    by_side = {
        "out": (rule(sent, SetBits(WHAT, REFUSED_THERE), jump("count")),),
        "in": (
            rule(sent, jump("count")),
            rule(received, SetBits(WHAT, RECEIVED | REFUSED_THERE), jump("count")),
        ),
        "way": (rule(sent, jump("count")),),
    }
    for side, rules in by_side.items():
        yield chain(vpc_id, f"refused_{side}", *rules, rule(DROP), of=of)
    mask = (len(SIDES) - 1) << REASON_BITS
    sides = [rule(bits(WHAT, mask, SIDES.index(s) << REASON_BITS), goto(f"refused_{s}")) for s in by_side]
    yield chain(vpc_id, "refused_and_logged", *sides, rule(DROP), of=of)


def logged(it: Interface, has_ipv6: bool = False) -> Iterator[Fact]:
    """Yield what has the flows of an interface counted."""
    link = link_name(it.id)
    for of in versions(has_ipv6):
        yield element(it.vpc_id, "logged", link, to=it.number, of=of)
        yield element(it.vpc_id, ON_REFUSAL, link, to=Verdict("goto", "refused_and_logged"), of=of)
